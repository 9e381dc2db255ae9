//! Windows by symbol.

use super::ring::Ring;
use crate::error::{Error, Result};
use hashbrown::DefaultHashBuilder;
use parking_lot::Mutex;

/// The windows of a buffer. Finding one takes no lock and allocates nothing.
#[derive(Debug)]
pub(super) struct Table {
    windows: papaya::HashMap<Box<str>, Mutex<Ring>, DefaultHashBuilder>,
    /// How many there are; locked while one is added or removed.
    count: Mutex<usize>,
}

impl Table {
    pub fn new() -> Self {
        Self { windows: papaya::HashMap::with_hasher(DefaultHashBuilder::default()), count: Mutex::new(0) }
    }

    /// What `look` makes of the window of a symbol, locked meanwhile.
    pub fn with<R>(&self, symbol: &str, look: impl FnOnce(&mut Ring) -> R) -> Option<R> {
        self.windows.pin().get(symbol).map(|window| look(&mut window.lock()))
    }

    /// What `look` makes of the window of a symbol, locked meanwhile; when there is none, `new` makes it, among at most `cap`.
    pub fn with_or_new<R>(
        &self,
        symbol: &str,
        cap: usize,
        new: impl FnOnce() -> Result<Ring>,
        look: impl FnOnce(&mut Ring) -> R,
    ) -> Result<R> {
        let windows = self.windows.pin();
        if let Some(window) = windows.get(symbol) {
            return Ok(look(&mut window.lock()));
        }
        let mut count = self.count.lock();
        if *count >= cap && !windows.contains_key(symbol) {
            return Err(Error::limit(format!(
                "{symbol}: the buffer holds {cap} symbols already; remove some, or raise max_symbols"
            )));
        }
        let window = match windows.try_insert(symbol.into(), Mutex::new(new()?)) {
            Ok(window) => {
                *count += 1;
                window
            }
            Err(occupied) => occupied.current,
        };
        drop(count);
        Ok(look(&mut window.lock()))
    }

    /// Takes the window of a symbol away.
    pub fn remove(&self, symbol: &str) {
        let windows = self.windows.pin();
        let mut count = self.count.lock();
        if windows.remove(symbol).is_some() {
            *count -= 1;
        }
    }

    /// How many windows there are.
    pub fn count(&self) -> usize {
        *self.count.lock()
    }

    /// What `look` makes of all windows, in bytewise order of their symbols.
    pub fn sorted<R>(&self, look: impl FnOnce(&[(&str, &Mutex<Ring>)]) -> R) -> R {
        let windows = self.windows.pin();
        let mut all: Vec<(&str, &Mutex<Ring>)> = windows.iter().map(|(symbol, ring)| (&**symbol, ring)).collect();
        all.sort_unstable_by_key(|(symbol, _)| *symbol);
        look(&all)
    }
}
