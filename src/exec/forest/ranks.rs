//! Codes: the place of a number among the bounds of its column.
//!
//! The code of a key is the number of the column's bounds below it, so that `key <= bounds[j]` is `code <= j`. Missing values have the
//! least or the largest of these codes, or, in a column that sends them to both sides, one more. Tables are trees of 16 numbers per node, which every kind of processor compares at once.
#![allow(unsafe_code)]

use super::super::Number as Value;
use super::lines::{Buffer, Line, Words};
use super::lowered::Lowered;
use super::slab::{self, Slab};
use super::slots::{Code, Slots};
use crate::ir::Precision;
use std::ops::Range;

/// The largest code that is a byte.
pub const BYTES: usize = 255;
/// The largest code of 16 bits.
pub const WORDS: usize = 65535;
/// Nodes on the way through a table of that many bounds.
const MOST_LEVELS: usize = 4;

/// Calls a macro with the levels of a table and whether it holds upper halves of keys, both as literals.
#[cfg(target_arch = "x86_64")]
macro_rules! by_levels {
    ($levels:expr, $exact:expr, $go:ident) => {
        match ($levels, $exact) {
            (1, false) => $go!(1, false),
            (2, false) => $go!(2, false),
            (3, false) => $go!(3, false),
            (_, false) => $go!(4, false),
            (1, true) => $go!(1, true),
            (2, true) => $go!(2, true),
            (3, true) => $go!(3, true),
            (_, true) => $go!(4, true),
        }
    };
}
#[cfg(target_arch = "x86_64")]
pub(super) use by_levels;

/// Levels of the table of a column with these codes: room for as many bounds and the one that nothing passes.
pub fn levels(most: usize) -> usize {
    let mut levels = 1;
    while levels < MOST_LEVELS && most + 1 > 16usize.pow(super::narrow(levels)) {
        levels += 1;
    }
    levels
}

/// Numbers of a line that are below a key.
#[inline(always)]
fn below(line: &Words, key: i32) -> usize {
    line.0.iter().map(|&bound| usize::from(key > bound)).sum()
}

/// The tables of a forest's columns.
#[derive(Debug, Clone)]
pub struct Ranks {
    /// All tables, node behind node.
    lines: Slab<Words>,
    /// For each column the first line of every level.
    starts: Vec<[u32; MOST_LEVELS]>,
    /// Columns that follow each other and have the same levels: one past the last of them, and the levels.
    runs: Vec<(u32, u8)>,
    /// Bounds of each column.
    counts: Vec<u32>,
    /// The bounds of 64 bits, column behind column: what the tables hold is their upper halves. Empty for features of float32.
    exact: Slab<i64>,
    /// For each column its first bound in `exact`.
    exact_at: Vec<u32>,
}

impl Ranks {
    /// The tables, or `None` when a column has codes above `most`.
    pub fn new(lowered: &Lowered<'_>, most: usize) -> Option<Self> {
        let single = lowered.forest.layout().input == Precision::F32;
        let numbers = &lowered.numbers;
        if numbers.iter().any(|number| number.most() > most) {
            return None;
        }
        let mut ranks = Self {
            lines: slab::room(0),
            starts: Vec::with_capacity(numbers.len()),
            runs: Vec::new(),
            counts: numbers.iter().map(|number| super::narrow(number.bounds.len())).collect(),
            exact: slab::room(if single { 0 } else { numbers.iter().map(|number| number.bounds.len()).sum() }),
            exact_at: Vec::new(),
        };
        for (number, column) in numbers.iter().zip(1..) {
            let levels = super::narrow(levels(number.most()));
            match ranks.runs.last_mut() {
                Some(run) if run.1 == levels => run.0 = column,
                _ => ranks.runs.push((column, levels)),
            }
            if !single {
                ranks.exact_at.push(super::narrow(ranks.exact.len()));
                ranks.exact.extend(&number.bounds);
            }
            #[allow(clippy::cast_possible_truncation)] // bounds of float32 have 32 bits
            let leaves: Vec<i32> =
                number.bounds.iter().map(|&bound| if single { bound as i32 } else { (bound >> 32) as i32 }).collect();
            ranks.table(leaves, number.both());
        }
        Some(ranks)
    }

    /// Appends the table of one column.
    fn table(&mut self, mut entries: Vec<i32>, both: bool) {
        if both {
            // Above this bound are missing values alone, whose keys are one of the two above it.
            entries.push(i32::MAX - 2);
        }
        let levels = levels(entries.len());
        let mut stack = Vec::with_capacity(levels);
        for _ in 0..levels {
            // Behind the last entry nothing is smaller than a missing value, so that it never leads out of the table.
            entries.resize((entries.len() + usize::from(stack.is_empty())).next_multiple_of(16), i32::MAX);
            let upper: Vec<i32> = entries.chunks_exact(16).map(|chunk| chunk[15]).collect();
            stack.push(std::mem::replace(&mut entries, upper));
        }
        let mut starts = [0; MOST_LEVELS];
        for (start, level) in starts.iter_mut().zip(stack.iter().rev()) {
            *start = super::narrow(self.lines.len());
            self.lines.extend(level.chunks_exact(16).map(|chunk| Line(std::array::from_fn(|at| chunk[at]))));
        }
        self.starts.push(starts);
    }

