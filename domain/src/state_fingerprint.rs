mod shape;

use xxhash_rust::xxh3::xxh3_64;

use crate::{Aggregate, Codec};

/// Tells snapshots of this state type from those of another shape: a hash of the aggregate's type, its
/// [`STATE_VERSION`](Aggregate::STATE_VERSION), its codec, and the shape of the state as serde sees it: the names of
/// fields and variants and the types of primitives, in order.
///
/// A shape that can't be told (a type that refuses every sample, or one that needs a self-describing format) counts by
/// its type's name: changing such a state needs a new `STATE_VERSION`. Costs some microseconds; asked once for each
/// type, when it is registered.
#[must_use]
pub fn state_fingerprint<A: Aggregate>() -> u64 {
    let shape = shape::of::<A>(A::CODEC == Codec::Json);
    let shape = shape.unwrap_or_else(|| std::any::type_name::<A>().to_owned());
    let text = format!("{}\n{}\n{}\n{shape}", A::TYPE, A::STATE_VERSION, A::CODEC.tag());
    xxh3_64(text.as_bytes())
}
