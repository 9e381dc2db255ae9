//! Of which shapes the inputs of a module are.

use super::super::{module, stored};
use crate::codec::archive::Archive;
use crate::codec::json;
use crate::codec::pickle::{self, Ref};
use crate::error::{Error, Result, Within};
use crate::formats::Files;
use crate::ir::network::Shape;
use crate::limits;

/// Shapes of the inputs: as the example had them that the module was traced with, or as they are declared beside the file.
pub(super) fn shapes(archive: &mut Archive<'_>, folder: &str, files: &dyn Files) -> Result<Vec<Shape>> {
    let name = format!("{folder}traced_inputs.pkl");
    if archive.contains(&name) {
        let bytes = archive.read(&name)?;
        let graph = pickle::decode(&bytes).within(|| name.clone())?;
        if let Some(forward) = plain(graph.root())?.dict_get_opt("forward")? {
            let mut shapes = Vec::new();
            for example in plain(forward)?.list()? {
                let sizes = stored::tensor(example)?.ok_or_else(|| example.expected("a tensor"))?.sizes().to_vec();
                shapes.push(Shape::rows(sizes.get(1..).unwrap_or_default())?);
            }
            return Ok(shapes);
        }
    }
    match files.read(module::DECLARATION) {
        Ok(bytes) => {
            limits::check("bytes of a declaration", bytes.len(), limits::DECLARATION_BYTES)?;
            let declared = json::parse(&bytes).within(|| module::DECLARATION)?;
            let input = declared.get("input").ok_or_else(|| Error::malformed("`input` is not there"));
            Ok(vec![input.and_then(module::shape).within(|| module::DECLARATION)?])
        }
        Err(_) => Err(Error::unsupported(format!(
            "nothing says of which shape a row is; put {} with {{\"input\": [steps, features]}} beside the file, or save the model with \
             torch.export.save",
            module::DECLARATION
        ))),
    }
}

/// A value without the notes of its type that TorchScript pickles around lists and dictionaries.
pub(super) fn plain(value: Ref<'_>) -> Result<Ref<'_>> {
    let noted = matches!(
        value.class(),
        Some((
            "torch.jit._pickle",
            "restore_type_tag" | "build_intlist" | "build_tensorlist" | "build_doublelist" | "build_boollist"
        ))
    );
    match value.args()?.first() {
        Some(inner) if noted => Ok(*inner),
        _ => Ok(value),
    }
}
