//! Many rows: blocks of codes, column behind column, then tree after tree.
#![allow(unsafe_code)]

use super::super::{Number as Value, Rows};
use super::coder::{Coder, Ranked};
use super::labels::{Labels, SIDE, VECTOR};
use super::lowered::Lowered;
use super::processor::Processor;
use super::scratch::Scratch;
use super::sums::Sums;
use std::sync::Arc;

/// The most rows of a block.
const ROWS: usize = 512;
/// Rows whose codes are turned round together.
const TURN: usize = 16;

/// A forest for many rows.
#[derive(Debug)]
pub struct Batch {
    coder: Arc<Ranked<u8>>,
    labels: Labels,
    #[cfg(target_arch = "x86_64")]
    wide: Option<super::wide::Wide>,
    #[cfg(target_arch = "x86_64")]
    tiled: Option<super::tiled::Tiled>,
}

impl Batch {
    /// Lays a forest out; `None` when it does not fit.
    pub fn new(lowered: &Lowered<'_>, coder: Arc<Ranked<u8>>, sums: &Sums, processor: Processor) -> Option<Self> {
        let labels = Labels::new(lowered, coder.slots())?;
        Some(Self {
            #[cfg(target_arch = "x86_64")]
            wide: (processor >= Processor::Avx512).then(|| super::wide::Wide::new(&labels, &coder, sums, processor)),
            #[cfg(target_arch = "x86_64")]
            tiled: (processor == Processor::Avx2).then(|| super::tiled::Tiled::new(&labels, &coder, sums)),
            coder,
            labels,
        })
    }

    /// Bytes of nodes and values.
    pub fn bytes(&self) -> usize {
        #[cfg(target_arch = "x86_64")]
        let more = self.wide.as_ref().map_or(0, super::wide::Wide::bytes)
            + self.tiled.as_ref().map_or(0, super::tiled::Tiled::bytes);
        #[cfg(not(target_arch = "x86_64"))]
        let more = 0;
        self.labels.bytes() + more
    }

    /// Adds the trees to the margins of every row, `stride` numbers apart.
    pub fn add<T: Value>(&self, rows: Rows<'_, T>, sums: &Sums, out: &mut [f64], stride: usize, scratch: &mut Scratch) {
        #[cfg(target_arch = "x86_64")]
        if let Some(tiled) = &self.tiled {
            // SAFETY: this is only made for a processor with AVX2.
            unsafe { tiled.add(&self.coder, rows, sums, out, stride, scratch) };
            return;
        }
        let mut first = 0;
        while first < rows.count() {
            let left = rows.count() - first;
            // The largest block that is full, so that few rows go along for nothing.
            let size = if left >= ROWS { ROWS } else { (left.next_power_of_two() / 2).clamp(VECTOR, ROWS) };
            let block = rows.range(first, size.min(left));
            let out = &mut out[first * stride..][..block.count() * stride];
            self.add_block(block, size, sums, out, stride, scratch);
            first += block.count();
        }
    }

    fn add_block<T: Value>(
        &self,
        rows: Rows<'_, T>,
        size: usize,
        sums: &Sums,
        out: &mut [f64],
        stride: usize,
        scratch: &mut Scratch,
    ) {
        #[cfg(target_arch = "x86_64")]
        if let Some(wide) = &self.wide {
            wide.add_block(&self.labels, &self.coder, rows, size, sums, out, stride, scratch);
            return;
        }
        self.block(rows, size, sums, out, stride, scratch);
    }

    #[inline(always)]
    fn block<T: Value>(
        &self,
        rows: Rows<'_, T>,
        size: usize,
        sums: &Sums,
        out: &mut [f64],
        stride: usize,
        scratch: &mut Scratch,
    ) {
        let slots = self.coder.slots().count();
        let codes = scratch.codes.room::<u8>(slots * size);
        let turn = scratch.turn.room::<u8>(slots * TURN);
        for (block, first) in rows.blocks(TURN).zip((0..).step_by(TURN)) {
            for (row, codes) in block.iter().zip(turn.chunks_exact_mut(slots)) {
                self.coder.code(row, codes, &mut scratch.keys);
            }
            for (slot, column) in codes.chunks_exact_mut(size).enumerate() {
                for (lane, code) in column[first..first + TURN].iter_mut().enumerate() {
                    *code = turn[lane * slots + slot];
                }
            }
        }
        let labels = scratch.labels.room::<u8>(size);
        for (first, nodes) in self.labels.groups() {
            for (side, tree) in self.labels.trees[first..].iter().take(SIDE).enumerate() {
                self.labels.label(nodes, side, codes, labels);
                let leaves = labels[..rows.count()].iter().map(|&label| tree.leaf + u32::from(label));
                sums.add_rows(first + side, leaves, rows, out, stride);
            }
        }
    }
}
