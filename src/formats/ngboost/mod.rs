//! `NGBRegressor`, `NGBClassifier` and `NGBSurvival` of `NGBoost`, 0.3 to 0.6.
//!
//! Inner parameters of a distribution start at `init_params`; every round takes `learning_rate * answer * scaling` of one base
//! learner from each of them. Base learners that are single trees become one forest, others stay models of their own.

mod importance;

use super::Context;
use crate::codec::pickle::Ref;
use crate::error::{Error, Result, Within};
use crate::ir::distribution::Family;
use crate::ir::ensemble::{Combine, Ensemble, Member, Step};
use crate::ir::forest::{Finish, Layout, Target, Tree, rounds};
use crate::ir::{Body, Classes, Distribution, Estimator, Forest, Importance, Link, Model, Precision, Source, Task};
use crate::limits;
use importance::Shares;
use serde_json::json;
use std::sync::Arc;

/// One distribution that is read.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Name of its class in `ngboost.distns`.
    pub class: &'static str,
    /// What it is; those of a size have the smallest one here.
    pub family: Family,
    /// What `value` is, as the documentation says it.
    pub value: &'static str,
}

const fn entry(class: &'static str, family: Family, value: &'static str) -> Entry {
    Entry { class, family, value }
}

/// Every distribution that is read.
pub const TABLE: &[Entry] = &[
    entry("Normal", Family::Normal, "loc"),
    entry("NormalFixedVar", Family::NormalFixedVariance, "loc"),
    entry("NormalFixedMean", Family::NormalFixedMean, "0"),
    entry("LogNormal", Family::LogNormal, "scale * exp(s^2 / 2)"),
    entry("Exponential", Family::Exponential, "scale"),
    entry("Laplace", Family::Laplace, "loc"),
    entry("Poisson", Family::Poisson, "mu"),
    entry("T", Family::StudentT, "loc, infinite up to one degree of freedom"),
    entry("TFixedDf", Family::StudentTFixed(3.0), "loc"),
    entry("TFixedDfFixedVar", Family::StudentTFixedScale(3.0), "loc"),
    entry("Cauchy", Family::StudentTFixed(1.0), "infinite: it has no mean"),
    entry("CauchyFixedVar", Family::StudentTFixedScale(1.0), "infinite: it has no mean"),
    entry("Gamma", Family::Gamma, "alpha / beta"),
    entry("HalfNormal", Family::HalfNormal, "scale * sqrt(2 / pi)"),
    entry("Weibull", Family::Weibull, "scale * gamma(1 + 1 / shape)"),
    entry("MultivariateNormal", Family::MultivariateNormal(1), "the means"),
    entry("Bernoulli, k_categorical", Family::Categorical(2), "the probability of the second of two classes, or all"),
];

/// Reads an estimator.
///
/// # Errors
/// `MI_MALFORMED` for one that is not trained; `MI_UNSUPPORTED` for a distribution that is not in [`TABLE`], naming it; those of
/// its base learners.
pub(super) fn read(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let list = object.attr_some("base_models")?;
    let all = match list {
        Some(list) => list.list()?,
        None => Vec::new(),
    };
    let (Some(init), false) = (object.attr_some("init_params")?, all.is_empty()) else {
        return Err(object.malformed("not trained: it has no base learners; fit it before it is saved"));
    };
    let family = family(object)?;
    let base = base(init, family)?;
    let chosen = rounds(context.options.iteration_begin, context.options.iteration_end, all.len(), 0..all.len())?;
    limits::check("base learners", all.len().saturating_mul(base.len()), limits::TREES)?;
    let factors = numbers(object.attr("scalings")?, all.len())?;
    let places = Places::of(object, all.len())?;
    let features = places.features;
    let rate = object.attr("learning_rate")?.as_f64()?;
    let mut shares = Shares::new(base.len(), features)?;
    let (mut members, mut steps) = (Vec::new(), Vec::new());
    for (round, learners) in all.iter().enumerate() {
        let learners = learners.list().within(|| object.path())?;
        if learners.len() != base.len() {
            return Err(object.malformed(format!(
                "round {round} has {} base learners for {} inner parameters",
                learners.len(),
                base.len()
            )));
        }
        let columns = places.of_round(round)?;
        for (output, learner) in learners.into_iter().enumerate() {
            let mut model = (context.model)(learner, context)?;
            let importance = std::mem::take(&mut model.importance);
            shares.add(learner, output, importance, columns.as_deref(), factors[round])?;
            if chosen.contains(&round) {
                steps.push(Step { output, factor: factors[round], precision: precision(&model) });
                members.push(Member { model, columns: columns.clone(), labels: Vec::new() });
            }
        }
    }
    let importance = shares.importance(&factors);
    let body = if let Some(forest) = merged(features, &base, rate, &members, &steps).within(|| object.path())? {
        Body::Forest(forest)
    } else {
        let combine = Combine::Descend { base, rate, steps };
        let ensemble = Ensemble::new(features, members, combine, Classes::Index, true);
        Body::Estimator(Arc::new(Estimator::Ensemble(ensemble.within(|| object.path())?)))
    };
    let inner = Model::plain(body, Task::Distribution);
    let estimator = Estimator::Distribution(Distribution::new(family, inner).within(|| object.path())?);
    let task = family.classes().map_or(Task::Distribution, Task::ClassProbabilities);
    let mut made = Model::plain(Body::Estimator(Arc::new(estimator)), task);
    made.source = source(object, family, all.len(), rate)?;
    // The library takes no other labels.
    made.classes = family.classes().map_or(Classes::Index, Classes::numbered);
    if !importance.gain.is_empty() {
        let rows: serde_json::Map<_, _> =
            inner_names(family).into_iter().zip(importance.gain.iter().map(|row| json!(row))).collect();
        made.source.details.insert("importance_by_parameter".to_owned(), rows.into());
    }
    let gain = importance.gain.into_iter().next();
    made.importance = Importance { split: importance.split, gain, coefficient: None };
    made.validated().within(|| object.path())
}

