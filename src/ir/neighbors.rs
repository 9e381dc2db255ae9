//! Nearest neighbours: training rows that answer for the rows near them.

use super::{Classes, Precision};
use crate::error::{Error, Result};
use crate::limits;

/// How far apart two rows are.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// The root of the sum of squared differences.
    Euclidean,
    /// The sum of squared differences.
    SquaredEuclidean,
    /// The sum of absolute differences.
    Manhattan,
    /// The largest absolute difference.
    Chebyshev,
    /// The root of this order of the sum of this power of absolute differences.
    Minkowski(f64),
    /// 1 minus the cosine of the angle between them.
    Cosine,
    /// The sum of absolute differences, each divided by the sum of both absolute values.
    Canberra,
    /// The share of columns that differ.
    Hamming,
    /// The root of the sum of squared differences, each divided by a variance; one per column.
    StandardEuclidean(Vec<f64>),
}

/// Which training rows answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reach {
    /// This many of them, the nearest.
    Nearest(usize),
    /// All within this distance.
    Radius(f64),
}

/// How much each of them counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// All the same.
    Uniform,
    /// By the inverse of its distance; those at distance 0 alone, when there are any.
    Distance,
}

/// What training rows say.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// Numbers, of shape (rows, width). Without weights their mean is computed in this precision.
    Values {
        /// Columns.
        width: usize,
        /// The numbers.
        values: Vec<f64>,
        /// Type of a mean without weights.
        precision: Precision,
    },
    /// Classes.
    Classes {
        /// Labels of each output.
        labels: Vec<Classes>,
        /// Classes of each output.
        counts: Vec<usize>,
        /// Indices of classes, of shape (rows, outputs).
        codes: Vec<usize>,
        /// What a row without neighbours is, one for each output; `None`: it is refused.
        alone: Option<Vec<Alone>>,
    },
}

/// What a row is that has no neighbour within the radius.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alone {
    /// The class that has the probability 1; `None`: no class has any.
    pub class: Option<usize>,
    /// The label where no class has any.
    pub label: f64,
}

/// How the boxes or balls of a tree are described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounds {
    /// By the lowest and the highest number of each column: (2, nodes, features).
    Box,
    /// By their centre: (nodes, features).
    Ball,
}

/// A node: a range of [`Tree::order`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    /// Its first place.
    pub start: usize,
    /// One past its last place.
    pub end: usize,
    /// Whether it has no children.
    pub leaf: bool,
    /// The radius of a ball.
    pub radius: f64,
}

/// The tree that the library searches. The children of node `i` are the nodes `2 i + 1` and `2 i + 2`. It is kept because the order
/// of a search decides which of several rows at the same distance is the last of the nearest.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// What `bounds` holds.
    pub kind: Bounds,
    /// Training rows in the order of the nodes.
    pub order: Vec<usize>,
    /// Nodes, the root first.
    pub nodes: Vec<Node>,
    /// Bounds of the nodes.
    pub bounds: Vec<f64>,
}

impl Tree {
    /// Checks that children share the range of their parent, so that a search looks at each row at most once.
    fn validate(&self, count: usize, features: usize, metric: &Metric) -> Result<()> {
        if self.order.len() != count || self.order.iter().any(|&row| row >= count) {
            return Err(Error::malformed("the order of a tree is not one of its rows"));
        }
        let sides = if self.kind == Bounds::Box { 2 } else { 1 };
        let expected = self.nodes.len().checked_mul(features).and_then(|size| size.checked_mul(sides));
        if expected != Some(self.bounds.len()) {
            return Err(Error::malformed(format!("{} bounds for {} nodes", self.bounds.len(), self.nodes.len())));
        }
        let known = matches!(metric, Metric::Euclidean | Metric::Manhattan | Metric::Chebyshev | Metric::Minkowski(_));
        if self.kind == Bounds::Box && !known {
            return Err(Error::malformed("a kd tree with a metric that has no bound for a box"));
        }
        if !matches!(self.nodes.first(), Some(root) if root.start == 0 && root.end == count) {
            return Err(Error::malformed(format!("the root of a tree does not hold all {count} rows")));
        }
        // A search never looks at nodes that the root does not lead to.
        let mut reached = limits::vec("nodes", self.nodes.len())?;
        reached.resize(self.nodes.len(), false);
        reached[0] = true;
        for (index, node) in self.nodes.iter().enumerate() {
            if !reached[index] || node.leaf {
                continue;
            }
            let children = self.nodes.get(2 * index + 1).zip(self.nodes.get(2 * index + 2));
            let shared = |(left, right): (&Node, &Node)| {
                let (middle, end) = (left.end, right.end);
                left.start == node.start
                    && right.start == middle
                    && end == node.end
                    && (node.start..=end).contains(&middle)
            };
            if !children.is_some_and(shared) {
                return Err(Error::malformed(format!("the children of node {index} do not share its rows")));
            }
            reached[2 * index + 1..=2 * index + 2].fill(true);
        }
        Ok(())
    }
}

