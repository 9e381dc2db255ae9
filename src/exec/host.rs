//! What this room does not run itself: graphs that a foreign runtime computes.
//!
//! A [`Host`] is handed to [`Program::new`](super::Program::new) and opens them wherever they stand in a model, alone or behind the
//! steps of a pipeline. Nothing here knows which runtime it is.

use super::part::{Part, Scratch};
use super::rows::Rows;
use crate::error::{Error, Result, Status};
use crate::ir::network::Predictor;
use crate::ir::{Graph, Output};
use std::fmt::Debug;
use std::sync::Arc;

/// Opens graphs.
pub trait Host {
    /// The graph, ready to run.
    ///
    /// # Errors
    /// `MI_BACKEND_MISSING` when there is no runtime, `MI_BACKEND` when it refuses the graph.
    fn open(&self, graph: &Graph) -> Result<Arc<dyn Foreign>>;

    /// The network, ready to run, when somebody else is to run it; `None`: it is run here.
    ///
    /// # Errors
    /// Those of [`Host::open`].
    fn network(&self, _: &Predictor) -> Result<Option<Arc<dyn Foreign>>> {
        Ok(None)
    }
}

/// A graph that somebody else runs; any number of threads may share it.
pub trait Foreign: Debug + Send + Sync {
    /// Columns of an answer; `None` when it has no such output.
    fn columns(&self, output: Output) -> Option<usize>;

    /// Predicts rows, or sequences laid out as rows, all at once; `out` is untouched on failure.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for a value that the graph has no rule for, `MI_BACKEND` when the runtime fails.
    fn predict_single(&self, output: Output, rows: Rows<'_, f32>, out: &mut [f64]) -> Result<()>;

    /// [`Foreign::predict_single`] for doubles.
    ///
    /// # Errors
    /// The same.
    fn predict_double(&self, output: Output, rows: Rows<'_, f64>, out: &mut [f64]) -> Result<()>;
}

/// Opens nothing: for models that are known to hold no graph.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Host for Alone {
    fn open(&self, _: &Graph) -> Result<Arc<dyn Foreign>> {
        Err(Error::new(Status::BackendMissing, "a network lies inside of this model, and nothing here runs networks"))
    }
}

/// A foreign graph as a part.
#[derive(Debug)]
pub(super) struct ForeignPart(pub(super) Arc<dyn Foreign>);

impl Part for ForeignPart {
    fn foreign(&self) -> Option<Arc<dyn Foreign>> {
        Some(Arc::clone(&self.0))
    }

    fn columns(&self, output: Output) -> Option<usize> {
        self.0.columns(output)
    }

    fn takes_blocks(&self) -> bool {
        true
    }

    fn predict(&self, output: Output, row: &[f64], out: &mut [f64], _: &mut Scratch) -> Result<()> {
        self.0.predict_double(output, Rows::new(row, 1, row.len())?, out)
    }

    fn predict_single(
        &self,
        output: Output,
        rows: Rows<'_, f32>,
        out: &mut [f64],
        _: &mut Scratch,
    ) -> Option<Result<()>> {
        Some(self.0.predict_single(output, rows, out))
    }

    fn predict_double(
        &self,
        output: Output,
        rows: Rows<'_, f64>,
        out: &mut [f64],
        _: &mut Scratch,
    ) -> Option<Result<()>> {
        Some(self.0.predict_double(output, rows, out))
    }
}
