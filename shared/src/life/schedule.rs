//! How the time of a run is divided, so that no upstream, store or Datadog can take the time that the others need.

use crate::Event;
use jiff::{SignedDuration, Timestamp};
use std::time::{Duration, Instant};

/// The most of a run's time that is reserved for delivery.
const FOR_DELIVERY: Duration = Duration::from_secs(20);

/// The deadlines of the steps of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    /// When the run began.
    pub started: Instant,
    /// What it has until it is killed.
    pub whole: Duration,
    /// A quarter of the run: what a hanging store may take, and what the spool may.
    pub quarter: Duration,
    /// No upstream is asked after this.
    pub fetch: Instant,
    /// What was fetched is stored by then.
    pub store: Instant,
    /// Observations are committed by then.
    pub commit: Instant,
    /// The run's own points are sent by then.
    pub send: Instant,
    /// What earlier runs left is sent by then, if there is time.
    pub backlog: Instant,
    /// The last rows of the run are sent by then.
    pub last: Instant,
    /// What could not be sent is in the store by then. The rest is for the log line.
    pub end: Instant,
}

impl Schedule {
    /// The moments of a run that begins now and is killed after `time_left`.
    pub(crate) fn new(started: Instant, time_left: Duration) -> Self {
        let (quarter, margin) = (time_left / 4, (time_left / 30).min(Duration::from_secs(1)));
        let (end, reserve) = (started + time_left.saturating_sub(margin), quarter.min(FOR_DELIVERY));
        let before = |part: u32, of: u32| end.checked_sub(reserve * part / of).unwrap_or(started);
        Self {
            started,
            whole: time_left,
            quarter,
            fetch: before(1, 1),
            store: before(4, 5),
            commit: before(3, 5),
            send: before(1, 3),
            backlog: before(1, 6),
            last: before(1, 12),
            end,
        }
    }

    /// What the clock says by now: an age is judged when something is sent, and not when the run began.
    pub(crate) fn wall(&self, event: &Event) -> Timestamp {
        event.wall() + SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::ZERO)
    }

    /// When what earlier runs left must be sent, if one begins with it now.
    pub(crate) fn backlog_from(&self, now: Instant) -> Instant {
        self.backlog.min(now + self.quarter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_time_of_its_own_however_short_the_run() {
        for seconds in [2, 15, 60, 900] {
            let (started, time) = (Instant::now(), Duration::from_secs(seconds));
            let schedule = Schedule::new(started, time);
            let moments = [
                started,
                schedule.fetch,
                schedule.store,
                schedule.commit,
                schedule.send,
                schedule.backlog,
                schedule.last,
                schedule.end,
                started + time,
            ];
            assert!(moments.windows(2).all(|pair| pair[0] < pair[1]), "{seconds}: {schedule:?}");
        }
    }
}
