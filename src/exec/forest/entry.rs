//! Nodes as the general kernel lays them out: from 4 to 16 bytes, the two children side by side.
//!
//! Entry `i` sends a row on to entry `i + offset`, or to the one behind it when the row's code is not below the limit. Where codes are
//! small, an entry holds what its limit lacks of the next power of two, and is added to the code as it stands: the carry out of the limit's
//! bits goes into the offset, and is the step to the right. A leaf has offset 0 and asks for the slot whose code is below every limit, so that a row stays there.
#![allow(unsafe_code)]

use super::lines::{Buffer, Plain};
use super::slots::Code;

/// A layout of nodes.
pub trait Entry: Plain + Send + Sync + std::fmt::Debug + 'static {
    /// The type of the codes it compares.
    type Code: Code;
    /// A code as a step takes it.
    type Word: Plain;
    /// Slots that it can name.
    const SLOTS: usize;
    /// Leaves that it can number.
    const LEAVES: usize;
    /// The largest offset.
    const OFFSET: usize;

    /// A node; all numbers fit.
    fn new(slot: usize, limit: Self::Code, offset: usize) -> Self;
    /// A leaf of this number.
    fn leaf(number: usize) -> Self;
    /// The codes of a row as steps take them.
    fn words<'a>(codes: &'a [Self::Code], room: &'a mut Buffer) -> &'a [Self::Word];
    /// Where its code stands.
    fn slot(self) -> usize;
    /// How far on a row goes with this word.
    fn step(self, word: Self::Word) -> u32;
    /// Whether it is a node.
    fn goes_on(self) -> bool;
    /// The number of a leaf; of a node, anything.
    fn number(self) -> u32;
}

/// A code on its way into a sum with an entry.
trait Word<C>: Plain {
    /// The codes of a row, shifted by as many bits as an entry's slot has, or as they are.
    fn words<'a>(codes: &'a [C], slot: u32, room: &'a mut Buffer) -> &'a [Self];
    /// What is added to an entry.
    fn at(self, slot: u32) -> u32;
}

macro_rules! shifted {
    ($($code:ty),*) => { $(impl Word<$code> for u32 {
        #[inline(always)]
        fn words<'a>(codes: &'a [$code], slot: u32, room: &'a mut Buffer) -> &'a [u32] {
            let words = room.room::<u32>(codes.len());
            words.iter_mut().zip(codes).for_each(|(word, &code)| *word = u32::from(code) << slot);
            words
        }

        #[inline(always)]
        fn at(self, _: u32) -> u32 {
            self
        }
    })* };
}
shifted!(u8, u16);

impl Word<u8> for u8 {
    #[inline(always)]
    fn words<'a>(codes: &'a [u8], _: u32, _: &'a mut Buffer) -> &'a [u8] {
        codes
    }

    #[inline(always)]
    fn at(self, slot: u32) -> u32 {
        u32::from(self) << slot
    }
}

