//! Elements that change their places: transpositions, slices, selections, expansions, padding.
//!
//! Where an element of the result comes from is a sum of one number for each of its axes. The last axes that stay together are
//! moved as runs; for the others the sums are made when the network is prepared.

/// In place of a number: the element is padding.
const PADDING: u32 = u32::MAX;

/// A prepared move, for one row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moves {
    /// Elements that stay together.
    run: usize,
    /// What all axes but the last one in front of the runs add.
    outer: Vec<u32>,
    /// What that axis adds.
    inner: Vec<u32>,
    padded: bool,
    padding: f64,
}

/// What an axis of the result adds to the place of an element; `None`: padding.
pub(super) type Axis = Vec<Option<usize>>;

impl Moves {
    /// A move that is described axis by axis of the result.
    pub(super) fn new(mut axes: Vec<Axis>, padding: f64) -> Self {
        let mut run = 1;
        while let Some(axis) = axes.last() {
            if !axis.iter().enumerate().all(|(index, place)| *place == Some(index * run)) {
                break;
            }
            run *= axis.len();
            axes.pop();
        }
        let narrow = |place: &Option<usize>| place.and_then(|place| u32::try_from(place).ok()).unwrap_or(PADDING);
        let inner: Vec<u32> = axes.pop().map_or_else(|| vec![0], |axis| axis.iter().map(narrow).collect());
        let mut outer = vec![0];
        for axis in &axes {
            let next = outer.iter().flat_map(|&before| {
                axis.iter()
                    .map(narrow)
                    .map(move |place| if before == PADDING || place == PADDING { PADDING } else { before + place })
            });
            outer = next.collect();
        }
        let padded = inner.contains(&PADDING) || outer.contains(&PADDING);
        Self { run, outer, inner, padded, padding }
    }

    /// Where the result begins, when it is a part of the operand as it is.
    pub(super) fn window(&self) -> Option<usize> {
        match (&self.outer[..], &self.inner[..]) {
            ([outer], [inner]) if !self.padded => Some((outer + inner) as usize),
            _ => None,
        }
    }

    /// Moves one row.
    pub(super) fn apply<T: super::real::Real>(&self, from: &[T], to: &mut [T]) {
        let mut to = to.chunks_exact_mut(self.run);
        for &outer in &self.outer {
            for (&inner, to) in self.inner.iter().zip(&mut to) {
                if self.padded && (outer == PADDING || inner == PADDING) {
                    to.fill(T::of(self.padding));
                } else if let [to] = to {
                    *to = from[outer as usize + inner as usize];
                } else {
                    to.copy_from_slice(&from[outer as usize + inner as usize..][..self.run]);
                }
            }
        }
    }
}

/// Elements between neighbours along each axis of a row-major tensor.
pub(super) fn strides(sizes: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; sizes.len()];
    for axis in (1..sizes.len()).rev() {
        strides[axis - 1] = strides[axis] * sizes[axis];
    }
    strides
}

/// How the elements of an operand are broadcast to a result: runs of the result meet one run of the operand, or one element of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spread {
    /// Elements of a run of the result.
    pub(super) run: usize,
    /// Whether each element of a run meets an element of its own.
    pub(super) each: bool,
    /// Where in the operand each run begins.
    pub(super) starts: Vec<u32>,
}

impl Spread {
    /// From an operand of these sizes to a result of those, aligned at their last axes.
    pub(super) fn new(operand: &[usize], result: &[usize]) -> Self {
        let missing = result.len() - operand.len();
        let own: Vec<usize> =
            (0..result.len()).map(|axis| if axis < missing { 1 } else { operand[axis - missing] }).collect();
        let trailing = |fits: &dyn Fn(usize) -> bool| (0..result.len()).rev().take_while(|&axis| fits(axis)).count();
        let same = trailing(&|axis| own[axis] == result[axis]);
        let single = trailing(&|axis| own[axis] == 1);
        let product = |axes: usize| result[result.len() - axes..].iter().product::<usize>();
        // Axes of one element count for both; the longer run wins.
        let each = product(same) >= product(single) && product(same) > 1;
        let together = if each { same } else { single };
        let strides = strides(&own);
        let axes = (0..result.len() - together).map(|axis| {
            let stride = if own[axis] == 1 { 0 } else { strides[axis] };
            (0..result[axis]).map(|index| Some(index * stride)).collect()
        });
        let mut starts = vec![0u32];
        for axis in axes.collect::<Vec<Axis>>() {
            let next = starts.iter().flat_map(|&before| {
                axis.iter().flatten().map(move |&place| before + u32::try_from(place).unwrap_or(0))
            });
            starts = next.collect();
        }
        Self { run: product(together), each, starts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposed_padded_and_cut() {
        // (2, 3) to (3, 2).
        let axes = vec![(0..3).map(Some).collect(), vec![Some(0), Some(3)]];
        let mut out = [0.0f32; 6];
        Moves::new(axes, 0.0).apply(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &mut out);
        assert_eq!(out, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        let axes = vec![vec![None, Some(3), None], vec![Some(0), Some(1), Some(2)]];
        let mut out = [0.0f64; 9];
        Moves::new(axes, 7.0).apply(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &mut out);
        assert_eq!(out, [7.0, 7.0, 7.0, 4.0, 5.0, 6.0, 7.0, 7.0, 7.0]);
        let window = |first: usize| Moves::new(vec![vec![Some(first)], (0..3).map(Some).collect()], 0.0).window();
        assert_eq!(window(3), Some(3));
        assert_eq!(Moves::new(vec![vec![Some(0)], vec![Some(2), Some(1)]], 0.0).window(), None);
    }

    #[test]
    fn operands_spread() {
        let spread = Spread::new(&[3], &[2, 3]);
        assert_eq!(spread, Spread { run: 3, each: true, starts: vec![0, 0] });
        let spread = Spread::new(&[2, 1], &[2, 3]);
        assert_eq!(spread, Spread { run: 3, each: false, starts: vec![0, 1] });
        assert_eq!(Spread::new(&[], &[2, 3]), Spread { run: 6, each: false, starts: vec![0] });
        assert_eq!(Spread::new(&[2, 3], &[2, 3]), Spread { run: 6, each: true, starts: vec![0] });
        assert_eq!(Spread::new(&[2, 1, 2], &[2, 2, 2]).starts, [0, 0, 2, 2]);
        assert_eq!(Spread::new(&[1, 1], &[1, 1]), Spread { run: 1, each: false, starts: vec![0] });
    }
}
