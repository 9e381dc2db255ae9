//! Codes of one row by AVX-512 VBMI: sixteen columns abreast.
//!
//! The keys of sixteen columns stand in one register and are compared with the first bound of each column, then with the second, and so
//! on; a comparison adds one to the codes of those whose keys are above. Of a *deep* column, which has many more bounds than the others,
//! these are the last bounds of its lines, each worth sixteen, and the line that they lead to gives the rest. The codes of four groups
//! share a register, one byte of each lane, from where byte permutes bring them into the order of the slots.
#![allow(unsafe_code)]

use super::super::Number as Value;
use super::avx512::load;
use super::groups::{LANES, NONE};
use super::lines::{Buffer, Bytes, Line, Words};
use super::ranks::Ranks;
use super::registers::{self, Table, all};
use super::slots::Slots;
use std::arch::x86_64::*;

/// Groups that share a register.
const SHARE: usize = 4;
/// Registers of codes, at most: a byte names the place of a code in them.
const REGISTERS: usize = 4;
/// Lines of bounds that are compared without a look at whether there are more.
const STEP: usize = 4;
/// Deep columns that are looked up together.
const QUARTER: usize = LANES / 4;
/// What is kept of a group between two passes: its codes, and of its deep columns the places of their lines, their keys, and which bounds
/// are below these.
const PASS: usize = 4;
const CODES: usize = 0;
const PLACES: usize = 1;
const KEYS: usize = 2;
const ABOVE: usize = 3;

/// Sixteen columns.
#[derive(Debug, Clone, Copy)]
struct Group {
    /// Its first line of bounds.
    first: u32,
    /// Its lines of bounds, in steps.
    steps: u32,
    /// Its deep columns, a bit for each.
    deep: u16,
    /// What a bound below a key adds to the code of each column.
    worth: Words,
    /// Where the lines of each column begin in the table, in bytes.
    starts: Words,
}

/// The bounds of a forest's columns, sixteen columns abreast.
#[derive(Debug, Clone)]
pub struct Abreast {
    groups: Vec<Group>,
    /// For each group, the first bound of each column, the second, and so on; the keys of no column are above the largest number.
    bounds: Vec<Words>,
    /// Registers of codes: 1, 2 or 4.
    registers: usize,
    /// For each slot of a column, the place of its code in the registers.
    places: Vec<Bytes>,
    /// For each slot the code of a missing value, where that becomes the least code.
    missing: Vec<Bytes>,
    /// The slots where it does, a bit for each.
    second: Vec<u64>,
}

impl Abreast {
    /// The bounds in this order; `None` when there are too many columns.
    pub fn new(slots: &Slots, ranks: &Ranks) -> Option<Self> {
        let count = slots.groups.all.len();
        if count > SHARE * REGISTERS {
            return None;
        }
        let mut abreast = Self {
            groups: Vec::with_capacity(count),
            bounds: Vec::new(),
            registers: count.div_ceil(SHARE).next_power_of_two(),
            places: Vec::new(),
            missing: Vec::new(),
            second: Vec::new(),
        };
        for group in &slots.groups.all {
            abreast.group(group.columns, ranks);
        }
        let columns = ranks.columns();
        let lines = (1 + columns + slots.second()).div_ceil(64);
        abreast.places = vec![Line([0; 64]); lines];
        abreast.missing = vec![Line([0; 64]); lines];
        abreast.second = vec![0; lines];
        for column in 0..columns {
            let place = slots.groups.places[column] as usize;
            let (group, lane) = (place / LANES, place % LANES);
            let place = super::narrow(group / SHARE * 64 + lane * SHARE + group % SHARE);
            abreast.places[(1 + column) / 64].0[(1 + column) % 64] = place;
            if column < slots.second() {
                let slot = 1 + columns + column;
                abreast.places[slot / 64].0[slot % 64] = place;
                abreast.missing[slot / 64].0[slot % 64] = ranks.missing(column);
                abreast.second[slot / 64] |= 1 << (slot % 64);
            }
        }
        Some(abreast)
    }

