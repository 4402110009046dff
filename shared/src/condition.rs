//! The condition of a check: an operator, a number and its unit, in signs for people and in words for tags.

use crate::{Error, Result, Unit};

/// How a value is compared; the strict ones are strict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `>=`
    AtLeast,
    /// `>`
    Above,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `in[low,high]`, both ends included.
    Within,
}

/// Longer signs stand before the shorter ones that begin them.
const OPERATORS: [(Operator, &str, &str); 6] = [
    (Operator::AtLeast, ">=", "ge_"),
    (Operator::AtMost, "<=", "le_"),
    (Operator::Equal, "==", "eq_"),
    (Operator::Above, ">", "gt_"),
    (Operator::Below, "<", "lt_"),
    (Operator::Within, "in", "in_"),
];

/// What a value is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// How it is compared.
    pub operator: Operator,
    number: f64,
    high: f64,
    scale: f64,
    suffix: &'static str,
    word: Option<&'static str>,
}

impl Condition {
    /// `operator number`, in the check's own unit.
    #[must_use]
    pub const fn new(operator: Operator, number: f64) -> Self {
        Self { operator, number, high: number, scale: 1.0, suffix: "", word: None }
    }

    /// Between two numbers, both included.
    #[must_use]
    pub const fn within(low: f64, high: f64) -> Self {
        Self { high, ..Self::new(Operator::Within, low) }
    }

    /// With the short form of its unit, as in `<5m`.
    #[must_use]
    pub const fn suffix(self, suffix: &'static str) -> Self {
        Self { suffix, ..self }
    }

    /// Written as a word, as in `==success`.
    #[must_use]
    pub const fn word(self, word: &'static str) -> Self {
        Self { word: Some(word), ..self }
    }

    /// The number it compares with, in the unit of the check; the lower one of two.
    #[must_use]
    pub fn target(&self) -> f64 {
        self.number * self.scale
    }

    /// Whether the value meets it.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "equality is exact by definition")]
    pub fn holds(&self, value: f64) -> bool {
        let (low, high) = (self.target(), self.high * self.scale);
        match self.operator {
            Operator::AtLeast => value >= low,
            Operator::Above => value > low,
            Operator::Below => value < low,
            Operator::AtMost => value <= low,
            Operator::Equal => value == low,
            Operator::Within => low <= value && value <= high,
        }
    }

    /// As a tag value: `lt_5m`, `ge_95pct`, `eq_success`, `in_-10_10`.
    #[must_use]
    pub fn words(&self) -> String {
        let suffix = if self.suffix == "%" { "pct" } else { self.suffix };
        self.write(|(_, _, word)| word, |low, high| format!("{low}_{high}"), suffix)
    }

    /// As people write it: `<5m`, `>=95%`, `==success`, `in[-10,10]`.
    #[must_use]
    pub fn signs(&self) -> String {
        self.write(|(_, sign, _)| sign, |low, high| format!("[{low},{high}]"), self.suffix)
    }

    fn write(
        &self,
        operator: impl Fn((Operator, &'static str, &'static str)) -> &'static str,
        pair: impl Fn(f64, f64) -> String,
        suffix: &str,
    ) -> String {
        let head = OPERATORS.into_iter().find(|row| row.0 == self.operator).map_or("", operator);
        match (self.word, self.operator) {
            (Some(word), _) => format!("{head}{word}"),
            (None, Operator::Within) => format!("{head}{}{suffix}", pair(self.number, self.high)),
            (None, _) => format!("{head}{}{suffix}", self.number),
        }
    }

