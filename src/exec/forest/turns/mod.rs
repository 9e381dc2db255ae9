//! The turns that a row takes in trees side by side, by AVX-512 VBMI and by AVX2: in their first tiers (`tiers`), then in their last
//! ones (`tufts`).
#![allow(unsafe_code)]

use super::handover::SIDE;
use super::sums::Sink;
use super::tufts;

/// Functions that pick from the lines of a tier what belongs to the nodes that a row meets; `$step` is how far lines are apart.
macro_rules! picks {
    ($features:literal, $at:ty, $register:ty, $step:literal, $load:expr, $blend:expr) => {
        #[inline]
        #[target_feature(enable = $features)]
        pub unsafe fn pick0(at: $at, _: &Turns) -> $register {
            // SAFETY: there is a line.
            unsafe { $load(at) }
        }
        picks!(@ $features, $at, $register, $step, $blend; pick1 pick0 0, pick2 pick1 1, pick3 pick2 2, pick4 pick3 3,
            pick5 pick4 4);
    };
    (@ $features:literal, $at:ty, $register:ty, $step:literal, $blend:expr; $($pick:ident $half:ident $turn:literal),*) => { $(
        #[inline]
        #[target_feature(enable = $features)]
        pub unsafe fn $pick(at: $at, turns: &Turns) -> $register {
            // SAFETY: there are twice as many lines.
            let halves = unsafe { [$half(at, turns), $half(at.add($step << $turn), turns)] };
            $blend(halves[0], halves[1], turns[$turn])
        }
    )* };
}

/// Calls `$tier` for each tier with its number and the function that picks from it.
macro_rules! each {
    ($tiers:expr, $tier:ident) => {
        each!(@ $tiers, $tier; pick0 0, pick1 1, pick2 2, pick3 3, pick4 4, pick5 5)
    };
    (@ $tiers:expr, $tier:ident; $($pick:ident $number:literal),*) => { $(
        if $number < $tiers {
            $tier!($number, $pick);
        }
    )* };
}

mod avx2;
mod vbmi;

/// One row's turns in all trees of a forest, as a kind of processor finds them.
trait Steps {
    /// What is known of the row in 64 trees.
    type Found: Copy;
    /// Nothing.
    const NOTHING: Self::Found;
    /// Trees that are decided at once.
    const TOGETHER: usize;

    /// Finds the row's ways through the first tiers of the next 64 trees, if there are more.
    ///
    /// # Safety
    /// The processor is of that kind.
    unsafe fn reach(&mut self, found: &mut Self::Found);

    /// Decides what follows in some of the 64 trees that begin with `tree`, from a place on. Meanwhile `beside` is called with the number of
    /// each of them, counted from the first.
    ///
    /// # Safety
    /// The processor is of that kind; there are as many tufts as trees at once, and they have been reached.
    unsafe fn decide<S: Sink>(&self, tree: usize, at: usize, found: &mut Self::Found, beside: impl FnMut(usize));

    /// Hands over the leaf of one of the trees that begin with `tree`.
    ///
    /// # Safety
    /// There is such a tree, and it has been decided.
    unsafe fn hand<S: Sink>(&self, tree: usize, at: usize, found: &Self::Found, sink: &mut S);
}

/// Hands the leaves that a row reaches in so many trees to a sink.
///
/// The leaves of 64 trees are added up, one after the other, while the last tiers of the next 64 are decided, before which the first
/// ones of the 64 behind them have been: so nothing has to wait for what has just begun.
///
/// # Safety
/// The processor is of that kind.
#[inline(always)]
unsafe fn each<T: Steps, S: Sink>(mut steps: T, trees: usize, mut sink: S) -> S {
    const { assert!(SIDE.is_multiple_of(T::TOGETHER) && tufts::TOGETHER.is_multiple_of(T::TOGETHER)) };
    let [mut a, mut b, mut c] = [T::NOTHING; 3];
    let (mut last, mut this, mut next) = (&mut a, &mut b, &mut c);
    // SAFETY: as promised; a tree is reached before it is decided, and decided before its leaf is handed over.
    unsafe {
        steps.reach(this);
        // Trees before this group, all of whose tufts have been decided.
        let mut before = 0;
        while before < trees {
            steps.reach(next);
            let end = (trees - before).min(SIDE).next_multiple_of(T::TOGETHER);
            for first in (0..end).step_by(T::TOGETHER) {
                if before > 0 {
                    let beside = |number| steps.hand(before - SIDE, first + number, last, &mut sink);
                    steps.decide::<S>(before, first, this, beside);
                } else {
                    steps.decide::<S>(before, first, this, |_| ());
                }
            }
            if before > 0 {
                (end..SIDE).for_each(|at| steps.hand(before - SIDE, at, last, &mut sink));
            }
            (last, this, next) = (this, next, last);
            before += SIDE;
        }
        let before = before.saturating_sub(SIDE);
        (0..trees - before).for_each(|at| steps.hand(before, at, last, &mut sink));
    }
    sink
}