    /// Appends a group.
    fn group(&mut self, columns: [u32; LANES], ranks: &Ranks) {
        let there = |column: u32| (column != NONE).then_some(column as usize);
        let bounds = columns.map(|column| there(column).map_or(Vec::new(), |column| ranks.sorted(column).collect()));
        let lines = lines(bounds.each_ref().map(Vec::len), if ranks.is_exact() { 2 } else { 1 });
        let deep = bounds.each_ref().map(|bounds| bounds.len() > lines);
        let line = |at: usize| {
            Line(std::array::from_fn(|lane| {
                let place = if deep[lane] { LANES * (at + 1) - 1 } else { at };
                bounds[lane].get(place).copied().unwrap_or(i32::MAX)
            }))
        };
        let first = super::narrow(self.bounds.len());
        self.bounds.extend((0..lines).map(line));
        // A column that there is not is none of the deep ones.
        let start = |column: u32| there(column).map_or(0, |column| ranks.leaves(column) * size_of::<Words>());
        self.groups.push(Group {
            first,
            steps: super::narrow(lines / STEP),
            deep: (0..LANES).map(|lane| u16::from(deep[lane]) << lane).sum(),
            worth: Line(deep.map(|deep| if deep { 16 } else { 1 })),
            starts: Line(columns.map(|column| super::narrow(start(column)))),
        });
    }

    /// Bytes of the bounds.
    pub fn bytes(&self) -> usize {
        size_of_val(self.bounds.as_slice())
            + size_of_val(self.groups.as_slice())
            + (self.places.len() + self.missing.len()) * 64
    }

    /// Reads the bounds.
    pub fn prefetch(&self) {
        super::warm(&self.bounds);
        super::warm(&self.groups);
        super::warm(&self.places);
    }

