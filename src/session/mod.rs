//! Foreign runtimes: ONNX Runtime, found and loaded when the first network is opened.
//!
//! `library` finds and checks the shared library, `runtime` keeps it and its one environment for the life of the process,
//! `provider` decides which hardware runs a graph, and [`Session`] runs it: many threads share one, each with a workspace of its own.
//!
//! `unsafe` is here because the runtime is a table of C functions; each block says why it holds.
#![allow(unsafe_code)]

mod answer;
mod buffer;
mod call;
mod capture;
mod cell;
mod choice;
pub mod export;
mod frame;
mod library;
mod names;
mod open;
mod provider;
mod runtime;
mod slots;

pub use open::Session;
pub use provider::Provider;

use crate::error::{Error, Result, Status};
use std::path::PathBuf;

/// Who runs the networks that both this library and the runtime can run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Networks {
    /// This library, unless a provider other than the CPU is wished for.
    #[default]
    Auto,
    /// This library.
    Native,
    /// The runtime. Networks in float64 are run by this library all the same.
    Runtime,
}

impl Networks {
    /// The choice of this name: `auto`, `native` or `runtime`.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for another name.
    pub fn named(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Networks::Auto),
            "native" => Ok(Networks::Native),
            "runtime" => Ok(Networks::Runtime),
            _ => {
                Err(Error::invalid(format!("networks: '{text}' is not known; use \"auto\", \"native\" or \"runtime\"")))
            }
        }
    }
}

/// What a caller wishes of the runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The runtime's library or its folder; `None`: `MI_ONNXRUNTIME`, beside libmi, or where the system's loader finds it.
    pub runtime: Option<PathBuf>,
    /// Providers, the one that is tried first in front. Default: the CPU alone.
    pub providers: Vec<Provider>,
    /// Every node must run on a provider of the list, and the first of them must run; otherwise what it refuses falls to the next.
    /// Default: false.
    pub required: bool,
    /// Number of the device. Default: 0.
    pub device: u32,
    /// Bytes of device memory that a provider may take; 0: its own rule. Default: 0.
    pub device_memory: u64,
    /// Float32 products may be computed in `TF32` on devices that have it, with 10 bits of mantissa. Default: false.
    pub tf32: bool,
    /// Calls on an NVIDIA GPU replay the captured launches of the first call of their shape, one call at a time. Default: false.
    pub graph_capture: bool,
    /// Threads for the work of one call, the caller's included. Default: 1.
    pub threads: u32,
    /// Who runs networks of Keras and PyTorch files. Default: [`Networks::Auto`].
    pub networks: Networks,
}

impl Settings {
    /// Whether the runtime is to run a network that this library can run.
    #[must_use]
    pub fn runs_networks(&self) -> bool {
        match self.networks {
            Networks::Auto => self.providers.iter().any(|provider| *provider != Provider::Cpu),
            Networks::Native => false,
            Networks::Runtime => true,
        }
    }

    /// Whether a network may be run by this library, which knows the processor alone.
    ///
    /// # Errors
    /// `MI_BACKEND` when providers are required of which the processor is not the first.
    pub fn check_native(&self) -> Result<()> {
        match self.providers.first() {
            Some(first) if self.required && *first != Provider::Cpu => Err(Error::new(
                Status::Backend,
                format!(
                    "provider '{}' is required, and this network is run by libmi on the processor, as all networks in float64 are, and \
                     the others where `networks` is \"native\"; leave `required` out, or let the runtime run it where it is in float32",
                    first.name()
                ),
            )),
            _ => Ok(()),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            runtime: None,
            providers: vec![Provider::Cpu],
            required: false,
            device: 0,
            device_memory: 0,
            tf32: false,
            graph_capture: false,
            threads: 1,
            networks: Networks::Auto,
        }
    }
}
