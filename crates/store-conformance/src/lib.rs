//! What every store backend has to prove.
//!
//! ```text
//!   backend's tests: suite!(fresh) ──▶ one #[test] a case ──▶ Store over the backend ──▶ assertions
//! ```
//!
//! A case gets a function that makes an empty backend. Two stores opened on one backend behave as two processes on one
//! store: the later one fences the earlier. [`Faulty`] loses answers and drops writes between the committer and a real
//! backend. Absent: durability across a crash, which is the business of each durable backend's own tests.

#![allow(clippy::expect_used, reason = "a suite of tests: a case fails by a panic")]

mod bench_rows;
pub mod commits;
pub mod faults;
mod faulty;
pub mod leases;
pub mod listing;
pub mod logs;
pub mod model;
pub mod reading;
mod support;
pub mod workload;

pub use bench_rows::row;
pub use faulty::{Fault, Faulty};
pub use support::{Fresh, applied, event, key, open, put, write_events};

/// Makes one `#[test]` of every case. The argument is a `fn() -> Arc<dyn Backend>`-like expression; each call makes an
/// empty store that lives as long as it is needed. With `, if there` each case asks first, and is left out if that is
/// `false`: for a backend that needs a server.
#[macro_export]
macro_rules! suite {
    ($fresh:expr) => {
        $crate::suite!($fresh, if true);
    };
    ($fresh:expr, if $there:expr) => {
        $crate::cases!(
            $fresh, if $there,
            commits,
            events_apply_in_order_and_are_read_back,
            a_sequence_gap_conflicts,
            a_repeated_sequence_conflicts,
            a_commit_of_several_events_is_all_or_nothing,
            offsets_rise_in_each_shard_and_are_never_reused,
            a_value_is_put_replaced_and_deleted,
            a_stale_version_conflicts,
            a_deleted_value_can_be_created_again,
            events_and_values_do_not_mix,
            a_later_owner_fences_the_earlier,
            another_layout_is_refused,
            commits_of_one_entity_keep_their_order_without_waiting,
            a_full_queue_sheds_and_recovers,
            a_closed_store_refuses_and_has_written_what_waited,
            an_idempotency_record_is_written_with_its_commit,
            an_idempotency_record_is_written_without_events,
            a_live_idempotency_key_conflicts_and_an_expired_one_is_replaced
        );
        $crate::cases!(
            $fresh, if $there,
            reading,
            a_big_entity_is_read_in_pages,
            a_payload_larger_than_a_page_comes_alone,
            empty_payloads_come_back_empty,
            odd_ids_stay_apart_and_come_back_unchanged,
            ids_at_the_size_limit_are_stored,
            an_absent_entity_reads_as_nothing,
            a_recovery_is_the_snapshot_and_what_follows,
            the_newest_snapshot_wins,
            concurrent_snapshots_leave_the_newest,
            a_store_opened_again_holds_what_was_committed
        );
        $crate::cases!(
            $fresh, if $there,
            logs,
            a_shard_log_is_read_in_order_after_its_cursor,
            a_log_is_prefix_stable_while_commits_go_on,
            a_log_holds_only_the_latest_change_of_a_value,
            a_small_page_goes_on_where_it_ended,
            a_consumer_keeps_an_offset_a_shard
        );
        $crate::cases!(
            $fresh, if $there,
            listing,
            entities_are_listed_in_pages,
            persistence_ids_are_listed_in_pages,
            shards_tell_epoch_owner_and_entities
        );
        $crate::cases!(
            $fresh, if $there,
            leases,
            a_higher_generation_takes_a_lease_over,
            a_renewal_needs_a_live_lease_and_a_rising_beat,
            only_an_unchanged_beat_can_be_declared_dead,
            a_dead_lease_lives_again_in_a_higher_generation_only
        );
        $crate::cases!(
            $fresh, if $there,
            faults,
            a_lost_answer_is_found_by_the_commit_id,
            a_lost_write_is_known_not_to_have_applied,
            an_outcome_that_cannot_be_learned_is_unknown,
            after_an_unknown_outcome_the_store_goes_on,
            a_write_in_flight_is_fenced_by_the_search_for_it,
            a_failing_batch_leaves_the_entity_as_it_was,
            lost_idempotency_records_and_deletes_are_found_too
        );
        $crate::cases!($fresh, if $there, model, any_history_matches_the_model);
    };
}

/// One `#[test]` for each named case of a module.
#[macro_export]
macro_rules! cases {
    ($fresh:expr, if $there:expr, $module:ident, $($case:ident),+) => {
        mod $module {
            $(
                #[test]
                fn $case() {
                    if $there {
                        $crate::$module::$case(&|| $fresh);
                    }
                }
            )+
        }
    };
}