    /// The codes of a row's columns of numbers and of their second versions, in whole lines; `room` is working memory.
    ///
    /// # Panics
    /// When the row or `codes` are too short.
    #[inline]
    #[target_feature(
        enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx512bitalg,bmi1,bmi2,lzcnt,popcnt"
    )]
    pub fn code<T: Value>(&self, slots: &Slots, ranks: &Ranks, row: &[T], codes: &mut [u8], room: &mut Buffer) {
        match (self.registers, ranks.is_exact()) {
            (1, false) => self.fill::<1, false, T>(slots, ranks, row, codes, room),
            (2, false) => self.fill::<2, false, T>(slots, ranks, row, codes, room),
            (_, false) => self.fill::<4, false, T>(slots, ranks, row, codes, room),
            (1, true) => self.fill::<1, true, T>(slots, ranks, row, codes, room),
            (2, true) => self.fill::<2, true, T>(slots, ranks, row, codes, room),
            (_, true) => self.fill::<4, true, T>(slots, ranks, row, codes, room),
        }
    }

    #[target_feature(
        enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx512bitalg,bmi1,bmi2,lzcnt,popcnt"
    )]
    fn fill<const N: usize, const EXACT: bool, T: Value>(
        &self,
        slots: &Slots,
        ranks: &Ranks,
        row: &[T],
        codes: &mut [u8],
        room: &mut Buffer,
    ) {
        assert!(row.len() >= slots.width());
        // A row that comes from afar comes at once.
        slots.groups.prefetch(row.as_ptr());
        // Groups in which a key equals a bound as far as the table knows both.
        let mut equal = 0u32;
        let room = &mut room.room::<[Words; PASS]>(self.groups.len())[..self.groups.len()];
        for (((group, features), room), at) in self.groups.iter().zip(&slots.groups.all).zip(&mut *room).zip(0..) {
            // SAFETY: the row is as wide as the forest.
            let keys = unsafe { slots.keys_of(features, row) };
            let (codes, same) = self.compare::<EXACT>(group, keys);
            equal |= u32::from(same != 0) << at;
            store(&mut room[CODES], codes);
            if group.deep != 0 {
                // Sixteen codes are a line.
                let places = _mm512_add_epi32(load(&group.starts), _mm512_slli_epi32::<2>(codes));
                store(&mut room[PLACES], _mm512_maskz_compress_epi32(group.deep, places));
                store(&mut room[KEYS], _mm512_maskz_compress_epi32(group.deep, keys));
            }
        }
        // What follows waits for memory and for what precedes, but no group for another: hence all of them at once.
        for ((group, room), at) in self.groups.iter().zip(&mut *room).zip(0..) {
            if group.deep != 0 {
                equal |= u32::from(descend::<EXACT>(ranks, group.deep.count_ones() as usize, room) != 0) << at;
            }
        }
        let mut registers = [_mm512_setzero_si512(); N];
        let groups = self.groups.chunks(SHARE).zip(room.chunks(SHARE));
        for (register, (groups, room)) in registers.iter_mut().zip(groups) {
            let mut shift = _mm_setzero_si128();
            for (group, room) in groups.iter().zip(room) {
                let mut codes = load(&room[CODES]);
                if group.deep != 0 {
                    let above = _mm256_popcnt_epi16(_mm512_castsi512_si256(load(&room[ABOVE])));
                    let above = _mm512_maskz_expand_epi32(group.deep, _mm512_cvtepu16_epi32(above));
                    codes = _mm512_add_epi32(codes, above);
                }
                *register = _mm512_add_epi32(*register, _mm512_sll_epi32(codes, shift));
                shift = _mm_add_epi64(shift, _mm_cvtsi32_si128(8));
            }
        }
        let table = Table(registers);
        let out = &mut codes[..self.places.len() * 64];
        // Slot 0 has the least code.
        let mut keep = u64::MAX - 1;
        let lines = self.places.iter().zip(&self.missing).zip(&self.second);
        for (((places, missing), &second), out) in lines.zip(out.chunks_exact_mut(64)) {
            let codes = table.look_up(registers::load(places));
            if second != 0 {
                keep &= !_mm512_mask_cmpeq_epu8_mask(second, codes, registers::load(missing));
            }
            // SAFETY: 64 bytes.
            unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), _mm512_maskz_mov_epi8(keep, codes)) };
            keep = u64::MAX;
        }
        if EXACT && equal != 0 {
            refine(slots, ranks, row, equal, codes);
        }
    }

    /// How many bounds of a group are below its keys, and the columns where one of them equals the key.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn compare<const EXACT: bool>(&self, group: &Group, keys: __m512i) -> (__m512i, u16) {
        let worth = load(&group.worth);
        let mut codes = [_mm512_setzero_si512(); STEP];
        let mut apart = [_mm512_set1_epi32(-1); STEP];
        let bounds = &self.bounds[group.first as usize..][..group.steps as usize * STEP];
        for bounds in bounds.chunks_exact(STEP) {
            for (bounds, (codes, apart)) in bounds.iter().zip(codes.iter_mut().zip(&mut apart)) {
                let bounds = load(bounds);
                *codes = _mm512_mask_add_epi32(*codes, _mm512_cmpgt_epi32_mask(keys, bounds), *codes, worth);
                if EXACT {
                    *apart = closer(*apart, keys, bounds);
                }
            }
        }
        let [a, b, c, d] = codes;
        let codes = _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d));
        let [a, b, c, d] = apart;
        (codes, if EXACT { touch(_mm512_min_epu32(_mm512_min_epu32(a, b), _mm512_min_epu32(c, d))) } else { 0 })
    }
}

/// The lesser of `apart` and how two numbers differ, which is zero where they are equal: to learn whether any are takes no comparison per
/// line, which would be one more for its port.
#[inline]
#[target_feature(enable = "avx512f")]
fn closer(apart: __m512i, one: __m512i, other: __m512i) -> __m512i {
    _mm512_min_epu32(apart, _mm512_xor_si512(one, other))
}

