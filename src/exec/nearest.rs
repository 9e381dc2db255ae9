//! Searching the nearest training rows.
//!
//! Which of several rows at the same distance is the last of the nearest depends on the order of the search and on the heap that
//! holds the best so far. Both are the library's: its tree depth first, the nearer child first, or all rows in their order; a heap of
//! a fixed size with the furthest on top, which a row enters only when it is nearer than that.

use super::metric::{distance, reduce, reduced};
use crate::ir::neighbors::{Bounds, Metric, Neighbors, Tree};

/// The nearest rows so far: reduced distances, and indices beside them. The furthest is at 0.
pub(super) struct Heap<'a> {
    distances: &'a mut [f64],
    indices: &'a mut [f64],
}

impl<'a> Heap<'a> {
    /// An empty heap in working memory of the size that is wanted, at least 1.
    pub(super) fn new(distances: &'a mut [f64], indices: &'a mut [f64]) -> Self {
        distances.fill(f64::INFINITY);
        Self { distances, indices }
    }

    fn furthest(&self) -> f64 {
        self.distances[0]
    }

    /// Keeps a row, when it is nearer than the furthest.
    pub(super) fn push(&mut self, distance: f64, index: usize) {
        if distance >= self.furthest() {
            return;
        }
        #[allow(clippy::cast_precision_loss)] // no file holds 2^53 rows
        self.sink(distance, index as f64, self.distances.len());
    }

    /// Takes the place of the furthest, and sinks: the larger child rises, the left one of equals.
    fn sink(&mut self, distance: f64, index: f64, size: usize) {
        let mut place = 0;
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            if left >= size {
                break;
            }
            let child = if right >= size || self.distances[left] >= self.distances[right] { left } else { right };
            if self.distances[child] <= distance {
                break;
            }
            self.distances[place] = self.distances[child];
            self.indices[place] = self.indices[child];
            place = child;
        }
        self.distances[place] = distance;
        self.indices[place] = index;
    }

    /// Puts the nearest first.
    fn sort(&mut self) {
        for end in (1..self.distances.len()).rev() {
            let (last, index) = (self.distances[end], self.indices[end]);
            self.distances[end] = self.distances[0];
            self.indices[end] = self.indices[0];
            self.sink(last, index, end);
        }
    }
}

/// Fills the heap with the nearest training rows, the nearest first, and real distances.
pub(super) fn search(neighbors: &Neighbors, row: &[f64], heap: &mut Heap<'_>) {
    match neighbors.tree() {
        Some(tree) => {
            let bound = bound(neighbors, tree, 0, row);
            visit(neighbors, tree, 0, bound, row, heap);
        }
        None => {
            for index in 0..neighbors.count() {
                heap.push(reduced(neighbors.metric(), row, neighbors.row(index)), index);
            }
        }
    }
    heap.sort();
    heap.distances.iter_mut().for_each(|value| *value = distance(neighbors.metric(), *value));
}

/// Depth first; the depth is the logarithm of the number of nodes.
fn visit(neighbors: &Neighbors, tree: &Tree, at: usize, nearest: f64, row: &[f64], heap: &mut Heap<'_>) {
    if nearest > heap.furthest() {
        return;
    }
    let node = tree.nodes[at];
    if node.leaf {
        for &index in &tree.order[node.start..node.end] {
            heap.push(reduced(neighbors.metric(), row, neighbors.row(index)), index);
        }
        return;
    }
    let children = [2 * at + 1, 2 * at + 2].map(|child| (child, bound(neighbors, tree, child, row)));
    let order = if children[0].1 <= children[1].1 { [0, 1] } else { [1, 0] };
    for child in order.map(|side| children[side]) {
        visit(neighbors, tree, child.0, child.1, row, heap);
    }
}

/// The least reduced distance that a row of this node may have.
fn bound(neighbors: &Neighbors, tree: &Tree, at: usize, row: &[f64]) -> f64 {
    let (metric, width) = (neighbors.metric(), neighbors.features());
    match tree.kind {
        Bounds::Ball => {
            let centre = &tree.bounds[at * width..][..width];
            let apart = distance(metric, reduced(metric, row, centre)) - tree.nodes[at].radius;
            reduce(metric, apart.max(0.0))
        }
        Bounds::Box => {
            let low = &tree.bounds[at * width..][..width];
            let high = &tree.bounds[(tree.nodes.len() + at) * width..][..width];
            let outside = row.iter().zip(low.iter().zip(high)).map(|(x, (low, high))| {
                let (below, above) = (low - x, x - high);
                0.5 * ((below + below.abs()) + (above + above.abs()))
            });
            match metric {
                Metric::Chebyshev => outside.fold(0.0, f64::max),
                Metric::Manhattan => outside.sum(),
                Metric::Minkowski(p) => outside.map(|apart| apart.powf(*p)).sum(),
                _ => outside.map(|apart| apart * apart).sum(),
            }
        }
    }
}
