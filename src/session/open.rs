//! A graph that the runtime holds, asked by any number of threads.

use super::Settings;
use super::answer::{self, Ask, Pick};
use super::cell::Given;
use super::frame::{Value, Workspace};
use super::provider::{Provider, Report, lost};
use super::runtime::{Runtime, check};
use super::slots::Slots;
use crate::error::{Error, Result, Status, Within};
use crate::ir::graph::{Answer, Axis, Element, Graph};
use crate::ir::{Classes, Output};
use crate::limits;
use ort::AsPointer;
use ort::logging::LogLevel;
use ort::session::builder::SessionBuilder;
use ort::sys::OrtExecutionProviderDevicePolicy;
use serde_json::{Map, Value as Json, json};
use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::fmt;
use std::ptr;

thread_local! {
    /// Answers of the runs of one call, until all of them went well. Grows once per thread.
    static ANSWERS: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
}

/// Fewest workspaces that wait for the threads of a session.
const WORKSPACES: usize = 64;

/// Names of tensors as the runtime takes them.
struct Names {
    pointers: Vec<*const c_char>,
    _texts: Vec<CString>,
}

// SAFETY: the pointers lead into the texts beside them, which are never written.
unsafe impl Send for Names {}
// SAFETY: as above.
unsafe impl Sync for Names {}

impl Names {
    fn new<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self> {
        let texts: Vec<CString> = names
            .map(|name| CString::new(name).map_err(|_| Error::malformed("a tensor has a name with a NUL in it")))
            .collect::<Result<_>>()?;
        Ok(Self { pointers: texts.iter().map(|text| text.as_ptr()).collect(), _texts: texts })
    }
}

/// A graph in the runtime. Calls from many threads run at the same time: nothing here locks, and a call allocates nothing here once
/// its shape was seen. What the runtime itself allocates is its own affair.
pub struct Session {
    runtime: &'static Runtime,
    held: ort::session::Session,
    /// Without its bytes.
    graph: Graph,
    /// Numbers that each output gives for a row.
    widths: Vec<usize>,
    inputs: Names,
    outputs: Names,
    workspaces: Slots<Workspace>,
    report: Report,
    settings: Settings,
}

impl Session {
    /// Opens a graph.
    ///
    /// # Errors
    /// `MI_BACKEND_MISSING` without a runtime; `MI_MALFORMED`, `MI_UNSUPPORTED` or `MI_BACKEND` when it refuses the graph, or a provider
    /// that is required.
    pub fn new(graph: &Graph, settings: &Settings) -> Result<Self> {
        let runtime = Runtime::get(settings.runtime.as_deref())?;
        let (held, report) = open(runtime, graph, settings)?;
        check_names(graph, &held)?;
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let parts = graph.parts();
        let mut this = Self {
            runtime,
            held,
            widths: Vec::new(),
            inputs: Names::new(parts.inputs.iter().map(|input| input.name.as_str()))?,
            outputs: Names::new(parts.outputs.iter().map(|output| output.name.as_str()))?,
            workspaces: Slots::new(WORKSPACES.max(2 * threads)),
            report,
            settings: settings.clone(),
            graph: graph.without_bytes(),
        };
        this.widths = this.measure()?;
        this.check_widths()?;
        Ok(this)
    }

    /// Numbers that each output gives for a row: as the graph says, or else as a run over zeros shows.
    fn measure(&self) -> Result<Vec<usize>> {
        let parts = self.graph.parts();
        let steps = self.graph.steps();
        let known = |output: &crate::ir::graph::Output| match output.element {
            Element::String => Some(1),
            _ => output.numbers(steps),
        };
        let mut widths = Vec::new();
        for (index, output) in parts.outputs.iter().enumerate() {
            widths.push(match known(output) {
                Some(width) => width,
                None => self.probe(index).within(|| format!("output '{}'", output.name))?,
            });
        }
        Ok(widths)
    }

    fn probe(&self, index: usize) -> Result<usize> {
        let rows = self.graph.parts().batch.unwrap_or(1);
        let mut workspace = Workspace::default();
        let frame = workspace.frame(self.runtime, &self.graph, rows, self.graph.steps())?;
        let value = self.run(frame.pointers(), index, ptr::null_mut())?;
        let value = value.ok_or_else(|| Error::internal("a run gave nothing"))?;
        let count = value.count(self.graph.parts().outputs[index].element)?;
        if count == 0 || !count.is_multiple_of(rows) {
            return Err(Error::malformed(format!("it has {count} numbers for {rows} rows")));
        }
        Ok(count / rows)
    }

