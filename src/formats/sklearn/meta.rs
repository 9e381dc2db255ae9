//! Models made of models: voting, stacking, chains, calibration, one against the rest.

use super::compose::pair;
use super::methods::{decides, has_probabilities};
use super::{Context, Entry, Reader, alike, classes, dummy, estimator, preprocessing};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::beside::Beside;
use crate::ir::blend::{Blend, Rule, Way};
use crate::ir::pipeline::{Pipeline, Transform, UnionPart};
use crate::ir::transform::Whole;
use crate::ir::{Classes, Estimator, Model, Output, Task};
use crate::limits;
use std::sync::Arc;

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    entry("GridSearchCV", best, "those of the best estimator", ""),
    entry("RandomizedSearchCV", best, "those of the best estimator", ""),
    entry("HalvingGridSearchCV", best, "those of the best estimator", ""),
    entry("HalvingRandomSearchCV", best, "those of the best estimator", ""),
    entry("FrozenEstimator", frozen, "those of the estimator", ""),
    entry("TransformedTargetRegressor", target, "value, raw", "functions that numpy does not name"),
    entry("VotingRegressor", voting_regressor, "value, raw", ""),
    entry(
        "VotingClassifier",
        voting_classifier,
        "value, label; probability when voting is soft",
        "several labels at once",
    ),
    entry("StackingRegressor", stacking_regressor, "value, raw", ""),
    entry("StackingClassifier", stacking_classifier, "those of the last model", "several labels at once"),
    entry("MultiOutputRegressor", multi_output, "value, raw", ""),
    entry("MultiOutputClassifier", multi_output, "those of every member, side by side", ""),
    entry("RegressorChain", regressor_chain, "value, raw", ""),
    entry("ClassifierChain", classifier_chain, "those of every member, side by side", "chain_method but predict"),
    entry("OneVsRestClassifier", one_vs_rest, "value, label, raw, probability as its members have", ""),
    entry("OneVsOneClassifier", one_vs_one, "value, label, raw", ""),
];

const fn entry(
    class: &'static str,
    read: fn(Ref<'_>, &Context<'_>) -> Result<Model>,
    outputs: &'static str,
    refused: &'static str,
) -> Entry {
    Entry { class, reader: Reader::Model(read), outputs, refused }
}

fn best(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    (context.model)(object.attr("best_estimator_")?, context)
}

fn frozen(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    (context.model)(object.attr("estimator")?, context)
}

/// Members and what they were read from.
pub(super) fn members<'g>(object: Ref<'g>, context: &Context<'_>) -> Result<Vec<(Ref<'g>, Arc<Model>)>> {
    let list = object.attr("estimators_")?.list()?;
    let read = |member: Ref<'g>, context: &Context<'_>| {
        let constant = member.class().is_some_and(|(_, name)| name == "_ConstantPredictor");
        let model = if constant { dummy::always(member, context)? } else { (context.model)(member, context)? };
        Ok((member, Arc::new(model)))
    };
    let members = alike(&list, context, read, |(_, model)| model.body.features())?;
    if members.is_empty() {
        return Err(object.malformed("there are no members"));
    }
    Ok(members)
}

/// Members and the weight of each; one whose place holds 'drop' has neither.
fn weights(object: Ref<'_>, count: usize) -> Result<Vec<f64>> {
    let Some(weights) = object.attr_some("weights")? else { return Ok(vec![1.0; count]) };
    let mut kept = Vec::new();
    for (weight, member) in weights.array_f64()?.data.into_iter().zip(object.attr("estimators")?.list()?) {
        let [_, member] = pair(member)?;
        if !member.is_none() && !member.is_str() {
            kept.push(weight);
        }
    }
    if kept.len() != count {
        return Err(weights.malformed(format!("{} weights for {count} members", kept.len())));
    }
    Ok(kept)
}

fn part(step: Transform) -> UnionPart {
    UnionPart { columns: None, step, weight: None }
}

