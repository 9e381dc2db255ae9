//! The columns of a forest as a row's vectors hold them: sixteen features at a time, in the order of the row.

#![allow(unsafe_code)]

use super::lines::{Line, Words};
use super::lowered::Lowered;
use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

/// The key of a missing value; not the largest one, which fills tables up, so that equality with a bound means something.
const MISSING: i32 = i32::MAX - 1;

/// Columns that are read together.
pub const LANES: usize = 16;
/// Bytes of a cache line.
const LINE: u32 = 64;

/// Sixteen features in the order of the row, or fewer in the last group.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    pub features: Words,
    /// Keys that stand for missing values.
    pub replace: Words,
    /// Features around whose zero numbers are missing.
    pub band: u16,
    /// Whether the features follow each other in the row.
    pub straight: bool,
    /// A bit for each feature that there is.
    pub there: u16,
    /// The column of each feature; [`NONE`] where there is none.
    pub columns: [u32; LANES],
}

/// No column.
pub const NONE: u32 = u32::MAX;

/// The features of a forest by groups, and for each column its place among them.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// The groups.
    pub all: Vec<Group>,
    /// For each column the place of its key.
    pub places: Vec<u32>,
    /// The first feature of each line of a row that begins one, for features of four and of eight bytes.
    lines: [Vec<u32>; 2],
}

impl Groups {
    /// The groups of a forest; `column` gives the key of a missing value, and whether the numbers around 0 are missing.
    pub fn new(lowered: &Lowered<'_>, column: impl Fn(usize) -> (i32, bool)) -> Self {
        let numbers = &lowered.numbers;
        let mut order: Vec<(u32, u32)> =
            numbers.iter().zip(0..).map(|(number, column)| (number.feature, column)).collect();
        let width = lowered.forest.features();
        if width <= 2 * order.len() {
            // Reading whole vectors is cheaper than leaving features out that nobody asks for.
            let mut used = vec![false; width];
            order.iter().for_each(|&(feature, _)| used[feature as usize] = true);
            let unused = (0..).zip(used).filter(|(_, used)| !used);
            order.extend(unused.map(|(feature, _)| (feature, NONE)));
        }
        order.sort_unstable();
        let lines = [4, 8].map(|bytes| {
            let each = LINE / bytes;
            let mut lines: Vec<u32> = order.iter().map(|&(feature, _)| feature / each * each).collect();
            lines.dedup();
            lines
        });
        let mut groups = Self { all: Vec::new(), places: vec![0; numbers.len()], lines };
        for (first, chunk) in (0..).step_by(LANES).zip(order.chunks(LANES)) {
            let at: [(u32, u32); LANES] = std::array::from_fn(|lane| chunk[lane.min(chunk.len() - 1)]);
            let mut group = Group {
                features: Line(at.map(|at| at.0.cast_signed())),
                replace: Line([0; LANES]),
                band: 0,
                straight: chunk.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1),
                there: u16::MAX >> (LANES - chunk.len()),
                columns: [NONE; LANES],
            };
            for (lane, &(_, at)) in chunk.iter().enumerate().filter(|(_, at)| at.1 != NONE) {
                let (replace, band) = column(at as usize);
                group.replace.0[lane] = replace.min(MISSING);
                group.band |= u16::from(band) << lane;
                group.columns[lane] = at;
                groups.places[at as usize] = super::narrow(first + lane);
            }
            groups.all.push(group);
        }
        groups
    }
}

impl Groups {
    /// Fetches what will be read of a row, if there is one.
    #[inline(always)]
    pub fn prefetch<T>(&self, row: *const T) {
        for &feature in &self.lines[usize::from(size_of::<T>() == 8)] {
            // SAFETY: every processor of this kind has the instruction, which reads no memory.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(row.wrapping_add(feature as usize).cast()) };
        }
    }
}

impl Group {
    /// The feature of the first column.
    #[inline]
    pub fn first(&self) -> usize {
        self.features.0[0].cast_unsigned() as usize
    }

    /// Whether it is sixteen features that follow each other in the row.
    #[inline]
    pub fn is_whole(&self) -> bool {
        self.straight && self.there == u16::MAX
    }
}
