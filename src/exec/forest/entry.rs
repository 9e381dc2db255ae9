//! Nodes as the general kernel lays them out: from 4 to 16 bytes, the two children side by side.
//!
//! Entry `i` sends a row on to entry `i + offset`, or to the one behind it when the row's code is not below the limit. A leaf has
//! offset 0 and asks for the slot whose code is below every limit, so that a row stays there; its limit is its number plus 1.

use super::slots::Code;

/// A layout of nodes.
pub trait Entry: Copy + Send + Sync + std::fmt::Debug + 'static {
    /// The type of the codes it compares.
    type Code: Code;
    /// Slots that it can name.
    const SLOTS: usize;
    /// Leaves that it can number.
    const LEAVES: usize;
    /// The largest offset.
    const OFFSET: usize;

    /// A node; all numbers fit.
    fn new(slot: usize, limit: Self::Code, offset: usize) -> Self;
    /// Where its code stands.
    fn slot(self) -> usize;
    /// The first code that goes right.
    fn limit(self) -> Self::Code;
    /// How far on the left child is.
    fn offset(self) -> usize;
    /// The number of a leaf.
    fn leaf(self) -> usize;
}

/// Codes of 8 bits in up to 256 slots: 4 bytes.
#[derive(Debug, Clone, Copy)]
pub struct Small(u32);

impl Entry for Small {
    type Code = u8;
    const SLOTS: usize = 1 << 8;
    const LEAVES: usize = 255;
    const OFFSET: usize = u16::MAX as usize;

    fn new(slot: usize, limit: u8, offset: usize) -> Self {
        let [slot, offset]: [u32; 2] = [super::narrow(slot), super::narrow(offset)];
        Self(offset << 16 | u32::from(limit) << 8 | slot)
    }

    #[inline(always)]
    fn slot(self) -> usize {
        (self.0 & 0xff) as usize
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)]
    fn limit(self) -> u8 {
        (self.0 >> 8) as u8
    }

    #[inline(always)]
    fn offset(self) -> usize {
        (self.0 >> 16) as usize
    }

    #[inline(always)]
    fn leaf(self) -> usize {
        usize::from(self.limit()) - 1
    }
}

/// Codes of 16 bits in up to 65,536 slots: 8 bytes.
#[derive(Debug, Clone, Copy)]
pub struct Wide(u64);

impl Entry for Wide {
    type Code = u16;
    const SLOTS: usize = 1 << 16;
    const LEAVES: usize = 65535;
    const OFFSET: usize = u32::MAX as usize;

    fn new(slot: usize, limit: u16, offset: usize) -> Self {
        Self((offset as u64) << 32 | u64::from(limit) << 16 | slot as u64)
    }

    #[inline(always)]
    fn slot(self) -> usize {
        (self.0 & 0xffff) as usize
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)]
    fn limit(self) -> u16 {
        (self.0 >> 16) as u16
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // pointers have 64 bits wherever this matters
    fn offset(self) -> usize {
        (self.0 >> 32) as usize
    }

    #[inline(always)]
    fn leaf(self) -> usize {
        usize::from(self.limit()) - 1
    }
}

/// Keys instead of codes, in any number of slots: 12 bytes for float32, 16 for float64.
#[derive(Debug, Clone, Copy)]
pub struct Keyed<K> {
    limit: K,
    slot: u32,
    offset: u32,
}

macro_rules! keyed {
    ($($key:ty),*) => { $(impl Entry for Keyed<$key> {
        type Code = $key;
        const SLOTS: usize = u32::MAX as usize;
        const LEAVES: usize = i32::MAX as usize;
        const OFFSET: usize = u32::MAX as usize;

        fn new(slot: usize, limit: $key, offset: usize) -> Self {
            Self { limit, slot: super::narrow(slot), offset: super::narrow(offset) }
        }

        #[inline(always)]
        fn slot(self) -> usize {
            self.slot as usize
        }

        #[inline(always)]
        fn limit(self) -> $key {
            self.limit
        }

        #[inline(always)]
        fn offset(self) -> usize {
            self.offset as usize
        }

        #[inline(always)]
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        fn leaf(self) -> usize {
            self.limit as usize - 1
        }
    })* };
}
keyed!(i32, i64);