/// Steps over the row, side by side.
pub(super) fn side(steps: Vec<Transform>) -> Result<Transform> {
    let features = steps.first().map_or(0, Transform::features);
    Transform::union(features, steps.into_iter().map(part).collect())
}

/// Steps behind a first one.
fn then(first: Transform, rest: Vec<Whole>) -> Result<Transform> {
    let features = first.features();
    let mut steps = vec![first];
    for whole in rest {
        let width = steps.last().map_or(0, Transform::outputs);
        steps.push(Transform::whole(width, whole)?);
    }
    Transform::chain(features, steps)
}

/// One answer.
pub(super) fn way(output: Output, path: usize, rule: Rule) -> Way {
    Way { output, path, rule }
}

/// A regressor whose value is what a path gives.
pub(super) fn numbers(object: Ref<'_>, path: Transform) -> Result<Model> {
    let ways = vec![way(Output::Value, 0, Rule::Same), way(Output::Raw, 0, Rule::Same)];
    blend(object, vec![path], ways, Task::Regression, Classes::Index)
}

/// A model of these ways.
pub(super) fn blend(
    object: Ref<'_>,
    paths: Vec<Transform>,
    ways: Vec<Way>,
    task: Task,
    classes: Classes,
) -> Result<Model> {
    let blend = Blend::new(paths, ways).within(|| object.path())?;
    estimator(object, Estimator::Blend(blend), task, classes)
}

/// Labels, and how many there are.
pub(super) fn labels(object: Ref<'_>) -> Result<(Classes, usize)> {
    let list = object.attr("classes_")?;
    if list.list().is_ok_and(|items| {
        items.first().is_some_and(|first| first.is_array() && !first.shape().unwrap_or_default().is_empty())
    }) {
        return Err(list.unsupported("several labels at once are not read here; train a model for each"));
    }
    let classes = classes(list)?;
    let count = classes.count().unwrap_or(0);
    if count < 2 {
        return Err(list.malformed(format!("{count} classes")));
    }
    Ok((classes, count))
}

fn task(count: usize) -> Task {
    Task::ClassProbabilities(count)
}

/// How probabilities become a value.
fn value(count: usize) -> Rule {
    if count == 2 { Rule::Second } else { Rule::Same }
}

fn target(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let model = Arc::new((context.model)(object.attr("regressor_")?, context)?);
    let back = preprocessing::inverse(object.attr("transformer_")?, &context.of(Some(model.body.outputs())))?;
    let answer = Transform::answer(&model, Output::Value, 0, model.body.outputs());
    let path = Transform::chain(answer.features(), vec![answer, back]).within(|| object.path())?;
    numbers(object, path)
}

/// The mean of one output of every member.
pub(super) fn mean(answers: Vec<Transform>, weights: Vec<f64>) -> Result<Transform> {
    let width = answers.first().map_or(0, Transform::outputs);
    then(side(answers)?, vec![Whole::Mean { width, weights }])
}

fn voting_regressor(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let members = members(object, context)?;
    let weights = weights(object, members.len())?;
    let answers = members.iter().map(|(_, model)| Transform::answer(model, Output::Value, 0, 1)).collect();
    numbers(object, mean(answers, weights).within(|| object.path())?)
}

fn voting_classifier(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let (classes, count) = labels(object)?;
    let members = members(object, context)?;
    let weights = weights(object, members.len())?;
    let label = Rule::Largest(classes.clone());
    if object.attr("voting")?.as_str()? == "soft" {
        let answers =
            members.iter().map(|(_, model)| Transform::answer(model, Output::Probability, 0, count)).collect();
        let path = mean(answers, weights).within(|| object.path())?;
        return probabilities(object, path, label, classes, count);
    }
    let answers = members.iter().map(|(_, model)| Transform::answer(model, Output::Label, 0, 1)).collect();
    let path = || then(side(answers)?, vec![Whole::Votes { classes: count, weights }]);
    let path = path().within(|| object.path())?;
    let ways = vec![way(Output::Value, 0, label.clone()), way(Output::Label, 0, label)];
    blend(object, vec![path], ways, task(count), classes)
}

