//! Hand-made workspaces whose sums are known.
