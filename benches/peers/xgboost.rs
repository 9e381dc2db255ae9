//! XGBoost's C API: prediction in place from a dense matrix, the fastest that it has for a row as well.

use crate::library::{Shared, message, path_text, text};
use crate::peer::{Loader, Peer, Setting};
use crate::rows::Rows;
use std::ffi::{CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;
use std::rc::Rc;

type Create = unsafe extern "C" fn(*const *mut c_void, u64, *mut *mut c_void) -> c_int;
type Load = unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int;
type Set = unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> c_int;
/// booster, array as JSON, settings as JSON, proxy, shape, axes, answer.
type FromDense = unsafe extern "C" fn(
    *mut c_void,
    *const c_char,
    *const c_char,
    *mut c_void,
    *mut *const u64,
    *mut u64,
    *mut *const f32,
) -> c_int;

struct Booster {
    handle: *mut c_void,
    from_dense: FromDense,
    set: Set,
    settings: CString,
    /// The interface of each row; text is made before the clock starts.
    arrays: Vec<CString>,
    batches: Vec<(usize, CString)>,
    threads: usize,
    answer: *const f32,
    rows: Rc<Rows>,
}

/// XGBoost and its own model.
pub fn open(setting: &Setting, folder: &Path) -> Result<Loader, String> {
    let file = folder.join("model.ubj");
    if !file.exists() {
        return Err("not its model".to_owned());
    }
    let library = Shared::open(&setting.packages.join("xgboost/lib/libxgboost.so"))?;
    Ok(Box::new(move |rows| {
        let create: Create = library.function("XGBoosterCreate")?;
        let load: Load = library.function("XGBoosterLoadModel")?;
        let set: Set = library.function("XGBoosterSetParam")?;
        let error = library.function("XGBGetLastError")?;
        let mut booster = ptr::null_mut();
        // SAFETY: strings end in NUL and every result has a place.
        let failed = unsafe {
            create(ptr::null(), 0, &raw mut booster) != 0
                || set(booster, text("nthread").as_ptr(), text("1").as_ptr()) != 0
                || load(booster, path_text(&file).as_ptr()) != 0
        };
        if failed {
            return Err(message(error));
        }
        let arrays = (0..rows.distinct).map(|index| array(rows.narrow(index), 1, rows.columns)).collect();
        let settings = "{\"type\": 1, \"training\": false, \"iteration_begin\": 0, \"iteration_end\": 0, \
                        \"strict_shape\": true, \"missing\": NaN, \"cache_id\": 0}";
        let from_dense = library.function("XGBoosterPredictFromDense")?;
        Ok(Box::new(Booster {
            handle: booster,
            from_dense,
            set,
            settings: text(settings),
            arrays,
            batches: Vec::new(),
            threads: 1,
            answer: ptr::null(),
            rows,
        }))
    }))
}

/// numpy's array interface of rows.
fn array(rows: &[f32], count: usize, columns: usize) -> CString {
    let place = rows.as_ptr().addr();
    text(format!(
        "{{\"data\": [{place}, true], \"shape\": [{count}, {columns}], \"typestr\": \"<f4\", \"version\": 3}}"
    ))
}

fn predict(booster: &Booster, array: &CString) -> *const f32 {
    let (mut shape, mut axes, mut answer) = (ptr::null(), 0, ptr::null());
    // SAFETY: the array interface names rows that live as long as the booster; results stay with the library.
    let status = unsafe {
        (booster.from_dense)(
            booster.handle,
            array.as_ptr(),
            booster.settings.as_ptr(),
            ptr::null_mut(),
            &raw mut shape,
            &raw mut axes,
            &raw mut answer,
        )
    };
    assert_eq!(status, 0);
    answer
}

impl Peer for Booster {
    fn row(&mut self, index: usize) {
        self.answer = predict(self, &self.arrays[index]);
    }

    fn batch(&mut self, count: usize, threads: usize) -> bool {
        if self.threads != threads {
            // SAFETY: both strings end in NUL.
            let status =
                unsafe { (self.set)(self.handle, text("nthread").as_ptr(), text(threads.to_string()).as_ptr()) };
            assert_eq!(status, 0);
            self.threads = threads;
        }
        let known = self.batches.iter().position(|(size, _)| *size == count);
        let place = known.unwrap_or_else(|| {
            self.batches.push((count, array(&self.rows.narrow, count, self.rows.columns)));
            self.batches.len() - 1
        });
        self.answer = predict(self, &self.batches[place].1);
        true
    }

    fn answers(&self, count: usize) -> Vec<f64> {
        // SAFETY: the last call answered for `count` rows, and the library keeps its answer until the next one.
        let answer = unsafe { std::slice::from_raw_parts(self.answer, count * self.rows.outputs) };
        answer.iter().map(|&value| f64::from(value)).collect()
    }
}
