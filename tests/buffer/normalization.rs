//! Raw channels are normalised as numpy does it in single precision.

use super::{NOON, buffer_with, refused, sequence};
use crate::common::{fixtures, npy};
use mi::Status;
use mi::buffer::{Buffer, Normalization};

const STEPS: usize = 16;
const WIDTH: usize = 5;

#[allow(clippy::cast_possible_truncation)] // the files hold floats in wider places
fn windows(name: &str) -> Vec<Vec<f32>> {
    let rows = npy::read(&fixtures().join("windows").join(format!("{name}.npy")));
    assert_eq!(rows.columns, WIDTH);
    rows.data.chunks_exact(STEPS * WIDTH).map(|window| window.iter().map(|&value| value as f32).collect()).collect()
}

fn names(names: &[&str]) -> Vec<Option<String>> {
    names.iter().map(|&name| Some(name.to_owned())).collect()
}

/// Steps between two floats.
fn ulps(a: f32, b: f32) -> u32 {
    let order = |value: f32| {
        let bits = value.to_bits().cast_signed();
        if bits < 0 { i32::MIN - bits } else { bits }
    };
    order(a).abs_diff(order(b))
}

/// Reads each window of the fixture through `buffer` and compares it with what numpy said, within some steps of a float.
fn compare(name: &str, buffer: &Buffer, steps_off: u32) {
    let (mut compared, mut infinite, mut worst) = (0, 0, 0);
    for (index, (rows, expected)) in windows("rows").iter().zip(&windows(name)).enumerate() {
        // Rows that fall out again come first: a window that begins anywhere in its ring.
        buffer.reset("A").unwrap();
        for row in (0..index % STEPS).map(|_| [9.0; WIDTH]) {
            buffer.push("A", &row, NOON).unwrap();
        }
        assert_eq!(buffer.push_rows("A", rows, Some(&[NOON; STEPS])).unwrap(), STEPS);
        if expected.iter().all(|value| value.is_finite()) {
            for (got, expected) in sequence(buffer, "A", NOON).unwrap().iter().zip(expected) {
                worst = worst.max(ulps(*got, *expected));
                assert!(ulps(*got, *expected) <= steps_off, "{name}, window {index}: {got:e}, not {expected:e}");
            }
            compared += 1;
        } else {
            refused(sequence(buffer, "A", NOON), Status::InvalidArgument, &["A: column", "finite"]);
            infinite += 1;
        }
    }
    println!("{name}: {compared} windows compared, at most {worst} steps off, {infinite} refused");
    assert!(compared > 20 && infinite > 0, "{compared} {infinite}");
}

#[test]
fn prices_are_measured_against_the_first_close() {
    let with = |normalization| buffer_with(STEPS, WIDTH, |options| options.normalization = normalization);
    compare("returns", &with(Normalization::Returns), 0);
    compare("log_returns", &with(Normalization::LogReturns), 4);
    compare("minmax", &with(Normalization::MinMax), 0);
    let named = buffer_with(STEPS, WIDTH, |options| {
        options.normalization = Normalization::Returns;
        options.channels = names(&["Open", "HIGH", "low", "Close", "Volume"]);
    });
    compare("returns", &named, 0);
}

#[test]
fn other_channels_are_measured_against_themselves() {
    for (name, normalization, steps_off) in
        [("own_returns", Normalization::Returns, 0), ("own_log_returns", Normalization::LogReturns, 4)]
    {
        let buffer = buffer_with(STEPS, WIDTH, |options| {
            options.normalization = normalization;
            options.channels = names(&["bid", "ask", "last", "mid", "size"]);
        });
        compare(name, &buffer, steps_off);
    }
    // Without names, any other number of columns than five.
    let buffer = buffer_with(2, 3, |options| options.normalization = Normalization::Returns);
    buffer.push_rows("A", &[1.0, 2.0, 4.0, 2.0, 3.0, 2.0], Some(&[NOON; 2])).unwrap();
    assert_eq!(sequence(&buffer, "A", NOON).unwrap(), [0.0, 0.0, 0.0, 1.0, 0.5, -0.5]);
}

#[test]
fn columns_keep_their_places_and_others_stay_as_they_are() {
    let buffer = buffer_with(3, 4, |options| {
        options.normalization = Normalization::Returns;
        options.warmup_rows = 2;
        options.channels = vec![Some("close".into()), None, Some("open".into()), Some("volume".into())];
    });
    buffer.push_rows("A", &[2.0, 7.0, 1.0, 10.0, 4.0, 8.0, 3.0, 5.0], Some(&[NOON; 2])).unwrap();
    let expected = [0.0, 0.0, 0.0, 0.0, 0.0, 7.0, -0.5, 0.0, 1.0, 8.0, 0.5, -0.5];
    assert_eq!(sequence(&buffer, "A", NOON).unwrap(), expected, "rows that are missing stay zeros");
}

#[test]
fn what_is_pushed_is_kept_as_it_is() {
    let none = buffer_with(1, 5, |options| options.normalization = Normalization::None);
    let row = [-0.0, f32::MIN_POSITIVE / 2.0, f32::MAX, -1e-8, 3.5];
    none.push("A", &row, NOON).unwrap();
    let bits = |row: &[f32]| row.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&sequence(&none, "A", NOON).unwrap()), bits(&row));
}