macro_rules! packed {
    ($(#[$about:meta])* $name:ident($bits:ty): $code:ty as $word:ty, slot $slot:literal, limit $limit:literal, leaves $leaves:expr) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy)]
        #[repr(transparent)]
        pub struct $name($bits);

        // SAFETY: a number.
        unsafe impl Plain for $name {}

        impl Entry for $name {
            type Code = $code;
            type Word = $word;
            const SLOTS: usize = 1 << $slot;
            const LEAVES: usize = $leaves;
            const OFFSET: usize = (<$bits>::MAX >> ($slot + $limit)) as usize - 1;

            fn new(slot: usize, limit: $code, offset: usize) -> Self {
                let [slot, offset]: [$bits; 2] = [super::narrow(slot), super::narrow(offset)];
                Self((offset << ($slot + $limit)) + (((1 << $limit) - <$bits>::from(limit)) << $slot) + slot)
            }

            fn leaf(number: usize) -> Self {
                let number: $bits = super::narrow(number);
                Self(number << $slot)
            }

            #[inline(always)]
            fn words<'a>(codes: &'a [$code], room: &'a mut Buffer) -> &'a [$word] {
                <$word as Word<$code>>::words(codes, $slot, room)
            }

            #[inline(always)]
            #[allow(clippy::cast_possible_truncation)]
            fn slot(self) -> usize {
                (self.0 & ((1 << $slot) - 1)) as usize
            }

            #[inline(always)]
            #[allow(clippy::cast_possible_truncation, clippy::cast_lossless)]
            fn step(self, word: $word) -> u32 {
                (self.0.wrapping_add(Word::<$code>::at(word, $slot) as $bits) >> ($slot + $limit)) as u32
            }

            #[inline(always)]
            fn goes_on(self) -> bool {
                self.0 >> ($slot + $limit) != 0
            }

            #[inline(always)]
            #[allow(clippy::cast_possible_truncation)]
            fn number(self) -> u32 {
                (self.0 >> $slot) as u32
            }
        }
    };
}

packed! {
    /// Codes of 8 bits in up to 256 slots: 4 bytes.
    Small(u32): u8 as u32, slot 8, limit 8, leaves 256
}
packed! {
    /// Codes of 8 bits in up to 65,536 slots, for small trees: 4 bytes. So many codes are not shifted before a few of them are needed.
    Broad(u32): u8 as u8, slot 16, limit 8, leaves 128
}
packed! {
    /// Codes of 16 bits in up to 65,536 slots: 8 bytes.
    Wide(u64): u16 as u32, slot 16, limit 16, leaves 65535
}

/// Keys instead of codes, in any number of slots: 12 bytes for float32, 16 for float64.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct Keyed<K> {
    limit: K,
    slot: u32,
    offset: u32,
}

macro_rules! keyed {
    ($($key:ty),*) => { $(
    // SAFETY: numbers, without a gap between them.
    unsafe impl Plain for Keyed<$key> {}

    impl Entry for Keyed<$key> {
        type Code = $key;
        type Word = $key;
        const SLOTS: usize = u32::MAX as usize;
        const LEAVES: usize = i32::MAX as usize;
        const OFFSET: usize = u32::MAX as usize;

        fn new(slot: usize, limit: $key, offset: usize) -> Self {
            Self { limit, slot: super::narrow(slot), offset: super::narrow(offset) }
        }

        fn leaf(number: usize) -> Self {
            // A limit that the least code is below.
            Self::new(0, <$key>::of(number as i64) + 1, 0)
        }

        #[inline(always)]
        fn words<'a>(codes: &'a [$key], _: &'a mut Buffer) -> &'a [$key] {
            codes
        }

        #[inline(always)]
        fn slot(self) -> usize {
            self.slot as usize
        }

        #[inline(always)]
        fn step(self, word: $key) -> u32 {
            self.offset + u32::from(word >= self.limit)
        }

        #[inline(always)]
        fn goes_on(self) -> bool {
            self.offset != 0
        }

        #[inline(always)]
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        fn number(self) -> u32 {
            (self.limit as u32).wrapping_sub(1)
        }
    })* };
}
keyed!(i32, i64);

#[cfg(test)]
mod tests {
    use super::*;

    fn steps<E: Entry<Code: TryFrom<usize>>>(codes: usize) {
        let mut room = Buffer::new();
        let of = |code: usize| E::Code::try_from(code).ok().unwrap();
        for limit in [0, 1, 2, codes / 2, codes - 1] {
            for code in [0, 1, limit.saturating_sub(1), limit, limit + 1, codes - 1].map(|code| code.min(codes - 1)) {
                let entry = E::new(3, of(limit), 7);
                let word = E::words(&[of(code)], &mut room)[0];
                assert_eq!((entry.slot(), entry.step(word)), (3, 7 + u32::from(code >= limit)), "{code} {limit}");
                assert!(entry.goes_on());
            }
        }
        for number in [0, 1, E::LEAVES.min(1 << 20) - 1] {
            let leaf = E::leaf(number);
            let word = E::words(&[E::Code::LEAST], &mut room)[0];
            assert_eq!(
                (leaf.slot(), leaf.step(word), leaf.goes_on(), leaf.number()),
                (0, 0, false, u32::try_from(number).unwrap())
            );
        }
    }

    #[test]
    fn a_carry_is_a_comparison() {
        steps::<Small>(256);
        steps::<Broad>(256);
        steps::<Wide>(65536);
    }
}
