//! The options of networks: what a file leaves open, and who runs it.

use crate::failure::{Failure, Result};
use clap::Args;
use mi::formats::ReadOptions;
use mi::session::{Networks, Provider, Settings};
use mi::{Error, Result as Checked};
use std::path::{Path, PathBuf};

/// What is asked of a network; models of other kinds do not look at it, but for the threads.
#[derive(Debug, Args)]
#[allow(clippy::doc_markdown)] // these comments are the help texts
pub struct Network {
    /// Who runs networks of Keras, PyTorch and scikit-learn: auto, native (this program) or runtime (ONNX Runtime)
    #[arg(long, value_name = "WHO", default_value = "auto", value_parser = told(Networks::named), help_heading = "Network")]
    networks: Networks,
    /// The library of ONNX Runtime or its folder [default: MI_ONNXRUNTIME, beside this program, the system's]
    #[arg(long, value_name = "PATH", help_heading = "Network")]
    runtime: Option<PathBuf>,
    /// Hardware, the one that is tried first in front: a list of cpu, cuda, tensorrt and webgpu
    #[arg(long, value_name = "LIST", default_value = "cpu", value_parser = told(providers), help_heading = "Network")]
    providers: Providers,
    /// Nothing falls back to the next provider: it is an error
    #[arg(long, help_heading = "Network")]
    providers_required: bool,
    /// Number of the device
    #[arg(long, value_name = "NUMBER", default_value_t = 0, help_heading = "Network")]
    device: u32,
    /// Bytes of device memory that a provider may take; 0: its own rule
    #[arg(long, value_name = "BYTES", default_value_t = 0, help_heading = "Network")]
    device_memory: u64,
    /// Let devices that have TF32 compute float32 products in it
    #[arg(long, help_heading = "Network")]
    tf32: bool,
    /// Replay captured launches on the provider cuda, one call at a time
    #[arg(long, help_heading = "Network")]
    graph_capture: bool,
    /// Threads for the work of one call, of networks and of forests
    #[arg(long, value_name = "COUNT", default_value_t = 1, help_heading = "Network")]
    threads: u32,
    /// The output of a network that is the value: its name or its number
    #[arg(id = "network_output", long = "network-output", value_name = "OUTPUT", help_heading = "Network")]
    output: Option<String>,
    /// Columns of a row, or of a step of a sequence, where the file of a network leaves that open
    #[arg(long, value_name = "COUNT", help_heading = "Network")]
    feature_count: Option<usize>,
    /// Steps of a sequence, where the file of a network leaves that open
    #[arg(long, value_name = "COUNT", help_heading = "Network")]
    sequence_length: Option<usize>,
}

/// A list of providers, as one value of an option.
#[derive(Debug, Clone)]
struct Providers(Vec<Provider>);

fn providers(text: &str) -> Checked<Providers> {
    Provider::list(text).map(Providers)
}

/// A parser of an option, whose failure is a sentence.
fn told<T>(parse: fn(&str) -> Checked<T>) -> impl Fn(&str) -> std::result::Result<T, String> + Clone {
    move |text| parse(text).map_err(|error: Error| error.message().to_owned())
}

impl Network {
    /// What is wished of the runtime.
    pub fn settings(&self) -> Settings {
        Settings {
            runtime: self.runtime.clone(),
            providers: self.providers.0.clone(),
            required: self.providers_required,
            device: self.device,
            device_memory: self.device_memory,
            tf32: self.tf32,
            graph_capture: self.graph_capture,
            threads: self.threads,
            networks: self.networks,
        }
    }

    /// Adds what a file may leave open.
    pub fn complete(&self, options: ReadOptions) -> ReadOptions {
        ReadOptions {
            output: self.output.clone(),
            feature_count: self.feature_count.unwrap_or(0),
            sequence_length: self.sequence_length.unwrap_or(0),
            ..options
        }
    }

    /// Refuses the options of a file where a run is named, whose metadata says these things.
    pub fn check_run(&self, run: &Path) -> Result<()> {
        let given = [
            ("--network-output", self.output.is_some()),
            ("--feature-count", self.feature_count.is_some()),
            ("--sequence-length", self.sequence_length.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(Failure::Usage(format!(
                "{name} works on a model file, and '{}' is a training run; name the file inside of it",
                run.display()
            ))),
            None => Ok(()),
        }
    }
}
