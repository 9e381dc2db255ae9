//! Discriminant analysis.

use super::linear::{affine, classifier, linear};
use super::preprocessing::numbers;
use super::{Context, Entry, Reader, classes, estimator, matrix, transposed, version};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::classifier::{Decision, Probabilities};
use crate::ir::mixture::{Answer, Factor, Mixture, Order, Precisions};
use crate::ir::pipeline::Transform;
use crate::ir::transform::Each;
use crate::ir::{Estimator, Model, Task};

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        class: "LinearDiscriminantAnalysis",
        reader: Reader::Either(linear_model, projection),
        outputs: "value, raw, probability, label; before other steps of a pipeline what transform() gives",
        refused: "transform() of solver='lsqr', which scikit-learn does not have either",
    },
    Entry {
        class: "QuadraticDiscriminantAnalysis",
        reader: Reader::Model(quadratic),
        outputs: "value, raw, probability, label",
        refused: "",
    },
];

fn linear_model(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    // A class against the rest before 0.21.
    let rule = match version(object)? {
        Some(version) if version < (0, 21) => Probabilities::OneVsRest,
        _ => Probabilities::Softmax,
    };
    let scores = linear(object, None)?;
    let rule = if scores.outputs() == 1 { Probabilities::OneVsRest } else { rule };
    classifier(object, &scores, Decision::Classes(classes(object.attr("classes_")?)?), rule)
}

fn projection(object: Ref<'_>, _: &Context<'_>) -> Result<Transform> {
    let solver = object.attr("solver")?;
    let means = match &*solver.as_str()? {
        "svd" => Some(numbers(object, "xbar_")?),
        "eigen" => None,
        other => {
            return Err(solver.unsupported(format!("solver '{other}' has no transform; train with 'svd' or 'eigen'")));
        }
    };
    let ([features, width], scalings) = matrix(object.attr("scalings_")?)?;
    let kept = object.attr("_max_components")?.as_usize()?.min(width);
    let mut directions = transposed([features, width], &scalings);
    directions.truncate(kept * features);
    let last = Transform::Linear(affine(object, features, directions, vec![0.0; kept])?);
    let made = || match means {
        Some(means) => {
            let first = Transform::each(features, vec![Each::Complete, Each::Subtract(means)])?;
            Transform::chain(features, vec![first, last])
        }
        None => Ok(last),
    };
    made().within(|| object.path())
}

/// `ln(prior) - (|(x - m) R S^-1/2|^2 + sum(ln S)) / 2` for each class, with its rotation `R` and its variances `S`.
fn quadratic(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    let ([_, features], means) = matrix(object.attr("means_")?)?;
    let rotations = object.attr("rotations_")?.list()?;
    let scalings = object.attr("scalings_")?.list()?;
    let priors = numbers(object, "priors_")?;
    if scalings.len() != priors.len() || rotations.len() != priors.len() {
        return Err(object.malformed(format!(
            "{} rotations, {} scalings and {} priors",
            rotations.len(),
            scalings.len(),
            priors.len()
        )));
    }
    let (mut factors, mut constants) = (Vec::new(), Vec::new());
    for ((place, variances), prior) in rotations.into_iter().zip(scalings).zip(priors) {
        let ([_, width], mut numbers) = matrix(place)?;
        let variances = variances.array_f64()?.data;
        if variances.len() != width {
            return Err(place.malformed(format!("{} variances for {width} directions", variances.len())));
        }
        for row in numbers.chunks_exact_mut(width.max(1)) {
            row.iter_mut().zip(&variances).for_each(|(number, variance)| *number *= variance.powf(-0.5));
        }
        constants.push(prior.ln() - 0.5 * variances.iter().map(|variance| variance.ln()).sum::<f64>());
        factors.push(Factor { width, numbers });
    }
    let classes = classes(object.attr("classes_")?)?;
    let answer = Answer::Classes { classes: classes.clone(), difference: true };
    let mixture = Mixture::new(features, means, constants, Precisions::Full(factors), Order::Centred, answer);
    let mixture = mixture.within(|| object.path())?;
    let task = Task::ClassProbabilities(mixture.count());
    estimator(object, Estimator::Mixture(mixture), task, classes)
}