/// A classifier whose probabilities are what a path gives.
pub(super) fn probabilities(
    object: Ref<'_>,
    path: Transform,
    label: Rule,
    classes: Classes,
    count: usize,
) -> Result<Model> {
    let ways = vec![
        way(Output::Value, 0, value(count)),
        way(Output::Probability, 0, Rule::Same),
        way(Output::Label, 0, label),
    ];
    blend(object, vec![path], ways, task(count), classes)
}

/// The columns that the last model of a stack sees; `count` classes, or none.
fn stacked(object: Ref<'_>, context: &Context<'_>, count: Option<usize>) -> Result<Transform> {
    let members = members(object, context)?;
    let mut steps = Vec::new();
    match count {
        None => steps.extend(members.iter().map(|(_, model)| Transform::answer(model, Output::Value, 0, 1))),
        Some(count) => {
            let methods = object.attr("stack_method_")?.list()?;
            if methods.len() != members.len() {
                return Err(object.malformed(format!("{} methods for {} members", methods.len(), members.len())));
            }
            for ((_, model), method) in members.iter().zip(methods) {
                steps.push(match (&*method.as_str()?, count) {
                    ("predict_proba", 2) => Transform::answer(model, Output::Probability, 1, 1),
                    ("predict_proba", _) => Transform::answer(model, Output::Probability, 0, count),
                    ("decision_function", 2) => Transform::answer(model, Output::Raw, 0, 1),
                    ("decision_function", _) => Transform::answer(model, Output::Raw, 0, count),
                    ("predict", _) => Transform::answer(model, Output::Label, 0, 1),
                    (other, _) => return Err(method.unsupported(format!("the method '{other}' is not known"))),
                });
            }
        }
    }
    if object.attr_some("passthrough")?.map_or(Ok(false), Ref::as_bool)? {
        let features = steps.first().map_or(0, Transform::features);
        steps.push(Transform::chain(features, Vec::new())?);
    }
    side(steps).within(|| object.path())
}

fn stacking_regressor(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let steps = stacked(object, context, None)?;
    let last = (context.model)(object.attr("final_estimator_")?, &context.of(Some(steps.outputs())))?;
    let pipeline = Pipeline::new(vec![steps], Some(Box::new(last))).within(|| object.path())?;
    estimator(object, Estimator::Pipeline(pipeline), Task::Regression, Classes::Index)
}

fn stacking_classifier(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let (classes, count) = labels(object)?;
    let steps = stacked(object, context, Some(count))?;
    let object_of_last = object.attr("final_estimator_")?;
    let last = Arc::new((context.model)(object_of_last, &context.of(Some(steps.outputs())))?);
    let path = |output, width| {
        let steps = vec![steps.clone(), Transform::answer(&last, output, 0, width)];
        Transform::chain(steps[0].features(), steps).within(|| object.path())
    };
    // The last model was trained on the places of the labels.
    let label = Rule::Labels(classes.clone());
    let mut paths = vec![path(Output::Label, 1)?];
    let mut ways = vec![way(Output::Label, 0, label.clone())];
    if has_probabilities(object_of_last)? {
        ways.push(way(Output::Value, paths.len(), value(count)));
        ways.push(way(Output::Probability, paths.len(), Rule::Same));
        paths.push(path(Output::Probability, count)?);
    } else {
        ways.push(way(Output::Value, 0, label));
    }
    if decides(object_of_last)? {
        ways.push(way(Output::Raw, paths.len(), Rule::Same));
        paths.push(path(Output::Raw, if count == 2 { 1 } else { count })?);
    }
    blend(object, paths, ways, task(count), classes)
}

