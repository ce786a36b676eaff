//! Who is in memory: the first of them in an order, out of what may be millions.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use dormouse_domain::{AggregateType, StreamId};

use super::limits::RESIDENTS_MAX;
use crate::residency::Residency;
use crate::shared::Shared;

/// Which residents are asked for, and in which order.
#[derive(Debug, Clone)]
pub struct ResidentsWanted {
    /// Only of this type.
    pub aggregate_type: Option<AggregateType>,
    /// Only those whose ids begin so. Empty: all.
    pub id_prefix: String,
    /// Which come first.
    pub order: ResidentOrder,
    /// How many, at most [`RESIDENTS_MAX`]: a higher number counts as that.
    pub limit: usize,
}

impl Default for ResidentsWanted {
    fn default() -> Self {
        Self {
            aggregate_type: None,
            id_prefix: String::new(),
            order: ResidentOrder::default(),
            limit: 50,
        }
    }
}

/// Which residents come first. Among equals the lower type and id.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum ResidentOrder {
    /// Those that handled the most commands since they were woken.
    #[default]
    Hottest,
    /// Those that take the most bytes.
    Largest,
    /// Those that have been awake for longest.
    Oldest,
    /// By type, then id.
    Id,
}

/// The residents found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResidentsFound {
    /// The first of them.
    pub residents: Vec<Resident>,
    /// How many there are in all that were asked for. One that moved in the queues meanwhile may count twice.
    pub matching: usize,
}

/// An aggregate in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resident {
    /// Its type and id.
    pub stream: StreamId,
    /// Commands and queries in its mailbox, in hand, or waiting for the disk.
    pub in_flight: u32,
    /// Commands that its handlers decided since it was woken.
    pub commands: u32,
    /// Since the last command or query was sent to it.
    pub idle: Duration,
    /// Since it was woken.
    pub awake: Duration,
    /// What it is reckoned to take, as the memory budget counts it.
    pub bytes: usize,
}

/// Looks at every resident once and keeps the first ones.
pub(super) fn find(shared: &Shared, wanted: &ResidentsWanted) -> ResidentsFound {
    let mut first = First {
        limit: wanted.limit.min(RESIDENTS_MAX),
        kept: BTreeMap::new(),
        known: HashSet::new(),
    };
    let (mut matching, now_ms) = (0, shared.now_ms());
    shared.residents.visit(|residency| {
        let is_wanted = !residency.is_gone()
            && wanted
                .aggregate_type
                .as_ref()
                .is_none_or(|wanted| residency.aggregate_type() == wanted)
            && residency.id.as_str().starts_with(&wanted.id_prefix);
        if is_wanted {
            matching += 1;
            first.offer(residency, wanted.order, now_ms);
        }
    });
    ResidentsFound {
        residents: first.kept.into_values().map(|(_, resident)| resident).collect(),
        matching,
    }
}

/// The highest measure first, then the lowest name.
type Rank = (Reverse<u64>, StreamId);

/// At most `limit` residents: memory does not grow with how many there are.
struct First {
    limit: usize,
    kept: BTreeMap<Rank, (*const Residency, Resident)>,
    /// Those kept. One may be offered twice, with another measure the second time.
    known: HashSet<*const Residency>,
}

impl First {
    fn offer(&mut self, residency: &Arc<Residency>, order: ResidentOrder, now_ms: u64) {
        let measure = Reverse(match order {
            ResidentOrder::Hottest => residency.commands().into(),
            ResidentOrder::Largest => residency.weight() as u64,
            ResidentOrder::Oldest => now_ms.saturating_sub(residency.woken_ms()),
            ResidentOrder::Id => 0,
        });
        let is_full = self.kept.len() >= self.limit;
        // names are compared, and copied, only where the measure does not tell
        let worst = self.kept.last_key_value().map(|(worst, _)| worst);
        if is_full && worst.is_none_or(|worst| (measure, name(residency)) >= (worst.0, of(&worst.1))) {
            return;
        }
        if !self.known.insert(Arc::as_ptr(residency)) {
            return;
        }
        if is_full && let Some((_, (dropped, _))) = self.kept.pop_last() {
            self.known.remove(&dropped);
        }
        let resident = resident(residency, now_ms);
        let rank = (measure, resident.stream.clone());
        self.kept.insert(rank, (Arc::as_ptr(residency), resident));
    }
}

fn name(residency: &Residency) -> (&str, &str) {
    (residency.aggregate_type().as_str(), residency.id.as_str())
}

fn of(stream: &StreamId) -> (&str, &str) {
    (stream.aggregate_type.as_str(), stream.id.as_str())
}

fn resident(residency: &Residency, now_ms: u64) -> Resident {
    let since = |then_ms| Duration::from_millis(now_ms.saturating_sub(then_ms));
    Resident {
        stream: StreamId::new(residency.aggregate_type().clone(), residency.id.clone()),
        in_flight: residency.in_flight(),
        commands: residency.commands(),
        idle: since(residency.used_ms()),
        awake: since(residency.woken_ms()),
        bytes: residency.weight(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use dormouse_domain::AggregateId;

    use super::*;
    use crate::residency::{Evicts, Gauges, Keeper};

    struct Nobody;

    impl Evicts for Nobody {
        fn evict(&self, _: &Residency) -> bool {
            false
        }
    }

    fn resident(id: &str) -> Arc<Residency> {
        let evicts: Weak<dyn Evicts> = Weak::<Nobody>::new();
        let keeper = Keeper {
            aggregate_type: AggregateType::from_static("t"),
            evicts,
            gauges: Arc::<Gauges>::default(),
        };
        Residency::new(AggregateId::try_from(id).expect("a valid id"), keeper.into(), 0)
    }

    /// One that moves in its queue during a look is offered twice, and may have got hotter in between.
    #[test]
    fn who_is_offered_twice_is_kept_once_and_pushes_nobody_out() {
        let residents = ["a", "b", "c"].map(resident);
        let mut first = First {
            limit: 2,
            kept: BTreeMap::new(),
            known: HashSet::new(),
        };
        for (resident, commands) in [
            (&residents[0], 1),
            (&residents[1], 2),
            (&residents[1], 3),
            (&residents[2], 0),
        ] {
            (0..commands).for_each(|_| resident.count_command());
            first.offer(resident, ResidentOrder::Hottest, 0);
        }
        let ids: Vec<_> = first
            .kept
            .values()
            .map(|(_, kept)| kept.stream.id.as_str())
            .collect();
        assert_eq!(ids, ["b", "a"]);
        // whoever was pushed out may come back
        (0..9).for_each(|_| residents[2].count_command());
        first.offer(&residents[2], ResidentOrder::Hottest, 0);
        (0..9).for_each(|_| residents[0].count_command());
        first.offer(&residents[0], ResidentOrder::Hottest, 0);
        let ids: Vec<_> = first
            .kept
            .values()
            .map(|(_, kept)| kept.stream.id.as_str())
            .collect();
        assert_eq!(ids, ["a", "c"]);
    }
}