    /// The code of a missing value in a column that sends them to both sides.
    #[inline(always)]
    pub fn missing<C: Code>(&self, column: usize) -> C {
        C::of(i64::from(self.counts[column]) + 1)
    }

    /// Reads the tables.
    pub fn prefetch(&self) {
        super::warm(&self.lines);
        super::warm(&self.starts);
        super::warm(&self.exact);
    }

    /// Bytes of the tables.
    pub fn bytes(&self) -> usize {
        size_of_val(self.lines.as_slice())
            + size_of_val(self.starts.as_slice())
            + size_of_val(self.exact.as_slice())
            + self.counts.len() * 16
    }

    /// The codes of a row's columns of numbers; `keys` is working memory.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
    pub fn codes<T: Value, C: Code>(&self, slots: &Slots, row: &[T], codes: &mut [C], keys: &mut Buffer) {
        let columns = self.counts.len();
        if self.is_exact() {
            let keys = keys.room::<i64>(columns);
            slots.keys64(row, keys);
            self.each(|column, levels| {
                let key = keys[column];
                let (code, open) = self.code(column, levels, (key >> 32) as i32);
                codes[column] = C::of(if open { self.refine(column, code, key) } else { code } as i64);
            });
        } else {
            let keys = keys.room::<i32>(columns);
            slots.keys32(row, keys);
            self.each(|column, levels| codes[column] = C::of(self.code(column, levels, keys[column]).0 as i64));
        }
    }

    /// Columns whose tables have the same number of levels, and that number.
    #[inline(always)]
    pub fn runs(&self) -> impl Iterator<Item = (Range<usize>, usize)> {
        let mut first = 0;
        self.runs.iter().map(move |&(end, levels)| {
            let run = first..end as usize;
            first = run.end;
            (run, usize::from(levels))
        })
    }

    /// Calls `body` with every column and the levels of its table, which are a constant in each of the loops.
    #[inline(always)]
    fn each(&self, mut body: impl FnMut(usize, usize)) {
        for (columns, levels) in self.runs() {
            match levels {
                1 => columns.for_each(|column| body(column, 1)),
                2 => columns.for_each(|column| body(column, 2)),
                3 => columns.for_each(|column| body(column, 3)),
                _ => columns.for_each(|column| body(column, MOST_LEVELS)),
            }
        }
    }

    /// The levels of a column's table.
    #[cfg(target_arch = "x86_64")]
    pub fn levels(&self, column: usize) -> usize {
        usize::from(self.runs[self.runs.partition_point(|run| run.0 as usize <= column)].1)
    }

    /// The first line of a column's bounds.
    #[cfg(target_arch = "x86_64")]
    pub fn leaves(&self, column: usize) -> usize {
        self.starts[column][self.levels(column) - 1] as usize
    }

    /// The bounds of a column as its table holds them, and, if there is one, behind them the bound of missing values.
    #[cfg(target_arch = "x86_64")]
    pub fn sorted(&self, column: usize) -> impl Iterator<Item = i32> {
        self.lines[self.leaves(column)..].iter().flat_map(|line| line.0).take_while(|&bound| bound != i32::MAX)
    }

    /// Columns.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub fn columns(&self) -> usize {
        self.counts.len()
    }

    /// For each column the first line of every level.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub fn starts(&self) -> &[[u32; MOST_LEVELS]] {
        &self.starts
    }

    /// All tables.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub fn lines(&self) -> &[Words] {
        &self.lines
    }

    /// Whether the tables hold the upper halves of keys of 64 bits.
    #[inline(always)]
    pub fn is_exact(&self) -> bool {
        !self.exact.is_empty()
    }

    /// The code of a key, and whether it equals the bound that is next.
    #[inline(always)]
    fn code(&self, column: usize, levels: usize, key: i32) -> (usize, bool) {
        let starts = &self.starts[column];
        let (mut code, mut equal) = (0, false);
        for start in &starts[..levels] {
            let line = &self.lines[*start as usize + code];
            let place = below(line, key);
            (code, equal) = (code * 16 + place, line.0[place % 16] == key);
        }
        (code, equal)
    }

    /// The code of a key of 64 bits, from that of its upper half.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)]
    pub fn refine(&self, column: usize, code: usize, key: i64) -> usize {
        let bounds = &self.exact[self.exact_at[column] as usize..][..self.counts[column] as usize];
        match bounds.get(code) {
            Some(bound) if bound >> 32 == key >> 32 => code + bounds[code..].partition_point(|&bound| bound < key),
            _ => code,
        }
    }
}
