//! Text in a file that holds several readers' objects: a booster that knows codes of texts stands among encoders that know words.

use super::super::Context;
use crate::error::{Error, Result};
use crate::ir::pipeline::Transform;
use crate::ir::text::{Vocabulary, is_word};
use crate::ir::transform::Codes;
use crate::ir::{Model, flow};
use crate::limits;
use std::cell::RefCell;
use std::sync::Arc;

/// The whole model, with its columns of text.
///
/// # Errors
/// Those of [`flow::text_columns`].
pub(super) fn whole(mut model: Model, words: RefCell<Vocabulary>) -> Result<Model> {
    if model.texts.is_none() {
        let words = words.into_inner();
        match flow::text_columns(&model, &words) {
            Ok(texts) => model.texts = Some(Arc::new(texts)),
            // A model without text needs to know nothing.
            Err(_) if words.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(model)
}

/// A model inside of another one: what it knew of columns of text goes into the words of the file, and its codes into a step.
///
/// # Errors
/// `MI_LIMIT_EXCEEDED` for too many categories.
pub(super) fn inside(mut model: Model, context: &Context<'_>) -> Result<Model> {
    let Some(texts) = model.texts.take() else { return Ok(model) };
    let mut words = context.words.borrow_mut();
    let mut columns = Vec::new();
    for column in texts.columns() {
        let mut pairs = limits::vec("categories", column.known().len())?;
        for (text, number) in column.known() {
            let word = words.word(text)?;
            if !is_word(number) {
                pairs.push((word, number));
            } else if word.to_bits() != number.to_bits() {
                return Err(Error::unsupported(
                    "two categories have the same hash; save the steps and the model together",
                ));
            }
        }
        if let Some(cut) = column.cut() {
            let word = words.cut(cut)?;
            pairs.extend((!is_word(cut.number)).then_some((word, cut.number)));
        }
        if !pairs.is_empty() {
            let unknown = if column.may_refuse() { None } else { Some(f64::NAN) };
            columns.push((column.column() as usize, Codes::of_words(pairs, unknown)));
        }
    }
    if columns.is_empty() {
        return Ok(model);
    }
    let step = Transform::codes(model.body.features(), columns)?;
    model.behind(vec![step])
}
