//! A few places for things that threads borrow and give back, without a lock and without an allocation.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

thread_local! {
    /// Where this thread begins to look, so that it usually finds what it gave back last.
    static FIRST: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Threads that have looked so far.
static THREADS: AtomicUsize = AtomicUsize::new(0);

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

    fn round(&self) -> impl Iterator<Item = &AtomicPtr<T>> {
        let (before, from) = self.slots.split_at(first() & (self.slots.len() - 1));
        from.iter().chain(before).map(|slot| &slot.0)
    }

    /// Something that was given back.
    pub fn take(&self) -> Option<Box<T>> {
        self.round().filter(|slot| !slot.load(Ordering::Relaxed).is_null()).find_map(|slot| {
            let taken = slot.swap(ptr::null_mut(), Ordering::Acquire);
            // SAFETY: a pointer in a slot came from `Box::into_raw` in `give`, and the swap took it out for this thread alone.
            (!taken.is_null()).then(|| unsafe { Box::from_raw(taken) })
        })
    }

    /// Gives it back; freed when all places are taken.
    pub fn give(&self, thing: Box<T>) {
        let pointer = Box::into_raw(thing);
        for slot in self.round() {
            if slot.compare_exchange(ptr::null_mut(), pointer, Ordering::Release, Ordering::Relaxed).is_ok() {
                return;
            }
        }
        // SAFETY: no slot took the pointer, which came from `into_raw` above.
        drop(unsafe { Box::from_raw(pointer) });
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
