//! Pull requests: how many, how long they take, and who looks at them.

use crate::snapshot::{MergedPull, Pulls};
use crate::{checks, metrics};
use jiff::{SignedDuration, Timestamp};
use shared::window::{WEEK, hours, last};
use shared::{Sample, stats};

/// An open pull request that is older than this is stale.
const STALE: SignedDuration = SignedDuration::from_hours(14 * 24);

pub(super) fn samples(pulls: Option<&Pulls>, now: Timestamp) -> Vec<Sample> {
    let merges = pulls.map(|pulls| Merges::of(pulls, now));
    let mut samples = news(pulls, now);
    samples.extend(levels(pulls, now));
    samples.extend(totals(merges.as_ref()));
    samples.extend(durations(merges.as_ref()));
    samples
}

/// The merges of a week, with their durations in hours.
struct Merges<'a> {
    pulls: Vec<&'a MergedPull>,
    /// How many nobody but their author looked at.
    unreviewed: usize,
    /// From opening to merge.
    cycle: Vec<f64>,
    /// From ready for review to merge.
    live: Vec<f64>,
    /// From ready for review to the first review, where there was one.
    first: Vec<f64>,
    /// The same, or the whole live time where there was none.
    pickup: Vec<f64>,
    /// From the first review to merge, where there was one.
    review: Vec<f64>,
}

impl<'a> Merges<'a> {
    fn of(pulls: &'a Pulls, now: Timestamp) -> Self {
        let week = last(WEEK, now);
        let pulls: Vec<&MergedPull> = pulls.merged.iter().filter(|pull| week.contains(&pull.merged_at)).collect();
        let reviewed = |pull: &MergedPull| pull.first_review.filter(|review| *review < now);
        // A draft that was looked at before it was ready has not waited at all.
        let first = |pull: &MergedPull| hours(pull.live_since, reviewed(pull)?.max(pull.live_since));
        let live = |pull: &MergedPull| hours(pull.live_since, pull.merged_at);
        let each = |duration: &dyn Fn(&MergedPull) -> Option<f64>| {
            pulls.iter().filter_map(|pull| duration(pull)).collect::<Vec<f64>>()
        };
        Self {
            unreviewed: pulls.iter().filter(|pull| reviewed(pull).is_none()).count(),
            cycle: each(&cycle),
            live: each(&live),
            first: each(&first),
            pickup: each(&|pull| if reviewed(pull).is_some() { first(pull) } else { live(pull) }),
            review: each(&|pull| hours(reviewed(pull)?, pull.merged_at)),
            pulls,
        }
    }
}

fn cycle(pull: &MergedPull) -> Option<f64> {
    hours(pull.created_at, pull.merged_at)
}

fn levels(pulls: Option<&Pulls>, now: Timestamp) -> [Sample; 4] {
    let week = last(WEEK, now);
    let open = pulls.map(|pulls| &pulls.open);
    let closed = |pulls: &Pulls| pulls.closed.values().filter(|closed| week.contains(closed)).count();
    [
        metrics::PRS_OPEN.number(open.map(Vec::len)),
        metrics::PRS_DRAFT.number(open.map(|open| open.iter().filter(|pull| pull.draft).count())),
        metrics::PRS_STALE.number(open.map(|open| open.iter().filter(|pull| pull.created_at < now - STALE).count())),
        metrics::PRS_CLOSED.number(pulls.map(closed)),
    ]
}

fn totals(merges: Option<&Merges>) -> [Sample; 4] {
    let commented = merges.and_then(|merges| {
        let commented = merges.pulls.iter().filter(|pull| pull.comments > 0).count();
        stats::percent(stats::count(commented), stats::count(merges.pulls.len()))
    });
    let comments = merges.and_then(|merges| {
        let comments: Option<usize> = merges.pulls.iter().map(|pull| usize::try_from(pull.comments).ok()).sum();
        stats::ratio(stats::count(comments?), stats::count(merges.pulls.len()))
    });
    [
        metrics::PRS_MERGED.number(merges.map(|merges| merges.pulls.len())),
        metrics::PRS_UNREVIEWED.number(merges.map(|merges| merges.unreviewed)),
        metrics::PRS_COMMENTED.maybe(commented),
        metrics::PRS_COMMENTS.maybe(comments),
    ]
}

