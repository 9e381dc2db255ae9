//! A few places for things that threads borrow and give back, without a lock and without an allocation.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

thread_local! {
    /// Where this thread begins to look, so that it usually finds what it gave back last.
    static FIRST: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Threads that have looked so far.
static THREADS: AtomicUsize = AtomicUsize::new(0);

#[inline]
fn first() -> usize {
    FIRST
        .try_with(|first| {
            first.get().unwrap_or_else(|| {
                let number = THREADS.fetch_add(1, Ordering::Relaxed);
                first.set(Some(number));
                number
            })
        })
        .unwrap_or(0)
}

/// A place alone in its cache line.
#[derive(Debug)]
#[repr(align(64))]
struct Slot<T>(AtomicPtr<T>);

/// Places for boxes.
#[derive(Debug)]
pub struct Slots<T> {
    slots: Box<[Slot<T>]>,
}

impl<T> Slots<T> {
    /// This many places at least: a power of two, so that going round needs no division.
    pub fn new(count: usize) -> Self {
        Self { slots: (0..count.max(1).next_power_of_two()).map(|_| Slot(AtomicPtr::new(ptr::null_mut()))).collect() }
    }

    /// Where this thread looks first: usually at what it gave back last.
    #[inline]
    fn start(&self) -> usize {
        first() & (self.slots.len() - 1)
    }

    /// Something that was given back.
    #[inline]
    pub fn take(&self) -> Option<Box<T>> {
        let start = self.start();
        self.take_at(start).or_else(|| self.take_elsewhere(start))
    }

    #[inline]
    fn take_at(&self, at: usize) -> Option<Box<T>> {
        let taken = self.slots[at].0.swap(ptr::null_mut(), Ordering::Acquire);
        // SAFETY: a pointer in a slot came from `Box::into_raw` in `give`, and the swap took it out for this thread alone.
        (!taken.is_null()).then(|| unsafe { Box::from_raw(taken) })
    }

    #[cold]
    fn take_elsewhere(&self, start: usize) -> Option<Box<T>> {
        let full = |at: &usize| !self.slots[*at].0.load(Ordering::Relaxed).is_null();
        self.behind(start).filter(full).find_map(|at| self.take_at(at))
    }

    /// Gives it back; freed when all places are taken.
    #[inline]
    pub fn give(&self, thing: Box<T>) {
        let start = self.start();
        if let Err(thing) = self.give_at(start, thing) {
            self.give_elsewhere(start, thing);
        }
    }

    #[inline]
    fn give_at(&self, at: usize, thing: Box<T>) -> Result<(), Box<T>> {
        let pointer = Box::into_raw(thing);
        match self.slots[at].0.compare_exchange(ptr::null_mut(), pointer, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => Ok(()),
            // SAFETY: the slot did not take the pointer, which came from `into_raw` above.
            Err(_) => Err(unsafe { Box::from_raw(pointer) }),
        }
    }

    #[cold]
    fn give_elsewhere(&self, start: usize, thing: Box<T>) {
        // What the last place refuses is dropped.
        let _ = self.behind(start).try_fold(thing, |thing, at| match self.give_at(at, thing) {
            Ok(()) => ControlFlow::Break(()),
            Err(thing) => ControlFlow::Continue(thing),
        });
    }

    /// All other places, from the next one round.
    fn behind(&self, start: usize) -> impl Iterator<Item = usize> {
        let count = self.slots.len();
        (1..count).map(move |step| (start + step) & (count - 1))
    }
}

impl<T> Drop for Slots<T> {
    fn drop(&mut self) {
        while self.take().is_some() {}
    }
}

// SAFETY: a thing is reachable through one slot or one box at a time, so sharing the places only moves things between threads.
unsafe impl<T: Send> Sync for Slots<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Slots<T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    struct Thing(Cell<u64>, Arc<AtomicUsize>);

    impl Drop for Thing {
        fn drop(&mut self) {
            self.1.fetch_sub(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn nothing_is_lent_twice_or_lost() {
        let slots = Arc::new(Slots::new(4));
        let made = Arc::new(AtomicUsize::new(0));
        let live = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..8u64)
            .map(|number| {
                let (slots, made, live) = (Arc::clone(&slots), Arc::clone(&made), Arc::clone(&live));
                std::thread::spawn(move || {
                    for round in 0..2000 {
                        let thing = slots.take().unwrap_or_else(|| {
                            made.fetch_add(1, Ordering::Relaxed);
                            live.fetch_add(1, Ordering::Relaxed);
                            Box::new(Thing(Cell::new(0), Arc::clone(&live)))
                        });
                        thing.0.set(number << 32 | round);
                        std::hint::spin_loop();
                        assert_eq!(thing.0.get(), number << 32 | round);
                        slots.give(thing);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(live.load(Ordering::Relaxed) <= 4 && made.load(Ordering::Relaxed) >= 1);
        drop(slots);
        assert_eq!(live.load(Ordering::Relaxed), 0);
    }
}
