//! From a network to the steps that run it.
//!
//! Nodes that the value does not need are left out. What does not depend on the rows is computed once, here. Reshapes and slices that
//! lie in one piece become views; functions join the step whose result they change, affine maps the weights in front of them. The
//! results of steps share slots where their lives do not meet.

mod layers;
mod places;

use super::level::Level;
use super::memory::{Memory, Place, View};
use super::moves::{Axis, Moves, Spread};
use super::real::Real;
use super::step::{Frame, Operand, Step, Work};
use crate::error::Result;
use crate::ir::network::{self, Array, Function, Network, NodeId, Op};
use places::{expansion, moves, transposition};
use std::sync::Arc;

/// Elements of the widest result of a block of rows: what the second cache holds.
const BLOCK_ELEMENTS: usize = 1 << 17;
/// Rows of a block at most.
const BLOCK_ROWS: usize = 64;
/// Rows that a block with a recurrent layer should have: every step reads all weights of the states, for as many rows as there are.
const RECURRENT_ROWS: usize = 12;
/// Elements of the widest result up to which it has them.
const RECURRENT_ELEMENTS: usize = 1 << 22;

/// A network ready to run.
#[derive(Debug)]
pub(super) struct Plan<T> {
    level: Level,
    steps: Vec<Step<T>>,
    constants: Vec<Vec<T>>,
    slots: usize,
    value: Operand,
    block: usize,
}

impl<T: Real> Plan<T> {
    /// Prepares what leads to `value`.
    pub(super) fn new(network: &Network, value: NodeId, level: Level) -> Self {
        let mut compiler = Compiler::new(network, value, level);
        for index in 0..network.nodes().len() {
            if compiler.users[index] > 0 && compiler.places[index].is_none() {
                compiler.node(index);
            }
        }
        let value = compiler.operand(value.index());
        let widest = compiler.widest.max(network.row()).max(1);
        let recurrent = compiler.steps.iter().any(|step| matches!(step.work, Work::Recurrent(_)));
        let least = if recurrent { (RECURRENT_ELEMENTS / widest).clamp(1, RECURRENT_ROWS) } else { 1 };
        Self {
            level,
            steps: compiler.steps,
            constants: compiler.constants,
            slots: compiler.slots.len(),
            value,
            block: (BLOCK_ELEMENTS / widest).clamp(least, BLOCK_ROWS),
        }
    }

    /// Whether a row may be refused.
    pub(super) fn refuses(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.work, Work::Embedding { .. }))
    }

    /// Rows of a block.
    pub(super) fn block(&self) -> usize {
        self.block
    }

    /// Runs over at most [`Plan::block`] rows and gives what the value holds to `take`.
    ///
    /// # Errors
    /// Those of [`Step::run`].
    pub(super) fn run<R>(
        &self,
        x: View<'_, T>,
        rows: usize,
        memory: &mut Memory<T>,
        take: impl FnOnce(View<'_, T>) -> R,
    ) -> Result<R> {
        if memory.slots.len() < self.slots {
            memory.slots.resize_with(self.slots, Vec::new);
        }
        let frame = Frame { level: self.level, x, rows, constants: &self.constants };
        for step in &self.steps {
            step.run(&frame, memory)?;
        }
        Ok(take(frame.view(self.value, &memory.slots)))
    }
}

/// A slot while the steps are laid out.
#[derive(Debug, Default, Clone, Copy)]
struct Slot {
    /// Readers that are still to come; 0: free.
    readers: usize,
    /// Elements of the largest result in it, per row.
    size: usize,
}

struct Compiler<'a, T> {
    network: &'a Network,
    level: Level,
    /// How many operands and outputs each node is; 0: not needed.
    users: Vec<usize>,
    /// Who reads a node that is read once.
    reader: Vec<usize>,
    places: Vec<Option<Place>>,
    slots: Vec<Slot>,
    steps: Vec<Step<T>>,
    constants: Vec<Vec<T>>,
    /// Where the columns of each input begin.
    columns: Vec<usize>,
    widest: usize,
}

