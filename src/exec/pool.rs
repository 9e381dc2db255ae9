//! Threads that help with the work of one call.
//!
//! They sleep until a call needs them, end with their owner, and are asked for by nobody who does not set `threads`. Falling asleep and
//! being woken up takes as long as some thousand rows of a small forest, so whoever has nothing to do watches out for [`AWAKE`] first: calls that
//! follow each other closely wake nobody.
#![allow(unsafe_code)]

use crate::error::{Error, Result};
use crate::limits;
use parking_lot::{Condvar, Mutex};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How long a thread that waits for another one stays awake.
const AWAKE: Duration = Duration::from_micros(50);

/// What is to be done: every thread that comes calls it once.
type Task = &'static (dyn Fn() + Sync);

/// Helping threads.
#[derive(Debug)]
pub(super) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Held by the call that they help.
    call: Mutex<()>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// There is a task, or nothing will come any more.
    wake: Condvar,
    /// A thread has done its part.
    done: Condvar,
    /// Counts tasks and the end, so that a thread takes part in each of them once. Changes under the lock of the state.
    tasks: AtomicU64,
    /// Threads that are at it. Changes under the lock of the state.
    busy: AtomicUsize,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    /// Taken away when its caller has done its own part: whoever comes later finds nothing to do.
    task: Option<Task>,
    panicked: bool,
    closed: bool,
}

impl Pool {
    /// Starts so many threads, the caller's included; `None` for one.
    ///
    /// # Errors
    /// `MI_LIMIT_EXCEEDED` for too many, also when the system gives no more.
    pub(super) fn new(threads: usize) -> Result<Option<Self>> {
        limits::check("threads", threads, limits::THREADS)?;
        if threads <= 1 {
            return Ok(None);
        }
        let mut pool = Self { shared: Arc::default(), threads: Vec::with_capacity(threads - 1), call: Mutex::new(()) };
        for _ in 1..threads {
            let shared = Arc::clone(&pool.shared);
            let thread = Builder::new().name("mi".to_owned()).spawn(move || shared.serve());
            pool.threads.push(thread.map_err(|error| {
                Error::limit(format!("the system gives {} of {threads} threads: {error}", pool.threads.len() + 1))
            })?);
        }
        Ok(Some(pool))
    }

    /// Threads, the caller's included.
    pub(super) fn threads(&self) -> usize {
        self.threads.len() + 1
    }

    /// Calls `task` on this thread and on those that are awake in time; where they help another call, on this thread alone.
    ///
    /// # Panics
    /// When the task does on any of them.
    pub(super) fn run(&self, task: &(dyn Fn() + Sync)) {
        let Some(_call) = self.call.try_lock() else { return task() };
        // SAFETY: the task is called through `State::task` alone, by threads that count themselves in `busy` under the lock under which they
        // take it. `Running` takes it away and waits until none of them is busy, also when this thread unwinds; so nothing uses the
        // reference after this function, within which it is valid.
        let task: Task = unsafe { std::mem::transmute::<&(dyn Fn() + Sync), Task>(task) };
        {
            let mut state = self.shared.state.lock();
            state.task = Some(task);
            state.panicked = false;
            self.shared.tasks.fetch_add(1, Ordering::Release);
        }
        let running = Running(&self.shared);
        self.shared.wake.notify_all();
        task();
        drop(running);
        assert!(!self.shared.state.lock().panicked, "a thread that helped has panicked");
    }
}

/// A task that threads may be at.
struct Running<'a>(&'a Shared);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let Shared { state, busy, done, .. } = self.0;
        state.lock().task = None;
        watch_for(|| busy.load(Ordering::Acquire) == 0);
        let mut state = state.lock();
        while busy.load(Ordering::Relaxed) > 0 {
            done.wait(&mut state);
        }
    }
}

