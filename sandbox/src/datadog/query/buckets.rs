//! The time that is asked about, and the buckets it is cut into.

/// The most buckets of an answer; Datadog makes the buckets wider rather than answer with more.
const MOST: i64 = 350;

/// The widths that Datadog chooses from, in seconds.
const WIDTHS: [i64; 12] = [1, 5, 10, 20, 60, 300, 600, 1200, 3600, 14_400, 86_400, 604_800];

/// A stretch of time in Unix seconds, its end excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from: i64,
    pub(super) to: i64,
    /// The width that the request asks for.
    asked: Option<i64>,
}

/// How a window is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Buckets {
    /// So many seconds each, from Unix time zero on.
    Wide(i64),
    /// Not at all.
    Whole,
}

impl Window {
    pub(super) fn new(from: i64, to: i64, asked: Option<i64>) -> Result<Self, String> {
        if from >= to || to.checked_sub(from).is_none() {
            return Err("'from' must be before 'to'".to_owned());
        }
        Ok(Self { from, to, asked: asked.filter(|width| *width > 0) })
    }

    pub(super) const fn length(&self) -> i64 {
        self.to - self.from
    }

    /// The buckets for a rollup of so many seconds, or for what the request asks for, or for the window's length. They
    /// are wider than asked for where there would be too many.
    pub(super) fn buckets(&self, rollup: Option<i64>) -> Buckets {
        let fits = |width: &i64| self.length() / width <= MOST;
        let automatic = WIDTHS.into_iter().find(fits).unwrap_or(self.length() / MOST + 1);
        Buckets::Wide(rollup.or(self.asked).filter(fits).unwrap_or(automatic))
    }

    /// The starts of all buckets.
    pub(super) fn starts(&self, buckets: Buckets) -> Vec<i64> {
        match buckets {
            Buckets::Whole => vec![self.from],
            Buckets::Wide(width) => {
                let first = self.from.div_euclid(width) * width;
                std::iter::successors(Some(first), |start| Some(start + width))
                    .take_while(|start| *start < self.to)
                    .collect()
            }
        }
    }

    /// The start of the bucket of a time.
    pub(super) fn start(&self, buckets: Buckets, ts: i64) -> i64 {
        match buckets {
            Buckets::Whole => self.from,
            Buckets::Wide(width) => ts.div_euclid(width) * width,
        }
    }

    /// The seconds of a bucket.
    pub(super) const fn width(&self, buckets: Buckets) -> i64 {
        match buckets {
            Buckets::Whole => self.length(),
            Buckets::Wide(width) => width,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_follows_the_window_and_there_are_never_more_than_350_buckets() {
        const HOUR: i64 = 3600;
        for (length, rollup, width) in [
            (300, None, 1),
            (HOUR, None, 20),
            (2 * HOUR, None, 60),
            (24 * HOUR, None, 300),
            (7 * 24 * HOUR, None, HOUR),
            (24 * HOUR, Some(900), 900),
            (350 * 900, Some(900), 900),
            (7 * 24 * HOUR, Some(900), HOUR),
            (7 * 24 * HOUR, Some(86_400), 86_400),
            (2 * HOUR, Some(1), 60),
            (20 * 365 * 24 * HOUR, None, 1_802_058),
        ] {
            let window = Window::new(0, length, None).unwrap();
            let Buckets::Wide(found) = window.buckets(rollup) else { panic!("{length}") };
            assert_eq!(found, width, "{length} {rollup:?}");
            assert!(window.starts(Buckets::Wide(found)).len() <= 351, "{length} {rollup:?}");
        }
        assert_eq!(Window::new(0, 7200, Some(600)).unwrap().buckets(None), Buckets::Wide(600));
        assert_eq!(Window::new(0, 7200, Some(600)).unwrap().buckets(Some(900)), Buckets::Wide(900));
        assert!(Window::new(10, 10, None).is_err());
    }

    #[test]
    fn buckets_are_aligned_to_unix_time() {
        let window = Window::new(1000, 2800, None).unwrap();
        assert_eq!(window.starts(Buckets::Wide(900)), [900, 1800, 2700]);
        assert_eq!(window.start(Buckets::Wide(900), 1799), 900);
        assert_eq!((window.start(Buckets::Whole, 1799), window.width(Buckets::Whole)), (1000, 1800));
        assert_eq!(window.starts(Buckets::Whole), [1000]);
    }
}
