//! Wishes for the runtime of networks, as options of models and of loaders.

use super::pointer::optional_text;
use crate::error::{Error, Result};
use crate::session::{Networks, Provider, Settings};
use std::ffi::c_char;

/// The fields that both structs end with.
#[derive(Clone, Copy)]
pub(super) struct Wishes {
    pub runtime: *const c_char,
    pub providers: *const c_char,
    pub required: i32,
    pub device: i32,
    pub device_memory: u64,
    pub tf32: i32,
    pub threads: i32,
    pub networks: *const c_char,
    pub graph_capture: i32,
}

impl Wishes {
    /// The wishes as the library takes them.
    ///
    /// # Safety
    /// Non-NULL strings are live.
    pub(super) unsafe fn settings(self) -> Result<Settings> {
        // SAFETY: as promised.
        let (runtime, providers, networks) = unsafe {
            (
                optional_text("options->runtime", self.runtime)?,
                optional_text("options->providers", self.providers)?,
                optional_text("options->networks", self.networks)?,
            )
        };
        let number = |name: &str, value: i32| {
            u32::try_from(value)
                .map_err(|_| Error::invalid(format!("options->{name} is {value}; it cannot be negative")))
        };
        Ok(Settings {
            runtime: runtime.map(Into::into),
            providers: providers.map_or_else(|| Ok(Settings::default().providers), Provider::list)?,
            required: self.required != 0,
            device: number("device_id", self.device)?,
            device_memory: self.device_memory,
            tf32: self.tf32 != 0,
            graph_capture: self.graph_capture != 0,
            threads: number("threads", self.threads)?,
            networks: networks.map_or_else(|| Ok(Settings::default().networks), Networks::named)?,
        })
    }
}
