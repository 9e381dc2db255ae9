//! Execution providers: what hardware runs a graph, tried strictly one by one, with the reason of every refusal.

use super::Settings;
use super::runtime::{Runtime, check, failed};
use crate::error::{Error, Result, Status};
use ort::AsPointer;
use ort::ep::cuda::ConvAlgorithmSearch;
use ort::ep::{CUDA, ExecutionProviderDispatch, TensorRT, WebGPU};
use ort::session::Session;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::ptr;

/// Hardware, and the library that drives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    /// The processor; always there.
    Cpu,
    /// NVIDIA's GPUs.
    Cuda,
    /// NVIDIA's GPUs, through the compiler `TensorRT`.
    TensorRt,
    /// Any GPU with Vulkan.
    WebGpu,
}

impl Provider {
    /// Every provider.
    pub const ALL: [Provider; 4] = [Provider::Cpu, Provider::Cuda, Provider::TensorRt, Provider::WebGpu];

    /// The name in options and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Provider::Cpu => "cpu",
            Provider::Cuda => "cuda",
            Provider::TensorRt => "tensorrt",
            Provider::WebGpu => "webgpu",
        }
    }

    /// The name in the runtime.
    fn full_name(self) -> &'static str {
        match self {
            Provider::Cpu => "CPUExecutionProvider",
            Provider::Cuda => "CUDAExecutionProvider",
            Provider::TensorRt => "TensorrtExecutionProvider",
            Provider::WebGpu => "WebGpuExecutionProvider",
        }
    }

    /// The providers of a list such as `cuda,cpu`.
    ///
    /// # Errors
    /// `MI_INVALID_ARGUMENT` for an unknown name, one that is there twice, or an empty list.
    pub fn list(text: &str) -> Result<Vec<Self>> {
        let mut list = Vec::new();
        for name in text.split(',').map(str::trim) {
            let found = Self::ALL.into_iter().find(|provider| provider.name().eq_ignore_ascii_case(name));
            let provider = found.ok_or_else(|| {
                let known = Self::ALL.map(Provider::name).join(", ");
                Error::invalid(format!("providers: '{name}' is not known; use a list of {known}, such as \"cuda,cpu\""))
            })?;
            if list.contains(&provider) {
                return Err(Error::invalid(format!("providers: '{name}' is there twice")));
            }
            list.push(provider);
        }
        Ok(list)
    }

    /// What registers it with a session, strictly; `None` for the processor, which every session has.
    pub(super) fn dispatch(self, settings: &Settings) -> Option<ExecutionProviderDispatch> {
        let device = i32::try_from(settings.device).unwrap_or(i32::MAX);
        let memory = usize::try_from(settings.device_memory).unwrap_or(usize::MAX);
        let dispatch = match self {
            Provider::Cpu => return None,
            Provider::Cuda => {
                // The exhaustive search of the default runs every algorithm at the first call of each shape.
                let provider = CUDA::default()
                    .with_device_id(device)
                    .with_tf32(settings.tf32)
                    .with_cuda_graph(settings.graph_capture)
                    .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic);
                if memory > 0 { provider.with_memory_limit(memory) } else { provider }.build()
            }
            Provider::TensorRt => {
                let provider = TensorRT::default().with_device_id(device);
                if memory > 0 { provider.with_max_workspace_size(memory) } else { provider }.build()
            }
            Provider::WebGpu => WebGPU::default().with_device_id(device).build(),
        };
        Some(dispatch.error_on_failure())
    }
}

/// Which provider runs what, and why others do not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Nodes of the optimised graph, by the runtime's names of the providers.
    nodes: BTreeMap<String, usize>,
    /// Providers that were refused, and why.
    refused: Vec<(Provider, String)>,
    /// Where graphs were to be captured: why they are not, if they are not.
    capture: Option<std::result::Result<(), String>>,
}

impl Report {
    /// Keeps a refusal.
    pub fn refuse(&mut self, provider: Provider, reason: &Error) {
        let mut reason = reason.message().to_owned();
        // What the loader of the system says when a library of the device is not on its path.
        if reason.contains("cannot open shared object file") {
            reason.push_str("; install it, and name its folder in LD_LIBRARY_PATH before the program starts");
        }
        self.refused.push((provider, reason));
    }

    /// Keeps that graphs are captured, or why not.
    pub fn captures(&mut self, done: std::result::Result<(), &Error>) {
        self.capture = Some(done.map_err(|reason| reason.message().to_owned()));
    }

    /// Takes the refusals of another.
    pub fn take_refusals(&mut self, other: Self) {
        self.refused = other.refused;
    }

