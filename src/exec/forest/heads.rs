//! The tables of `ranks` with one or two levels, eight columns abreast in the order of the row, for AVX2. Features that nobody asks for stand
//! between them in a row's vectors (`groups`), but not here.
//!
//! To compare a line of a table with a key and to count the outcome takes half a dozen instructions. The keys of eight columns in one register,
//! compared with the first number of each column's first line, then with the second, and so on, take two for every eight numbers.

use super::groups::{self, NONE};
use super::ranks::Ranks;
use super::slab::{self, Slab};
use super::slots::Slots;
use std::ops::Range;

/// Columns abreast.
pub const LANES: usize = groups::LANES / 2;
/// Numbers of a line of a table.
const NUMBERS: usize = 16;
/// Levels of the largest table.
const LEVELS: usize = 2;
/// So many bounds of each column are compared with its key before a look at a line of its own is worth it.
const FEW: usize = 32;

/// Eight numbers, one of each column.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub struct Eight(pub [i32; LANES]);

/// Eight columns.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// Whether the numbers are all bounds of the columns, instead of the first levels of their tables.
    pub all: bool,
    /// The numbers: the first and one past the last of `Heads::numbers`, two and two of which are compared.
    pub numbers: [usize; 2],
    /// Where the last levels of their tables begin, in bytes behind the first line of all.
    pub starts: Eight,
    /// The slots of their codes; 0 where there is no such column, or a larger table.
    pub slots: [u32; LANES],
}

/// Which of eight features are columns.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The columns' lanes, then any.
    pub lanes: Eight,
    /// The columns.
    pub count: u32,
}

/// The first levels of tables.
#[derive(Debug, Clone)]
pub struct Heads {
    /// Two for every sixteen columns.
    pub eights: Vec<[Head; 2]>,
    /// Two for every group of features, where some of these are no columns, whose keys are left out; none where all are.
    pub asked: Vec<[Asked; 2]>,
    /// For each column the place of its key.
    pub places: Vec<u32>,
    pub numbers: Slab<Eight>,
    /// Columns with larger tables, and their levels.
    pub larger: Vec<(Range<usize>, usize)>,
}

impl Asked {
    /// Those of the first eight.
    fn of(columns: &[u32]) -> Self {
        let mut lanes = [0; LANES];
        let mut count = 0;
        for (lane, _) in (0..).zip(&columns[..LANES]).filter(|column| *column.1 != NONE) {
            lanes[count] = lane;
            count += 1;
        }
        Self { lanes: Eight(lanes), count: super::narrow(count) }
    }
}

impl Heads {
    /// The first levels of the tables of a forest's columns.
    pub fn new(slots: &Slots, ranks: &Ranks) -> Self {
        let larger: Vec<_> = ranks.runs().filter(|run| run.1 > LEVELS).collect();
        let groups = &slots.groups.all;
        let lanes = || groups.iter().flat_map(|group| group.columns);
        let columns: Vec<usize> = lanes().filter(|&column| column != NONE).map(|column| column as usize).collect();
        let mut places = vec![0; columns.len()];
        columns.iter().zip(0..).for_each(|(&column, place)| places[column] = place);
        // Behind the last column there is nothing to leave out.
        let gaps = lanes().take(columns.len()).any(|column| column == NONE);
        let asked =
            groups.iter().filter(|_| gaps).map(|group| [0, LANES].map(|first| Asked::of(&group.columns[first..])));
        let mut heads = Self { eights: Vec::new(), asked: asked.collect(), places, numbers: slab::room(0), larger };
        for columns in columns.chunks(2 * LANES) {
            let head = [0, LANES]
                .map(|first| heads.head(std::array::from_fn(|lane| columns.get(first + lane).copied()), ranks));
            heads.eights.push(head);
        }
        heads
    }

    /// Puts the first levels of eight columns side by side.
    fn head(&mut self, columns: [Option<usize>; LANES], ranks: &Ranks) -> Head {
        let columns = columns.map(|column| column.map(|column| (column, ranks.levels(column))));
        let columns = columns.map(|column| column.filter(|column| column.1 <= LEVELS));
        let bounds = columns.map(|column| column.map_or(0, |column| ranks.sorted(column.0).count()));
        let all = bounds.iter().all(|&bounds| bounds <= FEW);
        let numbers = columns.map(|column| match column {
            Some((column, _)) if all => ranks.sorted(column).collect(),
            Some((column, LEVELS)) => ranks.lines()[ranks.starts()[column][0] as usize].0.to_vec(),
            _ => Vec::new(),
        });
        // No key is above the largest number.
        let number = |lane: usize, at: usize| numbers[lane].get(at).copied().unwrap_or(i32::MAX);
        let eight = |at: usize| Eight(std::array::from_fn(|lane| number(lane, at)));
        let rest = |at: &usize| eight(*at).0.iter().all(|&number| number == i32::MAX);
        let most = numbers.iter().map(Vec::len).max().unwrap_or(0).next_multiple_of(2);
        let count = (0..most).step_by(2).find(rest).unwrap_or(most);
        let first = self.numbers.len();
        self.numbers.extend((0..count).map(eight));
        let start = |(column, levels): (usize, usize)| {
            ranks.starts()[column][levels - 1] as usize * size_of::<[i32; NUMBERS]>()
        };
        Head {
            all,
            numbers: [first, first + count],
            starts: Eight(columns.map(|column| column.map_or(0, |column| super::narrow(start(column))))),
            slots: columns.map(|column| column.map_or(0, |column| super::narrow(1 + column.0))),
        }
    }

    /// Bytes of the numbers.
    pub fn bytes(&self) -> usize {
        size_of_val(self.numbers.as_slice())
            + size_of_val(self.eights.as_slice())
            + size_of_val(self.asked.as_slice())
            + size_of_val(self.places.as_slice())
    }

    /// Reads the numbers.
    pub fn prefetch(&self) {
        super::warm(&self.numbers);
        super::warm(&self.eights);
        super::warm(&self.asked);
    }
}
