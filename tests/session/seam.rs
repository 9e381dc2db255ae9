//! A graph as a model, alone and behind the steps of a pipeline.

use crate::graphs::{Dim, linear};
use mi::exec::{Processor, Rows};
use mi::ir::graph::{Answer, Axis, Element, Graph, Input, Output as Tensor, Parts, Takes};
use mi::ir::pipeline::{Pipeline, Transform};
use mi::ir::{Body, Classes, Decision, Estimator, Importance, Link, Model as Meaning, Output, Precision, Source, Task};
use mi::session::Settings;
use mi::{Model, Status};
use std::sync::Arc;

fn parts(batch: Option<usize>) -> Parts {
    let open = batch.map_or(Dim::Open("N"), |rows| Dim::Fixed(i64::try_from(rows).unwrap()));
    Parts {
        bytes: linear(open).into(),
        files: Vec::new(),
        inputs: vec![Input { name: "x".into(), element: Element::F32, axes: vec![Axis::Rows, Axis::Fixed(3)] }],
        batch,
        takes: Takes::Rows,
        outputs: vec![Tensor { name: "y".into(), element: Element::F32, axes: Some(vec![Axis::Rows, Axis::Fixed(2)]) }],
        answer: Answer::Values(0),
        accepts_nan: false,
    }
}

fn meaning(estimator: Estimator) -> Meaning {
    Meaning {
        body: Body::Estimator(Arc::new(estimator)),
        average: None,
        link: Link::Identity,
        precision: Precision::F32,
        task: Task::Regression,
        classes: Classes::Index,
        decision: Decision::default(),
        feature_names: None,
        texts: None,
        importance: Importance::default(),
        source: Source::default(),
    }
}

fn open(parts: Parts) -> Model {
    Model::new(meaning(Estimator::Graph(Graph::new(parts).unwrap())), Processor::here(), &Settings::default()).unwrap()
}

fn expected(rows: &[f64]) -> Vec<f64> {
    rows.chunks(3)
        .flat_map(|x| {
            let sum = x[0] + 2.0 * x[1] + 3.0 * x[2];
            [sum + 0.5, 10.0 * sum - 0.5]
        })
        .collect()
}

#[test]
fn rows_of_every_number_are_predicted() {
    needs_runtime!();
    for batch in [None, Some(1), Some(4)] {
        let model = open(parts(batch));
        for count in [0, 1, 3, 4, 5, 300] {
            let rows: Vec<f64> = (0..count * 3).map(|at| f64::from(u8::try_from(at % 200).unwrap()) / 8.0).collect();
            let mut out = vec![f64::NAN; count * 2];
            model.predict(Output::Value, Rows::new(&rows, count, 3).unwrap(), &mut out).unwrap();
            assert_eq!(out, expected(&rows), "{batch:?} {count}");
            #[allow(clippy::cast_possible_truncation)]
            let single: Vec<f32> = rows.iter().map(|&x| x as f32).collect();
            out.fill(f64::NAN);
            model.predict(Output::Raw, Rows::new(&single, count, 3).unwrap(), &mut out).unwrap();
            assert_eq!(out, expected(&rows));
        }
        assert_eq!(model.columns(Output::Label).unwrap_err().status(), Status::Unsupported);
    }
}

#[test]
fn failures_leave_the_answer_alone() {
    needs_runtime!();
    let model = open(parts(Some(2)));
    let mut rows = vec![1.0; 15];
    rows[13] = f64::NAN;
    let mut out = [7.0; 10];
    let error = model.predict(Output::Value, Rows::new(&rows, 5, 3).unwrap(), &mut out).unwrap_err();
    assert_eq!(error.status(), Status::InvalidArgument);
    assert!(error.message().contains("row 4: column 1 is NaN"), "{error}");
    let error = model.predict(Output::Value, Rows::new(&rows, 3, 5).unwrap(), &mut out[..6]).unwrap_err();
    assert_eq!(error.status(), Status::ShapeMismatch);
    assert_eq!(out, [7.0; 10]);
}

#[test]
fn a_pipeline_ends_in_a_network() {
    needs_runtime!();
    let double = Transform::select(4, vec![3, 1, 0]).unwrap();
    let network = meaning(Estimator::Graph(Graph::new(parts(None)).unwrap()));
    let pipeline = Pipeline::new(vec![double], Some(Box::new(network))).unwrap();
    let model = Model::new(meaning(Estimator::Pipeline(pipeline)), Processor::here(), &Settings::default()).unwrap();
    assert_eq!((model.feature_count(), model.columns(Output::Value).unwrap()), (4, 2));
    let rows: Vec<f64> = (0u16..4 * 700).map(|at| f64::from(at % 64)).collect();
    let picked: Vec<f64> = rows.chunks(4).flat_map(|row| [row[3], row[1], row[0]]).collect();
    let mut out = vec![f64::NAN; 1400];
    model.predict(Output::Value, Rows::new(&rows, 700, 4).unwrap(), &mut out).unwrap();
    assert_eq!(out, expected(&picked));
    let providers = &model.facts()["providers"];
    assert_eq!(providers["nodes"]["cpu"], 1, "{providers}");
}

#[test]
fn a_graph_that_is_none_is_refused() {
    needs_runtime!();
    let mut broken = parts(None);
    broken.bytes = Arc::from(&b"\x08\x08\x3a\x04junk"[..]);
    let error =
        Model::new(meaning(Estimator::Graph(Graph::new(broken).unwrap())), Processor::here(), &Settings::default())
            .unwrap_err();
    assert!(matches!(error.status(), Status::Malformed | Status::Backend), "{error}");
    let mut other = parts(None);
    other.outputs[0].name = "z".into();
    let error =
        Model::new(meaning(Estimator::Graph(Graph::new(other).unwrap())), Processor::here(), &Settings::default())
            .unwrap_err();
    assert!(error.message().contains("no output 'z'"), "{error}");
}
