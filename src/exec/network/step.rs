//! One step of a prepared network: what it reads, what it does, where its result goes.

use super::dense::{Dense, MatMul};
use super::level::Level;
use super::map::{Map, Pairs, Right, Scale};
use super::memory::{Memory, Place, Spare, View, room};
use super::moves::{Moves, Spread};
use super::real::Real;
use super::recurrent::Recurrent;
use super::sum::{Normalise, Reduce, Softmax};
use super::window::{Convolution, PoolKernel};
use crate::error::{Error, Result};
use crate::ir::network::{Binary, Function, Norm, Pool, Reduction};

/// A tensor that a step reads: where it lies, and its elements per row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operand {
    pub(super) place: Place,
    pub(super) size: usize,
}

/// A prepared step.
#[derive(Debug)]
pub(super) struct Step<T> {
    pub(super) operands: Vec<Operand>,
    pub(super) work: Work<T>,
    /// Functions of every element of the result.
    pub(super) after: Vec<Function>,
    /// Elements of the result, per row.
    pub(super) size: usize,
    /// The slot of the result. The first operand may lie there already, when the work is done in place.
    pub(super) to: usize,
}

/// What a step does.
#[derive(Debug)]
pub(super) enum Work<T> {
    Dense(Dense<T>),
    MatMul(MatMul),
    Convolution(Box<Convolution<T>>),
    Recurrent(Box<Recurrent<T>>),
    Move(Moves),
    Pool {
        pool: Pool,
        channels: usize,
        steps: usize,
    },
    Reduce {
        how: Reduction,
        size: usize,
        inner: usize,
    },
    /// Each operand gives so many elements at a time.
    Concat(Vec<usize>),
    /// Operands are as large as the result.
    Choose,
    Embedding {
        table: Vec<T>,
        width: usize,
    },
    // In place, on what the first operand holds:
    Map(Function),
    Pairs {
        function: Binary,
        right: Spread,
        swapped: bool,
    },
    /// Slopes of negative elements.
    Prelu {
        slopes: Vec<T>,
        spread: Spread,
    },
    Scale {
        run: usize,
        scale: Vec<T>,
        shift: Vec<T>,
    },
    Normalise {
        norm: Norm,
        size: usize,
        scale: Option<Vec<T>>,
        shift: Option<Vec<T>>,
    },
    Softmax {
        size: usize,
        log: bool,
    },
}

impl<T> Work<T> {
    /// Whether it changes what the first operand holds.
    pub(super) fn in_place(&self) -> bool {
        matches!(
            self,
            Work::Map(_)
                | Work::Pairs { .. }
                | Work::Prelu { .. }
                | Work::Scale { .. }
                | Work::Normalise { .. }
                | Work::Softmax { .. }
        )
    }
}

/// What the steps of a network share while a block of rows is run.
pub(super) struct Frame<'a, T> {
    pub(super) level: Level,
    /// The caller's rows.
    pub(super) x: View<'a, T>,
    pub(super) rows: usize,
    pub(super) constants: &'a [Vec<T>],
}

impl<'a, T: Real> Frame<'a, T> {
    /// The tensor at a place.
    pub(super) fn view<'b>(&self, operand: Operand, slots: &'b [Vec<T>]) -> View<'b, T>
    where
        'a: 'b,
    {
        let size = operand.size;
        match operand.place {
            Place::Row(column) => View::new(&self.x.data()[column..], self.x.stride(), size),
            Place::Slot { slot, stride, offset } => View::new(&slots[slot][offset..], stride, size),
            Place::Constant { index, offset } => View::new(&self.constants[index][offset..], 0, size),
        }
    }
}

impl<T: Real> Step<T> {
    /// Runs over a block of rows.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a number that is no row of a table.
    pub(super) fn run(&self, frame: &Frame<'_, T>, memory: &mut Memory<T>) -> Result<()> {
        // Taken out, so that the other slots can be read meanwhile.
        let mut slot = std::mem::take(&mut memory.slots[self.to]);
        let out = room(&mut slot, frame.rows * self.size);
        let done = if self.work.in_place() {
            self.change(frame, &memory.slots, out);
            Ok(())
        } else {
            self.make(frame, &memory.slots, &mut memory.spare, out)
        };
        for function in &self.after {
            frame.level.call(Map(*function, out));
        }
        memory.slots[self.to] = slot;
        done
    }

    fn operand<'b>(&self, index: usize, frame: &Frame<'b, T>, slots: &'b [Vec<T>]) -> View<'b, T> {
        frame.view(self.operands[index], slots)
    }

