//! A forest in the layout that was chosen for it.

use super::super::{Number as Value, Rows};
use super::choice::{Choice, Codes, Method};
#[cfg(target_arch = "x86_64")]
use super::chunked::Chunked;
use super::coder::{Coder, Keys, Ranked};
use super::entry::{Broad, Entry, Keyed, Small, Wide};
use super::heap::Heap;
#[cfg(target_arch = "x86_64")]
use super::jump::Width;
use super::lowered::Lowered;
use super::processor::Processor;
use super::ranks;
use super::scratch::Scratch;
use super::sieve::Sieve;
use super::slots::Parts;
use super::sums::{Leaves, Sums, blocks};
use super::symmetric::Symmetric;
#[cfg(target_arch = "x86_64")]
use super::tiers::Tiers;
use super::walk::Walk;
use crate::ir::Precision;
use std::sync::Arc;

/// What finds the leaves of a forest.
pub trait Kernel {
    /// Adds the trees to the margins of every row, `stride` numbers apart.
    fn add<T: Value>(&self, rows: Rows<'_, T>, sums: &Sums, out: &mut [f64], stride: usize, scratch: &mut Scratch);

    /// Calls `put` with row, tree and leaf for every row and every tree.
    fn leaves<T: Value>(&self, rows: Rows<'_, T>, scratch: &mut Scratch, put: &mut dyn FnMut(usize, usize, u32));

    /// Bytes of tables and nodes.
    fn bytes(&self) -> usize;

    /// Reads tables and nodes.
    fn prefetch(&self);
}

/// What finds the leaves of one row after the other.
pub trait Rowwise {
    /// The leaves that a row reaches.
    fn look<'a, T: Value>(&'a self, row: &[T], scratch: &'a mut Scratch) -> impl Leaves + 'a;

    /// See [`Kernel::add`].
    #[inline]
    fn add_each<T: Value>(
        &self,
        rows: Rows<'_, T>,
        sums: &Sums,
        out: &mut [f64],
        stride: usize,
        scratch: &mut Scratch,
    ) {
        let outputs = sums.layout().base.len();
        for (index, row) in rows.iter().enumerate() {
            sums.add_row(&self.look(row, scratch), row, &mut out[index * stride..][..outputs]);
        }
    }

    /// See [`Kernel::leaves`].
    fn leaves_each<T: Value>(&self, rows: Rows<'_, T>, scratch: &mut Scratch, put: &mut dyn FnMut(usize, usize, u32)) {
        for (index, row) in rows.iter().enumerate() {
            blocks(&self.look(row, scratch), |first, leaves| {
                for (tree, &leaf) in (first..).zip(leaves) {
                    put(index, tree, leaf);
                }
            });
        }
    }
}

/// A forest in one layout or another.
#[derive(Debug)]
pub enum Laid {
    /// Walks over codes of 8 bits, nodes of 4 bytes.
    Small(Walk<Arc<Ranked<u8>>, Small>),
    /// Walks over many codes of 8 bits, nodes of 4 bytes.
    Broad(Walk<Arc<Ranked<u8>>, Broad>),
    /// Walks over codes of 16 bits, nodes of 8 bytes.
    Wide(Walk<Arc<Ranked<u16>>, Wide>),
    /// Walks over keys of float32.
    Keyed32(Walk<Keys<i32>, Keyed<i32>>),
    /// Walks over keys of float64.
    Keyed64(Walk<Keys<i64>, Keyed<i64>>),
    /// Heaps over codes of 8 bits.
    HeapBytes(Heap<u16>),
    /// Heaps over codes of 16 bits.
    HeapWords(Heap<u32>),
    /// Symmetric trees over codes of 8 bits.
    Symmetric(Symmetric),
    /// Leaves that remain possible, over codes of 8 bits.
    SieveBytes(Sieve<u8>),
    /// Leaves that remain possible, over codes of 16 bits.
    SieveWords(Sieve<u16>),
    /// Tier after tier of trees side by side, over codes of 8 bits.
    #[cfg(target_arch = "x86_64")]
    Tiers(Tiers),
    /// Pointer jumping over codes of 8 bits.
    #[cfg(target_arch = "x86_64")]
    JumpBytes(Chunked<u8>),
    /// Pointer jumping over codes of 16 bits.
    #[cfg(target_arch = "x86_64")]
    JumpWords(Chunked<u16>),
}

macro_rules! with {
    ($laid:expr, $kernel:ident => $body:expr) => {
        match $laid {
            Laid::Small($kernel) => $body,
            Laid::Broad($kernel) => $body,
            Laid::Wide($kernel) => $body,
            Laid::Keyed32($kernel) => $body,
            Laid::Keyed64($kernel) => $body,
            Laid::HeapBytes($kernel) => $body,
            Laid::HeapWords($kernel) => $body,
            Laid::Symmetric($kernel) => $body,
            Laid::SieveBytes($kernel) => $body,
            Laid::SieveWords($kernel) => $body,
            #[cfg(target_arch = "x86_64")]
            Laid::Tiers($kernel) => $body,
            #[cfg(target_arch = "x86_64")]
            Laid::JumpBytes($kernel) => $body,
            #[cfg(target_arch = "x86_64")]
            Laid::JumpWords($kernel) => $body,
        }
    };
}

impl Laid {
    /// Lays a forest out as was chosen; where it does not fit, the choice becomes what it fits.
    pub fn new(lowered: &Lowered<'_>, choice: &mut Choice) -> Self {
        if choice.method == Method::Levels {
            if choice.codes == Codes::Bytes
                && let Some(symmetric) = Symmetric::new(lowered, choice)
            {
                return Self::Symmetric(symmetric);
            }
            choice.method = if choice.processor == Processor::Vbmi { Method::Jump } else { Method::Interleaved };
        }
        #[cfg(target_arch = "x86_64")]
        if choice.tiers(lowered)
            && let Some(tiers) = Tiers::new(lowered, choice.processor)
        {
            (choice.method, choice.codes) = (Method::Tiers, Codes::Bytes);
            return Self::Tiers(tiers);
        }
        if let Some(laid) = Self::sieve(lowered, choice) {
            return laid;
        }
        #[cfg(target_arch = "x86_64")]
        if choice.method == Method::Jump
            && let Some(laid) = Self::jump(lowered, choice)
        {
            return laid;
        }
        if let Some(laid) = Self::heap(lowered, choice) {
            return laid;
        }
        choice.method = Method::Interleaved;
        if choice.codes == Codes::Bytes {
            let coder = byte_coder(lowered, choice, Parts::ALL);
            if let Some(walk) = walk(lowered, coder.clone(), choice) {
                return Self::Small(walk);
            }
            if let Some(walk) = walk(lowered, coder, choice) {
                return Self::Broad(walk);
            }
            choice.codes = Codes::Words;
        }
        if choice.codes == Codes::Words {
            if let Some(walk) = walk(lowered, word_coder(lowered, choice, Parts::ALL), choice) {
                return Self::Wide(walk);
            }
            choice.codes = Codes::Keys;
        }
        let fits = "every forest that is read has fewer than 2^31 nodes";
        match lowered.forest.layout().input {
            Precision::F32 => Self::Keyed32(walk(lowered, Some(Keys::new(lowered)), choice).expect(fits)),
            Precision::F64 => Self::Keyed64(walk(lowered, Some(Keys::new(lowered)), choice).expect(fits)),
        }
    }

    /// A sieve, where it was chosen or is cheaper than walks.
    fn sieve(lowered: &Lowered<'_>, choice: &mut Choice) -> Option<Self> {
        let codes = choice.sieve(lowered)?;
        let parts = Parts { conditions: false, ..Parts::ALL };
        let laid = match codes {
            Codes::Bytes => {
                Self::SieveBytes(Sieve::new(lowered, byte_coder(lowered, choice, parts)?, choice.processor)?)
            }
            Codes::Words => {
                Self::SieveWords(Sieve::new(lowered, word_coder(lowered, choice, parts)?, choice.processor)?)
            }
            Codes::Keys => return None,
        };
        (choice.method, choice.codes) = (Method::Sieve, codes);
        Some(laid)
    }

    /// Heaps, where they were chosen or nothing better than walks was.
    fn heap(lowered: &Lowered<'_>, choice: &mut Choice) -> Option<Self> {
        if !choice.heap() {
            return None;
        }
        let laid = match choice.codes {
            Codes::Bytes => {
                Self::HeapBytes(Heap::new(lowered, byte_coder(lowered, choice, Parts::ALL), choice.processor)?)
            }
            Codes::Words => {
                Self::HeapWords(Heap::new(lowered, word_coder(lowered, choice, Parts::ALL), choice.processor)?)
            }
            Codes::Keys => return None,
        };
        choice.method = Method::Heap;
        Some(laid)
    }

    #[cfg(target_arch = "x86_64")]
    fn jump(lowered: &Lowered<'_>, choice: &mut Choice) -> Option<Self> {
        if choice.codes == Codes::Bytes {
            for width in [Width::Bytes, Width::Ranges] {
                if let Some(chunked) = Chunked::new(lowered, width, ranks::BYTES, choice.intel) {
                    return Some(Self::JumpBytes(chunked));
                }
            }
        }
        let chunked = Chunked::new(lowered, Width::Words, ranks::WORDS, choice.intel)?;
        choice.codes = Codes::Words;
        Some(Self::JumpWords(chunked))
    }

    /// What makes codes of 8 bits in all slots, if the layout has that.
    pub fn byte_coder(&self) -> Option<&Arc<Ranked<u8>>> {
        match self {
            Self::Small(walk) => Some(walk.coder()),
            Self::Broad(walk) => Some(walk.coder()),
            Self::HeapBytes(heap) => Some(heap.coder()),
            Self::Symmetric(symmetric) => Some(symmetric.coder()),
            Self::SieveBytes(sieve) => Some(sieve.coder()),
            #[cfg(target_arch = "x86_64")]
            Self::Tiers(tiers) => Some(tiers.coder()).filter(|coder| coder.parts().second),
            #[cfg(target_arch = "x86_64")]
            Self::JumpBytes(chunked) => Some(chunked.coder()).filter(|coder| coder.parts().second),
            _ => None,
        }
    }

    /// The sums of the leaves as the layout knows them.
    pub fn sums(&mut self, lowered: &Lowered<'_>) -> Sums {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Tiers(tiers) => tiers.sums(lowered),
            _ => Sums::by_label(lowered),
        }
    }

    /// Whether it knows leaves by their labels.
    pub fn knows_labels(&self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return !matches!(self, Self::Tiers(_));
        #[cfg(not(target_arch = "x86_64"))]
        true
    }

    /// Bytes of tables and nodes.
    pub fn bytes(&self) -> usize {
        with!(self, kernel => kernel.bytes())
    }

    /// Reads tables and nodes.
    pub fn prefetch(&self) {
        with!(self, kernel => kernel.prefetch());
    }

    /// See [`Kernel::add`].
    pub fn add<T: Value>(&self, rows: Rows<'_, T>, sums: &Sums, out: &mut [f64], stride: usize, scratch: &mut Scratch) {
        with!(self, kernel => kernel.add(rows, sums, out, stride, scratch));
    }

    /// See [`Kernel::leaves`].
    pub fn leaves<T: Value>(&self, rows: Rows<'_, T>, scratch: &mut Scratch, put: &mut dyn FnMut(usize, usize, u32)) {
        with!(self, kernel => kernel.leaves(rows, scratch, put));
    }
}

/// What makes codes of 8 bits.
pub fn byte_coder(lowered: &Lowered<'_>, choice: &Choice, parts: Parts) -> Option<Arc<Ranked<u8>>> {
    Ranked::new(lowered, ranks::BYTES, parts, choice.processor).map(Arc::new)
}

fn word_coder(lowered: &Lowered<'_>, choice: &Choice, parts: Parts) -> Option<Arc<Ranked<u16>>> {
    Ranked::new(lowered, ranks::WORDS, parts, choice.processor).map(Arc::new)
}

fn walk<C: Coder, E: Entry<Code = C::Code>>(
    lowered: &Lowered<'_>,
    coder: Option<C>,
    choice: &Choice,
) -> Option<Walk<C, E>> {
    Walk::new(lowered, coder?, choice.processor)
}