    /// Reads signs or words; the number is converted to the unit of the check.
    ///
    /// # Errors
    /// When the text is no condition, or its unit is not one of this check's.
    pub fn parse(text: &str, unit: Unit) -> Result<Self> {
        let wrong = |problem: &str| {
            Error::config(
                "CHECKS",
                format!("`{text}` {problem}; a condition looks like `<8m`, `>=95%`, `==1`, `in[-10,10]` or `lt_8m`"),
            )
        };
        let text = text.trim();
        let (operator, rest) = OPERATORS
            .iter()
            .find_map(|(operator, sign, word)| {
                text.strip_prefix(word).or_else(|| text.strip_prefix(sign)).map(|rest| (*operator, rest.trim()))
            })
            .ok_or_else(|| wrong("has no operator"))?;
        if rest == "success" && operator == Operator::Equal {
            return Ok(Self::new(operator, 1.0).word("success"));
        }
        if operator == Operator::Within {
            let inner = rest.trim_start_matches('[').trim_end_matches(']');
            let (low, high) = inner.split_once([',', '_']).ok_or_else(|| wrong("has one bound instead of two"))?;
            let bounds = (low.trim().parse::<f64>(), high.trim().parse::<f64>());
            return match bounds {
                (Ok(low), Ok(high)) if low.is_finite() && high.is_finite() && low <= high => {
                    Ok(Self::within(low, high))
                }
                _ => Err(wrong("has no two numbers, the lower first")),
            };
        }
        let split = rest.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(split);
        let number =
            number.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(|| wrong("has no number"))?;
        let (suffix, scale) =
            scale(suffix.trim(), unit).ok_or_else(|| wrong(&format!("has no unit that fits {}", unit.word())))?;
        Ok(Self { scale, ..Self::new(operator, number).suffix(suffix) })
    }
}

/// The known suffix and what one of it is in the check's unit.
fn scale(suffix: &str, unit: Unit) -> Option<(&'static str, f64)> {
    const SECONDS: [(&str, f64); 4] = [("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0)];
    let own = match unit {
        Unit::Second => 1.0,
        Unit::Minute => 60.0,
        Unit::Hour => 3600.0,
        Unit::Day => 86400.0,
        Unit::Percent if matches!(suffix, "%" | "pct") => return Some(("%", 1.0)),
        _ if suffix.is_empty() => return Some(("", 1.0)),
        _ => return None,
    };
    match suffix {
        "" => Some(("", 1.0)),
        _ => SECONDS.into_iter().find(|(known, _)| *known == suffix).map(|(known, seconds)| (known, seconds / own)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_reads_in_signs_and_in_words_and_says_both() {
        for (text, unit, words, signs, target) in [
            ("<5m", Unit::Minute, "lt_5m", "<5m", 5.0),
            ("lt_8m", Unit::Minute, "lt_8m", "<8m", 8.0),
            ("<=2h", Unit::Minute, "le_2h", "<=2h", 120.0),
            (">=95%", Unit::Percent, "ge_95pct", ">=95%", 95.0),
            ("ge_95pct", Unit::Percent, "ge_95pct", ">=95%", 95.0),
            ("> 0.5", Unit::One, "gt_0.5", ">0.5", 0.5),
            ("==success", Unit::Check, "eq_success", "==success", 1.0),
            ("in[-10,10]", Unit::Percent, "in_-10_10", "in[-10,10]", -10.0),
            ("in_-10_10", Unit::Percent, "in_-10_10", "in[-10,10]", -10.0),
        ] {
            let condition = Condition::parse(text, unit).unwrap();
            assert_eq!((condition.words(), condition.signs()), (words.to_owned(), signs.to_owned()));
            assert!((condition.target() - target).abs() < 1e-9);
        }
    }

    #[test]
    fn what_is_no_condition_is_refused_with_an_example() {
        for text in ["", "5", "<", "<x", "<5k", "in[1]", "in[2,1]", "<NaN", "==failure"] {
            let error = Condition::parse(text, Unit::Minute).unwrap_err().to_string();
            assert!(error.starts_with("CHECKS: ") && error.contains("`<8m`"), "{error}");
        }
    }

    #[test]
    fn strict_operators_are_strict_and_both_ends_of_a_range_belong_to_it() {
        let holds = |text: &str, value| Condition::parse(text, Unit::One).unwrap().holds(value);
        assert!(!holds("<1", 1.0) && holds("<=1", 1.0) && !holds(">1", 1.0) && holds(">=1", 1.0) && holds("==1", 1.0));
        assert!(holds("in[-10,10]", -10.0) && holds("in[-10,10]", 10.0) && !holds("in[-10,10]", 10.1));
    }
}