fn multi_output(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let list = object.attr("estimators_")?.list()?;
    let models = alike(&list, context, context.model, |model| model.body.features())?;
    let several = models.iter().any(|model| model.task.classes().is_some());
    let beside = Beside::new(models, false).within(|| object.path())?;
    let task = if several { Task::Multilabel } else { Task::Regression };
    estimator(object, Estimator::Beside(beside), task, Classes::Index)
}

/// For each output the place of the member that gives it.
fn order(object: Ref<'_>, count: usize) -> Result<Vec<usize>> {
    let list = object.attr("order_")?;
    let mut places = vec![usize::MAX; count];
    let order = list.array_i64()?.data;
    for (member, &output) in order.iter().enumerate() {
        if let Some(place) = usize::try_from(output).ok().and_then(|output| places.get_mut(output)) {
            *place = member;
        }
    }
    if order.len() != count || places.contains(&usize::MAX) {
        return Err(list.malformed(format!("it is no order of {count} outputs")));
    }
    Ok(places)
}

/// A row with the answers of all members behind it, each of which sees those before it.
fn chained(models: &[Arc<Model>], output: Output) -> Result<Transform> {
    let features = models.first().map_or(0, |model| model.body.features());
    let mut steps = Vec::new();
    for (index, model) in models.iter().enumerate() {
        let width = features + index;
        let parts = vec![Transform::chain(width, Vec::new())?, Transform::answer(model, output, 0, 1)];
        steps.push(side(parts)?);
    }
    Transform::chain(features, steps)
}

fn regressor_chain(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let models: Vec<_> = members(object, context)?.into_iter().map(|(_, model)| model).collect();
    let places = order(object, models.len())?;
    let path = || {
        let row = chained(&models, Output::Value)?;
        let (features, width) = (row.features(), row.outputs());
        let columns = places.iter().map(|place| features + place).collect();
        Transform::chain(features, vec![row, Transform::select(width, columns)?])
    };
    numbers(object, path().within(|| object.path())?)
}

fn classifier_chain(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let method = object.attr_some("chain_method")?.or(object.attr_some("chain_method_")?);
    if let Some(method) = method
        && method.as_str()? != "predict"
    {
        return Err(method.unsupported("a chain of probabilities or decisions is not read; use chain_method='predict'"));
    }
    let members = members(object, context)?;
    let models: Vec<_> = members.iter().map(|(_, model)| Arc::clone(model)).collect();
    let places = order(object, models.len())?;
    let wide = models[0].body.features().saturating_add(models.len());
    limits::check("columns of a chain", wide.saturating_mul(models.len()), limits::FEATURES)?;
    let row = chained(&models, Output::Label).within(|| object.path())?;
    let (features, width) = (row.features(), row.outputs());
    let path = |made: &dyn Fn(usize) -> Transform| {
        let mut parts = Vec::new();
        for &place in &places {
            parts.push(UnionPart { columns: Some((0..features + place).collect()), step: made(place), weight: None });
        }
        Transform::chain(features, vec![row.clone(), Transform::union(width, parts)?]).within(|| object.path())
    };
    let columns = places.iter().map(|place| features + place).collect();
    let select = || Transform::chain(features, vec![row.clone(), Transform::select(width, columns)?]);
    let mut paths = vec![select().within(|| object.path())?];
    let mut ways = vec![way(Output::Label, 0, Rule::Same)];
    if members
        .iter()
        .map(|(member, _)| has_probabilities(*member))
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .all(|has| has)
    {
        ways.push(way(Output::Value, paths.len(), Rule::Same));
        ways.push(way(Output::Probability, paths.len(), Rule::Same));
        paths.push(path(&|place| Transform::answer(&models[place], Output::Probability, 1, 1))?);
    } else {
        ways.push(way(Output::Value, 0, Rule::Same));
    }
    if members.iter().map(|(member, _)| decides(*member)).collect::<Result<Vec<_>>>()?.into_iter().all(|has| has) {
        ways.push(way(Output::Raw, paths.len(), Rule::Same));
        paths.push(path(&|place| Transform::answer(&models[place], Output::Raw, 0, 1))?);
    }
    blend(object, paths, ways, Task::Multilabel, Classes::Index)
}

