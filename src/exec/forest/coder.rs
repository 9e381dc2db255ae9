//! From a row to the codes of a kernel, for every processor.
#![allow(unsafe_code)]

use super::super::Number as Value;
#[cfg(target_arch = "x86_64")]
use super::abreast::Abreast;
#[cfg(target_arch = "x86_64")]
use super::heads::Heads;
use super::lines::Buffer;
use super::lowered::{Lowered, Test};
use super::processor::Processor;
use super::ranks::Ranks;
use super::slots::{Code, Parts, Slots};
use std::marker::PhantomData;
use std::sync::Arc;

/// What fills in the codes of rows.
pub trait Coder: std::fmt::Debug + Send + Sync {
    /// The type of the codes.
    type Code: Code;

    /// Codes of a row.
    fn slots(&self) -> &Slots;

    /// The slot and the limit of a test of the forest that it was made for.
    fn place(&self, lowered: &Lowered<'_>, test: Test) -> (usize, Self::Code);

    /// Fills in the codes of a row, for which there is room in whole lines; `keys` is working memory.
    fn code<T: Value>(&self, row: &[T], codes: &mut [Self::Code], keys: &mut Buffer);

    /// Bytes of its tables.
    fn bytes(&self) -> usize;

    /// Reads its tables.
    fn prefetch(&self);
}

/// Keys themselves, for forests with too many thresholds, or too few to be worth a table.
#[derive(Debug)]
pub struct Keys<K> {
    slots: Slots,
    key: PhantomData<K>,
}

impl<K> Keys<K> {
    /// The keys of a forest.
    pub fn new(lowered: &Lowered<'_>) -> Self {
        Self { slots: Slots::new(lowered, Parts::ALL), key: PhantomData }
    }
}

macro_rules! keys {
    ($key:ty, $fill:ident) => {
        impl Coder for Keys<$key> {
            type Code = $key;

            fn slots(&self) -> &Slots {
                &self.slots
            }

            fn place(&self, lowered: &Lowered<'_>, test: Test) -> (usize, $key) {
                self.slots.place(test, |column, limit| <$key>::of(lowered.numbers[column].bound(limit)) + 1)
            }

            #[inline]
            fn code<T: Value>(&self, row: &[T], codes: &mut [$key], _: &mut Buffer) {
                self.slots.$fill(row, &mut codes[1..=self.slots.features.len()]);
                self.slots.complete(row, codes, std::iter::repeat(<$key>::MAX));
            }

            fn bytes(&self) -> usize {
                self.slots.bytes()
            }

            fn prefetch(&self) {
                self.slots.prefetch();
            }
        }
    };
}
keys!(i32, keys32);
keys!(i64, keys64);

/// Codes by tables.
#[derive(Debug)]
pub struct Ranked<C> {
    slots: Slots,
    ranks: Ranks,
    /// The code of a missing value in each column that sends them to both sides.
    missing: Vec<C>,
    #[cfg(target_arch = "x86_64")]
    parts: Parts,
    processor: Processor,
    #[cfg(target_arch = "x86_64")]
    abreast: Option<Box<Abreast>>,
    #[cfg(target_arch = "x86_64")]
    heads: Option<Box<Heads>>,
}

impl<C: Code> Ranked<C> {
    /// The tables of a forest; `None` when a column has codes above `most`.
    pub fn new(lowered: &Lowered<'_>, most: usize, parts: Parts, processor: Processor) -> Option<Self> {
        let ranks = Ranks::new(lowered, most)?;
        let both = lowered.numbers.iter().take_while(|number| number.both()).count();
        let missing = (0..both).map(|column| ranks.missing(column)).collect();
        let slots = Slots::new(lowered, parts);
        Some(Self {
            #[cfg(target_arch = "x86_64")]
            abreast: (processor == Processor::Vbmi && size_of::<C>() == 1)
                .then(|| Abreast::new(&slots, &ranks).map(Box::new))
                .flatten(),
            #[cfg(target_arch = "x86_64")]
            heads: (processor == Processor::Avx2).then(|| Box::new(Heads::new(&slots, &ranks))),
            ranks,
            slots,
            missing,
            #[cfg(target_arch = "x86_64")]
            parts,
            processor,
        })
    }

