//! The arguments that name a model, and the way from them to the model.

use crate::failure::{Failure, Result};
use crate::network::Network;
use clap::Args;
use mi::formats::ReadOptions;
use mi::loader::{self, Entry, Loader, Selector};
use mi::{Error, Model};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A model file, or models of a run.
#[derive(Debug, Args)]
#[allow(clippy::doc_markdown)] // these comments are the help texts
pub struct Source {
    /// A model file; or a training run: its directory, any directory inside of it, or a models.yaml
    #[arg(value_name = "MODEL|RUN")]
    pub path: PathBuf,
    /// The family; for a model file: read it as this family
    #[arg(long, value_name = "NAME")]
    pub family: Option<String>,
    /// The target of a run
    #[arg(long, value_name = "NAME", help_heading = "Run")]
    pub target: Option<String>,
    /// The view of a run: CROSS_SECTIONAL, SYMBOL_SPECIFIC, SEQUENTIAL
    #[arg(long, value_name = "NAME", help_heading = "Run")]
    pub view: Option<String>,
    /// The symbol of a run
    #[arg(long, value_name = "NAME", help_heading = "Run")]
    pub symbol: Option<String>,
    /// The universe=<SIGNATURE> of a run that holds several
    #[arg(long, value_name = "SIGNATURE", help_heading = "Run")]
    pub universe: Option<String>,
    /// Accept models of a run whose metadata holds no checksum
    #[arg(long, help_heading = "Run")]
    pub allow_unsigned: bool,
    #[command(flatten)]
    network: Network,
}

impl Source {
    /// Whether the path is a run rather than a model file.
    pub fn is_run(&self) -> bool {
        let ending = self.path.extension().and_then(|ending| ending.to_str());
        self.path.is_dir() || matches!(ending, Some("yaml" | "yml"))
    }

    /// Refuses the options of a run where a file is named.
    fn check_file(&self) -> Result<()> {
        let given = [
            ("--target", self.target.is_some()),
            ("--view", self.view.is_some()),
            ("--symbol", self.symbol.is_some()),
            ("--universe", self.universe.is_some()),
            ("--allow-unsigned", self.allow_unsigned),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(Failure::Usage(format!(
                "{name} chooses among the models of a training run, and '{}' is not a directory",
                self.path.display()
            ))),
            None => Ok(()),
        }
    }

    /// The run.
    pub fn open_run(&self) -> Result<Loader> {
        self.network.check_run(&self.path)?;
        let options = loader::Options {
            allow_unsigned: self.allow_unsigned,
            cache_models: false,
            universe: self.universe.clone(),
            networks: self.network.settings(),
            ..loader::Options::default()
        };
        Ok(Loader::open(&self.path, options)?)
    }

    /// The models of the run that the options choose.
    pub fn select(&self, run: &Loader) -> Result<Vec<Entry>> {
        let selector = Selector {
            target: self.target.clone(),
            family: self.family.clone(),
            view: self.view.clone(),
            symbol: self.symbol.clone(),
        };
        Ok(run.select(&selector)?)
    }

    /// The model file; `iterations` are boosting rounds from and up to.
    pub fn open_file(&self, iterations: Option<(u32, u32)>) -> Result<Model> {
        self.check_file()?;
        let (iteration_begin, iteration_end) = iterations.unwrap_or((0, 0));
        let options =
            ReadOptions { family: self.family.clone(), iteration_begin, iteration_end, ..ReadOptions::default() };
        Ok(Model::open_with(&self.path, &self.network.complete(options), &self.network.settings())?)
    }

    /// The one model that is meant; `iterations` are boosting rounds from and up to.
    pub fn open_model(&self, iterations: Option<(u32, u32)>) -> Result<Arc<Model>> {
        if !self.is_run() {
            return Ok(Arc::new(self.open_file(iterations)?));
        }
        if iterations.is_some() {
            return Err(Failure::Usage(format!(
                "--iterations works on a model file, and '{}' is a training run; name the file inside of it",
                self.path.display()
            )));
        }
        let run = self.open_run()?;
        match self.select(&run)?.as_slice() {
            [entry] => Ok(run.load(entry.name())?),
            entries => Err(Failure::Error(not_one(&self.path, entries))),
        }
    }
}

/// What to say when the options choose no model, or several.
fn not_one(path: &Path, entries: &[Entry]) -> Error {
    const SHOWN: usize = 5;
    if entries.is_empty() {
        return Error::not_found(format!("{}: no model of this run matches; `mi inspect` lists them", path.display()));
    }
    let names: Vec<String> = entries.iter().take(SHOWN).map(describe).collect();
    let more = if entries.len() > SHOWN { ", ..." } else { "" };
    Error::invalid(format!(
        "{}: {} models of this run match ({}{more}); choose one with --target, --family, --view and --symbol",
        path.display(),
        entries.len(),
        names.join(", ")
    ))
}

/// The four names of a model, as one word.
fn describe(entry: &Entry) -> String {
    let symbol = entry.symbol.as_ref().map(|symbol| format!("/{symbol}")).unwrap_or_default();
    format!("{}/{}{symbol}/{}", entry.target, entry.view, entry.family)
}