fn one_vs_rest(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let binarizer = object.attr("label_binarizer_")?;
    let kind = binarizer.attr("y_type_")?;
    let several = kind.as_str()?.starts_with("multilabel");
    let (classes, count) = labels(binarizer)?;
    let members = members(object, context)?;
    let (first, _) = members[0];
    let single = members.len() == 1;
    if !single && members.len() != count {
        return Err(object.malformed(format!("{} members for {count} classes", members.len())));
    }
    let side_of =
        |output, skip| side(members.iter().map(|(_, model)| Transform::answer(model, output, skip, 1)).collect());
    let (scored, sure) = (decides(first)?, has_probabilities(first)?);
    let regressors = members[0].1.task.classes().is_none();
    let (mut paths, mut ways) = (Vec::new(), Vec::new());
    let (scores, border) = match (scored, regressors) {
        (true, _) => (side_of(Output::Raw, 0), 0.0),
        (false, true) => (side_of(Output::Value, 0), 0.5),
        (false, false) => (side_of(Output::Probability, 1), 0.5),
    };
    paths.push(scores.within(|| object.path())?);
    let label = match (several, single) {
        (true, _) => Rule::Each(border),
        (false, true) => Rule::Above(border, classes.clone()),
        (false, false) => Rule::LastLargest(classes.clone()),
    };
    ways.push(way(Output::Label, 0, label.clone()));
    if scored {
        ways.push(way(Output::Raw, 0, Rule::Same));
    }
    if sure && !regressors {
        let made = || match (several, single) {
            (_, true) => then(side_of(Output::Probability, 1)?, vec![Whole::Complement]),
            (true, _) => side_of(Output::Probability, 1),
            (false, _) => then(side_of(Output::Probability, 1)?, vec![Whole::Shares]),
        };
        let rule = if single && !several { Rule::Second } else { Rule::Same };
        ways.push(way(Output::Value, 1, rule));
        ways.push(way(Output::Probability, 1, Rule::Same));
        paths.push(made().within(|| object.path())?);
    } else {
        ways.push(way(Output::Value, 0, label));
    }
    if several {
        return blend(object, paths, ways, Task::Multilabel, Classes::Index);
    }
    blend(object, paths, ways, task(count), classes)
}

fn one_vs_one(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let (classes, count) = labels(object)?;
    if object.attr_some("pairwise_indices_")?.is_some() {
        return Err(object.unsupported("a precomputed kernel needs the training data; train with another kernel"));
    }
    let members = members(object, context)?;
    if members.len() != count * (count - 1) / 2 {
        return Err(object.malformed(format!("{} members for {count} classes", members.len())));
    }
    let mut answers: Vec<_> = members.iter().map(|(_, model)| Transform::answer(model, Output::Label, 0, 1)).collect();
    let mut border = 0.0;
    for (member, model) in &members {
        answers.push(if decides(*member)? {
            Transform::answer(model, Output::Raw, 0, 1)
        } else {
            border = 0.5;
            Transform::answer(model, Output::Probability, 1, 1)
        });
    }
    let made = || {
        let scores = then(side(answers)?, vec![Whole::Pairs { classes: count }])?;
        if count > 2 {
            return Ok(scores);
        }
        Transform::chain(scores.features(), vec![scores, Transform::select(2, vec![1])?])
    };
    let path = made().within(|| object.path())?;
    let label = if count == 2 { Rule::Above(border, classes.clone()) } else { Rule::Largest(classes.clone()) };
    let ways =
        vec![way(Output::Value, 0, label.clone()), way(Output::Label, 0, label), way(Output::Raw, 0, Rule::Same)];
    blend(object, vec![path], ways, task(count), classes)
}