/// Waits for something to happen, but not for long.
fn watch_for(happened: impl Fn() -> bool) {
    /// Looks between two at the clock, which takes longer, and before the processor goes to whoever else wants it, as the other one may.
    const LOOKS: usize = 64;
    let start = Instant::now();
    loop {
        for _ in 0..LOOKS {
            if happened() {
                return;
            }
            std::hint::spin_loop();
        }
        if start.elapsed() > AWAKE {
            return;
        }
        std::thread::yield_now();
    }
}

impl Shared {
    fn serve(&self) {
        let mut seen = 0;
        let mut state = self.state.lock();
        while !state.closed {
            let tasks = self.tasks.load(Ordering::Relaxed);
            let fresh = (tasks != seen).then_some(()).and(state.task);
            seen = tasks;
            let Some(task) = fresh else {
                self.wake.wait(&mut state);
                continue;
            };
            self.busy.fetch_add(1, Ordering::Relaxed);
            drop(state);
            let panicked = catch_unwind(AssertUnwindSafe(task)).is_err();
            state = self.state.lock();
            state.panicked |= panicked;
            self.busy.fetch_sub(1, Ordering::Release);
            self.done.notify_one();
            drop(state);
            watch_for(|| self.tasks.load(Ordering::Acquire) != seen);
            state = self.state.lock();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state.lock();
            state.closed = true;
            self.shared.tasks.fetch_add(1, Ordering::Release);
        }
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            // A panic was told to the caller whose task it was.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_done_once_by_whoever_is_there() {
        let pool = Pool::new(4).unwrap().unwrap();
        for parts in [0, 1, 3, 1000] {
            let next = AtomicUsize::new(0);
            let done: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
            pool.run(&|| {
                while let Some(part) = done.get(next.fetch_add(1, Ordering::Relaxed)) {
                    part.fetch_add(1, Ordering::Relaxed);
                }
            });
            assert!(done.iter().all(|part| part.load(Ordering::Relaxed) == 1));
        }
    }

    #[test]
    fn helpers_come_to_every_task_awake_or_asleep() {
        let pool = Pool::new(2).unwrap().unwrap();
        for round in 0..60 {
            if round % 20 == 0 {
                // They have fallen asleep by then.
                std::thread::sleep(20 * AWAKE);
            }
            // Goes on when both threads are there.
            let both = std::sync::Barrier::new(2);
            pool.run(&|| {
                both.wait();
            });
            assert_eq!(pool.shared.busy.load(Ordering::SeqCst), 0);
        }
    }

    #[test]
    fn calls_from_many_threads_do_not_wait_for_each_other() {
        let pool = Pool::new(2).unwrap().unwrap();
        let calls = AtomicUsize::new(0);
        pool.run(&|| {
            // The pool helps the call that this is a part of.
            pool.run(&|| {
                calls.fetch_add(1, Ordering::Relaxed);
            });
        });
        assert!((1..=2).contains(&calls.load(Ordering::Relaxed)));
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_goes_on() {
        let pool = Pool::new(3).unwrap().unwrap();
        let here = std::thread::current().id();
        let both = std::sync::Barrier::new(2);
        let met = AtomicUsize::new(0);
        let result = catch_unwind(AssertUnwindSafe(|| {
            pool.run(&|| {
                let helping = std::thread::current().id() != here;
                if helping && met.fetch_add(1, Ordering::SeqCst) > 0 {
                    return;
                }
                both.wait();
                assert!(!helping, "as the test wants it");
            });
        }));
        assert!(result.is_err());
        let count = AtomicUsize::new(0);
        pool.run(&|| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert!(count.load(Ordering::Relaxed) >= 1);
    }

    #[test]
    fn one_thread_needs_no_pool_and_too_many_are_refused() {
        assert!(Pool::new(0).unwrap().is_none() && Pool::new(1).unwrap().is_none());
        assert!(Pool::new(limits::THREADS + 1).unwrap_err().message().contains("threads"));
    }
}
