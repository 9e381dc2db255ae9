//! The exported functions, called as C calls them, on fixtures of the real libraries.

mod common;

use mi::ffi::{
    MI_INVALID_ARGUMENT, MI_MALFORMED, MI_OK, MI_RAW, MI_SHAPE_MISMATCH, MI_VALUE, mi_last_error, mi_model,
    mi_model_categorical_column, mi_model_categorical_count, mi_model_feature_count, mi_model_free, mi_model_json,
    mi_model_open, mi_model_open_memory, mi_model_outputs, mi_model_predict_categorical_f64, mi_model_predict_f32,
    mi_model_predict_f64, mi_model_retain,
};
use std::ffi::{CStr, CString, c_char};
use std::ptr;

fn open(case: &common::Case) -> *mut mi_model {
    let path = CString::new(case.model().to_str().unwrap()).unwrap();
    let mut model = ptr::null_mut();
    // SAFETY: a live string, NULL options, room for one pointer.
    let status = unsafe { mi_model_open(path.as_ptr(), ptr::null(), &raw mut model) };
    // SAFETY: the text lives until the next failure on this thread.
    let sentence = unsafe { CStr::from_ptr(mi_last_error()) };
    assert_eq!(status, MI_OK, "{}: {sentence:?}", case.name());
    model
}

/// Both entry points give the library's numbers for every fixture with default options.
#[test]
fn both_entry_points_give_the_numbers_of_the_library() {
    let mut compared = 0;
    let libraries = ["lightgbm", "xgboost", "catboost"];
    for case in &libraries.iter().flat_map(|library| common::cases(library)).collect::<Vec<_>>() {
        let text = case.json["categories"].is_string();
        if case.json["options"] != serde_json::json!({}) || case.json["refuse"].is_object() || text {
            continue;
        }
        let model = open(case);
        let input = case.matrix(&case.json["input"]);
        #[allow(clippy::cast_possible_truncation)]
        let single: Vec<f32> = input.data.iter().map(|&value| value as f32).collect();
        for expect in case.json["expect"].as_array().unwrap() {
            if expect["output"] != "value" || expect["tolerance"]["ulp"] != 0 {
                continue;
            }
            let expected = case.matrix(&expect["file"]);
            let mut columns = 0;
            let mut out = vec![0.0; expected.data.len()];
            // SAFETY: a live model, and memory of the sizes that are stated.
            let status = unsafe {
                assert_eq!(mi_model_outputs(model, MI_VALUE, &raw mut columns), MI_OK);
                assert_eq!((columns, mi_model_feature_count(model)), (expected.columns, input.columns));
                let (rows, width, len) = (input.rows, input.columns, out.len());
                if expect["input"] == "f64" {
                    mi_model_predict_f64(model, MI_VALUE, input.data.as_ptr(), rows, width, out.as_mut_ptr(), len)
                } else {
                    mi_model_predict_f32(model, MI_VALUE, single.as_ptr(), rows, width, out.as_mut_ptr(), len)
                }
            };
            assert_eq!(status, MI_OK, "{}", case.name());
            let same =
                out.iter().zip(&expected.data).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan());
            assert!(same, "{} {}", case.name(), expect["input"]);
            compared += out.len();
        }
        // SAFETY: live, and the text is borrowed from it.
        unsafe {
            let json = CStr::from_ptr(mi_model_json(model)).to_str().unwrap();
            let facts: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(facts["feature_count"], input.columns, "{}", case.name());
            let again = mi_model_retain(model);
            mi_model_free(model);
            assert_eq!(mi_model_feature_count(again), input.columns);
            mi_model_free(again);
        }
    }
    println!("{compared} numbers through the C API");
    assert!(compared > 10_000);
}

#[test]
fn memory_may_be_freed_after_opening() {
    let case = &common::cases("lightgbm")[0];
    let mut bytes = std::fs::read(case.model()).unwrap();
    let mut model = ptr::null_mut();
    // SAFETY: live bytes, NULL options, room for one pointer.
    let status = unsafe { mi_model_open_memory(bytes.as_ptr().cast(), bytes.len(), ptr::null(), &raw mut model) };
    assert_eq!(status, MI_OK);
    bytes.fill(0);
    let input = case.matrix(&case.json["input"]);
    // SAFETY: live; a failure leaves the pointer as it is; the last reference is given up once.
    unsafe {
        assert_eq!(mi_model_feature_count(model), input.columns);
        let before = model;
        assert_eq!(mi_model_open_memory(bytes.as_ptr().cast(), bytes.len(), ptr::null(), &raw mut model), MI_MALFORMED);
        assert_eq!(model, before);
        mi_model_free(model);
    }
}

