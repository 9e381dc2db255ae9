//! Shapes: how large a tensor is along each axis, and where in it the rows of a batch lie.

use crate::error::{Error, Result};
use crate::limits;
use std::fmt;

/// The size of one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dim {
    /// This many elements, whatever the batch; not 0.
    Fixed(usize),
    /// `outer * batch * inner` elements: the element of row `b` with the indices `o` and `i` stands at `(o * batch + b) * inner + i`.
    ///
    /// `Dim::BATCH` is the plain axis of a batch; the others come from graphs that merge it with its neighbours, such as
    /// attention over `batch * heads` matrices.
    Batch {
        /// Elements of the axes in front of the batch that were merged into this one; not 0.
        outer: usize,
        /// Elements of the axes behind it; not 0.
        inner: usize,
    },
}

impl Dim {
    /// The axis of the batch alone.
    pub const BATCH: Dim = Dim::Batch { outer: 1, inner: 1 };

    /// Elements for a batch of one row.
    #[must_use]
    pub fn per_row(self) -> usize {
        match self {
            Dim::Fixed(size) => size,
            Dim::Batch { outer, inner } => outer * inner,
        }
    }

    /// Whether it grows with the batch.
    #[must_use]
    pub fn is_batch(self) -> bool {
        matches!(self, Dim::Batch { .. })
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Dim::Fixed(size) => write!(f, "{size}"),
            Dim::Batch { outer: 1, inner: 1 } => f.write_str("batch"),
            Dim::Batch { outer: 1, inner } => write!(f, "batch*{inner}"),
            Dim::Batch { outer, inner: 1 } => write!(f, "{outer}*batch"),
            Dim::Batch { outer, inner } => write!(f, "{outer}*batch*{inner}"),
        }
    }
}

/// A validated shape: at most one axis grows with the batch, no axis is empty, and a row is not larger than the cap.
///
/// No operation of a network may mix rows. With one batch axis, whose place among the elements is known, that can be checked for
/// each of them; a batch of one row then has a fixed shape, which is how networks run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape(Vec<Dim>);

impl Shape {
    /// A shape of these axes.
    ///
    /// # Errors
    /// `MI_MALFORMED` for an empty axis or two that grow with the batch, `MI_LIMIT_EXCEEDED` for too many axes or elements.
    pub fn new(dims: Vec<Dim>) -> Result<Self> {
        limits::check("axes of a tensor", dims.len(), limits::TENSOR_AXES)?;
        let mut elements = 1usize;
        for dim in &dims {
            let size = match *dim {
                Dim::Fixed(size) => Some(size),
                Dim::Batch { outer, inner } => outer.checked_mul(inner),
            };
            if size == Some(0) {
                return Err(Error::malformed("an axis of a tensor has no elements"));
            }
            elements = size
                .and_then(|size| size.checked_mul(elements))
                .filter(|&elements| elements <= limits::TENSOR_ELEMENTS)
                .ok_or_else(|| {
                    Error::limit(format!("a tensor has more than {} elements per row", limits::TENSOR_ELEMENTS))
                })?;
        }
        let shape = Self(dims);
        if shape.0.iter().filter(|dim| dim.is_batch()).count() > 1 {
            return Err(Error::malformed(format!("{shape} has the batch in it twice: rows would mix")));
        }
        Ok(shape)
    }

    /// A shape that does not depend on the batch.
    ///
    /// # Errors
    /// Those of [`Shape::new`].
    pub fn fixed(sizes: &[usize]) -> Result<Self> {
        Self::new(sizes.iter().map(|&size| Dim::Fixed(size)).collect())
    }

    /// A batch of rows that have these axes each.
    ///
    /// # Errors
    /// Those of [`Shape::new`].
    pub fn rows(sizes: &[usize]) -> Result<Self> {
        Self::new(std::iter::once(Dim::BATCH).chain(sizes.iter().map(|&size| Dim::Fixed(size))).collect())
    }

    /// The axes.
    #[must_use]
    pub fn dims(&self) -> &[Dim] {
        &self.0
    }

