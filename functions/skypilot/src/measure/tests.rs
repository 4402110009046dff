//! Formulas against literals.