/// Validated training rows and what they say.
#[derive(Debug, Clone)]
pub struct Neighbors {
    features: usize,
    count: usize,
    rows: Vec<f64>,
    metric: Metric,
    reach: Reach,
    weights: Weights,
    said: Said,
    tree: Option<Tree>,
}

impl Neighbors {
    /// Training `rows` of shape (count, features).
    ///
    /// # Errors
    /// `MI_MALFORMED` when the shapes disagree or there are fewer rows than neighbours, `MI_LIMIT_EXCEEDED` when they pass the caps.
    pub fn new(
        [count, features]: [usize; 2],
        rows: Vec<f64>,
        metric: Metric,
        reach: Reach,
        weights: Weights,
        said: Said,
        tree: Option<Tree>,
    ) -> Result<Self> {
        limits::check("features", features, limits::FEATURES)?;
        if count.checked_mul(features) != Some(rows.len()) {
            return Err(Error::malformed(format!("{} numbers for {count} rows of {features}", rows.len())));
        }
        if let Reach::Nearest(nearest) = reach
            && (nearest == 0 || nearest > count)
        {
            return Err(Error::malformed(format!("{nearest} neighbours of {count} training rows")));
        }
        match &metric {
            Metric::Minkowski(p) if *p <= 0.0 || p.is_nan() => {
                return Err(Error::malformed(format!("a Minkowski distance of order {p}")));
            }
            Metric::StandardEuclidean(variances) if variances.len() != features => {
                return Err(Error::malformed(format!("{} variances for {features} features", variances.len())));
            }
            _ => {}
        }
        match &said {
            Said::Values { width, values, .. } => {
                limits::check("outputs", *width, limits::OUTPUTS)?;
                if *width == 0 || count.checked_mul(*width) != Some(values.len()) {
                    return Err(Error::malformed(format!("{} values for {count} training rows", values.len())));
                }
            }
            Said::Classes { labels, counts, codes, alone } => {
                Self::validate_classes(count, labels, counts, codes)?;
                let known = |(alone, count): (&Alone, &usize)| alone.class.is_none_or(|class| class < *count);
                if let Some(alone) = alone
                    && (alone.len() != labels.len() || !alone.iter().zip(counts).all(known))
                {
                    return Err(Error::malformed(
                        "labels of rows without neighbours that are not those of its outputs",
                    ));
                }
            }
        }
        if let Some(tree) = &tree {
            tree.validate(count, features, &metric)?;
        }
        Ok(Self { features, count, rows, metric, reach, weights, said, tree })
    }

    fn validate_classes(count: usize, labels: &[Classes], counts: &[usize], codes: &[usize]) -> Result<()> {
        let outputs = labels.len();
        let columns = counts.iter().try_fold(0usize, |total, &count| total.checked_add(count));
        limits::check("classes of all outputs", columns.unwrap_or(usize::MAX), limits::OUTPUTS)?;
        let fits =
            |(labels, &count): (&Classes, &usize)| count > 0 && labels.count().is_none_or(|known| known == count);
        if outputs == 0 || counts.len() != outputs || !labels.iter().zip(counts).all(fits) {
            return Err(Error::malformed(format!("labels of {outputs} outputs, classes of {}", counts.len())));
        }
        if count.checked_mul(outputs) != Some(codes.len()) {
            return Err(Error::malformed(format!("{} classes for {count} training rows", codes.len())));
        }
        if codes.chunks_exact(outputs).any(|row| row.iter().zip(counts).any(|(code, count)| code >= count)) {
            return Err(Error::malformed("a training row is of a class that does not exist"));
        }
        Ok(())
    }

    /// Columns of a row.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// Training rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The training row of this index.
    #[must_use]
    pub fn row(&self, index: usize) -> &[f64] {
        &self.rows[index * self.features..][..self.features]
    }

    /// How distance is measured.
    #[must_use]
    pub fn metric(&self) -> &Metric {
        &self.metric
    }

    /// Which training rows answer.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// How much each counts.
    #[must_use]
    pub fn weights(&self) -> Weights {
        self.weights
    }

    /// What they say.
    #[must_use]
    pub fn said(&self) -> &Said {
        &self.said
    }

    /// The tree that the library searches.
    #[must_use]
    pub fn tree(&self) -> Option<&Tree> {
        self.tree.as_ref()
    }

    /// Columns of the probabilities, those of all outputs side by side; none for numbers.
    #[must_use]
    pub fn probability_columns(&self) -> Option<usize> {
        match &self.said {
            Said::Values { .. } => None,
            Said::Classes { counts, .. } => Some(counts.iter().sum()),
        }
    }

    /// Columns of a value: of the numbers, the second of two classes, or the probabilities.
    #[must_use]
    pub fn outputs(&self) -> usize {
        match &self.said {
            Said::Values { width, .. } => *width,
            Said::Classes { counts, .. } if *counts == [2] => 1,
            Said::Classes { counts, .. } => counts.iter().sum(),
        }
    }
}
