//! Where the graphs inside of a model are opened: the one place that knows both who runs models and who runs graphs.

use crate::error::Result;
use crate::exec::{Foreign, Host, Rows};
use crate::ir::network::Predictor;
use crate::ir::{Graph, Output, Precision};
use crate::session::{Session, Settings, export};
use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// Opens graphs in sessions, and keeps what they say about themselves.
pub(super) struct Sessions<'a> {
    settings: &'a Settings,
    facts: RefCell<Vec<Map<String, Value>>>,
    /// Who runs the networks that both can run.
    runs: Cell<Option<&'static str>>,
}

impl<'a> Sessions<'a> {
    pub(super) fn new(settings: &'a Settings) -> Self {
        Self { settings, facts: RefCell::default(), runs: Cell::default() }
    }

    /// What goes into the model's JSON: the facts of its session, or of all of them under `sessions` when there are several,
    /// and under `runs` who runs a network that this library can run too: `native` or `runtime`.
    pub(super) fn facts(self) -> Map<String, Value> {
        let mut facts = self.facts.into_inner();
        let mut facts = match facts.len() {
            0 => Map::new(),
            1 => facts.remove(0),
            _ => {
                let sessions = facts.into_iter().map(Value::Object).collect();
                Map::from_iter([("sessions".to_owned(), Value::Array(sessions))])
            }
        };
        if let Some(runs) = self.runs.get() {
            facts.insert("runs".to_owned(), Value::from(runs));
        }
        facts
    }
}

impl Host for Sessions<'_> {
    fn open(&self, graph: &Graph) -> Result<Arc<dyn Foreign>> {
        let session = Session::new(graph, self.settings)?;
        self.facts.borrow_mut().push(session.facts());
        Ok(Arc::new(Held(session)))
    }

    fn network(&self, network: &Predictor) -> Result<Option<Arc<dyn Foreign>>> {
        if !self.settings.runs_networks() || network.network().precision() == Precision::F64 {
            self.settings.check_native()?;
            self.runs.set(Some("native"));
            return Ok(None);
        }
        self.runs.set(Some("runtime"));
        self.open(&export::graph(network)?).map(Some)
    }
}

/// A session as whoever runs models sees it.
#[derive(Debug)]
struct Held(Session);

impl Foreign for Held {
    fn columns(&self, output: Output) -> Option<usize> {
        self.0.columns(output)
    }

    fn predict_single(&self, output: Output, rows: Rows<'_, f32>, out: &mut [f64]) -> Result<()> {
        self.0.predict_single(output, rows.data(), rows.count(), out)
    }

    fn predict_double(&self, output: Output, rows: Rows<'_, f64>, out: &mut [f64]) -> Result<()> {
        self.0.predict_double(output, rows.data(), rows.count(), out)
    }
}
