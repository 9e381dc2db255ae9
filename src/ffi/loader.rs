//! Training runs on disk.

use super::model::{give as give_model, mi_model};
use super::network::Wishes;
use super::pointer::{Out, object, optional_text, options, text};
use super::status::mi_status;
use super::strings::mi_strings;
use crate::artifact::Name;
use crate::error::Result;
use crate::loader::{Loader, Options};
use std::ffi::c_char;
use std::path::Path;
use std::ptr;
use std::sync::Arc;

/// A training run on disk: finds models by name, verifies them, loads each once and shares it. Safe from any number of threads.
pub struct mi_loader {
    _opaque: [u8; 0],
}

/// How a run is read. Fill it in with `mi_loader_options_init`; NULL means all defaults.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct mi_loader_options {
    /// Bytes of this struct, set by `mi_loader_options_init`.
    pub struct_size: usize,
    /// Compare the SHA-256 of every file that is parsed with the metadata. Default 1.
    pub verify_checksums: i32,
    /// A mismatch fails the load; 0: it becomes a warning in the model's JSON. Default 1.
    pub strict_checksums: i32,
    /// Accept a model whose metadata holds no checksum. Default 0.
    pub allow_unsigned: i32,
    /// Keep what was loaded, so that the same name gives the same instance. Default 1.
    pub cache_models: i32,
    /// Load a model when it is first asked for; 0: opening the loader loads all of them. Default 1.
    pub lazy_load: i32,
    /// Always 0.
    pub reserved: i32,
    /// Minutes of the bars that you feed; 0: unknown. A model trained on another interval is refused. Default 0.
    pub data_interval_minutes: f64,
    /// The largest model file that is read, in bytes. Default 1 GiB.
    pub max_file_bytes: u64,
    /// The signature of the universe (the directory `universe=signature`) to use where a run holds several; NULL: there is only one. Default NULL.
    pub universe: *const c_char,
    /// The library that runs networks (libonnxruntime.so.1, version 1.24 or newer) or its folder; NULL: where the environment variable
    /// `MI_ONNXRUNTIME` says, else beside libmi.so, else where the system's loader finds it. A process has one.
    pub runtime: *const c_char,
    /// What hardware runs a network: a list such as "cuda,cpu" or "tensorrt,cuda,cpu" of "cpu", "cuda", "tensorrt" and "webgpu". Each is
    /// tried in turn, the JSON of the model says which of them runs how many nodes and why others do not, and the processor is the last
    /// resort. NULL: "cpu".
    pub providers: *const c_char,
    /// 1: nothing falls back; a provider that is refused, or a node that runs on none of the list, is an error. Default 0.
    pub providers_required: i32,
    /// Number of the device. Default 0.
    pub device_id: i32,
    /// Bytes of device memory that a provider may take; 0: its own rule.
    pub device_memory: u64,
    /// 1: float32 products may be computed in TF32 on devices that have it, with 10 bits of mantissa. Default 0.
    pub tf32: i32,
    /// Threads for the work of one call to a model, the caller's included: the rows of a forest, or the graph of a network. They sleep
    /// between calls, those of a forest from 50 microseconds after one on, and end with the model. 0 and 1: the caller's alone. Default 0.
    pub threads: i32,
    /// Who runs a network of a Keras, PyTorch or scikit-learn file: "native": libmi itself, which needs no runtime; "runtime": the
    /// library that runs ONNX files, except for networks in float64; "auto": libmi, but the runtime where `providers` names more than the
    /// processor. ONNX files always run in the runtime. NULL: "auto".
    pub networks: *const c_char,
    /// 1: on the provider "cuda", calls replay the captured launches of the first call of their shape, which takes less time for graphs of
    /// many small nodes; calls of several threads then run one after the other, and all nodes have to be on the device. The JSON of the
    /// model says why not where it cannot be done. Default 0.
    pub graph_capture: i32,
}

fn defaults() -> mi_loader_options {
    let defaults = Options::default();
    mi_loader_options {
        struct_size: size_of::<mi_loader_options>(),
        verify_checksums: defaults.verify_checksums.into(),
        strict_checksums: defaults.strict_checksums.into(),
        allow_unsigned: defaults.allow_unsigned.into(),
        cache_models: defaults.cache_models.into(),
        lazy_load: defaults.lazy_load.into(),
        reserved: 0,
        data_interval_minutes: defaults.data_interval_minutes,
        max_file_bytes: defaults.max_file_bytes,
        universe: ptr::null(),
        runtime: ptr::null(),
        providers: ptr::null(),
        providers_required: 0,
        device_id: 0,
        device_memory: 0,
        tf32: 0,
        threads: 0,
        networks: ptr::null(),
        graph_capture: 0,
    }
}

