//! Support vector machines.

use super::{Entry, Reader, classes, estimator, matrix, version};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::formats::Context;
use crate::ir::kernel::{Kernel, KernelMachine, Machine, Shape};
use crate::ir::{Classes, Estimator, Model, Task};

const REFUSED: &str = "precomputed and callable kernels; models trained on sparse matrices";

const fn entry(class: &'static str, read: fn(Ref<'_>, &Context<'_>) -> Result<Model>, outputs: &'static str) -> Entry {
    Entry { class, reader: Reader::Model(read), outputs, refused: REFUSED }
}

/// The classes that are read here.
pub(super) const ENTRIES: &[Entry] = &[
    entry("SVR", regressor, "value, raw"),
    entry("NuSVR", regressor, "value, raw"),
    entry("SVC", classifier, "value, raw, label; probability when trained with `probability=True`"),
    entry("NuSVC", classifier, "value, raw, label; probability when trained with `probability=True`"),
    entry("OneClassSVM", one_class, "value and label (1 or -1), raw"),
];

fn kernel(object: Ref<'_>) -> Result<Kernel> {
    let place = object.attr("kernel")?;
    let Ok(name) = place.as_str() else {
        return Err(place.unsupported(format!(
            "the kernel is {}, which is Python code and not in the file; train with 'rbf', 'poly', 'sigmoid' or 'linear'",
            place.describe()
        )));
    };
    let gamma = || object.attr("_gamma")?.as_f64();
    let constant = || object.attr("coef0")?.as_f64();
    Ok(match &*name {
        "linear" => Kernel::Linear,
        "rbf" => Kernel::Rbf { gamma: gamma()? },
        "sigmoid" => Kernel::Sigmoid { gamma: gamma()?, constant: constant()? },
        "poly" => {
            let place = object.attr("degree")?;
            let degree = i32::try_from(place.as_i64()?).map_err(|_| place.malformed("it is no degree"))?;
            Kernel::Polynomial { gamma: gamma()?, constant: constant()?, degree: f64::from(degree) }
        }
        name => {
            return Err(place.unsupported(format!(
                "kernel '{name}' compares with rows that are not in the file; train with 'rbf', 'poly', 'sigmoid' or 'linear'"
            )));
        }
    })
}

/// The first of these attributes that is there; their names changed with the versions.
fn either<'g>(object: Ref<'g>, names: &[&str]) -> Result<Ref<'g>> {
    for name in names {
        if let Some(found) = object.attr_some(name)? {
            return Ok(found);
        }
    }
    object.attr(names[0])
}

fn machine(object: Ref<'_>, machine: Machine) -> Result<KernelMachine> {
    let kernel = kernel(object)?;
    let place = object.attr("support_vectors_")?;
    if object.attr("_sparse")?.as_bool()? {
        return Err(place.unsupported("a model trained on a sparse matrix is not read; train it on a dense one"));
    }
    let (shape, vectors) = matrix(place)?;
    // The public attributes of two classes have the opposite sign.
    let coefficients = object.attr("_dual_coef_")?.array_f64()?.data;
    let intercepts = object.attr("_intercept_")?.array_f64()?.data;
    KernelMachine::new(kernel, shape, vectors, coefficients, intercepts, machine).within(|| object.path())
}

fn read(object: Ref<'_>, machine: KernelMachine, task: Task, classes: Classes) -> Result<Model> {
    let count = machine.count();
    let mut model = estimator(object, Estimator::Kernel(machine), task, classes)?;
    model.source.details.insert("support_vectors".to_owned(), count.into());
    Ok(model)
}

fn regressor(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    read(object, machine(object, Machine::Regression)?, Task::Regression, Classes::Index)
}

fn one_class(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    read(object, machine(object, Machine::OneClass)?, Task::Regression, Classes::Index)
}

fn classifier(object: Ref<'_>, _: &Context<'_>) -> Result<Model> {
    // Before the attributes of classifiers, so that a kernel that cannot be read is what the message is about.
    kernel(object)?;
    let labels = classes(object.attr("classes_")?)?;
    let place = either(object, &["_n_support", "n_support_"])?;
    let mut support = crate::limits::vec("classes", place.array_i64()?.data.len())?;
    for count in place.array_i64()?.data {
        support.push(usize::try_from(count).map_err(|_| place.malformed(format!("{count} is not a count")))?);
    }
    let slopes = either(object, &["_probA", "probA_"])?.array_f64()?.data;
    let offsets = either(object, &["_probB", "probB_"])?.array_f64()?.data;
    if slopes.len() != offsets.len() {
        return Err(object.malformed(format!("{} slopes and {} offsets of sigmoids", slopes.len(), offsets.len())));
    }
    let shape = match object.attr_some("decision_function_shape")? {
        Some(place) if place.as_str()? == "ovr" => {
            // Before 0.21 the confidences were scaled.
            let scaled = version(object)?.is_some_and(|version| version < (0, 21));
            if scaled { Shape::ClassesScaled } else { Shape::Classes }
        }
        _ => Shape::Pairs,
    };
    let break_ties = match object.attr_some("break_ties")? {
        Some(place) => place.as_bool()?,
        None => false,
    };
    let sigmoids: Vec<(f64, f64)> = slopes.into_iter().zip(offsets).collect();
    let task = match support.len() {
        2 if sigmoids.is_empty() => Task::BinaryScore,
        2 => Task::Binary,
        count => Task::Multiclass(count),
    };
    let decision = Machine::Classes { classes: labels.clone(), support, shape, break_ties, sigmoids };
    read(object, machine(object, decision)?, task, labels)
}
