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
