//! Which vector instructions the processor has, and how kernels are compiled for them.
//!
//! A kernel is Rust that is inlined into one function per level, where the compiler may use the level's instructions. Which level
//! runs is found out once per network; numbers may differ in their last bits between levels, never between batches.

#[cfg(target_arch = "x86_64")]
use super::simd::{Avx2, Avx512};
use super::simd::{Isa, Plain};

/// Work that is compiled once for each level.
pub(super) trait Kernel {
    /// What it gives.
    type Output;

    /// Does the work: loops with sums of `L` lanes, products and sums rounded once when `FUSED`; `isa` for those that need vectors
    /// in their hands. Must be `#[inline(always)]`, as must be everything hot that it calls.
    fn run<I: Isa, const L: usize, const FUSED: bool>(self, isa: I) -> Self::Output;
}

/// Vector instructions that this processor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level(Kind);

// Private, so that only `detect` says that a processor has something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// What every processor of the target has.
    Plain,
}

impl Level {
    /// The best level of this processor.
    pub(super) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512f")
                && std::arch::is_x86_feature_detected!("avx512vl")
                && std::arch::is_x86_feature_detected!("avx512dq")
                && std::arch::is_x86_feature_detected!("avx512bw")
                && std::arch::is_x86_feature_detected!("avx2")
                && std::arch::is_x86_feature_detected!("fma")
            {
                return Self(Kind::Avx512);
            }
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                return Self(Kind::Avx2);
            }
        }
        Self(Kind::Plain)
    }

    /// Every level of this processor, the best one first.
    #[cfg(test)]
    pub(super) fn all() -> Vec<Self> {
        let mut all = vec![Self::detect()];
        #[cfg(target_arch = "x86_64")]
        if all[0].0 == Kind::Avx512 {
            all.push(Self(Kind::Avx2));
        }
        if all[0].0 != Kind::Plain {
            all.push(Self(Kind::Plain));
        }
        all
    }

    /// Runs a kernel.
    #[inline]
    #[allow(unsafe_code)]
    pub(super) fn call<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            // SAFETY: a `Level` of this kind is made by `detect` alone, which has seen all of the features, or by `all` beside it.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => unsafe { avx512(kernel, Avx512::new()) },
            // SAFETY: as above; every processor of the kind above has these features too.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { avx2(kernel, Avx2::new()) },
            #[cfg(target_arch = "aarch64")]
            Kind::Plain => kernel.run::<_, 4, true>(Plain),
            #[cfg(not(target_arch = "aarch64"))]
            Kind::Plain => kernel.run::<_, 4, false>(Plain),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
fn avx512<K: Kernel>(kernel: K, isa: Avx512) -> K::Output {
    kernel.run::<_, 16, true>(isa)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<K: Kernel>(kernel: K, isa: Avx2) -> K::Output {
    kernel.run::<_, 8, true>(isa)
}