fn source(object: Ref<'_>, family: Family, rounds: usize, rate: f64) -> Result<Source> {
    let mut details = serde_json::Map::new();
    details.insert("class".to_owned(), object.class().map(|(module, name)| format!("{module}.{name}")).into());
    details.insert("distribution".to_owned(), json!({"name": name(object)?, "parameters": family.names()}));
    details.insert("rounds".to_owned(), rounds.into());
    details.insert("learning_rate".to_owned(), rate.into());
    if let Some(best) = object.attr_some("best_val_loss_itr")? {
        details.insert("best_val_loss_itr".to_owned(), best.as_i64()?.into());
    }
    let score = object.attr_some("Score")?.and_then(Ref::global).map(|(_, name)| name.to_owned());
    Ok(Source { library: "ngboost", format: "python pickle", objective: score, details, ..Source::default() })
}

/// The names under which the importance for each inner parameter is shown.
fn inner_names(family: Family) -> Vec<String> {
    match family {
        Family::StudentT => ["loc", "scale", "df"].map(str::to_owned).to_vec(),
        // The inner parameters come in the other order.
        Family::LogNormal => ["scale", "s"].map(str::to_owned).to_vec(),
        _ => {
            let names = family.names();
            if names.len() == family.inner() { names } else { (0..family.inner()).map(|at| format!("p{at}")).collect() }
        }
    }
}

/// The class of the distribution: `Dist`, or `_basedist` of a survival model. Classes that are made by a function are not in the
/// file but for their name.
fn dist(object: Ref<'_>) -> Result<Option<Ref<'_>>> {
    match object.attr_some("Dist")? {
        Some(dist) => Ok(Some(dist)),
        None => object.attr_some("_basedist"),
    }
}

fn name(object: Ref<'_>) -> Result<String> {
    match dist(object)?.and_then(Ref::global) {
        Some((_, name)) => Ok(name.to_owned()),
        None => Ok(object.attr("Dist_name")?.as_str()?.into_owned()),
    }
}

fn family(object: Ref<'_>) -> Result<Family> {
    let Some(dist) = dist(object)? else {
        // The library computes the dimensions of a normal distribution by a square root.
        let size = object.attr("K")?.as_f64()?.round();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // negative and huge ones end at a bound
        let size = size as usize;
        let made = object.attr_some("Dist_name")?.map(Ref::as_str).transpose()?;
        return match made.as_deref() {
            // Before 0.3.8 only these were made by a function.
            None | Some("Categorical") => Family::categorical(size).within(|| object.path()),
            Some("MVN") => Family::normal_of(size).within(|| object.path()),
            Some(other) => Err(unknown(object, other)),
        };
    };
    let (module, name) = dist.global().ok_or_else(|| dist.expected("the class of a distribution"))?;
    let known = TABLE.iter().find(|entry| module.starts_with("ngboost.distns.") && entry.class == name);
    known.map(|entry| entry.family).ok_or_else(|| unknown(dist, &format!("{module}.{name}")))
}

fn unknown(object: Ref<'_>, name: &str) -> Error {
    object.unsupported(format!(
        "the distribution {name} is not read, its formulas are not in the file; train with one of NGBoost's own: {}",
        TABLE.iter().map(|entry| entry.class).collect::<Vec<_>>().join(", ")
    ))
}

/// Where the inner parameters start; a single number stands for all of them.
fn base(init: Ref<'_>, family: Family) -> Result<Vec<f64>> {
    let inner = family.inner();
    limits::check("inner parameters", inner, limits::OUTPUTS)?;
    let numbers = if init.is_array() { init.array_f64()?.data } else { vec![init.as_f64()?] };
    match *numbers {
        [same] => Ok(vec![same; inner]),
        _ if numbers.len() == inner => Ok(numbers),
        _ => Err(init.malformed(format!("{} numbers for {inner} inner parameters", numbers.len()))),
    }
}

/// A list of so many numbers.
fn numbers(list: Ref<'_>, count: usize) -> Result<Vec<f64>> {
    let numbers: Vec<f64> = list.list()?.into_iter().map(Ref::as_f64).collect::<Result<_>>()?;
    if numbers.len() == count {
        Ok(numbers)
    } else {
        Err(list.malformed(format!("{} numbers for {count} rounds", numbers.len())))
    }
}

/// The columns that each round was trained on.
struct Places<'g> {
    features: usize,
    rounds: Vec<Ref<'g>>,
}