impl<'a, T: Real> Compiler<'a, T> {
    fn new(network: &'a Network, value: NodeId, level: Level) -> Self {
        let count = network.nodes().len();
        let mut users = vec![0; count];
        let mut reader = vec![count; count];
        users[value.index()] = 1;
        for index in (0..count).rev() {
            if users[index] > 0 {
                for operand in network.nodes()[index].operands() {
                    users[operand.index()] += 1;
                    reader[operand.index()] = index;
                }
            }
        }
        // The value is read by whoever asks for it.
        reader[value.index()] = count;
        let mut columns = Vec::new();
        let mut column = 0;
        for input in network.inputs() {
            columns.push(column);
            column += input.shape.elements();
        }
        Self {
            network,
            level,
            users,
            reader,
            places: vec![None; count],
            slots: Vec::new(),
            steps: Vec::new(),
            constants: Vec::new(),
            columns,
            widest: 0,
        }
    }

    fn sizes(&self, node: usize) -> Vec<usize> {
        self.network.nodes()[node].shape().per_row()
    }

    fn operand(&self, node: usize) -> Operand {
        let place = self.places[node].unwrap_or(Place::Row(0));
        Operand { place, size: self.network.nodes()[node].shape().elements() }
    }

    /// The node that alone reads this one.
    fn only_reader(&self, node: usize) -> Option<usize> {
        (self.users[node] == 1 && self.reader[node] < self.places.len()).then(|| self.reader[node])
    }

    /// One reader of a place fewer.
    fn release(&mut self, place: Place) {
        if let Place::Slot { slot, .. } = place {
            self.slots[slot].readers -= 1;
        }
    }