    /// Number of axes.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// Elements for a batch of one row.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.0.iter().map(|dim| dim.per_row()).product()
    }

    /// Sizes of the axes for a batch of one row.
    #[must_use]
    pub fn per_row(&self) -> Vec<usize> {
        self.0.iter().map(|dim| dim.per_row()).collect()
    }

    /// The axis that grows with the batch.
    #[must_use]
    pub fn batch_axis(&self) -> Option<usize> {
        self.0.iter().position(|dim| dim.is_batch())
    }

    /// The size of an axis that does not grow with the batch.
    ///
    /// # Errors
    /// `MI_MALFORMED` when there is no such axis or it is the one of the batch.
    pub fn size(&self, axis: usize) -> Result<usize> {
        match self.0.get(axis) {
            Some(Dim::Fixed(size)) => Ok(*size),
            Some(Dim::Batch { .. }) => {
                Err(Error::malformed(format!("axis {axis} of {self} is the batch: rows would mix")))
            }
            None => Err(Error::malformed(format!("{self} has no axis {axis}"))),
        }
    }

    /// The size of the last axis, which must not grow with the batch.
    ///
    /// # Errors
    /// `MI_MALFORMED` when there is none, or it is the batch.
    pub fn last(&self) -> Result<usize> {
        self.size(self.rank().wrapping_sub(1))
    }

    /// The axis that Python calls `axis`: negative ones count from the end.
    ///
    /// # Errors
    /// `MI_MALFORMED` when there is no such axis.
    pub fn axis(&self, axis: i64) -> Result<usize> {
        let rank = self.rank();
        let from_front = if axis < 0 { i64::try_from(rank).unwrap_or(i64::MAX).checked_add(axis) } else { Some(axis) };
        from_front
            .and_then(|axis| usize::try_from(axis).ok())
            .filter(|&axis| axis < rank)
            .ok_or_else(|| Error::malformed(format!("{self} has no axis {axis}")))
    }

    /// Elements in front of the batch and behind it, for a batch of one row; `None` without a batch axis.
    fn around_batch(&self) -> Option<(usize, usize)> {
        let axis = self.batch_axis()?;
        let Dim::Batch { outer, inner } = self.0[axis] else { return None };
        let product = |dims: &[Dim]| dims.iter().map(|dim| dim.per_row()).product::<usize>();
        Some((product(&self.0[..axis]) * outer, inner * product(&self.0[axis + 1..])))
    }

    /// Whether a tensor of this shape may be read as one of the other, its elements staying where they are: as many of them, and
    /// each of the same row.
    #[must_use]
    pub fn reshapes_to(&self, other: &Shape) -> bool {
        match (self.around_batch(), other.around_batch()) {
            (None, None) => self.elements() == other.elements(),
            (mine, others) => mine == others,
        }
    }

    /// The shape with these axes that this one can be read as; `None` is the axis that holds the batch, and takes what is left.
    /// Without a batch in this shape, one `None` takes what is left.
    ///
    /// # Errors
    /// `MI_MALFORMED` when the elements do not come out even, or rows would be torn.
    pub fn reshape(&self, sizes: &[Option<usize>]) -> Result<Shape> {
        let refuse = || {
            let text: Vec<String> = sizes.iter().map(|size| size.map_or("*".into(), |size| size.to_string())).collect();
            Error::malformed(format!("{self} cannot be read as ({})", text.join(", ")))
        };
        let product = |sizes: &[Option<usize>]| {
            sizes.iter().try_fold(1usize, |product, size| product.checked_mul(size.unwrap_or(1)))
        };
        let whole = |all: usize, part: Option<usize>| {
            part.filter(|&part| part > 0 && all.is_multiple_of(part)).map(|part| all / part).ok_or_else(refuse)
        };
        let open = sizes.iter().position(Option::is_none);
        let rest = match (self.around_batch(), open) {
            (Some((front, behind)), Some(open)) => {
                let outer = whole(front, product(&sizes[..open]))?;
                Dim::Batch { outer, inner: whole(behind, product(&sizes[open + 1..]))? }
            }
            (None, Some(_)) => Dim::Fixed(whole(self.elements(), product(sizes))?),
            (Some(_), None) => return Err(refuse()),
            (None, None) => Dim::Fixed(1),
        };
        let dims = sizes.iter().map(|size| size.map_or(rest, Dim::Fixed)).collect();
        let shape = Shape::new(dims)?;
        if self.reshapes_to(&shape) { Ok(shape) } else { Err(refuse()) }
    }

    /// The shape of two tensors met element by element, aligned at their last axes; an axis of one element is stretched.
    ///
    /// # Errors
    /// `MI_MALFORMED` when they do not fit.
    pub fn broadcast(&self, other: &Shape) -> Result<Shape> {
        let rank = self.rank().max(other.rank());
        let at = |shape: &Shape, axis: usize| {
            (axis + shape.rank()).checked_sub(rank).map_or(Dim::Fixed(1), |axis| shape.0[axis])
        };
        let mut dims = Vec::with_capacity(rank);
        for axis in 0..rank {
            dims.push(match (at(self, axis), at(other, axis)) {
                (mine, others) if mine == others => mine,
                (mine, Dim::Fixed(1)) => mine,
                (Dim::Fixed(1), others) => others,
                _ => return Err(Error::malformed(format!("{self} and {other} do not fit each other"))),
            });
        }
        Shape::new(dims)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (axis, dim) in self.0.iter().enumerate() {
            write!(f, "{}{dim}", if axis == 0 { "" } else { ", " })?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(dims: &[Dim]) -> Shape {
        Shape::new(dims.to_vec()).unwrap()
    }

    #[test]
    fn rows_are_never_torn() {
        let heads = Shape::rows(&[4, 60, 16]).unwrap();
        let merged = heads.reshape(&[None, Some(60), Some(16)]).unwrap();
        assert_eq!(merged.dims()[0], Dim::Batch { outer: 1, inner: 4 });
        assert_eq!(merged.to_string(), "(batch*4, 60, 16)");
        assert!(heads.reshapes_to(&merged) && merged.reshapes_to(&heads));

        let time_first = shape(&[Dim::Fixed(60), Dim::BATCH, Dim::Fixed(8)]);
        let flat = time_first.reshape(&[None, Some(8)]).unwrap();
        assert_eq!(flat.dims()[0], Dim::Batch { outer: 60, inner: 1 });
        // The same sizes, but the batch would be at another place among the elements.
        assert!(!time_first.reshapes_to(&Shape::rows(&[60, 8]).unwrap()));
        assert!(time_first.reshape(&[Some(7), None]).is_err());
        assert!(time_first.reshape(&[Some(480)]).is_err());
        assert_eq!(Shape::fixed(&[6, 4]).unwrap().reshape(&[None, Some(3)]).unwrap(), Shape::fixed(&[8, 3]).unwrap());
    }

    #[test]
    fn broadcasting_follows_numpy_and_refuses_two_batches() {
        let rows = Shape::rows(&[60, 8]).unwrap();
        assert_eq!(rows.broadcast(&Shape::fixed(&[8]).unwrap()).unwrap(), rows);
        assert_eq!(rows.broadcast(&Shape::rows(&[1, 8]).unwrap()).unwrap(), rows);
        assert!(rows.broadcast(&Shape::fixed(&[7]).unwrap()).is_err());
        let across = shape(&[Dim::Fixed(1), Dim::BATCH, Dim::Fixed(8)]);
        let one = shape(&[Dim::BATCH, Dim::Fixed(1), Dim::Fixed(8)]);
        assert!(one.broadcast(&across).unwrap_err().message().contains("twice"));
    }

    #[test]
    fn sizes_are_capped() {
        assert!(Shape::fixed(&[1 << 13, 1 << 13]).is_err());
        assert!(Shape::fixed(&[usize::MAX, 2]).is_err());
        assert!(Shape::fixed(&[0]).is_err());
        assert!(Shape::new(vec![Dim::Batch { outer: usize::MAX, inner: 2 }]).is_err());
        assert_eq!(Shape::fixed(&[2, 3]).unwrap().axis(-1).unwrap(), 1);
        assert!(Shape::fixed(&[2, 3]).unwrap().axis(-3).is_err() && Shape::fixed(&[]).unwrap().axis(i64::MIN).is_err());
    }
}
