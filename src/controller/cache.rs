//! The objects of one kind as the watches last saw them: one shard for the whole
//! cluster, or one for each watched namespace.

use std::{fmt::Debug, sync::Arc};

use kube::{
    Resource, ResourceExt,
    core::DeserializeGuard,
    runtime::reflector::{ObjectRef, Store, store::Writer},
};

use super::index::ObjectId;

/// What is cached: an object, or why it could not be read.
pub type Guarded<K> = DeserializeGuard<K>;

/// The objects of one kind.
pub struct Cache<K: Resource<DynamicType = ()> + Clone + Debug + 'static> {
    shards: Vec<Store<Guarded<K>>>,
}

impl<K: Resource<DynamicType = ()> + Clone + Debug + 'static> Cache<K> {
    /// An empty cache with this many shards, and what fills each.
    #[must_use]
    pub fn new(shards: usize) -> (Self, Vec<Writer<Guarded<K>>>) {
        let writers: Vec<_> = (0..shards).map(|_| Writer::new(())).collect();
        let shards = writers.iter().map(Writer::as_reader).collect();
        (Self { shards }, writers)
    }

    /// The object, if it is there and can be read.
    #[must_use]
    pub fn get(&self, id: &ObjectId) -> Option<K> {
        self.get_guarded(id).and_then(|object| object.0.clone().ok())
    }

    /// The object, if it is there.
    #[must_use]
    pub fn get_guarded(&self, id: &ObjectId) -> Option<Arc<Guarded<K>>> {
        let reference = ObjectRef::new(&id.name).within(&id.namespace);
        self.shards.iter().find_map(|shard| shard.get(&reference))
    }

    /// Calls this with each object that can be read.
    pub fn each(&self, mut call: impl FnMut(ObjectId, &K)) {
        for object in self.shards.iter().flat_map(Store::state) {
            if let Ok(object) = &object.0 {
                let namespace = object.namespace().unwrap_or_default();
                call(ObjectId::new(namespace, object.name_any()), object);
            }
        }
    }

    /// Calls this with each object, and with the metadata of one that cannot be read.
    pub fn each_guarded(&self, mut call: impl FnMut(&Guarded<K>)) {
        self.shards.iter().flat_map(Store::state).for_each(|object| call(&object));
    }

    /// What reads the shards, in their order.
    #[must_use]
    pub fn readers(&self) -> &[Store<Guarded<K>>] {
        &self.shards
    }

    /// Waits until every shard was filled once.
    pub async fn filled(&self) {
        for shard in &self.shards {
            // An error means that the operator is stopping.
            let _ = shard.wait_until_ready().await;
        }
    }
}