    /// Who runs the nodes of a session.
    ///
    /// # Errors
    /// What the runtime says.
    pub fn of(runtime: &Runtime, session: &Session) -> Result<Self> {
        let api = runtime.api();
        let mut this = Self::default();
        let (mut parts, mut count) = (ptr::null(), 0usize);
        // SAFETY: a function of the table on a live session, with room for what it gives.
        let status = unsafe { (api.Session_GetEpGraphAssignmentInfo)(session.ptr(), &raw mut parts, &raw mut count) };
        check(api, status)?;
        for at in 0..count {
            let (mut name, mut nodes, mut number) = (ptr::null(), ptr::null(), 0usize);
            // SAFETY: the runtime gave `count` pointers, which live as long as the session; the functions write to the places given.
            let name = unsafe {
                let part = *parts.add(at);
                check(api, (api.EpAssignedSubgraph_GetEpName)(part, &raw mut name))?;
                check(api, (api.EpAssignedSubgraph_GetNodes)(part, &raw mut nodes, &raw mut number))?;
                if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
            };
            *this.nodes.entry(name).or_default() += number;
        }
        Ok(this)
    }

    /// Checks what `required` asks for.
    ///
    /// # Errors
    /// `MI_BACKEND` when a provider was refused, a node runs on one that is not in the list, or nothing runs on the first.
    pub fn require(&self, wanted: &[Provider]) -> Result<()> {
        let refuse = |reason: String| {
            Err(Error::new(
                Status::Backend,
                format!(
                    "{reason}; the providers are required, so nothing falls back: correct this, or leave `required` out"
                ),
            ))
        };
        if let Some((provider, reason)) = self.refused.first() {
            return refuse(format!("provider '{}' is refused: {reason}", provider.name()));
        }
        let stray = self.nodes.iter().find(|(name, _)| !wanted.iter().any(|provider| provider.full_name() == *name));
        if let Some((name, nodes)) = stray {
            return refuse(format!("{nodes} nodes run on {name}, which is not in the list of providers"));
        }
        if let Some(Err(reason)) = &self.capture {
            return refuse(format!("graphs are not captured: {reason}"));
        }
        match wanted.first() {
            Some(first) if !self.nodes.is_empty() && !self.nodes.contains_key(first.full_name()) => {
                refuse(format!("no node runs on provider '{}'", first.name()))
            }
            _ => Ok(()),
        }
    }

    /// For the model's JSON.
    pub fn json(&self, wanted: &[Provider]) -> Value {
        let short = |name: &str| {
            let known = Provider::ALL.into_iter().find(|provider| provider.full_name() == name);
            known.map_or_else(|| name.to_owned(), |provider| provider.name().to_owned())
        };
        let nodes: Map<String, Value> = self.nodes.iter().map(|(name, nodes)| (short(name), json!(nodes))).collect();
        let refused: Vec<Value> = self
            .refused
            .iter()
            .map(|(provider, reason)| json!({"provider": provider.name(), "reason": reason}))
            .collect();
        let asked: Vec<&str> = wanted.iter().map(|provider| provider.name()).collect();
        let mut json = json!({"asked": asked, "nodes": nodes, "refused": refused});
        if let Some(capture) = &self.capture {
            json["graph_capture"] = match capture {
                Ok(()) => json!(true),
                Err(reason) => json!({"refused": reason}),
            };
        }
        json
    }
}

/// The failure of a step of `ort`, which hands its builder back.
pub fn lost<T, R>(result: std::result::Result<T, ort::Error<R>>) -> Result<T> {
    result.map_err(|cause| failed(&cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        use Provider::{Cpu, Cuda, TensorRt};
        assert_eq!(Provider::list("tensorrt, CUDA,cpu").unwrap(), [TensorRt, Cuda, Cpu]);
        for (text, word) in [("", "''"), ("cuda,,cpu", "''"), ("gpu", "gpu"), ("cpu,cpu", "twice")] {
            let error = Provider::list(text).unwrap_err();
            assert!(error.status() == Status::InvalidArgument && error.message().contains(word), "{error}");
        }
    }

    #[test]
    fn required_is_strict() {
        let mut report = Report::default();
        report.nodes.insert("CPUExecutionProvider".to_owned(), 3);
        report.require(&[Provider::Cpu]).unwrap();
        let error = report.require(&[Provider::Cuda, Provider::Cpu]).unwrap_err();
        assert!(error.message().contains("no node runs on provider 'cuda'"), "{error}");
        let error = report.require(&[Provider::Cuda]).unwrap_err();
        assert!(error.message().contains("3 nodes run on CPUExecutionProvider"), "{error}");
        report.refuse(Provider::Cuda, &Error::invalid("no driver"));
        assert!(report.require(&[Provider::Cuda, Provider::Cpu]).unwrap_err().message().contains("no driver"));
        let json = report.json(&[Provider::Cuda, Provider::Cpu]);
        assert_eq!(
            json,
            json!({"asked": ["cuda", "cpu"], "nodes": {"cpu": 3}, "refused": [{"provider": "cuda", "reason": "no driver"}]})
        );
    }
}
