//! Which instructions the kernels may use.

use crate::error::{Error, Result};

/// A kind of processor, each able to run what those before it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Processor {
    /// Whatever the library was compiled for: on x86-64 its baseline, which has SSE2.
    Portable,
    /// AVX2, BMI2 and POPCNT: x86-64 from about 2013 on.
    Avx2,
    /// AVX-512 F, BW, CD, DQ and VL.
    Avx512,
    /// The same with VBMI and VBMI2, which permute bytes, and BITALG, which counts bits: all that have the first have these.
    Vbmi,
}

impl Processor {
    /// All of them, the plainest first.
    pub const ALL: [Self; 4] = [Self::Portable, Self::Avx2, Self::Avx512, Self::Vbmi];

    /// Its name in options and in a model's JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Vbmi => "avx512vbmi",
        }
    }

    /// The best one that this machine is.
    #[must_use]
    pub fn here() -> Self {
        let able = |kind: &&Self| kind.is_here();
        Self::ALL.iter().rev().find(able).copied().unwrap_or(Self::Portable)
    }

    /// Whether this machine has its instructions.
    #[cfg(target_arch = "x86_64")]
    #[must_use]
    pub fn is_here(self) -> bool {
        use std::arch::is_x86_feature_detected as has;
        let avx2 = || has!("avx2") && has!("bmi1") && has!("bmi2") && has!("lzcnt") && has!("popcnt");
        let avx512 = || {
            avx2() && has!("avx512f") && has!("avx512bw") && has!("avx512cd") && has!("avx512dq") && has!("avx512vl")
        };
        match self {
            Self::Portable => true,
            Self::Avx2 => avx2(),
            Self::Avx512 => avx512(),
            Self::Vbmi => avx512() && has!("avx512vbmi") && has!("avx512vbmi2") && has!("avx512bitalg"),
        }
    }

    /// Whether this machine has its instructions.
    #[cfg(not(target_arch = "x86_64"))]
    #[must_use]
    pub fn is_here(self) -> bool {
        self == Self::Portable
    }

    /// Whether it is one of Intel's. These make three steps of a permute of two registers, so that one of a single register under a mask is
    /// faster; and while vectors of 64 bytes are at work, one of the two ports of additions is closed, and an addition that waits for
    /// another takes more than three cycles instead of two.
    #[cfg(target_arch = "x86_64")]
    #[must_use]
    pub fn intel() -> bool {
        let vendor = std::arch::x86_64::__cpuid(0);
        [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).as_flattened() == b"GenuineIntel"
    }

    /// Whether it is one of Intel's.
    #[cfg(not(target_arch = "x86_64"))]
    #[must_use]
    pub fn intel() -> bool {
        false
    }

    /// The processor of that name; an empty one means the best.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a name that does not exist, `MI_UNSUPPORTED` for one that this machine is not.
    pub fn named(name: &str) -> Result<Self> {
        if name.is_empty() {
            return Ok(Self::here());
        }
        let names = Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        let found = found.ok_or_else(|| {
            Error::invalid(format!("there is no processor '{name}'; use one of {names}, or none of them"))
        })?;
        if found.is_here() {
            return Ok(found);
        }
        Err(Error::unsupported(format!(
            "this machine has no '{name}' instructions; leave the processor out, and the best one is used: '{}'",
            Self::here().name()
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_processors() {
        assert!(Processor::here().is_here() && Processor::Portable.is_here());
        assert_eq!(Processor::named("").unwrap(), Processor::here());
        assert_eq!(Processor::named("portable").unwrap(), Processor::Portable);
        assert!(Processor::named("neon").unwrap_err().message().contains("avx512vbmi"));
    }
}
