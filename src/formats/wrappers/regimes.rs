//! A regressor for each component of a mixture: `sum_k r_k(x) * regressor_k(x)`, r being the responsibilities of `pca(scaler(x))`.

use super::made;
use crate::codec::pickle::Ref;
use crate::error::{Error, Result, Within};
use crate::formats::Context;
use crate::ir::blend::{Blend, Rule, Way};
use crate::ir::pipeline::{Transform, UnionPart};
use crate::ir::transform::Whole;
use crate::ir::{Body, Estimator, Model, Output, Task};
use std::sync::Arc;

/// Whether it is a mixture.
pub(super) fn is_mixture(object: Ref<'_>) -> bool {
    let class = object.class().filter(|(module, _)| module.starts_with("sklearn.mixture"));
    class.is_some_and(|(_, name)| name.ends_with("GaussianMixture"))
}

/// A mixture and its regressors in a tuple or list of both.
pub(super) fn in_list(list: Ref<'_>) -> Result<Option<(Ref<'_>, Vec<Ref<'_>>)>> {
    if !list.is_list() {
        return Ok(None);
    }
    let items = list.list()?;
    let Some(&mixture) = items.iter().find(|item| is_mixture(**item)) else { return Ok(None) };
    for item in &items {
        if item.is_list() {
            let regressors = item.list()?;
            if regressors.first().is_some_and(|first| first.class().is_some()) {
                return Ok(Some((mixture, regressors)));
            }
        }
    }
    Ok(None)
}

/// Reads mixture and regressors.
pub(super) fn read(
    object: Ref<'_>,
    mixture: Ref<'_>,
    regressors: &[Ref<'_>],
    scaler: Option<Ref<'_>>,
    pca: Option<Ref<'_>>,
    context: &Context<'_>,
) -> Result<Model> {
    let shares = Arc::new((context.model)(mixture, context)?);
    let mut steps: Vec<Transform> = Vec::new();
    for place in [scaler, pca].into_iter().flatten() {
        steps.push((context.step)(place, steps.last().map(Transform::outputs), context)?);
    }
    steps.push(Transform::answer(&shares, Output::Probability, 0, regressors.len()));
    let responsible = chain(steps).within(|| object.path())?;
    let part = |step| UnionPart { columns: None, step, weight: None };
    let mut parts = vec![part(responsible)];
    let mut first: Option<Model> = None;
    for &regressor in regressors {
        let model = (context.model)(regressor, context)?;
        if model.task.classes().is_some() || model.body.outputs() != 1 {
            return Err(
                regressor.unsupported("a regressor of one number is expected for each component of the mixture")
            );
        }
        first.get_or_insert_with(|| model.clone());
        parts.push(part(Transform::answer(&Arc::new(model), Output::Value, 0, 1)));
    }
    let first = first.ok_or_else(|| object.malformed("not trained: a mixture without regressors"))?;
    let wide = first.body.features();
    let sum = || {
        if parts[0].step.features() != wide {
            return Err(Error::malformed(format!(
                "the mixture takes {} columns and the regressors {wide}: the scaler and the PCA between them are not in the file, or \
                 not those that it was trained with",
                parts[0].step.features()
            )));
        }
        let both = Transform::union(wide, parts)?;
        let width = both.outputs();
        Transform::chain(wide, vec![both, Transform::whole(width, Whole::Dot)?])
    };
    let path = sum().within(|| object.path())?;
    let way = |output| Way { output, path: 0, rule: Rule::Same };
    let blend = Blend::new(vec![path], vec![way(Output::Value), way(Output::Raw)]).within(|| object.path())?;
    let mut source = first.source.clone();
    source.details.clear();
    source.details.insert("components".to_owned(), regressors.len().into());
    let body = Body::Estimator(Arc::new(Estimator::Blend(blend)));
    made(object, Ok(Model { source, ..Model::plain(body, Task::Regression) }))
}

fn chain(steps: Vec<Transform>) -> Result<Transform> {
    let features = steps.first().map_or(0, Transform::features);
    Transform::chain(features, steps)
}