/// The options as the library takes them.
///
/// # Safety
/// A non-NULL `pointer` leads to a `mi_loader_options` of the size it states, with live strings.
unsafe fn read_options(pointer: *const mi_loader_options) -> Result<Options> {
    // SAFETY: as promised; every bit pattern is a valid `mi_loader_options`.
    let given = unsafe { options("options", pointer, defaults())? };
    // SAFETY: the string is live, as promised.
    let universe = unsafe { optional_text("options->universe", given.universe)? };
    let wishes = Wishes {
        runtime: given.runtime,
        providers: given.providers,
        required: given.providers_required,
        device: given.device_id,
        device_memory: given.device_memory,
        tf32: given.tf32,
        threads: given.threads,
        networks: given.networks,
        graph_capture: given.graph_capture,
    };
    Ok(Options {
        verify_checksums: given.verify_checksums != 0,
        strict_checksums: given.strict_checksums != 0,
        allow_unsigned: given.allow_unsigned != 0,
        cache_models: given.cache_models != 0,
        lazy_load: given.lazy_load != 0,
        data_interval_minutes: given.data_interval_minutes,
        max_file_bytes: given.max_file_bytes,
        universe: universe.map(str::to_owned),
        // SAFETY: the strings are live, as promised.
        networks: unsafe { wishes.settings()? },
    })
}

/// The loader behind a handle.
///
/// # Safety
/// A non-NULL `loader` is a live handle.
unsafe fn loader_of<'a>(loader: *const mi_loader) -> Result<&'a Loader> {
    // SAFETY: a live handle was made by `mi_loader_open` from a `Loader`.
    unsafe { object("loader", loader.cast::<Loader>()) }
}

/// A shared reference to the loader behind a handle.
///
/// # Safety
/// A non-NULL `loader` is a live handle.
pub(super) unsafe fn share(loader: *const mi_loader) -> Result<Arc<Loader>> {
    // SAFETY: a live handle was made by `Arc::into_raw`, and its own reference stays.
    unsafe {
        loader_of(loader)?;
        Arc::increment_strong_count(loader.cast::<Loader>());
        Ok(Arc::from_raw(loader.cast::<Loader>()))
    }
}

/// The four names of a model.
///
/// # Safety
/// Non-NULL strings are live.
pub(super) unsafe fn name_of<'a>(
    target: *const c_char,
    family: *const c_char,
    view: *const c_char,
    symbol: *const c_char,
) -> Result<Name<'a>> {
    // SAFETY: as promised.
    unsafe {
        Ok(Name {
            target: text("target", target)?,
            family: text("family", family)?,
            view: optional_text("view", view)?,
            symbol: optional_text("symbol", symbol)?,
        })
    }
}

/// Fills in the defaults. NULL is ignored.
///
/// Requires: `options` is NULL or has room for one `mi_loader_options`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_loader_options_init(options: *mut mi_loader_options) {
    fence_or!((), {
        // SAFETY: NULL is refused by `Out`; else there is room, as promised.
        if let Ok(out) = unsafe { Out::new("options", options) } {
            out.set(defaults());
        }
    });
}

/// Opens a run: its root, any path inside of it (its parents are searched), a directory of the older generation, or a
/// `models.yaml`. `MI_NOT_FOUND` when there is no run.
///
/// Requires: `run_root` is a NUL-terminated string, `options` NULL or initialised, `out_loader` has room for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_loader_open(
    run_root: *const c_char,
    options: *const mi_loader_options,
    out_loader: *mut *mut mi_loader,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (root, options, out) =
            unsafe { (text("run_root", run_root)?, read_options(options)?, Out::new("out_loader", out_loader)?) };
        let loader = Arc::new(Loader::open(Path::new(root), options)?);
        out.set(Arc::into_raw(loader).cast_mut().cast());
    })
}

/// Ends a loader; its models and engines stay usable. NULL is fine.
///
/// Requires: `loader` is NULL or live, and no other thread uses it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_loader_free(loader: *mut mi_loader) {
    fence_or!((), {
        if !loader.is_null() {
            // SAFETY: live, so made by `mi_loader_open`; the caller gives its reference up.
            unsafe { Arc::decrement_strong_count(loader.cast_const().cast::<Loader>()) };
        }
    });
}

/// The targets of the run, in bytewise order.
///
/// Requires: `loader` is NULL or live, `out_targets` has room for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_loader_targets(loader: *const mi_loader, out_targets: *mut *mut mi_strings) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (loader, out) = unsafe { (loader_of(loader)?, Out::new("out_targets", out_targets)?) };
        out.set(mi_strings::give(loader.targets()?));
    })
}

/// The views of a target (`CROSS_SECTIONAL`, `SYMBOL_SPECIFIC`, `SEQUENTIAL`), in bytewise order.
///
/// Requires: `loader` is NULL or live, `target` a NUL-terminated string, `out_views` has room for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_loader_views(
    loader: *const mi_loader,
    target: *const c_char,
    out_views: *mut *mut mi_strings,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (loader, target, out) =
            unsafe { (loader_of(loader)?, text("target", target)?, Out::new("out_views", out_views)?) };
        out.set(mi_strings::give(loader.views(target)?));
    })
}

