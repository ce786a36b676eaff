//! Which streams there are: by type and prefix, in the order of their ids, page by page.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use dormouse_domain::{AggregateId, AggregateType, Offset, StreamId};
use dormouse_persistence::{Store, StoreOptions, StreamWriter};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Place, indexes_never, indexes_soon};
use crate::client::{Client, eventually};

/// Every stream's head by type and id: what must be listed.
type Model = BTreeMap<(&'static str, String), u64>;

fn typed(aggregate_type: &'static str, id: &str) -> StreamId {
    StreamId::new(AggregateType::from_static(aggregate_type), id.try_into().unwrap())
}

/// One page, as text.
fn page(
    store: &Store,
    of: &'static str,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> (Vec<(String, u64)>, bool) {
    let after = after.map(|after| AggregateId::try_from(after).unwrap());
    let of = AggregateType::from_static(of);
    let page = store.streams(&of, prefix, after.as_ref(), limit).unwrap();
    let streams = page.streams.into_iter().map(|summary| {
        assert_eq!(summary.stream.aggregate_type, of);
        (summary.stream.id.as_str().to_owned(), summary.head.get())
    });
    (streams.collect(), page.more)
}

/// Commits of one event each, in as few batches as may be.
fn append(client: &Client, writer: &StreamWriter, commits: usize) {
    for _ in 0..commits {
        client.submit(writer, &["x"], None, 0);
    }
    for _ in 0..commits {
        client.settled();
    }
}

fn expected(
    model: &Model,
    of: &str,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> (Vec<(String, u64)>, bool) {
    let matching = model.iter().filter(|((aggregate_type, id), _)| {
        *aggregate_type == of && id.starts_with(prefix) && after.is_none_or(|after| id.as_str() > after)
    });
    let mut all: Vec<_> = matching.map(|((_, id), head)| (id.clone(), *head)).collect();
    let more = all.len() > limit;
    all.truncate(limit);
    (all, more)
}

/// Ids that begin alike, are of the lengths at which a key could be mistaken for a row's, and sort by bytes.
const IDS: [&str; 12] = [
    "a",
    "a!",
    "aa",
    "aaaaaaa",
    "aaaaaaaa",
    "aaaaaaaaa",
    "ab",
    "b",
    "bbbbbbb",
    "z",
    "ä",
    "日本",
];
const TYPES: [&str; 3] = ["note", "not", "note!"];

pub fn streams_are_listed_from_the_tail_and_from_the_index(place: &dyn Place) {
    // Long streams, and more than one row each.
    let store = place
        .open(StoreOptions::default().generation_bytes(50_000))
        .unwrap();
    let client = Client::new(&store);
    let mut model = Model::new();
    for (aggregate_type, commits) in [("note", 200), ("note!", 1)] {
        for id in IDS {
            let writer = client.open(&typed(aggregate_type, id));
            let texts = ["x".repeat(100), "y".into()];
            for _ in 0..commits {
                client.submit(&writer, &[&texts[0], &texts[1]], None, 0);
            }
            for _ in 0..commits {
                client.settled();
            }
            model.insert((aggregate_type, id.into()), 2 * commits);
        }
    }
    eventually("some of it is indexed", || {
        store.statistics().indexed > Offset::new(2_000)
    });
    for of in TYPES {
        for prefix in [
            "",
            "a",
            "aaaaaaa",
            "b",
            "c",
            "ä",
            "a\0",
            "\u{1}",
            "aaaaaaaaaaaaaaaaaa",
        ] {
            for after in [None]
                .into_iter()
                .chain(IDS.map(Some))
                .chain([Some("aaaaaa"), Some("c")])
            {
                for limit in [1, 2, 5, 12, 100, usize::MAX] {
                    assert_eq!(
                        page(&store, of, prefix, after, limit),
                        expected(&model, of, prefix, after, limit),
                        "{limit} of {of} with {prefix:?} after {after:?}"
                    );
                }
            }
        }
    }
    assert_eq!(page(&store, "note", "", None, 0), (vec![], false));
}

pub fn a_page_of_streams_is_bounded(place: &dyn Place) {
    let store = place.open(indexes_never()).unwrap();
    let client = Client::new(&store);
    let count = Store::STREAMS_PAGE_MAX + 1;
    for n in 0..count {
        let writer = client.open(&typed("note", &format!("{n:05}")));
        client.submit(&writer, &["x"], None, 0);
    }
    for _ in 0..count {
        client.settled();
    }
    let (streams, more) = page(&store, "note", "", None, usize::MAX);
    assert_eq!((streams.len(), more), (Store::STREAMS_PAGE_MAX, true));
    let (rest, more) = page(&store, "note", "", Some(&streams.last().unwrap().0), usize::MAX);
    assert_eq!((rest, more), (vec![(format!("{:05}", count - 1), 1)], false));
}

#[derive(Clone, Debug)]
enum Step {
    /// So many commits to a stream.
    Append(usize, usize, usize),
    /// All that has left the tail is in the index alone.
    Restart,
    DeleteDerived,
    List {
        of: usize,
        prefix: String,
        after: Option<usize>,
        limit: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0..TYPES.len(), 0..IDS.len(), 1..9_usize).prop_map(|(of, id, n)| Step::Append(of, id, n)),
        1 => Just(Step::Restart),
        1 => Just(Step::DeleteDerived),
        6 => (0..TYPES.len(), "[ab]{0,3}|ä|日", proptest::option::of(0..IDS.len()), 1..6_usize)
            .prop_map(|(of, prefix, after, limit)| Step::List { of, prefix, after, limit }),
    ]
}

/// Random commits, with the indexer at work, against a map. One store for all cases: a case adds to the ones before.
pub fn listed_streams_agree_with_a_model(place: &dyn Place) {
    let world = std::cell::RefCell::new((
        Some(Client::new(&place.open(indexes_soon()).unwrap())),
        Model::new(),
    ));
    let reopen = |client: &mut Option<Client>, between: &dyn Fn()| {
        client.take().unwrap().store.close().unwrap();
        between();
        *client = Some(Client::new(&place.open(indexes_soon()).unwrap()));
    };
    let config = Config {
        cases: 6,
        // a case can't be run again by itself
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Config::default()
    };
    let steps = proptest::collection::vec(step(), 1..40);
    let ran = TestRunner::new(config).run(&steps, |steps| {
        let (client, model) = &mut *world.borrow_mut();
        for step in steps {
            match step {
                Step::Append(of, id, commits) => {
                    let client = client.as_ref().unwrap();
                    let writer = client.open(&typed(TYPES[of], IDS[id]));
                    append(client, &writer, commits);
                    *model.entry((TYPES[of], IDS[id].into())).or_default() += commits as u64;
                }
                Step::Restart => reopen(client, &|| {}),
                Step::DeleteDerived => reopen(client, &|| place.delete_derived()),
                Step::List {
                    of,
                    prefix,
                    after,
                    limit,
                } => {
                    let store = &client.as_ref().unwrap().store;
                    let after = after.map(|after| IDS[after]);
                    prop_assert_eq!(
                        page(store, TYPES[of], &prefix, after, limit),
                        expected(model, TYPES[of], &prefix, after, limit),
                        "{} of {} with {:?} after {:?}",
                        limit,
                        TYPES[of],
                        prefix,
                        after
                    );
                }
            }
        }
        Ok(())
    });
    ran.unwrap();
}

/// A stream whose only commit moves from the tail to the index meanwhile is listed.
pub fn streams_are_listed_while_the_indexer_works(place: &dyn Place) {
    const STREAMS: usize = 400;
    let store = place.open(indexes_soon()).unwrap();
    let client = Client::new(&store);
    let durable = AtomicUsize::new(0);
    let id = |n: usize| format!("{n:05}");
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            loop {
                let durable = durable.load(Ordering::SeqCst);
                let from = durable.saturating_sub(20);
                let after = from.checked_sub(1).map(id);
                let (listed, _) = page(&store, "note", "", after.as_deref(), 100);
                let expected: Vec<_> = (from..durable).map(|n| (id(n), 1)).collect();
                assert_eq!(listed.get(..durable - from), Some(&expected[..]));
                if durable == STREAMS {
                    return;
                }
            }
        });
        for n in 0..STREAMS {
            client.durable(&client.open(&typed("note", &id(n))), &["x"]);
            durable.store(n + 1, Ordering::SeqCst);
        }
        reader.join().unwrap();
    });
}
