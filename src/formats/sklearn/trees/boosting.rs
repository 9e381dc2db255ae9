//! `GradientBoostingRegressor` and `GradientBoostingClassifier`.
//!
//! Margins start at the answer of `init_` and take `learning_rate * value` of each tree, round after round.

use super::super::{Context, classes, estimator, is_quantile, model};
use super::importance::of_boosting;
use super::nodes::{Nodes, layout};
use super::{chosen, features, version};
use crate::codec::pickle::Ref;
use crate::error::Result;
use crate::ir::boosted::{Boosted, Start};
use crate::ir::forest::{Finish, Layout, Target};
use crate::ir::{Body, Classes, Decision, Estimator, Forest, Link, Model, Task};
use crate::limits;

/// Zero belongs to the second class: every number from 0 on is above the one before it.
const FROM_ZERO: Decision = Decision::Margin(-5e-324);

/// Where the margins start.
enum First {
    /// At these numbers.
    Base(Vec<f64>),
    /// At the answer of this model.
    Answer(Box<Model>, Start),
}

/// `GradientBoostingRegressor`: the links of all its losses are the identity.
pub(super) fn regressor(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let quantile = object.attr("loss")?.as_str()? == "quantile";
    let whole = Whole {
        link: Link::Identity,
        task: if quantile { Task::Distribution } else { Task::Regression },
        classes: Classes::Index,
        decision: Decision::default(),
        start: Start::Value,
    };
    let mut made = read(object, context, 1, whole)?;
    if quantile {
        is_quantile(&mut made, object.attr("alpha")?)?;
    }
    Ok(made)
}

/// `GradientBoostingClassifier`.
pub(super) fn classifier(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let version = version(object)?;
    let labels = object.attr("classes_")?;
    let classes = classes(labels)?;
    let count = classes.count().unwrap_or(0);
    let exponential = object.attr("loss")?.as_str()? == "exponential";
    // The smallest probability that an init may give.
    let floor = if version >= (1, 8) { f64::EPSILON } else { f64::from(f32::EPSILON) };
    let scale = if exponential { 2.0 } else { 1.0 };
    let whole = match count {
        0 | 1 => return Err(labels.malformed("two classes at least are expected")),
        2 => Whole {
            link: Link::Sigmoid { scale },
            task: Task::Binary,
            classes,
            decision: if exponential || version >= (1, 4) { FROM_ZERO } else { Decision::Value },
            start: Start::LogOdds { floor, scale: 1.0 / scale },
        },
        _ => Whole {
            link: Link::Softmax,
            task: Task::Multiclass(count),
            classes,
            decision: if version >= (1, 4) { Decision::Margin(0.0) } else { Decision::Value },
            start: if version >= (1, 4) { Start::CenteredLog { floor } } else { Start::Log { floor } },
        },
    };
    read(object, context, if count == 2 { 1 } else { count }, whole)
}

/// What distinguishes regressors and classifiers.
struct Whole {
    link: Link,
    task: Task,
    classes: Classes,
    decision: Decision,
    start: Start,
}

fn read(object: Ref<'_>, context: &Context<'_>, outputs: usize, whole: Whole) -> Result<Model> {
    let version = version(object)?;
    let table = object.attr("estimators_")?;
    let estimators = table.object_array()?;
    let rounds = match *estimators.shape {
        [rounds, width] if rounds > 0 && width == outputs => chosen(context, rounds)?,
        ref shape => {
            return Err(table.malformed(format!(
                "a table of trees with {outputs} columns is expected, this one has the shape {shape:?}"
            )));
        }
    };
    limits::check("trees", estimators.data.len(), limits::TREES).map_err(|error| error.within(table.path()))?;
    let features = features(object)?;
    let rate = object.attr("learning_rate")?.as_f64()?;
    let mut read = limits::vec("trees", estimators.data.len())?;
    for tree in &estimators.data {
        let nodes = Nodes::of(*tree)?;
        if nodes.features != features || (nodes.outputs, nodes.width) != (1, 1) {
            return Err(tree.malformed(format!("a tree over {features} features with one output is expected")));
        }
        read.push(nodes);
    }
    let mut trees = limits::vec("trees", rounds.len().saturating_mul(outputs))?;
    for (round, nodes) in read.chunks(outputs).enumerate().filter(|(round, _)| rounds.contains(round)) {
        for (output, nodes) in (0u32..).zip(nodes) {
            let values = |leaf: usize, values: &mut Vec<f64>| {
                values.extend(nodes.value(leaf, 0).iter().map(|value| rate * value));
            };
            trees.push(
                nodes
                    .tree(None, Target::One(output), values)
                    .map_err(|error| error.within(format!("round {round}")))?,
            );
        }
    }
    let first = first(object, context, &whole, outputs, version)?;
    let base = match &first {
        First::Base(base) => base.clone(),
        First::Answer(..) => vec![0.0; outputs],
    };
    let layout = Layout { base, trees_per_round: outputs, ..layout(features, outputs, false, Finish::Sum) };
    let forest = Forest::new(layout, trees)?;
    let mut made = model(object, Body::Forest(forest), whole.link, whole.task, whole.classes)?;
    made.decision = whole.decision;
    made.source.objective = Some(object.attr("loss")?.as_str()?.into_owned());
    if let First::Answer(first, start) = first {
        let inner = made.clone();
        made = estimator(object, Estimator::Boosted(Boosted::new(*first, start, inner)?), made.task, made.classes)?;
    }
    made.importance = of_boosting(&read, outputs, features, version)?;
    made.validated()
}

/// Reads `init_`.
fn first(object: Ref<'_>, context: &Context<'_>, whole: &Whole, outputs: usize, version: (u32, u32)) -> Result<First> {
    let init = object.attr("init_")?;
    if init.is_str() && init.as_str()? == "zero" {
        return Ok(First::Base(vec![0.0; outputs]));
    }
    let ours = init.class().filter(|(module, _)| module.starts_with("sklearn."));
    let base = match ours.map(|(_, name)| name) {
        // Those of versions before 0.21 answer with margins.
        Some("ZeroEstimator") => vec![0.0; outputs],
        Some("MeanEstimator") => init.attr("mean")?.array_f64()?.data,
        Some("QuantileEstimator") => init.attr("quantile")?.array_f64()?.data,
        Some("LogOddsEstimator" | "ScaledLogOddsEstimator") => init.attr("prior")?.array_f64()?.data,
        Some("PriorProbabilityEstimator") => init.attr("priors")?.array_f64()?.data,
        Some("DummyRegressor") => init.attr("constant_")?.array_f64()?.data,
        Some("DummyClassifier") if init.attr("strategy")?.as_str()? == "prior" => {
            let shares = init.attr("class_prior_")?.array_f64()?.data;
            let mut margins = vec![0.0; outputs];
            if shares.len() != whole.start.answers(outputs) {
                return Err(init.malformed(format!("{} classes for {outputs} margins", shares.len())));
            }
            whole.start.margins(&shares, &mut margins);
            margins
        }
        _ if version < (0, 21) => {
            return Err(init.unsupported(
                "an init of one's own is not read from versions before 0.21; train it again with a later one",
            ));
        }
        _ => return Ok(First::Answer(Box::new((context.model)(init, context)?), whole.start)),
    };
    if base.len() != outputs {
        return Err(init.malformed(format!("{} numbers for {outputs} margins", base.len())));
    }
    Ok(First::Base(base))
}
