//! The aggregates that a runtime was started with: by Rust type for those who send, by name for operators.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::Arc;

use dormouse_domain::Aggregate;

use crate::admin::Administered;
use crate::directory::Directory;
use crate::type_map::TypeMap;

#[derive(Default)]
pub(crate) struct Registered {
    by_type: TypeMap<TypeId, Arc<dyn Any + Send + Sync>>,
    by_name: BTreeMap<&'static str, Arc<dyn Administered>>,
}

impl Registered {
    pub(crate) fn add<A: Aggregate>(&mut self, directory: Arc<Directory<A>>) {
        self.by_name.insert(A::TYPE, Arc::clone(&directory) as _);
        self.by_type.insert(TypeId::of::<A>(), directory);
    }

    #[inline] // each command's way begins with it
    pub(crate) fn directory<A: Aggregate>(&self) -> Option<Arc<Directory<A>>> {
        let known = self.by_type.get(&TypeId::of::<A>());
        known.and_then(|known| Arc::clone(known).downcast().ok())
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Arc<dyn Administered>> {
        self.by_name.get(name)
    }

    /// In the order of their names.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, &Arc<dyn Administered>)> {
        self.by_name.iter().map(|(name, known)| (*name, known))
    }
}
