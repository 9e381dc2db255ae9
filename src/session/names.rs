//! Names of tensors: as the runtime takes them, and whether it knows them.

use crate::error::{Error, Result};
use crate::ir::graph::Graph;
use std::ffi::{CString, c_char};

/// Names of tensors as the runtime takes them.
pub struct Names {
    pub pointers: Vec<*const c_char>,
    _texts: Vec<CString>,
}

// SAFETY: the pointers lead into the texts beside them, which are never written.
unsafe impl Send for Names {}
// SAFETY: as above.
unsafe impl Sync for Names {}

impl Names {
    /// These names.
    ///
    /// # Errors
    /// `MI_MALFORMED` for one with a NUL in it.
    pub fn new<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self> {
        let texts: Vec<CString> = names
            .map(|name| CString::new(name).map_err(|_| Error::malformed("a tensor has a name with a NUL in it")))
            .collect::<Result<_>>()?;
        Ok(Self { pointers: texts.iter().map(|text| text.as_ptr()).collect(), _texts: texts })
    }
}

/// Every tensor that the graph was said to have is there, and no other input wants to be filled.
///
/// # Errors
/// `MI_MALFORMED` otherwise.
pub fn check_names(graph: &Graph, session: &ort::session::Session) -> Result<()> {
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