    /// What it fills in.
    #[cfg(target_arch = "x86_64")]
    pub fn parts(&self) -> Parts {
        self.parts
    }

    /// The tables.
    #[cfg(target_arch = "x86_64")]
    pub fn ranks(&self) -> &Ranks {
        &self.ranks
    }

    #[inline(always)]
    fn fill<T: Value>(&self, row: &[T], codes: &mut [C], keys: &mut Buffer) {
        self.ranks.codes(&self.slots, row, &mut codes[1..=self.slots.features.len()], keys);
        self.slots.complete(row, codes, self.missing.iter().copied());
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn fill_avx2<T: Value>(&self, row: &[T], codes: &mut [C], keys: &mut Buffer) {
        let Some(heads) = &self.heads else { unreachable!("tables are laid out for the processor") };
        self.ranks.codes_avx2(heads, &self.slots, row, codes, keys);
        self.slots.complete(row, codes, self.missing.iter().copied());
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
    fn fill_avx512<T: Value>(&self, row: &[T], codes: &mut [C], keys: &mut Buffer) {
        self.ranks.codes_avx512(&self.slots, row, &mut codes[1..=self.slots.features.len()], keys);
        self.slots.complete(row, codes, self.missing.iter().copied());
    }
}

#[cfg(target_arch = "x86_64")]
impl Ranked<u8> {
    /// See [`Slots::range`].
    pub fn range(&self, lowered: &Lowered<'_>, test: Test) -> (usize, u8, u8) {
        self.slots.range(lowered, &self.ranks, test)
    }
}

#[cfg(target_arch = "x86_64")]
impl<C: Code> Ranked<C> {
    #[target_feature(
        enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx512bitalg,bmi1,bmi2,lzcnt,popcnt"
    )]
    fn fill_vbmi<T: Value>(&self, row: &[T], codes: &mut [C], keys: &mut Buffer) {
        let Some(abreast) = &self.abreast else { return self.fill_avx512(row, codes, keys) };
        if let Some(codes) = C::bytes(codes) {
            abreast.code(&self.slots, &self.ranks, row, codes, keys);
        }
        self.slots.rest(row, &mut codes[1 + self.slots.features.len() + self.slots.second()..]);
    }
}

impl<C: Coder> Coder for Arc<C> {
    type Code = C::Code;

    fn slots(&self) -> &Slots {
        (**self).slots()
    }

    fn place(&self, lowered: &Lowered<'_>, test: Test) -> (usize, C::Code) {
        (**self).place(lowered, test)
    }

    #[inline]
    fn code<T: Value>(&self, row: &[T], codes: &mut [C::Code], keys: &mut Buffer) {
        (**self).code(row, codes, keys);
    }

    fn bytes(&self) -> usize {
        (**self).bytes()
    }

    fn prefetch(&self) {
        (**self).prefetch();
    }
}

impl<C: Code> Coder for Ranked<C> {
    type Code = C;

    fn slots(&self) -> &Slots {
        &self.slots
    }

    fn place(&self, _: &Lowered<'_>, test: Test) -> (usize, C) {
        self.slots.place(test, |_, limit| C::of(limit.into()))
    }

    #[inline]
    fn code<T: Value>(&self, row: &[T], codes: &mut [C], keys: &mut Buffer) {
        match self.processor {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a processor is only chosen where it is.
            Processor::Avx2 => unsafe { self.fill_avx2(row, codes, keys) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Processor::Avx512 => unsafe { self.fill_avx512(row, codes, keys) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Processor::Vbmi => unsafe { self.fill_vbmi(row, codes, keys) },
            _ => self.fill(row, codes, keys),
        }
    }

    fn bytes(&self) -> usize {
        #[cfg(target_arch = "x86_64")]
        let more = self.abreast.as_ref().map_or(0, |abreast| abreast.bytes())
            + self.heads.as_ref().map_or(0, |heads| heads.bytes());
        #[cfg(not(target_arch = "x86_64"))]
        let more = 0;
        self.slots.bytes() + self.ranks.bytes() + more
    }

    fn prefetch(&self) {
        self.slots.prefetch();
        self.ranks.prefetch();
        #[cfg(target_arch = "x86_64")]
        {
            self.abreast.iter().for_each(|abreast| abreast.prefetch());
            self.heads.iter().for_each(|heads| heads.prefetch());
        }
    }
}