impl<'g> Places<'g> {
    fn of(object: Ref<'g>, count: usize) -> Result<Self> {
        let list = object.attr("col_idxs")?;
        let rounds = list.list()?;
        if rounds.len() != count {
            return Err(list.malformed(format!("columns of {} rounds, there are {count}", rounds.len())));
        }
        let features = if let Some(features) = object.attr_some("n_features")? {
            features.as_usize()?
        } else {
            // Before 0.3 nothing says it; the last column was in the sample of some round.
            let mut most = 0;
            for round in &rounds {
                most = columns(*round)?.into_iter().map(|column| column.saturating_add(1)).fold(most, usize::max);
            }
            most
        };
        limits::check("features", features, limits::FEATURES).within(|| object.path())?;
        Ok(Self { features, rounds })
    }

    /// `None`: all of them, in their order.
    fn of_round(&self, round: usize) -> Result<Option<Vec<usize>>> {
        let columns = columns(self.rounds[round])?;
        let all = columns.len() == self.features && columns.iter().enumerate().all(|(at, &column)| at == column);
        Ok((!all).then_some(columns))
    }
}

fn columns(list: Ref<'_>) -> Result<Vec<usize>> {
    let numbers = if list.is_array() {
        list.array_i64()?.data
    } else {
        list.list()?.into_iter().map(Ref::as_i64).collect::<Result<_>>()?
    };
    let column = |number: i64| {
        usize::try_from(number)
            .ok()
            .filter(|&column| column < limits::FEATURES)
            .ok_or_else(|| list.malformed(format!("column {number}")))
    };
    numbers.into_iter().map(column).collect()
}

/// The type in which the library multiplies the answers of this base learner.
fn precision(model: &Model) -> Precision {
    match &model.body {
        Body::Forest(forest) if forest.layout().sum == Precision::F32 => Precision::F32,
        _ => model.precision,
    }
}

/// Base learners that are one tree each, all of one kind, as a forest whose leaves hold what is taken from the parameters.
fn merged(features: usize, base: &[f64], rate: f64, members: &[Member], steps: &[Step]) -> Result<Option<Forest>> {
    let mut layout: Option<Layout> = None;
    let mut trees: Vec<Tree> = limits::vec("trees", members.len())?;
    for (member, step) in members.iter().zip(steps) {
        let Body::Forest(forest) = &member.model.body else { return Ok(None) };
        let own = forest.layout();
        let plain = member.model.link == Link::Identity && member.model.average.is_none();
        let sums = own.finish == Finish::Sum && step.precision == Precision::F64;
        let width = member.columns.as_ref().map_or(features, Vec::len);
        let ([tree], [start], true) = (forest.trees(), &*own.base, plain && sums && width == own.features) else {
            return Ok(None);
        };
        if !tree.linear.is_empty() {
            return Ok(None);
        }
        let shared = Layout { features, base: base.to_vec(), trees_per_round: base.len(), ..own.clone() };
        if layout.get_or_insert_with(|| shared.clone()) != &shared {
            return Ok(None);
        }
        let mut tree = member.columns.as_ref().map_or_else(|| tree.clone(), |columns| tree.over(columns));
        tree.target = Target::One(u32::try_from(step.output).unwrap_or(u32::MAX));
        for value in &mut tree.values {
            *value = -((rate * (start + *value)) * step.factor);
        }
        trees.push(tree);
    }
    layout.map(|layout| Forest::new(layout, trees)).transpose()
}