/// Categories as C strings; a NULL stands for the number in the row, and a failure leaves the output as it was.
#[test]
fn categories_are_text_or_numbers() {
    let mut compared = 0;
    for case in common::cases("catboost") {
        let Some(categories) = case.categories() else { continue };
        let raw = case.json["expect"].as_array().unwrap().iter().find(|expect| expect["output"] == "raw").unwrap();
        let expected = case.matrix(&raw["file"]);
        let input = case.matrix(&case.json["input"]);
        let model = open(&case);
        let text: Vec<CString> = (0..input.rows)
            .flat_map(|row| {
                categories.iter().map(move |(_, texts)| CString::new(texts[row].as_deref().unwrap()).unwrap())
            })
            .collect();
        let mut pointers: Vec<*const c_char> = text.iter().map(|text| text.as_ptr()).collect();
        let columns = categories.len();
        let ask = |pointers: &[*const c_char], columns: usize, out: &mut [f64]| {
            // SAFETY: a live model, and memory of the sizes that are stated.
            unsafe {
                mi_model_predict_categorical_f64(
                    model,
                    MI_RAW,
                    input.data.as_ptr(),
                    input.rows,
                    input.columns,
                    pointers.as_ptr(),
                    columns,
                    out.as_mut_ptr(),
                    out.len(),
                )
            }
        };
        let same = |out: &[f64]| out.iter().zip(&expected.data).all(|(a, b)| a.to_bits() == b.to_bits());
        let mut out = vec![0.0; expected.data.len()];
        assert_eq!(ask(&pointers, columns, &mut out), MI_OK);
        assert!(same(&out), "{}", case.name());
        // Where the category is a number, the number alone does as well.
        for row in 0..input.rows {
            for (place, (column, _)) in categories.iter().enumerate() {
                if !input.data[row * input.columns + column].is_nan() {
                    pointers[row * columns + place] = ptr::null();
                    compared += 1;
                }
            }
        }
        out.fill(0.0);
        assert_eq!(ask(&pointers, columns, &mut out), MI_OK);
        assert!(same(&out), "{} with numbers", case.name());
        // Elsewhere there is no number that could stand for it.
        out.fill(-1.0);
        assert_eq!(ask(&vec![ptr::null(); pointers.len()], columns, &mut out), MI_INVALID_ARGUMENT);
        assert_eq!(ask(&pointers[..0], 0, &mut out), MI_SHAPE_MISMATCH);
        assert!(out.iter().all(|&number| number == -1.0));
        // SAFETY: live, and given up once.
        unsafe { mi_model_free(model) };
    }
    assert!(compared > 100, "{compared}");
}

/// Text of scikit-learn's pipelines as C strings; NULL where it is missing.
#[test]
fn text_reaches_a_pipeline() {
    let mut compared = 0;
    for case in common::cases_of("sklearn", &["text_frame_logistic", "text_one_hot_none", "text_hist_dtype"]) {
        let categories = case.categories().unwrap();
        let model = open(&case);
        let input = case.matrix(&case.json["input"]);
        let value = case.json["expect"].as_array().unwrap().iter().find(|expect| expect["output"] == "value").unwrap();
        let expected = case.matrix(&value["file"]);
        let texts: Vec<Option<CString>> = (0..input.rows)
            .flat_map(|row| {
                categories.iter().map(move |(_, texts)| texts[row].clone().map(|t| CString::new(t).unwrap()))
            })
            .collect();
        let pointers: Vec<*const c_char> =
            texts.iter().map(|text| text.as_ref().map_or(ptr::null(), |t| t.as_ptr())).collect();
        let mut out = vec![0.0; expected.data.len()];
        // SAFETY: a live model, memory of the sizes that are stated, and the last reference given up once.
        unsafe {
            assert_eq!(mi_model_categorical_count(model), categories.len());
            for (place, (column, _)) in categories.iter().enumerate() {
                assert_eq!(mi_model_categorical_column(model, place), *column);
            }
            assert_eq!(mi_model_categorical_column(model, categories.len()), usize::MAX);
            let status = mi_model_predict_categorical_f64(
                model,
                MI_VALUE,
                input.data.as_ptr(),
                input.rows,
                input.columns,
                pointers.as_ptr(),
                categories.len(),
                out.as_mut_ptr(),
                out.len(),
            );
            assert_eq!(status, MI_OK, "{}", case.name());
            mi_model_free(model);
        }
        for (found, expected) in out.iter().zip(&expected.data) {
            assert!((found - expected).abs() <= 1e-12 * expected.abs() + 1e-14, "{}: {found} {expected}", case.name());
            compared += 1;
        }
    }
    assert!(compared > 200, "{compared}");
}
