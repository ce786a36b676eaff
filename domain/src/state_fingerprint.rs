use serde_reflection::{Samples, Tracer, TracerConfig};
use xxhash_rust::xxh3::xxh3_64;

use crate::{Aggregate, Codec};

/// Tells snapshots of this state type from those of another shape: a hash of the aggregate's type, its
/// [`STATE_VERSION`](Aggregate::STATE_VERSION), its codec, and the shape of the state as serde sees it.
///
/// A shape that can't be traced counts by its type's name, so that changing such a state needs a new
/// `STATE_VERSION`. Costs some microseconds; asked once for each type, when it is registered.
#[must_use]
pub fn state_fingerprint<A: Aggregate>() -> u64 {
    let shape = shape_of::<A>().unwrap_or_else(|| std::any::type_name::<A>().to_owned());
    let text = format!("{}\n{}\n{}\n{shape}", A::TYPE, A::STATE_VERSION, A::CODEC.tag());
    xxh3_64(text.as_bytes())
}

fn shape_of<A: Aggregate>() -> Option<String> {
    let config = TracerConfig::default()
        .is_human_readable(A::CODEC == Codec::Json)
        // Not empty, because ids refuse to be.
        .default_string_value("a".to_owned())
        .default_borrowed_str_value("a");
    let mut tracer = Tracer::new(config);
    let (root, _) = tracer.trace_type::<A>(&Samples::new()).ok()?;
    let registry = tracer.registry().ok()?;
    serde_json::to_string(&(root, registry)).ok()
}
