//! Build once, share, look up without a lock.

use crate::artifact::Name;
use crate::error::{Error, Result};
use papaya::Equivalent;
use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// Values that are built once per key and shared.
///
/// Threads that ask for a key while it is built wait for that build and get the same instance; other keys do not wait. A build that
/// fails is not kept: those who waited for it get its error, the next call builds anew. No lock is held while something is built.
#[derive(Debug)]
pub struct Cache<K, V> {
    slots: Mutex<HashMap<K, Arc<Slot<V>>>>,
}

#[derive(Debug)]
struct Slot<V> {
    built: Mutex<Option<Result<Arc<V>>>>,
    done: Condvar,
}

/// Settles a slot when the build ends, also when it panics: nobody may wait for ever.
struct Build<'a, K: Eq + Hash, V> {
    cache: &'a Cache<K, V>,
    key: &'a K,
    slot: &'a Slot<V>,
    settled: bool,
}

impl<K: Eq + Hash, V> Build<'_, K, V> {
    fn settle(&mut self, result: &Result<Arc<V>>) {
        if result.is_err() {
            self.cache.slots.lock().remove(self.key);
        }
        *self.slot.built.lock() = Some(result.clone());
        self.slot.done.notify_all();
        self.settled = true;
    }
}

impl<K: Eq + Hash, V> Drop for Build<'_, K, V> {
    fn drop(&mut self) {
        if !self.settled {
            self.settle(&Err(Error::internal("the thread that was loading this model panicked; load it again")));
        }
    }
}

impl<K: Eq + Hash + Clone, V> Cache<K, V> {
    /// A cache without values.
    #[must_use]
    pub fn new() -> Self {
        Self { slots: Mutex::new(HashMap::new()) }
    }

    /// The value of this key, built when there is none. `build` must not ask this cache for the same key: it would wait for itself.
    ///
    /// # Errors
    /// Those of the build that this call made or waited for.
    pub fn get_or_build(&self, key: &K, build: impl FnOnce() -> Result<V>) -> Result<Arc<V>> {
        let slot = {
            let mut slots = self.slots.lock();
            if let Some(slot) = slots.get(key).cloned() {
                drop(slots);
                return slot.wait();
            }
            let slot = Arc::new(Slot { built: Mutex::new(None), done: Condvar::new() });
            slots.insert(key.clone(), Arc::clone(&slot));
            slot
        };
        let mut running = Build { cache: self, key, slot: &slot, settled: false };
        let result = build().map(Arc::new);
        running.settle(&result);
        result
    }

    /// Looks at every value that is built.
    pub fn each(&self, mut look: impl FnMut(&K, &V)) {
        let slots: Vec<(K, Arc<Slot<V>>)> =
            self.slots.lock().iter().map(|(key, slot)| (key.clone(), Arc::clone(slot))).collect();
        for (key, slot) in slots {
            let built = slot.built.lock().clone();
            if let Some(Ok(value)) = built {
                look(&key, &value);
            }
        }
    }
}

impl<K: Eq + Hash + Clone, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> Slot<V> {
    fn wait(&self) -> Result<Arc<V>> {
        let mut built = self.built.lock();
        loop {
            if let Some(result) = &*built {
                return result.clone();
            }
            self.done.wait(&mut built);
        }
    }
}

/// Values by the name a caller spelled. Looking up takes no lock and allocates nothing.
#[derive(Debug)]
pub struct ByName<V> {
    values: papaya::HashMap<Spelled, Kept<V>>,
}

#[derive(Debug)]
struct Kept<V> {
    value: V,
    by_symbol: bool,
}

/// A [`Name`] that owns its strings; it hashes as the borrowed one does.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Spelled {
    target: String,
    family: String,
    view: Option<String>,
    symbol: Option<String>,
}

impl Equivalent<Spelled> for Name<'_> {
    fn equivalent(&self, key: &Spelled) -> bool {
        self.target == key.target
            && self.family == key.family
            && self.view == key.view.as_deref()
            && self.symbol == key.symbol.as_deref()
    }
}

impl<V> ByName<V> {
    /// A map without values.
    #[must_use]
    pub fn new() -> Self {
        Self { values: papaya::HashMap::new() }
    }

    /// What `look` makes of the value under this name. A value that is the same for every symbol is found under any of them.
    pub fn with<R>(&self, name: Name<'_>, look: impl FnOnce(&V) -> R) -> Option<R> {
        let values = self.values.pin();
        let shared = values.get(&Name { symbol: None, ..name }).filter(|kept| !kept.by_symbol || name.symbol.is_none());
        let kept = match name.symbol {
            Some(_) => shared.or_else(|| values.get(&name)),
            None => shared,
        };
        kept.map(|kept| look(&kept.value))
    }

    /// Puts a value under this name; `by_symbol` false: under this name for every symbol, so that symbols do not make the map grow.
    pub fn insert(&self, name: Name<'_>, by_symbol: bool, value: V) {
        let key = Spelled {
            target: name.target.to_owned(),
            family: name.family.to_owned(),
            view: name.view.map(str::to_owned),
            symbol: name.symbol.filter(|_| by_symbol).map(str::to_owned),
        };
        self.values.pin().insert(key, Kept { value, by_symbol });
    }

    /// Takes the value under exactly this name away.
    pub fn remove(&self, name: Name<'_>) {
        self.values.pin().remove(&name);
    }
}

impl<V> Default for ByName<V> {
    fn default() -> Self {
        Self::new()
    }
}
