//! Functions in the leaves of trees, for many rows.
//!
//! All leaves of a tree have as many terms as the one that has most, so that rows of different leaves go through the same steps. A term
//! too many adds -0, which changes no sum. Only where a sum is not a number, it is looked for a missing value.
#![allow(unsafe_code)]

use super::super::{Number as Value, Rows, reference};
use super::sums::Sums;
use crate::ir::Precision;
use crate::ir::forest::Layout;

/// How many times the terms of a tree its leaves may take.
const WORTH: usize = 4;

/// The most features of rows whose tiles stay in a cache.
const WIDE: usize = 1024;

/// A tree.
#[derive(Debug, Clone, Copy)]
struct Tree {
    /// Its first leaf among all leaves.
    leaf: usize,
    leaves: usize,
    /// Its margin.
    target: u32,
    /// Terms of each leaf.
    terms: usize,
    /// Its first term.
    first: usize,
}

/// The functions of a forest.
#[derive(Debug)]
pub struct Linear {
    trees: Vec<Tree>,
    /// For each leaf its constant, or its value where it has no function.
    constants: Vec<f64>,
    coefficients: Vec<f64>,
    /// Places in a row as [`Linear::read`] leaves it.
    places: Vec<u32>,
    /// Features of a row.
    width: usize,
}

impl Linear {
    /// The functions of a forest; `None` where trees have several values in a leaf, leaves of a tree too different
    /// functions, or rows too many features.
    pub fn new(sums: &Sums) -> Option<Self> {
        let width = sums.layout().features;
        if width > WIDE {
            return None;
        }
        let one = super::narrow::<u32>(width);
        let mut linear =
            Self { trees: Vec::new(), constants: Vec::new(), coefficients: Vec::new(), places: Vec::new(), width };
        for tree in 0..sums.trees() {
            let (target, values, functions) = sums.functions(tree)?;
            let leaf = linear.constants.len();
            let first = linear.places.len();
            let terms = functions.iter().map(|function| function.terms.len()).max().unwrap_or(0);
            let there: usize = functions.iter().map(|function| function.terms.len()).sum();
            if functions.len() * terms > WORTH * there {
                return None;
            }
            linear.trees.push(Tree { leaf, leaves: values.len(), target, terms, first });
            if functions.is_empty() {
                linear.constants.extend(values);
            }
            for function in functions {
                linear.constants.push(function.constant);
                let end = linear.places.len() + terms;
                for &(feature, coefficient) in &function.terms {
                    linear.places.push(feature);
                    linear.coefficients.push(coefficient);
                }
                linear.places.resize(end, one);
                linear.coefficients.resize(end, -0.0);
            }
        }
        Some(linear)
    }

    /// Bytes of functions.
    pub fn bytes(&self) -> usize {
        size_of_val(self.trees.as_slice())
            + size_of_val(self.constants.as_slice())
            + size_of_val(self.coefficients.as_slice())
            + size_of_val(self.places.as_slice())
    }

    /// Numbers of a row as the functions read it: its features, and 1.
    pub fn width(&self) -> usize {
        self.width + 1
    }

    /// Rows as the functions read them.
    #[inline(always)]
    pub fn read<T: Value>(&self, layout: &Layout, rows: Rows<'_, T>, values: &mut [f64]) {
        for (row, values) in rows.iter().zip(values.chunks_exact_mut(self.width())) {
            for (value, number) in values.iter_mut().zip(&row[..self.width]) {
                *value = reference::read(layout, number.widen());
            }
            values[self.width] = 1.0;
        }
    }

    /// The margin of a tree.
    pub fn target(&self, tree: usize) -> usize {
        self.trees[tree].target as usize
    }

    /// Adds a tree to its margin of each row; `values` are the rows as [`Linear::read`] leaves them.
    ///
    /// # Panics
    /// When there are fewer values or margins than rows, or no such leaf.
    #[inline(always)]
    pub fn add<T: Value>(
        &self,
        sums: &Sums,
        tree: usize,
        labels: &[u8],
        rows: Rows<'_, T>,
        values: &[f64],
        out: &mut [f64],
    ) {
        let Tree { leaf, leaves, terms, first, .. } = self.trees[tree];
        let constants = &self.constants[leaf..][..leaves];
        let coefficients = &self.coefficients[first..];
        let places = &self.places[first..];
        let round = sums.layout().sum == Precision::F32;
        let values = values.chunks_exact(self.width());
        for (row, ((&label, values), sum)) in labels[..rows.count()].iter().zip(values).zip(out).enumerate() {
            let label = usize::from(label);
            let mut value = constants[label];
            let own = label * terms..(label + 1) * terms;
            for (coefficient, &place) in coefficients[own.clone()].iter().zip(&places[own]) {
                // SAFETY: the features of a forest lie within its rows, and 1 comes behind them.
                value += coefficient * unsafe { values.get_unchecked(place as usize) };
            }
            if value.is_nan() {
                value = sums.value(tree, leaf + label, rows.row(row));
            }
            *sum = if round { Precision::F32.round(*sum + value) } else { *sum + value };
        }
    }
}