    /// Work that makes a result from operands.
    fn make(&self, frame: &Frame<'_, T>, slots: &[Vec<T>], spare: &mut Spare<T>, out: &mut [T]) -> Result<()> {
        let level = frame.level;
        let x = self.operand(0, frame, slots);
        // A view that no operand is behind of is not looked at.
        let other = |index: usize| self.operands.get(index).map(|operand| frame.view(*operand, slots));
        let rows = out.chunks_exact_mut(self.size).enumerate();
        match &self.work {
            Work::Dense(dense) => dense.run(level, x, frame.rows, out),
            Work::Recurrent(layer) => layer.run(level, x, [other(1), other(2)], frame.rows, out, spare),
            Work::MatMul(product) => {
                let right = self.operand(1, frame, slots);
                rows.for_each(|(row, out)| product.run(level, x.row(row), right.row(row), out, spare));
            }
            Work::Convolution(layer) => {
                let (x_size, out_size) = (layer.steps * layer.channels, layer.windows * layer.filters);
                for (row, out) in rows {
                    for (x, out) in x.row(row).chunks_exact(x_size).zip(out.chunks_exact_mut(out_size)) {
                        layer.run(level, x, out, spare);
                    }
                }
            }
            Work::Move(moves) => rows.for_each(|(row, out)| moves.apply(x.row(row), out)),
            Work::Pool { pool, channels, steps } => {
                for (row, out) in rows {
                    let x = x.row(row).chunks_exact(steps * channels);
                    let windows = out.len() / x.len();
                    for (x, out) in x.zip(out.chunks_exact_mut(windows)) {
                        level.call(PoolKernel { pool: *pool, channels: *channels, x, out });
                    }
                }
            }
            Work::Reduce { how, size, inner } => {
                rows.for_each(|(row, out)| {
                    level.call(Reduce { how: *how, x: x.row(row), size: *size, inner: *inner, out });
                });
            }
            Work::Concat(chunks) => {
                let all: usize = chunks.iter().sum();
                for (row, out) in rows {
                    let mut first = 0;
                    for (operand, &chunk) in self.operands.iter().zip(chunks) {
                        let x = frame.view(*operand, slots).row(row);
                        for (x, out) in x.chunks_exact(chunk).zip(out.chunks_exact_mut(all)) {
                            out[first..first + chunk].copy_from_slice(x);
                        }
                        first += chunk;
                    }
                }
            }
            Work::Choose => {
                let (yes, no) = (self.operand(1, frame, slots), self.operand(2, frame, slots));
                for (row, out) in rows {
                    let both = yes.row(row).iter().zip(no.row(row));
                    for ((out, condition), (yes, no)) in out.iter_mut().zip(x.row(row)).zip(both) {
                        *out = if *condition == T::default() { *no } else { *yes };
                    }
                }
            }
            Work::Embedding { table, width } => {
                for (row, out) in rows {
                    for (index, out) in x.row(row).iter().zip(out.chunks_exact_mut(*width)) {
                        out.copy_from_slice(entry(table, *width, index.widen())?);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Work that changes its first operand.
    fn change(&self, frame: &Frame<'_, T>, slots: &[Vec<T>], out: &mut [T]) {
        let level = frame.level;
        let here = matches!(self.operands[0].place, Place::Slot { slot, .. } if slot == self.to);
        if !here {
            let x = self.operand(0, frame, slots);
            out.chunks_exact_mut(self.size).enumerate().for_each(|(row, out)| out.copy_from_slice(x.row(row)));
        }
        match &self.work {
            Work::Map(function) => level.call(Map(*function, out)),
            Work::Scale { run, scale, shift } => {
                level.call(Scale { x: out, run: *run, factors: scale, summands: shift });
            }
            Work::Softmax { size, log } => level.call(Softmax { x: out, size: *size, log: *log }),
            Work::Normalise { norm, size, scale, shift } => {
                let (scale, shift) = (scale.as_deref(), shift.as_deref());
                level.call(Normalise { norm: *norm, x: out, size: *size, scale, shift });
            }
            Work::Pairs { function, right: spread, swapped } => {
                let right = self.operand(1, frame, slots);
                let whole = right.stride() == 0 && !spread.each && spread.starts.len() == 1;
                if whole {
                    let right = Right::Same(right.row(0)[0]);
                    return level.call(Pairs { function: *function, left: out, right, swapped: *swapped });
                }
                for (row, out) in out.chunks_exact_mut(self.size).enumerate() {
                    let right = right.row(row);
                    for (&start, left) in spread.starts.iter().zip(out.chunks_exact_mut(spread.run)) {
                        let start = start as usize;
                        let right = if spread.each {
                            Right::Each(&right[start..][..spread.run])
                        } else {
                            Right::Same(right[start])
                        };
                        level.call(Pairs { function: *function, left, right, swapped: *swapped });
                    }
                }
            }
            Work::Prelu { slopes, spread } => {
                let negative = |x: T, slope: T| if x < T::default() { x * slope } else { x };
                for (index, out) in out.chunks_exact_mut(spread.run).enumerate() {
                    let start = spread.starts[index % spread.starts.len()] as usize;
                    if spread.each {
                        out.iter_mut().zip(&slopes[start..]).for_each(|(x, slope)| *x = negative(*x, *slope));
                    } else {
                        out.iter_mut().for_each(|x| *x = negative(*x, slopes[start]));
                    }
                }
            }
            _ => {}
        }
    }
}

/// The entry of a table with this number.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
fn entry<T>(table: &[T], width: usize, number: f64) -> Result<&[T]> {
    let count = table.len() / width;
    let index = number.trunc();
    if !(index >= 0.0 && index < count as f64) {
        return Err(Error::invalid(format!(
            "{number} is no index of an embedding of {count} entries; indices count from 0"
        )));
    }
    Ok(&table[index as usize * width..][..width])
}