fn durations(merges: Option<&Merges>) -> [Sample; 9] {
    let cycle = merges.map(|merges| merges.cycle.as_slice());
    let live = merges.map(|merges| merges.live.as_slice());
    let first = merges.map(|merges| merges.first.as_slice());
    let pickup = merges.map(|merges| merges.pickup.as_slice());
    let review = merges.map(|merges| merges.review.as_slice());
    [
        metrics::PRS_CYCLE_TIME_MEAN.mean(cycle),
        metrics::PRS_CYCLE_TIME_P50.percentile(0.5, cycle),
        metrics::PRS_CYCLE_TIME_P90.percentile(0.9, cycle),
        metrics::PRS_TIME_TO_MERGE.mean(live),
        metrics::PRS_FIRST_REVIEW.mean(first),
        metrics::PRS_PICKUP_P50.percentile(0.5, pickup),
        metrics::PRS_PICKUP_P90.percentile(0.9, pickup),
        metrics::PRS_REVIEW_P50.percentile(0.5, review),
        metrics::PRS_REVIEW_P90.percentile(0.9, review),
    ]
}

fn news(pulls: Option<&Pulls>, now: Timestamp) -> Vec<Sample> {
    let merged = pulls.map(|pulls| pulls.merged.as_slice());
    let all: Option<Vec<Timestamp>> = merged.map(|merged| merged.iter().map(|pull| pull.merged_at).collect());
    let in_time = |pull: &&MergedPull| cycle(pull).is_some_and(|hours| checks::CYCLE_TIME.holds(hours));
    let in_time: Option<Vec<Timestamp>> =
        merged.map(|merged| merged.iter().filter(in_time).map(|pull| pull.merged_at).collect());
    let ended = merged.unwrap_or_default().iter().filter(|pull| pull.merged_at < now);
    // An impossible duration is no number, which counts it as invalid.
    let observed = ended.map(|pull| {
        let hours = cycle(pull).unwrap_or(f64::NAN);
        metrics::PRS_CYCLE_TIME.observe(hours, pull.merged_at, pull.number)
    });
    let slots = metrics::PRS_MERGED_NEW.slots(all.as_deref(), now);
    slots.chain(metrics::PRS_MERGED_IN_TIME_NEW.slots(in_time.as_deref(), now)).chain(observed).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, jan, said};
    use super::*;
    use crate::snapshot::OpenPull;
    use shared::testing::at;

    fn now() -> Timestamp {
        at(NOW)
    }

    fn merged(number: u64, created: &str, merged: &str) -> MergedPull {
        MergedPull {
            number,
            created_at: jan(created),
            merged_at: jan(merged),
            live_since: jan(created),
            into_branch: true,
            comments: 0,
            first_review: None,
            hotfix: false,
            revert: false,
            files: None,
        }
    }

    fn of(merged: Vec<MergedPull>) -> Vec<Sample> {
        samples(Some(&Pulls { merged, ..Pulls::default() }), now())
    }

    fn open(created: &str, draft: bool) -> OpenPull {
        OpenPull { number: 1, created_at: at(created), draft }
    }

    #[test]
    fn a_merge_and_a_close_belong_to_the_week_that_starts_with_their_second_and_ends_before_now() {
        let times = ["01T11:59:59", "01T12:00:00", "08T11:59:59", "08T12:00:00"];
        let numbers = 1..;
        let pulls = Pulls {
            merged: numbers.clone().zip(times).map(|(number, time)| merged(number, "01T00:00:00", time)).collect(),
            closed: numbers.zip(times).map(|(number, time)| (number, jan(time))).collect(),
            ..Pulls::default()
        };
        let samples = samples(Some(&pulls), now());
        assert_eq!(said(&samples, "github.prs.merged_7d"), "github.prs.merged_7d{} 2");
        assert_eq!(said(&samples, "github.prs.closed"), "github.prs.closed_without_merge_7d{} 2");
    }

    #[test]
    fn a_merge_counts_by_its_own_time_and_not_by_a_later_comment() {
        let mut commented_today = merged(1, "01T00:00:00", "01T06:00:00");
        commented_today.first_review = Some(jan("08T11:00:00"));
        commented_today.comments = 1;
        let six_days_ago = merged(2, "01T00:00:00", "02T12:00:00");
        let samples = of(vec![commented_today, six_days_ago]);
        assert_eq!(said(&samples, "github.prs.merged_7d"), "github.prs.merged_7d{} 1");
        assert_eq!(said(&samples, "github.prs.with"), "github.prs.with_review_comments_pct{} 0");
    }

    #[test]
    fn an_open_pull_request_of_exactly_fourteen_days_is_not_stale_and_drafts_count() {
        let open = vec![
            open("2025-12-25T12:00:00Z", false),
            open("2025-12-25T11:59:59Z", true),
            open("2026-01-08T11:00:00Z", false),
        ];
        let samples = samples(Some(&Pulls { open, ..Pulls::default() }), now());
        assert_eq!(said(&samples, "github.prs.open"), "github.prs.open{} 3");
        assert_eq!(said(&samples, "github.prs.draft"), "github.prs.draft{} 1");
        assert_eq!(said(&samples, "github.prs.stale"), "github.prs.stale_count_14d{} 1");
    }

    #[test]
    fn the_durations_of_three_merges_are_those_worked_out_by_hand() {
        let mut quick = merged(1, "05T00:00:00", "05T10:00:00");
        (quick.live_since, quick.first_review) = (jan("05T02:00:00"), Some(jan("05T04:00:00")));
        let mut seen_as_draft = merged(2, "05T00:00:00", "05T20:00:00");
        (seen_as_draft.live_since, seen_as_draft.first_review) = (jan("05T10:00:00"), Some(jan("05T04:00:00")));
        let mut unseen = merged(3, "05T00:00:00", "07T12:00:00");
        unseen.live_since = jan("05T18:00:00");
        let samples = of(vec![quick, seen_as_draft, unseen]);
        let expected = "github.prs.avg_time_to_merge_hours{} 20\n\
                        github.prs.cycle_time_hours.p50{} 20\n\
                        github.prs.cycle_time_hours.p90{} 52\n\
                        github.prs.cycle_time_hours{} 30\n\
                        github.prs.merged_without_review_7d{} 1\n\
                        github.prs.pickup_time_hours.p50{} 2\n\
                        github.prs.pickup_time_hours.p90{} 34\n\
                        github.prs.review_time_hours.p50{} 11\n\
                        github.prs.review_time_hours.p90{} 15\n\
                        github.prs.time_to_first_review_hours{} 1";
        let names = ["avg_time", "cycle_time_hours", "merged_without", "pickup", "review_time", "time_to_first"];
        let actual: Vec<String> = names.iter().map(|name| said(&samples, &format!("github.prs.{name}"))).collect();
        assert_eq!(actual.join("\n"), expected);
    }

    #[test]
    fn one_human_review_comment_shows_and_an_approval_without_text_is_a_review_without_comment() {
        let mut commented = merged(1, "05T00:00:00", "05T10:00:00");
        (commented.comments, commented.first_review) = (1, Some(jan("05T04:00:00")));
        let mut approved = merged(2, "05T00:00:00", "05T10:00:00");
        approved.first_review = Some(jan("05T04:00:00"));
        let unseen = [3, 4].map(|number| merged(number, "05T00:00:00", "05T10:00:00"));
        let samples = of([vec![commented, approved], unseen.to_vec()].concat());
        assert_eq!(said(&samples, "github.prs.with"), "github.prs.with_review_comments_pct{} 25");
        assert_eq!(said(&samples, "github.prs.avg_comments"), "github.prs.avg_comments_per_pr{} 0.25");
        assert_eq!(said(&samples, "github.prs.merged_without"), "github.prs.merged_without_review_7d{} 2");
    }

    #[test]
    fn a_review_after_the_merge_was_no_review_time_and_one_after_now_is_not_there_yet() {
        let mut after_merge = merged(1, "05T00:00:00", "05T10:00:00");
        after_merge.first_review = Some(jan("05T12:00:00"));
        let mut after_now = merged(2, "05T00:00:00", "05T10:00:00");
        after_now.first_review = Some(jan("08T12:00:00"));
        let samples = of(vec![after_merge, after_now]);
        assert_eq!(said(&samples, "github.prs.review_time"), "");
        assert_eq!(said(&samples, "github.prs.time_to_first"), "github.prs.time_to_first_review_hours{} 12");
        assert_eq!(said(&samples, "github.prs.pickup_time_hours.p50"), "github.prs.pickup_time_hours.p50{} 11");
        assert_eq!(said(&samples, "github.prs.merged_without"), "github.prs.merged_without_review_7d{} 1");
    }

    #[test]
    fn a_quiet_week_is_zeros_without_means_and_an_unknown_one_is_nothing() {
        let quiet = of(Vec::new());
        let totals: Vec<String> =
            said(&quiet, "github.").lines().filter(|line| !line.contains('@')).map(str::to_owned).collect();
        let expected = [
            "github.prs.closed_without_merge_7d{} 0",
            "github.prs.draft{} 0",
            "github.prs.merged_7d{} 0",
            "github.prs.merged_without_review_7d{} 0",
            "github.prs.open{} 0",
            "github.prs.stale_count_14d{} 0",
        ];
        assert_eq!(totals, expected);
        let unknown = samples(None, now());
        assert_eq!((said(&unknown, ""), unknown.len()), (String::new(), quiet.len()));
    }

    #[test]
    fn a_merge_is_counted_in_its_slot_and_within_the_target_up_to_the_last_second() {
        let samples = of(vec![
            merged(1, "06T11:45:00", "08T11:45:00"),
            merged(2, "06T11:49:59", "08T11:50:00"),
            merged(3, "08T11:00:00", "08T11:44:59"),
            merged(4, "08T11:00:00", "08T12:00:00"),
            merged(5, "08T11:44:00", "08T11:30:00"),
        ]);
        let merges = "github.prs.merged.new{} 0 @ 2026-01-08T11:15:00Z\n\
                      github.prs.merged.new{} 0 @ 2026-01-08T11:30:00Z\n\
                      github.prs.merged.new{} 2 @ 2026-01-08T11:45:00Z\n\
                      github.prs.merged.new{} 2 @ 2026-01-08T12:00:00Z";
        assert_eq!(said(&samples, "github.prs.merged.new"), merges);
        let in_time = "github.prs.merged_within_target.new{} 0 @ 2026-01-08T11:15:00Z\n\
                       github.prs.merged_within_target.new{} 0 @ 2026-01-08T11:30:00Z\n\
                       github.prs.merged_within_target.new{} 1 @ 2026-01-08T11:45:00Z\n\
                       github.prs.merged_within_target.new{} 1 @ 2026-01-08T12:00:00Z";
        assert_eq!(said(&samples, "github.prs.merged_within"), in_time);
    }

    #[test]
    fn every_merge_before_now_is_one_observation_and_an_impossible_one_is_invalid() {
        let samples = of(vec![
            merged(1, "01T00:00:00", "01T06:00:00"),
            merged(2, "08T11:00:00", "08T11:59:59"),
            merged(3, "08T11:00:00", "08T12:00:00"),
            merged(4, "08T11:00:00", "08T10:00:00"),
        ]);
        let observed: Vec<&Sample> = samples.iter().filter(|sample| sample.occurrence().is_some()).collect();
        let ended: Vec<Timestamp> = observed.iter().filter_map(|sample| Some(sample.occurrence()?.ended_at)).collect();
        assert_eq!(ended, ["01T06:00:00", "08T11:59:59", "08T10:00:00"].map(jan));
        assert_eq!(observed[0].to_string(), "github.prs.cycle_time{} 6");
        assert!(observed[2].value().is_some_and(f64::is_nan));
        assert_eq!(
            said(&samples, "github.prs.cycle_time_hours.p90"),
            "github.prs.cycle_time_hours.p90{} 0.9997222222222222"
        );
    }
}
