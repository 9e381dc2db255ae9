//! Models that ignore the row.

use super::{Context, Entry, Reader, classes, estimator, width};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::blend::{Blend, Rule, Way};
use crate::ir::pipeline::Transform;
use crate::ir::transform::Whole;
use crate::ir::{Classes, Estimator, Model, Output, Task};

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    Entry { class: "DummyRegressor", reader: Reader::Model(regressor), outputs: "value, raw", refused: "" },
    Entry {
        class: "DummyClassifier",
        reader: Reader::Model(classifier),
        outputs: "value, probability, label",
        refused: "strategy='uniform' and 'stratified'; several labels at once",
    },
];

fn constant(object: Ref<'_>, context: &Context<'_>, numbers: Vec<f64>) -> Result<Transform> {
    Transform::whole(width(object, context)?, Whole::Constant(numbers)).within(|| object.path())
}

fn regressor(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let path = constant(object, context, object.attr("constant_")?.array_f64()?.data)?;
    let way = |output| Way { output, path: 0, rule: Rule::Same };
    let blend = Blend::new(vec![path], vec![way(Output::Value), way(Output::Raw)]).within(|| object.path())?;
    estimator(object, Estimator::Blend(blend), Task::Regression, Classes::Index)
}

/// A member of another model that saw a single class in training: always 0 or always 1.
pub(super) fn always(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let features = width(object, context)?;
    let yes = object.attr("y_")?.as_f64()?;
    let path = |numbers| Transform::whole(features, Whole::Constant(numbers));
    let way = |output, path, rule| Way { output, path, rule };
    let ways = vec![
        way(Output::Value, 0, Rule::Second),
        way(Output::Probability, 0, Rule::Same),
        way(Output::Label, 1, Rule::Same),
        way(Output::Raw, 1, Rule::Same),
    ];
    let made = || Blend::new(vec![path(vec![1.0 - yes, yes])?, path(vec![yes])?], ways);
    estimator(object, Estimator::Blend(made().within(|| object.path())?), Task::ClassProbabilities(2), Classes::Index)
}

fn classifier(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let strategy = match object.attr_some("_strategy")? {
        Some(strategy) => strategy,
        None => object.attr("strategy")?,
    };
    let known = strategy.as_str()?;
    if !matches!(&*known, "prior" | "most_frequent" | "constant") {
        return Err(strategy.unsupported(format!("strategy='{known}' answers at random")));
    }
    if object.attr("n_outputs_")?.as_usize()? != 1 {
        return Err(object.unsupported("several labels at once are not read here; train a model for each"));
    }
    let classes = classes(object.attr("classes_")?)?;
    let mut shares = object.attr("class_prior_")?.array_f64()?.data;
    if known != "prior" {
        let chosen = if known == "constant" {
            let wanted = object.attr("constant")?;
            let found = match &classes {
                Classes::Strings(labels) => {
                    let text = wanted.as_str().map(std::borrow::Cow::into_owned);
                    let text =
                        text.or_else(|_| wanted.array_strings().map(|mut array| array.data.pop().unwrap_or_default()))?;
                    labels.iter().position(|label| *label == text)
                }
                Classes::Numbers(labels) => {
                    let number = wanted.as_f64()?;
                    labels.iter().position(|label| label.to_bits() == number.to_bits())
                }
                Classes::Index => None,
            };
            found.ok_or_else(|| wanted.malformed("it is none of the classes"))?
        } else {
            (0..shares.len()).rev().max_by(|&a, &b| shares[a].total_cmp(&shares[b])).unwrap_or(0)
        };
        shares.iter_mut().enumerate().for_each(|(class, share)| *share = f64::from(u8::from(class == chosen)));
    }
    let count = shares.len();
    let path = constant(object, context, shares)?;
    let way = |output, rule| Way { output, path: 0, rule };
    let ways = vec![
        way(Output::Value, if count == 2 { Rule::Second } else { Rule::Same }),
        way(Output::Probability, Rule::Same),
        way(Output::Label, Rule::Largest(classes.clone())),
    ];
    let blend = Blend::new(vec![path], ways).within(|| object.path())?;
    estimator(object, Estimator::Blend(blend), Task::ClassProbabilities(count), classes)
}