/// The families of a target in a view (NULL: `CROSS_SECTIONAL`), in bytewise order.
///
/// Requires: `loader` is NULL or live, the strings are NUL-terminated, `out_families` has room for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_loader_families(
    loader: *const mi_loader,
    target: *const c_char,
    view: *const c_char,
    out_families: *mut *mut mi_strings,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (loader, target, view, out) = unsafe {
            (
                loader_of(loader)?,
                text("target", target)?,
                optional_text("view", view)?,
                Out::new("out_families", out_families)?,
            )
        };
        out.set(mi_strings::give(loader.families(target, view)?));
    })
}

/// The symbols of a target in a view (NULL: `CROSS_SECTIONAL`), in bytewise order; empty where models are not per symbol.
///
/// Requires: `loader` is NULL or live, the strings are NUL-terminated, `out_symbols` has room for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_loader_symbols(
    loader: *const mi_loader,
    target: *const c_char,
    view: *const c_char,
    out_symbols: *mut *mut mi_strings,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (loader, target, view, out) = unsafe {
            (
                loader_of(loader)?,
                text("target", target)?,
                optional_text("view", view)?,
                Out::new("out_symbols", out_symbols)?,
            )
        };
        out.set(mi_strings::give(loader.symbols(target, view)?));
    })
}

/// Loads a model by name. `family` matches in any spelling ("LightGBM", "lgb", "family=lightgbm"); `view` NULL is
/// `CROSS_SECTIONAL`; `symbol` is NULL unless the view is `SYMBOL_SPECIFIC`. The same names give the same instance on every call and
/// from every thread; 64 threads that ask at once load it once. A load that fails is not remembered.
///
/// `MI_NOT_FOUND` (the sentence lists what exists), `MI_CHECKSUM_MISMATCH`, `MI_UNSIGNED`, `MI_INTERVAL_MISMATCH`, or what
/// `mi_model_open` says.
///
/// Requires: `loader` is NULL or live, the strings are NUL-terminated, `out_model` has room for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_loader_load(
    loader: *const mi_loader,
    target: *const c_char,
    family: *const c_char,
    view: *const c_char,
    symbol: *const c_char,
    out_model: *mut *mut mi_model,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (loader, name, out) =
            unsafe { (loader_of(loader)?, name_of(target, family, view, symbol)?, Out::new("out_model", out_model)?) };
        out.set(give_model(loader.load(name)?));
    })
}

/// Loads every model of a target: of all views (`view` NULL) or of one. `out_loaded` receives how many are loaded now. A model
/// that does not load is no failure of this call: `out_failures`, which may be NULL, receives one sentence for each.
///
/// Requires: `loader` is NULL or live, the strings are NUL-terminated, the outputs have room for one value each.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_loader_preload(
    loader: *const mi_loader,
    target: *const c_char,
    view: *const c_char,
    out_loaded: *mut usize,
    out_failures: *mut *mut mi_strings,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (loader, target, view, loaded, failures) = unsafe {
            (
                loader_of(loader)?,
                text("target", target)?,
                optional_text("view", view)?,
                Out::new("out_loaded", out_loaded)?,
                Out::optional("out_failures", out_failures)?,
            )
        };
        let preloaded = loader.preload(target, view)?;
        loaded.set(preloaded.loaded);
        if let Some(out) = failures {
            let sentences = preloaded.failures.iter().map(|(_, error)| error.message().to_owned());
            out.set(mi_strings::give(sentences.collect()));
        }
    })
}

/// The metadata of a model, whole and without loading the model, as a list of one JSON text.
///
/// Requires: `loader` is NULL or live, the strings are NUL-terminated, `out_json` has room for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_loader_metadata(
    loader: *const mi_loader,
    target: *const c_char,
    family: *const c_char,
    view: *const c_char,
    symbol: *const c_char,
    out_json: *mut *mut mi_strings,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (loader, name, out) =
            unsafe { (loader_of(loader)?, name_of(target, family, view, symbol)?, Out::new("out_json", out_json)?) };
        out.set(mi_strings::give(vec![loader.metadata(name)?.to_string()]));
    })
}

/// The routing decision of a target as a list of one JSON text, or an empty list when the run holds none: that of a view, or, with
/// `view` NULL, that of the target.
///
/// Requires: `loader` is NULL or live, the strings are NUL-terminated, `out_json` has room for one pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mi_loader_routing(
    loader: *const mi_loader,
    target: *const c_char,
    view: *const c_char,
    out_json: *mut *mut mi_strings,
) -> mi_status {
    fence!({
        // SAFETY: as promised by the caller.
        let (loader, target, view, out) = unsafe {
            (loader_of(loader)?, text("target", target)?, optional_text("view", view)?, Out::new("out_json", out_json)?)
        };
        let decision = loader.routing(target, view)?;
        out.set(mi_strings::give(decision.iter().map(ToString::to_string).collect()));
    })
}