/// Where some numbers were equal.
#[inline]
#[target_feature(enable = "avx512f")]
fn touch(apart: __m512i) -> u16 {
    _mm512_cmpeq_epi32_mask(apart, _mm512_setzero_si512())
}

/// How many lines of bounds to compare with all keys of a group, so that the work is least; columns with more bounds are deep. `each` is
/// the work of a line, in pairs of instructions.
fn lines(bounds: [usize; LANES], each: usize) -> usize {
    let most = bounds.into_iter().max().unwrap_or(0);
    let work = |lines: &usize| {
        let deep = bounds.iter().filter(|&bounds| bounds > lines).count();
        lines * each + deep.div_ceil(QUARTER) * (QUARTER * each + 3) + if deep > 0 { 10 } else { 0 }
    };
    let enough = |lines: &usize| bounds.iter().all(|bounds| bounds <= lines || bounds / LANES <= *lines);
    let candidates = (0..=most.next_multiple_of(STEP)).step_by(STEP);
    candidates.filter(enough).min_by_key(work).unwrap_or(0)
}

/// Finds for each of the `count` deep columns of a group which bounds of its line are below its key; gives a bit for each place at which
/// a bound equals its key. Bits of bounds go from masks to memory, where all of them are counted at once: nothing but comparisons takes the port of these.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bitalg")]
fn descend<const EXACT: bool>(ranks: &Ranks, count: usize, room: &mut [Words; PASS]) -> u16 {
    let lines = ranks.lines().as_ptr();
    let [_, places, keys, above] = room;
    // SAFETY: a line has room for twice as many masks as there are columns.
    let above: &mut [u16; LANES] = unsafe { &mut *(&raw mut above.0).cast() };
    let mut apart = [_mm512_set1_epi32(-1); 2];
    let columns = places.0.chunks_exact(QUARTER).zip(keys.0.chunks_exact(QUARTER)).zip(above.chunks_exact_mut(QUARTER));
    for ((places, keys), above) in columns.take(count.div_ceil(QUARTER)) {
        for (at, above) in above.iter_mut().enumerate() {
            // SAFETY: a table has a line for every code of the level above, since no key is above the last number of its last line; behind
            // the deep columns is the first line of all.
            let line = load(unsafe { &*lines.wrapping_byte_add(places[at].cast_unsigned() as usize) });
            let key = all(&keys[at]);
            *above = _mm512_cmpgt_epi32_mask(key, line);
            if EXACT {
                apart[at % 2] = closer(apart[at % 2], key, line);
            }
        }
    }
    if EXACT { touch(_mm512_min_epu32(apart[0], apart[1])) } else { 0 }
}

/// Puts a register into a line.
#[inline]
#[target_feature(enable = "avx512f")]
fn store(line: &mut Words, register: __m512i) {
    // SAFETY: a line is 64 bytes that begin at a multiple of 64.
    unsafe { _mm512_store_si512(std::ptr::from_mut(line).cast(), register) };
}

/// Where keys of 64 bits that may equal a bound belong; `groups` are those that have such keys.
#[cold]
fn refine<T: Value>(slots: &Slots, ranks: &Ranks, row: &[T], groups: u32, codes: &mut [u8]) {
    for (group, _) in slots.groups.all.iter().zip(0..).filter(|(_, at)| groups >> at & 1 == 1) {
        for column in group.columns.iter().filter(|&&column| column != NONE).map(|&column| column as usize) {
            let code = ranks.refine(column, usize::from(codes[1 + column]), slots.key64(row, column));
            codes[1 + column] = super::narrow(code);
            if column < slots.second() {
                let missing: u8 = ranks.missing(column);
                let code = codes[1 + column];
                codes[1 + ranks.columns() + column] = if code == missing { 0 } else { code };
            }
        }
    }
}
