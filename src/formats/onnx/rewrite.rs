//! The same model without its dictionaries: a matrix is what rows are answered with.

use super::document::{Document, Kind};
use crate::codec::protobuf::{Reader, Writer};
use crate::error::Result;

/// An output that a node `ZipMap` gives, and the matrix that the node makes it of.
struct Zipped<'a> {
    output: &'a str,
    matrix: &'a str,
}

fn zipped<'a>(document: &Document<'a>) -> Vec<Zipped<'a>> {
    let outputs = document.outputs.iter().filter(|output| output.kind == Kind::Other);
    outputs
        .filter_map(|output| {
            let node = document.producer_of(output.name).filter(|node| node.op == "ZipMap")?;
            Some(Zipped { output: output.name, matrix: node.inputs.first()? })
        })
        .collect()
}

/// The bytes of the model with the matrix in place of every such output; `None` when it has none.
///
/// # Errors
/// `MI_MALFORMED` for bytes that are no model; they were read before.
pub fn without_dictionaries(bytes: &[u8], document: &Document<'_>) -> Result<Option<Vec<u8>>> {
    let zipped = zipped(document);
    if zipped.is_empty() {
        return Ok(None);
    }
    let mut writer = Writer::new();
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next()? {
        match field.number {
            7 => writer.message(7, |writer| graph(field.bytes()?, document, &zipped, writer))?,
            _ => writer.copy(&field),
        }
    }
    Ok(Some(writer.into_bytes()))
}

fn graph(bytes: &[u8], document: &Document<'_>, zipped: &[Zipped<'_>], writer: &mut Writer) -> Result<()> {
    // A node goes when nothing but the output needs it.
    let needed = |name: &str| document.nodes.iter().any(|node| node.inputs.contains(&name));
    let gone = |name: &str| zipped.iter().any(|zipped| zipped.output == name) && !needed(name);
    let mut nodes = document.nodes.iter();
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => {
                let node = nodes.next();
                if !node.is_some_and(|node| node.op == "ZipMap" && node.outputs.iter().all(|name| gone(name))) {
                    writer.copy(&field);
                }
            }
            12 => match zipped.iter().find(|zipped| name(field.bytes().unwrap_or_default()) == Some(zipped.output)) {
                Some(Zipped { matrix, .. }) if document.outputs.iter().all(|output| output.name != *matrix) => {
                    writer.message(12, |value| {
                        value.bytes(1, matrix.as_bytes());
                        value.message(2, |kind| kind.message(1, |tensor| tensor.int(1, 1)));
                    });
                }
                Some(_) => {}
                None => writer.copy(&field),
            },
            _ => writer.copy(&field),
        }
    }
    Ok(())
}

/// The name of a `ValueInfoProto`.
fn name(bytes: &[u8]) -> Option<&str> {
    let mut reader = Reader::new(bytes);
    while let Ok(Some(field)) = reader.next() {
        if field.number == 1 {
            return field.text().ok();
        }
    }
    None
}
