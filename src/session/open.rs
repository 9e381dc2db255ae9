//! A graph that the runtime holds, asked by any number of threads.

use super::Settings;
use super::answer::{self, Ask, Pick};
use super::buffer::{Block, refuse_missing};
use super::call::{self, Asked, Call};
use super::capture::Capture;
use super::cell::{Cells, Given};
use super::choice::{self, Attempt};
use super::frame::{self, Frame, Value, Workspace};
use super::names::{Names, check_names};
use super::provider::{Provider, Report};
use super::runtime::{Runtime, check};
use super::slots::Slots;
use crate::error::{Error, Result, Status, Within};
use crate::ir::graph::{Answer, Axis, Element, Graph};
use crate::ir::{Classes, Output};
use crate::limits;
use ort::AsPointer;
use serde_json::{Map, Value as Json, json};
use std::cell::RefCell;
use std::fmt;
use std::ptr;

thread_local! {
    /// Answers of the runs of one call, until all of them went well. Grows once per thread.
    static ANSWERS: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
}

/// Fewest workspaces that wait for the threads of a session.
const WORKSPACES: usize = 64;

/// A graph in the runtime. Calls from many threads run at the same time: nothing here locks, and a call allocates nothing here once
/// its shape was seen. What the runtime itself allocates is its own affair.
pub struct Session {
    runtime: &'static Runtime,
    held: ort::session::Session,
    /// Without its bytes.
    graph: Graph,
    /// Numbers that each output gives for a row.
    widths: Vec<usize>,
    /// Whether each output has the shape that the file says.
    settled: Vec<bool>,
    /// How each [`Output`] is come by.
    asks: [Option<Ask>; Output::ALL.len()],
    /// Numbers of a row of the usual number of steps.
    width: usize,
    /// Rows of that width in one run at most.
    block: usize,
    inputs: Names,
    outputs: Names,
    workspaces: Slots<Workspace>,
    /// Where calls replay captured launches.
    capture: Option<Capture>,
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
        choice::choose(settings, |wanted| Self::on(runtime, graph, settings, wanted))
    }

    /// A graph on these providers beside the processor; otherwise the one that is to blame, and why.
    fn on(runtime: &'static Runtime, graph: &Graph, settings: &Settings, wanted: &[Provider]) -> Attempt<Self> {
        if !settings.graph_capture || !wanted.contains(&Provider::Cuda) {
            return Self::checked(runtime, graph, &Settings { graph_capture: false, ..settings.clone() }, wanted);
        }
        match Self::checked(runtime, graph, settings, wanted) {
            Ok(mut this) => {
                this.report.captures(Ok(()));
                Ok(this)
            }
            Err((_, reason)) => {
                let mut this =
                    Self::checked(runtime, graph, &Settings { graph_capture: false, ..settings.clone() }, wanted)?;
                this.report.captures(Err(&reason));
                Ok(this)
            }
        }
    }

    /// The same, once it has answered what the processor answers.
    fn checked(runtime: &'static Runtime, graph: &Graph, settings: &Settings, wanted: &[Provider]) -> Attempt<Self> {
        let held = choice::attempt(runtime, graph, settings, wanted)?;
        let this = Self::around(runtime, held, graph, settings).map_err(choice::blame(wanted))?;
        if !wanted.is_empty()
            && let Ok(processor) = Self::on(runtime, graph, settings, &[])
        {
            choice::compare(&this, &processor).map_err(choice::blame(wanted))?;
        }
        Ok(this)
    }

    /// What is known of a graph once its session is open.
    fn around(
        runtime: &'static Runtime,
        held: ort::session::Session,
        graph: &Graph,
        settings: &Settings,
    ) -> Result<Self> {
        check_names(graph, &held)?;
        let report = Report::of(runtime, &held)?;
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let parts = graph.parts();
        let mut this = Self {
            runtime,
            held,
            widths: Vec::new(),
            settled: Vec::new(),
            asks: [None; Output::ALL.len()],
            width: graph.features() * graph.steps(),
            block: 1,
            inputs: Names::new(parts.inputs.iter().map(|input| input.name.as_str()))?,
            outputs: Names::new(parts.outputs.iter().map(|output| output.name.as_str()))?,
            workspaces: Slots::new(WORKSPACES.max(2 * threads)),
            capture: settings.graph_capture.then(|| Capture::new(runtime, settings.device)).transpose()?,
            report,
            settings: settings.clone(),
            graph: graph.without_bytes(),
        };
        this.measure()?;
        this.check_widths()?;
        this.asks = Output::ALL.map(|output| answer::ask(&this.graph, &this.widths, output));
        this.block = this.block_rows(this.width);
        Ok(this)
    }

    /// Runs the graph over zeros, which shows that it runs at all, how many numbers each output gives for a row, and whether its shape is
    /// what the file says: exporters are not always right.
    fn measure(&mut self) -> Result<()> {
        for index in 0..self.graph.parts().outputs.len() {
            let name = || format!("output '{}' of zeros", self.graph.parts().outputs[index].name.escape_default());
            let (width, settled) = self.probe(index).within(name)?;
            self.widths.push(width);
            self.settled.push(settled);
        }
        Ok(())
    }

    fn probe(&self, index: usize) -> Result<(usize, bool)> {
        let (rows, steps) = (self.graph.parts().batch.unwrap_or(1), self.graph.steps());
        let output = &self.graph.parts().outputs[index];
        let mut workspace = Workspace::default();
        let frame = workspace.frame(self.runtime, &self.graph, rows, steps)?;
        let value = self.run(frame, index, ptr::null_mut())?;
        let value = value.ok_or_else(|| Error::internal("a run gave nothing"))?;
        let count = value.count(output.element)?;
        if count == 0 || !count.is_multiple_of(rows) {
            return Err(Error::malformed(format!("it has {count} numbers for {rows} rows")));
        }
        let expected = output.axes.as_deref().and_then(|axes| frame::shape(axes, rows, steps));
        Ok((count / rows, expected.as_deref() == Some(value.shape(output.element)?)))
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
        self.asks[output as usize]
    }

    /// The account of providers.
    pub(super) fn report(&mut self) -> &mut Report {
        &mut self.report
    }

    /// Numbers of a row of the usual number of steps.
    pub(super) fn width(&self) -> usize {
        self.width
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

    #[inline]
    fn predict<T: Given>(&self, output: Output, rows: &[T], count: usize, out: &mut [f64]) -> Result<()> {
        let asked = Asked { output, count, given: rows.len(), room: out.len() };
        let mut workspace = self.workspaces.take().unwrap_or_default();
        let done = match workspace.call(asked) {
            Some(call) => call.run(rows, out),
            None => self.predict_anew(&mut workspace, asked, rows, out),
        };
        self.workspaces.give(workspace);
        done
    }

    /// A call of a shape that was not asked for lately.
    #[inline(never)]
    fn predict_anew<T: Given>(
        &self,
        workspace: &mut Workspace,
        asked: Asked,
        rows: &[T],
        out: &mut [f64],
    ) -> Result<()> {
        let Asked { output, count, .. } = asked;
        let ask = self.ask(output).ok_or_else(|| {
            Error::unsupported(format!(
                "this network has no output '{}'; ask for one of `outputs` in its JSON",
                output.name()
            ))
        })?;
        if count.checked_mul(ask.columns) != Some(out.len()) {
            return Err(Error::shape(format!(
                "out has room for {} numbers, {count} rows of {} columns are {}",
                out.len(),
                ask.columns,
                count.saturating_mul(ask.columns)
            )));
        }
        if count == 0 {
            return Ok(());
        }
        let width = rows.len() / count;
        let steps = self.steps(width, &ask)?;
        if width * count != rows.len() {
            return Err(Error::shape(format!("{} numbers are not {count} rows of {width}", rows.len())));
        }
        let most = if width == self.width { self.block } else { self.block_rows(width) };
        let whole = Block { rows, count, width };
        if count > most {
            return self.blocks_of(workspace, ask, whole, steps, most, out);
        }
        self.block_of(workspace, ask, whole, steps, out)?;
        if self.capture.is_some() {
            return Ok(());
        }
        let parts = self.graph.parts();
        let graph = call::Graph {
            api: self.runtime.api(),
            session: self.held.ptr().cast_mut(),
            inputs: self.inputs.pointers.as_ptr(),
            output: &raw const self.outputs.pointers[ask.tensor],
            accepts_nan: parts.accepts_nan,
        };
        let numbers = self.widths[ask.tensor];
        workspace.keep(parts.batch.unwrap_or(count), steps, |frame| {
            // SAFETY: the call is kept beside the frame, in a workspace of this session, which ends before the session, for only `self` and
            // its workspaces have it.
            unsafe { Call::new(asked, graph, frame, ask, numbers) }
        });
        Ok(())
    }

    /// Rows of several runs, `most` in each.
    fn blocks_of<T: Given>(
        &self,
        workspace: &mut Workspace,
        ask: Ask,
        whole: Block<'_, T>,
        steps: usize,
        most: usize,
        out: &mut [f64],
    ) -> Result<()> {
        if !self.graph.parts().accepts_nan && whole.rows.iter().any(|value| value.is_missing()) {
            return refuse_missing(whole);
        }
        ANSWERS.with_borrow_mut(|answers| {
            answers.clear();
            answers.resize(out.len(), 0.0);
            // Blocks of one size: tensors of a second shape cost memory, and a GPU a plan of their own. The last one goes over rows again.
            let size = self.graph.parts().batch.unwrap_or_else(|| whole.count.div_ceil(whole.count.div_ceil(most)));
            for index in 0..whole.count.div_ceil(size) {
                let first = (index * size).min(whole.count - size);
                let rows = &whole.rows[first * whole.width..][..size * whole.width];
                let answers = &mut answers[first * ask.columns..][..size * ask.columns];
                let block = Block { rows, count: size, width: whole.width };
                self.block_of(workspace, ask, block, steps, answers).within(|| format!("rows from {first} on"))?;
            }
            out.copy_from_slice(answers);
            Ok(())
        })
    }

    /// Steps of a row of this width.
    fn steps(&self, width: usize, ask: &Ask) -> Result<usize> {
        if width == self.width {
            return Ok(self.graph.steps());
        }
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

    /// Rows of this width in one run at most.
    fn block_rows(&self, width: usize) -> usize {
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
        block: Block<'_, T>,
        steps: usize,
        out: &mut [f64],
    ) -> Result<()> {
        let parts = self.graph.parts();
        let count = parts.batch.unwrap_or(block.count);
        let frame = workspace.frame(self.runtime, &self.graph, count, steps)?;
        if self.fill(frame, block, steps)? && !parts.accepts_nan {
            return refuse_missing(block);
        }
        let place = if self.settled[ask.tensor] {
            frame.prepared(self.runtime, &self.graph, ask.tensor)?
        } else {
            ptr::null_mut()
        };
        let given = self.run(frame, ask.tensor, place)?;
        match (given, frame.cells(ask.tensor)) {
            (None, Some(cells)) => self.answer(ask, cells, count, out),
            // Where the shape is only known afterwards, the runtime made the value.
            (Some(value), _) if ask.pick == Pick::Text => self.texts(&value, workspace, out),
            (Some(value), _) => self.answer(ask, value.cells(parts.outputs[ask.tensor].element)?, count, out),
            (None, None) => Err(Error::internal("an output without a tensor")),
        }
    }

    /// Fills the inputs with rows; whether one of their numbers is a NaN.
    fn fill<T: Given>(&self, frame: &mut Frame, block: Block<'_, T>, steps: usize) -> Result<bool> {
        let inputs = &self.graph.parts().inputs[..];
        let within = |at: usize| move || format!("input '{}'", inputs[at].name);
        if let [only] = &mut frame.inputs[..] {
            return only.buffer().fill(block, 0, block.width).within(within(0));
        }
        let (mut first, mut missing) = (0, false);
        for (at, tensor) in frame.inputs.iter_mut().enumerate() {
            let own = inputs[at].numbers(steps);
            missing |= tensor.buffer().fill(block, first, own).within(within(at))?;
            first += own;
        }
        Ok(missing)
    }

    /// Answers from the numbers of `count` rows, of which `out` takes as many as it has room for.
    fn answer(&self, ask: Ask, cells: Cells<'_>, count: usize, out: &mut [f64]) -> Result<()> {
        let width = self.widths[ask.tensor];
        if cells.len() != count * width {
            return Err(Error::new(
                Status::Backend,
                format!(
                    "output '{}' has {} numbers, {} were expected for {count} rows",
                    self.graph.parts().outputs[ask.tensor].name,
                    cells.len(),
                    count * width
                ),
            ));
        }
        answer::answer(ask.pick, cells, width, self.classes(), out);
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

    /// Runs the graph over a frame for one output, into the value at `place`; with NULL the runtime makes one, which is returned.
    fn run(&self, frame: &mut Frame, output: usize, place: *mut ort::sys::OrtValue) -> Result<Option<Value>> {
        let Some(capture) = &self.capture else {
            return self.launch(frame.pointers(), output, place, ptr::null());
        };
        let mut turn = capture.turn()?;
        if !place.is_null()
            && let Some(plan) = turn.plan(frame, output)?
        {
            plan.fill(frame)?;
            self.launch(plan.pointers(), output, plan.place(), plan.options())?;
            plan.read(frame)?;
            return Ok(None);
        }
        self.launch(frame.pointers(), output, place, turn.direct())
    }

    /// [`Session::run`] over these inputs, with options or NULL.
    fn launch(
        &self,
        inputs: &[*const ort::sys::OrtValue],
        output: usize,
        place: *mut ort::sys::OrtValue,
        options: *const ort::sys::OrtRunOptions,
    ) -> Result<Option<Value>> {
        let api = self.runtime.api();
        let mut given = place;
        // SAFETY: a function of the table. The session is live and may run on many threads at once; names and values are as many as the
        // graph has inputs, live, and not used by another thread, for the workspace or the turn that holds them is borrowed; the one output is
        // NULL or a live value; the options are NULL or live.
        let status = unsafe {
            (api.Run)(
                self.held.ptr().cast_mut(),
                options,
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