    /// Whether the answers fit the classes, now that every width is known.
    fn check_widths(&self) -> Result<()> {
        for width in &self.widths {
            limits::check("outputs", *width, limits::OUTPUTS)?;
        }
        let Answer::Classes(classifier) = &self.graph.parts().answer else { return Ok(()) };
        if let Some(label) = classifier.label
            && self.widths[label] != 1
        {
            return Err(Error::malformed(format!("{} labels for a row", self.widths[label])));
        }
        match (classifier.probabilities, classifier.classes.count()) {
            (Some(tensor), Some(count)) if self.widths[tensor].max(2) != count => {
                Err(Error::malformed(format!("{count} class labels for {} probabilities", self.widths[tensor])))
            }
            _ => Ok(()),
        }
    }

    fn ask(&self, output: Output) -> Option<Ask> {
        answer::ask(&self.graph, &self.widths, output)
    }

    /// Columns of an answer; `None` when it has no such output.
    #[must_use]
    pub fn columns(&self, output: Output) -> Option<usize> {
        self.ask(output).map(|ask| ask.columns)
    }

    /// What goes into a model's JSON: runtime, providers, threads.
    #[must_use]
    pub fn facts(&self) -> Map<String, Json> {
        let runtime = json!({
            "name": "onnxruntime",
            "version": self.runtime.version,
            "path": self.runtime.path.display().to_string(),
            "threads": self.settings.threads.max(1),
        });
        let providers = self.report.json(&self.settings.providers);
        Map::from_iter([("runtime".to_owned(), runtime), ("providers".to_owned(), providers)])
    }

    /// Predicts `count` rows (or sequences laid out as rows) of floats; `out` is untouched on failure.
    ///
    /// # Errors
    /// `MI_SHAPE_MISMATCH` for another width, `MI_INVALID_ARGUMENT` for a NaN that the graph has no rule for or a fraction where it wants
    /// whole numbers, `MI_UNSUPPORTED` for an output that it does not have, `MI_BACKEND` when the runtime fails.
    pub fn predict_single(&self, output: Output, rows: &[f32], count: usize, out: &mut [f64]) -> Result<()> {
        self.predict(output, rows, count, out)
    }

    /// [`Session::predict_single`] for doubles.
    ///
    /// # Errors
    /// The same.
    pub fn predict_double(&self, output: Output, rows: &[f64], count: usize, out: &mut [f64]) -> Result<()> {
        self.predict(output, rows, count, out)
    }

    fn predict<T: Given>(&self, output: Output, rows: &[T], count: usize, out: &mut [f64]) -> Result<()> {
        let ask = self.ask(output).ok_or_else(|| {
            Error::unsupported(format!(
                "this network has no output '{}'; ask for one of `outputs` in its JSON",
                output.name()
            ))
        })?;
        if count == 0 {
            return Ok(());
        }
        let width = rows.len() / count;
        let steps = self.steps(width, &ask)?;
        if width * count != rows.len() || count.checked_mul(ask.columns) != Some(out.len()) {
            return Err(Error::shape(format!("{} numbers for {count} rows, room for {}", rows.len(), out.len())));
        }
        if !self.graph.parts().accepts_nan {
            refuse_missing(rows, width)?;
        }
        let block = self.block(width);
        let mut workspace = self.workspaces.take().unwrap_or_default();
        let done = if count <= block {
            self.block_of(&mut workspace, ask, rows, width, steps, out)
        } else {
            ANSWERS.with_borrow_mut(|answers| {
                answers.clear();
                answers.resize(out.len(), 0.0);
                let blocks = rows.chunks(block * width).zip(answers.chunks_mut(block * ask.columns));
                for (index, (rows, answers)) in blocks.enumerate() {
                    let first = index * block;
                    self.block_of(&mut workspace, ask, rows, width, steps, answers)
                        .within(|| format!("rows from {first} on"))?;
                }
                out.copy_from_slice(answers);
                Ok(())
            })
        };
        self.workspaces.give(workspace);
        done
    }

    /// Steps of a row of this width.
    fn steps(&self, width: usize, ask: &Ask) -> Result<usize> {
        let features = self.graph.features();
        let steps = width / features;
        let open = self.graph.is_open();
        if steps == 0 || steps * features != width || !open && steps != self.graph.steps() {
            return Err(Error::shape(format!(
                "a row has {width} numbers, the network takes {} steps of {features}",
                self.graph.steps()
            )));
        }
        let output = &self.graph.parts().outputs[ask.tensor];
        match output.numbers(steps) {
            Some(given) if open && given != self.widths[ask.tensor] => Err(Error::shape(format!(
                "output '{}' grows with the sequence and has room for {} steps only",
                output.name,
                self.graph.steps()
            ))),
            _ => Ok(steps),
        }
    }

