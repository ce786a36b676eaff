//! What every store does, wherever it keeps its bytes: `suite!` runs each test of these topics against a place.

pub mod following;
pub mod listing;
pub mod reading;
pub mod restarts;
pub mod writing;

use dormouse_persistence::{Store, StoreError, StoreOptions};

use crate::client::Client;

/// Where a store lives over restarts.
pub trait Place {
    fn open(&self, options: StoreOptions) -> Result<Store, StoreError>;
    /// Deletes what is derived. The store is closed.
    fn delete_derived(&self);
}

/// Everything is indexed soon: a generation is a few commits.
pub fn indexes_soon() -> StoreOptions {
    StoreOptions::default()
        .generation_bytes(500)
        .tail_bytes_max(4_000)
}

/// Nothing is indexed.
pub fn indexes_never() -> StoreOptions {
    StoreOptions::default()
}

fn crash(client: Client) {
    // Dropping a store without closing it is a crash.
    drop(client);
}

/// Runs every test of the suite against a new place each.
#[macro_export]
macro_rules! suite {
    ($place:expr) => {
        $crate::suite!(@each $place;
            reading {
                a_commit_is_read_back_as_it_was_written,
                a_stream_is_read_from_any_version,
                streams_whose_names_begin_alike_do_not_mix,
                commands_are_found_in_the_tail_in_the_index_and_after_restarts,
                the_newest_snapshot_is_kept,
                the_log_is_read_from_any_offset,
                readers_never_see_a_gap_while_the_indexer_works,
            }
            writing {
                a_commit_that_does_not_follow_the_head_is_stale,
                a_stream_has_one_writer,
                a_read_that_is_too_old_opens_nothing,
                many_clients_settle_once_and_in_order,
                large_commits_get_through,
                large_commits_share_batches_with_small_ones,
            }
            restarts {
                versions_and_offsets_go_on_without_gaps_after_restarts_and_crashes,
                times_never_step_back,
                deleting_what_is_derived_rebuilds_it,
                closing_writes_what_is_queued_and_ends_everything,
                a_place_is_open_once,
                reopening_in_process_makes_old_writers_stale,
            }
            listing {
                streams_are_listed_from_the_tail_and_from_the_index,
                a_page_of_streams_is_bounded,
                listed_streams_agree_with_a_model,
                streams_are_listed_while_the_indexer_works,
            }
            following {
                a_follower_is_told_of_what_is_durable_and_of_the_end,
                a_follower_that_falls_behind_skips_and_repeats_nothing,
                followers_see_each_commit_once_and_in_order,
            }
        );
    };
    (@each $place:expr; $($topic:ident { $($test:ident,)+ })+) => {
        $($(#[test]
        fn $test() {
            $crate::suite::$topic::$test(&$place);
        })+)+
    };
}
