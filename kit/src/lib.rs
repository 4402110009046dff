//! The proofs that every collector gives: whole runs against the pretend organisation, in health and in trouble.
//!
//! A collector brings a [`Subject`]: its truth, its questions and its credential. [`suite!`] makes the tests of it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a proof panics when it fails, and a test that cannot go on has failed"
)]

mod catalogue;
mod configuration;
mod failures;
mod life;
mod numbers;
mod privacy;
mod stage;
mod subject;

pub use catalogue::conformity;
pub use configuration::{another_address, budget, missing_target, refusals, renewed_credential};
pub use failures::{down, failing_parts, hanging, passing_faults, slow};
pub use life::killed;
pub use numbers::{counts, gauges, healed};
pub use privacy::privacy;
pub use stage::{EPOCH, Scene, Stage, seed, time_of};
pub use subject::{Credential, Observations, Question, Settings, Subject};
pub use {sandbox, shared, tokio};

/// Every proof as a test, for one [`Subject`].
#[macro_export]
macro_rules! suite {
    ($subject:ty) => {
        // In four parts, so that the cores share them.
        $crate::suite!(@test every_value_equals_the_truth_of_organisations_0_to_49, $crate::gauges::<$subject>(0..50));
        $crate::suite!(@test every_value_equals_the_truth_of_organisations_50_to_99, $crate::gauges::<$subject>(50..100));
        $crate::suite!(@test every_value_equals_the_truth_of_organisations_100_to_149, $crate::gauges::<$subject>(100..150));
        $crate::suite!(@test every_value_equals_the_truth_of_organisations_150_to_199, $crate::gauges::<$subject>(150..200));
        $crate::suite!(@test what_continued_runs_cannot_see_is_true_again_after_a_day, $crate::healed::<$subject>(240..246));
        $crate::suite!(@test counts_and_observations_equal_the_truth_of_forty_organisations, $crate::counts::<$subject>(200..240));
        $crate::suite!(@test whole_runs_conform_to_the_catalogue, $crate::conformity::<$subject>());
        $crate::suite!(@test a_part_that_fails_for_good_is_absent_and_named_and_the_rest_is_true, $crate::failing_parts::<$subject>());
        $crate::suite!(@test what_passes_by_itself_leaves_no_trace_but_calls, $crate::passing_faults::<$subject>());
        $crate::suite!(@test a_slow_upstream_changes_no_number, $crate::slow::<$subject>());
        $crate::suite!(@test a_question_that_hangs_costs_its_parts_and_no_more, $crate::hanging::<$subject>());
        $crate::suite!(@test an_upstream_that_is_down_fails_the_run_and_its_slots_are_counted_later, $crate::down::<$subject>());
        $crate::suite!(@test a_target_that_is_not_there_does_not_touch_the_others, $crate::missing_target::<$subject>());
        $crate::suite!(@test a_credential_that_was_replaced_in_the_secret_store_heals_by_itself, $crate::renewed_credential::<$subject>());
        $crate::suite!(@test a_snapshot_of_another_address_is_not_continued, $crate::another_address::<$subject>());
        $crate::suite!(@test a_run_killed_at_any_step_loses_nothing_and_doubles_nothing, $crate::killed::<$subject>());
        $crate::suite!(@test no_name_title_or_secret_leaves_the_collector, $crate::privacy::<$subject>());
        $crate::suite!(@test a_wrong_configuration_ends_with_78_the_variable_and_an_example, $crate::refusals::<$subject>());
        $crate::suite!(@test a_fetch_stays_within_its_budget, $crate::budget::<$subject>());
    };
    (@test $name:ident, $proof:expr) => {
        #[test]
        fn $name() {
            $crate::run($proof);
        }
    };
}

/// Runs a proof on this thread alone, so that what is logged is this proof's.
pub fn run(proof: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(proof);
}