    /// Rows of one run at most.
    fn block(&self, width: usize) -> usize {
        let parts = self.graph.parts();
        let first = |input: &crate::ir::graph::Input| input.axes.first() == Some(&Axis::Rows);
        match parts.batch {
            Some(rows) => rows,
            None if parts.inputs.iter().all(first) => (limits::BLOCK_NUMBERS / width).max(1),
            // The rows of a tensor lie between each other there.
            None => 1,
        }
    }

    /// Rows of one run.
    fn block_of<T: Given>(
        &self,
        workspace: &mut Workspace,
        ask: Ask,
        rows: &[T],
        width: usize,
        steps: usize,
        out: &mut [f64],
    ) -> Result<()> {
        let parts = self.graph.parts();
        let count = parts.batch.unwrap_or(rows.len() / width);
        let frame = workspace.frame(self.runtime, &self.graph, count, steps)?;
        let mut first = 0;
        for (input, tensor) in parts.inputs.iter().zip(&mut frame.inputs) {
            let own = input.numbers(steps);
            tensor.buffer().fill(rows, width, first, own).within(|| format!("input '{}'", input.name))?;
            first += own;
        }
        let place =
            frame.output(self.runtime, &self.graph, ask.tensor)?.map_or(ptr::null_mut(), super::frame::Tensor::pointer);
        let given = self.run(frame.pointers(), ask.tensor, place)?;
        let expected = count * self.widths[ask.tensor];
        if ask.pick == Pick::Text {
            let value = given.ok_or_else(|| Error::internal("text in a buffer"))?;
            return self.texts(&value, workspace, out);
        }
        let output = &parts.outputs[ask.tensor];
        let cells = match &given {
            Some(value) => value.cells(output.element)?,
            None => match frame.output(self.runtime, &self.graph, ask.tensor)?.and_then(super::frame::Tensor::cells) {
                Some(cells) => cells,
                None => return Err(Error::internal("an output without a tensor")),
            },
        };
        if cells.len() != expected {
            return Err(Error::new(
                Status::Backend,
                format!(
                    "output '{}' has {} numbers, {expected} were expected for {count} rows",
                    output.name,
                    cells.len()
                ),
            ));
        }
        answer::answer(ask.pick, cells, self.widths[ask.tensor], self.classes(), out);
        Ok(())
    }

    fn classes(&self) -> &Classes {
        match &self.graph.parts().answer {
            Answer::Classes(classifier) => &classifier.classes,
            _ => &Classes::Index,
        }
    }

    /// Labels that are text: their places among the classes.
    fn texts(&self, value: &Value, workspace: &mut Workspace, out: &mut [f64]) -> Result<()> {
        let known = match self.classes() {
            Classes::Strings(known) => known.as_slice(),
            _ => &[],
        };
        if value.count(Element::String)? < out.len() {
            return Err(Error::new(Status::Backend, "ONNX Runtime gave fewer labels than rows"));
        }
        for (index, out) in out.iter_mut().enumerate() {
            value.text(index, &mut workspace.text)?;
            let place = known.iter().position(|label| label.as_bytes() == workspace.text);
            #[allow(clippy::cast_precision_loss)] // lists of classes are far shorter than 2^52
            let place = place.ok_or_else(|| {
                let text = String::from_utf8_lossy(&workspace.text).into_owned();
                Error::new(Status::Backend, format!("the network chose the class '{text}', which it does not list"))
            })? as f64;
            *out = place;
        }
        Ok(())
    }

    /// Runs the graph for one output, into the value at `place`; with NULL the runtime makes one, which is returned.
    fn run(
        &self,
        inputs: &[*const ort::sys::OrtValue],
        output: usize,
        place: *mut ort::sys::OrtValue,
    ) -> Result<Option<Value>> {
        let api = self.runtime.api();
        let mut given = place;
        // SAFETY: a function of the table. The session is live and may run on many threads at once; names and values are as many as the
        // graph has inputs, live, and not used by another thread, for the workspace that holds them is borrowed mutably; the one output is
        // NULL or a live value.
        let status = unsafe {
            (api.Run)(
                self.held.ptr().cast_mut(),
                ptr::null(),
                self.inputs.pointers.as_ptr(),
                inputs.as_ptr(),
                inputs.len(),
                &raw const self.outputs.pointers[output],
                1,
                &raw mut given,
            )
        };
        check(api, status)?;
        if place.is_null() {
            // SAFETY: the runtime made it for us.
            return unsafe { Value::owned(api, given) }.map(Some);
        }
        Ok(None)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("graph", &self.graph).field("report", &self.report).finish_non_exhaustive()
    }
}

