//! A recorder that remembers what it was told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Label, Metadata, Recorder, SharedString, Unit,
};

/// Cloned into the facade and kept by the test.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    /// Kind and unit by name.
    described: HashMap<String, (&'static str, Unit)>,
    counters: HashMap<Key, Arc<AtomicU64>>,
    /// The labels' names by name.
    recorded: BTreeMap<String, BTreeSet<String>>,
}

impl Seen {
    /// For the whole process, as threads of the store and of the runtime record, too.
    pub(super) fn install() -> Self {
        let seen = Self::default();
        metrics::set_global_recorder(seen.clone()).expect("no other test installs one");
        seen
    }

    pub(super) fn names(&self) -> Vec<String> {
        let told = self.0.lock().unwrap();
        told.described
            .keys()
            .chain(told.recorded.keys())
            .cloned()
            .collect()
    }

    pub(super) fn described(&self, name: &str) -> Option<(&'static str, Unit)> {
        self.0.lock().unwrap().described.get(name).copied()
    }

    /// The labels that a metric was recorded with; none if it was not.
    pub(super) fn labels(&self, name: &str) -> Option<BTreeSet<String>> {
        self.0.lock().unwrap().recorded.get(name).cloned()
    }

    /// A counter's value; 0 if there is none.
    pub(super) fn count(&self, name: &str, labels: &[(&'static str, &'static str)]) -> u64 {
        let labels: Vec<Label> = labels
            .iter()
            .map(|(key, value)| Label::new(*key, *value))
            .collect();
        let key = Key::from_parts(name.to_owned(), labels);
        let told = self.0.lock().unwrap();
        told.counters
            .get(&key)
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }

    fn describe(&self, name: &KeyName, kind: &'static str, unit: Option<Unit>, meaning: &SharedString) {
        assert!(!meaning.is_empty(), "{} has no meaning", name.as_str());
        let unit = unit.expect("every metric has a unit");
        self.0
            .lock()
            .unwrap()
            .described
            .insert(name.as_str().into(), (kind, unit));
    }

    fn record(&self, key: &Key) {
        let labels = key.labels().map(|label| label.key().to_owned()).collect();
        let name = key.name().to_owned();
        self.0.lock().unwrap().recorded.insert(name, labels);
    }
}

/// A histogram's values do not matter here, but that there are any.
struct Values(Seen, Key);

impl HistogramFn for Values {
    fn record(&self, _: f64) {
        self.0.record(&self.1);
    }
}

impl Recorder for Seen {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, meaning: SharedString) {
        self.describe(&name, "counter", unit, &meaning);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, meaning: SharedString) {
        self.describe(&name, "gauge", unit, &meaning);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, meaning: SharedString) {
        self.describe(&name, "histogram", unit, &meaning);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.record(key);
        let mut told = self.0.lock().unwrap();
        Counter::from_arc(Arc::clone(told.counters.entry(key.clone()).or_default()))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.record(key);
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Values(self.clone(), key.clone())))
    }
}
