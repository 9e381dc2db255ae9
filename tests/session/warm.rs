//! A warm prediction of a network allocates nothing of ours. What the runtime itself allocates does not go through this allocator.

use crate::counting::{allocations, peak};
use crate::{case, open};
use mi::exec::Rows;
use mi::ir::Output;

/// Allocations of the last of three equal calls.
fn warm(mut call: impl FnMut()) -> usize {
    call();
    call();
    allocations(call)
}

#[test]
fn a_warm_call_allocates_nothing() {
    needs_runtime!();
    for case in crate::common::cases("onnx") {
        let model = mi::Model::open(&case.model(), &case.options()).unwrap();
        let steps = model.sequence_length();
        let width = model.feature_count() * steps.max(1);
        // Whole, because some inputs are.
        let singles = vec![1.0f32; width * 5];
        let doubles = vec![1.0f64; width * 5];
        for output in Output::ALL {
            let Ok(columns) = model.columns(output) else { continue };
            let mut out = vec![0.0; columns * 5];
            for count in [1, 5] {
                let out = &mut out[..count * columns];
                let found = if steps > 0 {
                    let rows = Rows::new(&singles[..count * width], count, width).unwrap();
                    warm(|| model.predict_sequence(output, rows, steps, out).unwrap())
                } else {
                    let single = Rows::new(&singles[..count * width], count, width).unwrap();
                    let double = Rows::new(&doubles[..count * width], count, width).unwrap();
                    warm(|| model.predict(output, single, out).unwrap())
                        + warm(|| model.predict(output, double, out).unwrap())
                };
                assert_eq!(found, 0, "{}: {} of {count} rows", case.name(), output.name());
            }
        }
    }
}

#[test]
fn shapes_in_turn_stay_prepared() {
    needs_runtime!();
    let case = case("graph_dense");
    let model = open("graph_dense");
    let rows = case.matrix(&case.json["input"]);
    let mut out = [0.0; 8 * 2];
    let mut round = || {
        for count in [1, 3, 5, 8] {
            let rows = Rows::new(&rows.data[..count * rows.columns], count, rows.columns).unwrap();
            model.predict(Output::Value, rows, &mut out[..count * 2]).unwrap();
        }
    };
    round();
    assert_eq!(allocations(round), 0);
}

#[test]
fn a_batch_of_millions_needs_little_more_than_its_answers() {
    needs_runtime!();
    let model = open("graph_dense");
    let count = 1_000_000;
    let rows = vec![0.25f32; count * 5];
    let mut out = vec![0.0; count * 2];
    let rows = Rows::new(&rows, count, 5).unwrap();
    let ((), bytes) = peak(|| model.predict(Output::Value, rows, &mut out).unwrap());
    assert!(bytes < count * 2 * 8 + (64 << 20), "{bytes} bytes");
}

/// The second call of a shape takes a shorter way than the first.
#[test]
fn a_call_like_one_before_answers_as_the_first_one_does() {
    needs_runtime!();
    let mut compared = 0;
    for name in ["graph_dense", "graph_batch_one", "graph_batch_four", "graph_double", "skl_logistic", "skl_int64"] {
        let case = case(name);
        let rows = case.matrix(&case.json["input"]);
        let warm = open(name);
        for output in [Output::Value, Output::Probability, Output::Label] {
            let Ok(columns) = warm.columns(output) else { continue };
            for (count, first) in [(1, 0), (1, 1), (3, 2), (1, 2), (3, 0), (4, 1), (4, 0)] {
                let data = &rows.data[first * rows.columns..][..count * rows.columns];
                #[allow(clippy::cast_possible_truncation)] // the input of these networks
                let single: Vec<f32> = data.iter().map(|&x| x as f32).collect();
                let wide: Vec<f64> = single.iter().map(|&x| f64::from(x)).collect();
                let mut answers = [0; 4].map(|_| vec![f64::NAN; count * columns]);
                let fresh = open(name);
                for (model, answers) in [&fresh, &warm].into_iter().zip(answers.chunks_exact_mut(2)) {
                    let single = Rows::new(&single, count, rows.columns).unwrap();
                    model.predict(output, single, &mut answers[0]).unwrap();
                    let wide = Rows::new(&wide, count, rows.columns).unwrap();
                    model.predict(output, wide, &mut answers[1]).unwrap();
                }
                assert!(answers.iter().all(|found| *found == answers[0]), "{name} {count} {first}: {answers:?}");
                compared += answers[0].len();
            }
        }
    }
    assert!(compared > 150, "{compared}");
}

#[test]
fn a_call_like_one_before_is_refused_as_the_first_one_is() {
    needs_runtime!();
    let model = open("graph_dense");
    let mut out = [7.0; 6];
    let mut rows = [0.5f32; 15];
    let ask = |rows: &[f32; 15], out: &mut [f64]| {
        model.predict(Output::Value, Rows::new(rows, 3, 5).unwrap(), out).map_err(|error| error.message().to_owned())
    };
    for _ in 0..2 {
        rows[8] = f32::NAN;
        let refused = ask(&rows, &mut out).unwrap_err();
        assert!(refused.contains("row 1: column 3 is NaN"), "{refused}");
        assert_eq!(out, [7.0; 6], "untouched");
        rows[8] = 0.5;
        ask(&rows, &mut out).unwrap();
        assert!(out.iter().all(|x| x.is_finite()) && out[..2] == out[2..4]);
        let room = ask(&rows, &mut out[..5]).unwrap_err();
        assert!(room.contains("room for 5 numbers, 3 rows of 2 columns are 6"), "{room}");
        out = [7.0; 6];
    }
}