fn refuse_missing<T: Given>(rows: &[T], width: usize) -> Result<()> {
    // Without a branch inside, so that the compiler takes many numbers at a time.
    if !rows.iter().fold(false, |missing, value| missing | value.is_missing()) {
        return Ok(());
    }
    let at = rows.iter().position(|value| value.is_missing()).unwrap_or(0);
    Err(Error::invalid(format!(
        "row {}: column {} is NaN, and this model has no rule for missing values; fill it first",
        at / width,
        at % width
    )))
}

/// Opens a session on the first provider of the list that takes the graph; the processor is the last resort.
fn open(runtime: &'static Runtime, graph: &Graph, settings: &Settings) -> Result<(ort::session::Session, Report)> {
    let mut report = Report::default();
    let mut wanted: Vec<Provider> = settings.providers.iter().copied().filter(|&p| p != Provider::Cpu).collect();
    loop {
        match attempt(runtime, graph, settings, &wanted) {
            Ok(session) => {
                report.count(runtime, &session)?;
                if settings.required {
                    report.require(&settings.providers)?;
                }
                return Ok((session, report));
            }
            Err((Some(provider), reason)) => {
                report.refuse(provider, &reason);
                if settings.required {
                    return Err(report.require(&settings.providers).err().unwrap_or(reason));
                }
                wanted.retain(|other| *other != provider);
            }
            Err((None, reason)) => return Err(reason),
        }
    }
}

/// A session on these providers, or the one that is to blame and why.
fn attempt(
    runtime: &'static Runtime,
    graph: &Graph,
    settings: &Settings,
    wanted: &[Provider],
) -> std::result::Result<ort::session::Session, (Option<Provider>, Error)> {
    let mut builder = prepare(runtime, graph, settings).map_err(|reason| (None, reason))?;
    for &provider in wanted {
        let dispatch = provider.dispatch(settings);
        builder =
            lost(builder.with_execution_providers(dispatch.as_slice())).map_err(|reason| (Some(provider), reason))?;
    }
    // Which of several providers fails at this point is not said: the first is given up, then the next has its turn.
    lost(builder.commit_from_memory(&graph.parts().bytes)).map_err(|reason| (wanted.first().copied(), reason))
}

/// Options that do not depend on the provider.
fn prepare(runtime: &'static Runtime, graph: &Graph, settings: &Settings) -> Result<SessionBuilder> {
    let threads = usize::try_from(settings.threads.max(1)).unwrap_or(1);
    let mut builder = lost(SessionBuilder::new(runtime.environment()))?;
    // Only providers that the caller names may run anything, whatever devices the runtime discovers.
    // SAFETY: a function of the table on live options, which the builder owns.
    let status = unsafe {
        (runtime.api().SessionOptionsSetEpSelectionPolicy)(
            builder.ptr_mut(),
            OrtExecutionProviderDevicePolicy::OrtExecutionProviderDevicePolicy_PREFER_CPU,
        )
    };
    check(runtime.api(), status)?;
    builder = lost(builder.with_log_level(LogLevel::Error))?;
    builder = lost(builder.with_intra_threads(threads))?;
    builder = lost(builder.with_inter_threads(1))?;
    builder = lost(builder.with_intra_op_spinning(false))?;
    builder = lost(builder.with_inter_op_spinning(false))?;
    builder = lost(builder.with_config_entry("session.record_ep_graph_assignment_info", "1"))?;
    for (name, bytes) in &graph.parts().files {
        builder = lost(builder.with_external_initializer_file_in_memory(name, bytes.clone()))?;
    }
    Ok(builder)
}

/// Every tensor that the graph was said to have is there, and no other input wants to be filled.
fn check_names(graph: &Graph, session: &ort::session::Session) -> Result<()> {
    let parts = graph.parts();
    for input in session.inputs() {
        if !parts.inputs.iter().any(|known| known.name == input.name()) {
            return Err(Error::malformed(format!("input '{}' is not filled by a row", input.name())));
        }
    }
    let inputs = parts.inputs.iter().map(|input| &input.name);
    if let Some(name) = inputs.clone().find(|name| session.inputs().iter().all(|input| input.name() != name.as_str())) {
        return Err(Error::malformed(format!("there is no input '{name}'")));
    }
    let outputs = parts.outputs.iter().map(|output| &output.name);
    if let Some(name) =
        outputs.clone().find(|name| session.outputs().iter().all(|output| output.name() != name.as_str()))
    {
        return Err(Error::malformed(format!("there is no output '{name}'")));
    }
    Ok(())
}