    /// A free slot for so many elements per row: the one that fits best.
    fn slot(&mut self, size: usize) -> usize {
        let free = self.slots.iter().enumerate().filter(|(_, slot)| slot.readers == 0);
        let best = free.min_by_key(|(_, slot)| (slot.size < size, slot.size.abs_diff(size))).map(|(index, _)| index);
        let index = best.unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots.len() - 1
        });
        self.slots[index].size = self.slots[index].size.max(size);
        index
    }

    /// A node whose elements lie among those of its operand, from `offset` on.
    fn alias(&mut self, node: usize, operand: usize, offset: usize) {
        let place = match self.operand(operand).place {
            Place::Row(column) => Place::Row(column + offset),
            Place::Slot { slot, stride, offset: before } => {
                self.slots[slot].readers += self.users[node] - 1;
                Place::Slot { slot, stride, offset: before + offset }
            }
            Place::Constant { index, offset: before } => Place::Constant { index, offset: before + offset },
        };
        self.places[node] = Some(place);
    }

    /// Lays out a step that gives a result of `size` elements per row for `readers` readers. Its operands have one reader fewer
    /// afterwards.
    fn emit(
        &mut self,
        operands: Vec<Operand>,
        work: Work<T>,
        after: Vec<Function>,
        size: usize,
        readers: usize,
    ) -> Operand {
        let mut step = Step { operands, work, after, size, to: 0 };
        if step.operands.iter().all(|operand| matches!(operand.place, Place::Constant { .. }))
            && let Some(constant) = self.fold(&step)
        {
            self.constants.push(constant);
            return Operand { place: Place::Constant { index: self.constants.len() - 1, offset: 0 }, size };
        }
        let reused = match step.operands[0].place {
            Place::Slot { slot, stride, offset: 0 }
                if step.work.in_place() && stride == size && self.slots[slot].readers == 1 =>
            {
                Some(slot)
            }
            _ => None,
        };
        step.to = reused.unwrap_or_else(|| self.slot(size));
        for operand in &step.operands {
            self.release(operand.place);
        }
        self.slots[step.to].readers = readers;
        let place = Place::Slot { slot: step.to, stride: size, offset: 0 };
        self.widest = self.widest.max(size);
        self.steps.push(step);
        Operand { place, size }
    }

    /// What a step gives when no operand depends on the rows; `None` when it fails, and will so when it is run.
    fn fold(&self, step: &Step<T>) -> Option<Vec<T>> {
        let mut memory = Memory::new();
        memory.slots.push(Vec::new());
        let frame = Frame { level: self.level, x: View::new(&[], 0, 0), rows: 1, constants: &self.constants };
        step.run(&frame, &mut memory).ok()?;
        let mut result = memory.slots.swap_remove(0);
        result.truncate(step.size);
        Some(result)
    }

    /// Lays out the step of a node, and of the functions that follow it.
    fn make(&mut self, node: usize, operands: Vec<Operand>, work: Work<T>) {
        let mut after = Vec::new();
        let mut nodes = vec![node];
        while let Some(next) = self.only_reader(nodes[nodes.len() - 1])
            && let Op::Map(function) = self.network.nodes()[next].op()
        {
            after.push(*function);
            nodes.push(next);
        }
        let last = nodes[nodes.len() - 1];
        let size = self.network.nodes()[last].shape().elements();
        let result = self.emit(operands, work, after, size, self.users[last]);
        for node in nodes {
            self.places[node] = Some(result.place);
        }
    }

    /// An operand with its elements at other places.
    fn moved(&mut self, operand: Operand, axes: Vec<Axis>) -> Operand {
        let size = axes.iter().map(Vec::len).product();
        self.emit(vec![operand], Work::Move(Moves::new(axes, 0.0)), Vec::new(), size, 1)
    }

    /// The operand as large as the result that it is broadcast to.
    fn expanded(&mut self, node: usize, to: &[usize]) -> Operand {
        let operand = self.operand(node);
        let sizes = self.sizes(node);
        if sizes.iter().product::<usize>() == to.iter().product::<usize>() {
            operand
        } else {
            self.moved(operand, expansion(&sizes, to))
        }
    }

    /// Places a node.
    fn node(&mut self, index: usize) {
        let network = self.network;
        let node = &network.nodes()[index];
        let first = node.operands().first().map_or(0, |operand| operand.index());
        let x = |this: &Self| vec![this.operand(first)];
        let (from, to) = (self.sizes(first), self.sizes(index));
        let axis_sizes = |axis: usize| (from[axis], from[axis + 1..].iter().product::<usize>());
        match node.op() {
            Op::Input(input) => self.places[index] = Some(Place::Row(self.columns[*input])),
            Op::Constant(array) => {
                self.constants.push(T::numbers(array).to_vec());
                self.places[index] = Some(Place::Constant { index: self.constants.len() - 1, offset: 0 });
            }
            Op::Reshape(_) => self.alias(index, first, 0),
            Op::Dense(dense) => self.dense(index, dense),
            Op::Convolution(layer) => self.convolution(index, layer),
            Op::Recurrent(layer) => {
                let operands = node.operands().iter().map(|operand| self.operand(operand.index())).collect();
                let steps = from[from.len() - 2];
                self.widest =
                    self.widest.max(from[..from.len() - 1].iter().product::<usize>() * layer.kernel.shape()[1]);
                self.make(index, operands, Work::Recurrent(Box::new(layers::recurrent(layer, steps, self.level))));
            }
            Op::MatMul { transposed } => self.matmul(index, *transposed),
            Op::Affine { axis, scale, shift } => {
                let (_, run) = axis_sizes(*axis);
                let (scale, shift) = (T::numbers(scale).to_vec(), T::numbers(shift).to_vec());
                self.make(index, x(self), Work::Scale { run, scale, shift });
            }
            Op::Normalize(normalize) => {
                let size = from[from.len() - normalize.axes..].iter().product();
                let numbers = |array: &Option<Arc<Array>>| array.as_deref().map(|array| T::numbers(array).to_vec());
                let (scale, shift) = (numbers(&normalize.scale), numbers(&normalize.shift));
                self.make(index, x(self), Work::Normalise { norm: normalize.norm, size, scale, shift });
            }
            Op::Map(function) => self.make(index, x(self), Work::Map(*function)),
            Op::Prelu(slopes) => {
                let spread = Spread::new(slopes.shape(), &from);
                self.make(index, x(self), Work::Prelu { slopes: T::numbers(slopes).to_vec(), spread });
            }
            Op::Softmax { axis, log } => self.softmax(index, first, *axis, *log),
            Op::Binary(function) => self.binary(index, *function),
            Op::Choose => {
                let operands = node.operands().iter().map(|operand| self.expanded(operand.index(), &to)).collect();
                self.make(index, operands, Work::Choose);
            }
            Op::Reduce { how, axes, .. } => self.reduce(index, first, *how, axes),
            Op::Concat { axis } => {
                let chunk = |operand: &NodeId| self.sizes(operand.index())[*axis..].iter().product();
                let chunks = node.operands().iter().map(chunk).collect();
                let operands = node.operands().iter().map(|operand| self.operand(operand.index())).collect();
                self.make(index, operands, Work::Concat(chunks));
            }
            Op::Pool(pool) => {
                let (steps, channels) = (from[from.len() - 2], from[from.len() - 1]);
                self.make(index, x(self), Work::Pool { pool: *pool, channels, steps });
            }
            Op::Embedding(table) => {
                let width = table.shape()[1];
                self.make(index, x(self), Work::Embedding { table: T::numbers(table).to_vec(), width });
            }
            Op::Expand(_) | Op::Transpose(_) | Op::Slice { .. } | Op::Take { .. } | Op::Pad { .. } => {
                let moves = moves(node.op(), &from, &to);
                match moves.window() {
                    Some(offset) => self.alias(index, first, offset),
                    None => self.make(index, x(self), Work::Move(moves)),
                }
            }
        }
    }

    fn binary(&mut self, index: usize, function: network::Binary) {
        let [left, right] = *self.network.nodes()[index].operands() else { return };
        let (left, right, to) = (left.index(), right.index(), self.sizes(index));
        let size: usize = to.iter().product();
        let full = |this: &Self, node: usize| this.operand(node).size == size;
        let dies = |this: &Self, node: usize| match this.operand(node).place {
            Place::Slot { slot, stride, offset: 0 } => stride == size && this.slots[slot].readers == 1,
            _ => false,
        };
        // The operand that is changed is as large as the result; better one that nobody reads afterwards.
        let swapped = full(self, right) && (!full(self, left) || !dies(self, left) && dies(self, right));
        let (base, other) = if swapped { (right, left) } else { (left, right) };
        let base = self.expanded(base, &to);
        let spread = Spread::new(&self.sizes(other), &to);
        let operands = vec![base, self.operand(other)];
        self.make(index, operands, Work::Pairs { function, right: spread, swapped });
    }

    /// A softmax over any axis: over the last one, the axes being swapped before and after.
    fn softmax(&mut self, index: usize, first: usize, axis: usize, log: bool) {
        let sizes = self.sizes(first);
        let work = Work::Softmax { size: sizes[axis], log };
        let operand = self.operand(first);
        if sizes[axis + 1..].iter().all(|&size| size == 1) {
            return self.make(index, vec![operand], work);
        }
        let last = sizes.len() - 1;
        let mut order: Vec<usize> = (0..=last).collect();
        order.swap(axis, last);
        let moved = self.moved(operand, transposition(&sizes, &order));
        let size = moved.size;
        let done = self.emit(vec![moved], work, Vec::new(), size, 1);
        let sizes: Vec<usize> = order.iter().map(|&axis| sizes[axis]).collect();
        self.make(index, vec![done], Work::Move(Moves::new(transposition(&sizes, &order), 0.0)));
    }

    /// A reduction over any axes: over neighbours, the axes being brought together before.
    fn reduce(&mut self, index: usize, first: usize, how: network::Reduction, axes: &[usize]) {
        let sizes = self.sizes(first);
        let mut operand = self.operand(first);
        let size = axes.iter().map(|&axis| sizes[axis]).product();
        let apart = axes.windows(2).any(|pair| sizes[pair[0] + 1..pair[1]].iter().any(|&size| size > 1));
        let inner = if apart {
            let kept = (0..sizes.len()).filter(|axis| !axes.contains(axis));
            let order: Vec<usize> = kept.chain(axes.iter().copied()).collect();
            operand = self.moved(operand, transposition(&sizes, &order));
            1
        } else {
            axes.last().map_or(1, |&last| sizes[last + 1..].iter().product())
        };
        self.make(index, vec![operand], Work::Reduce { how, size, inner });
    }
}
