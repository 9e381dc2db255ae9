//! Treelite's interpreter of trees (GTIL), which its C API offers.

use crate::library::{Shared, message, path_text};
use crate::peer::{Loader, Peer, Setting};
use crate::rows::{LARGEST, Rows};
use std::ffi::{c_char, c_int, c_void};
use std::path::Path;
use std::ptr;
use std::rc::Rc;

type Deserialize = unsafe extern "C" fn(*const c_char, *mut *mut c_void) -> c_int;
type Configure = unsafe extern "C" fn(*const c_char, *mut *mut c_void) -> c_int;
/// model, rows, type of the numbers, rows, answer, configuration.
type Predict = unsafe extern "C" fn(*mut c_void, *const c_void, *const c_char, u64, *mut c_void, *mut c_void) -> c_int;

struct Interpreter {
    model: *mut c_void,
    configuration: *mut c_void,
    predict: Predict,
    error: unsafe extern "C" fn() -> *const c_char,
    single: bool,
    rows: Rc<Rows>,
    wide: Vec<f64>,
    narrow: Vec<f32>,
}

/// Treelite and the model that it converted.
pub fn open(setting: &Setting, folder: &Path) -> Result<Loader, String> {
    let file = folder.join("peers/model.tl");
    if !file.exists() {
        return Err(crate::answers::why_not(folder, "model.tl"));
    }
    let library = Shared::open(&setting.packages.join("treelite/lib/libtreelite.so"))?;
    // Its trees of scikit-learn compare doubles.
    let single = folder.join("model.ubj").exists();
    Ok(Box::new(move |rows| {
        let deserialize: Deserialize = library.function("TreeliteDeserializeModelFromFile")?;
        let configure: Configure = library.function("TreeliteGTILParseConfig")?;
        let error: unsafe extern "C" fn() -> *const c_char = library.function("TreeliteGetLastError")?;
        let mut model = ptr::null_mut();
        let mut configuration = ptr::null_mut();
        // SAFETY: strings end in NUL and every result has a place.
        let failed = unsafe {
            deserialize(path_text(&file).as_ptr(), &raw mut model) != 0
                || configure(c"{\"predict_type\": \"raw\", \"nthread\": 1}".as_ptr(), &raw mut configuration) != 0
        };
        if failed {
            return Err(message(error));
        }
        let size = LARGEST * rows.outputs;
        let (wide, narrow) = (vec![0.0; size], vec![0.0; size]);
        let predict = library.function("TreeliteGTILPredict")?;
        Ok(Box::new(Interpreter { model, configuration, predict, error, single, rows, wide, narrow }))
    }))
}

impl Interpreter {
    fn predict(&mut self, first: usize, count: usize) {
        let (rows, kind, out): (*const c_void, _, *mut c_void) = if self.single {
            (self.rows.narrow(first).as_ptr().cast(), c"float32", self.narrow.as_mut_ptr().cast())
        } else {
            (self.rows.wide(first).as_ptr().cast(), c"float64", self.wide.as_mut_ptr().cast())
        };
        // SAFETY: there are `count` rows from `first` on, and room for their margins.
        let status = unsafe { (self.predict)(self.model, rows, kind.as_ptr(), count as u64, out, self.configuration) };
        assert!(status == 0, "Treelite: {}", message(self.error));
    }
}

impl Peer for Interpreter {
    fn row(&mut self, index: usize) {
        self.predict(index, 1);
    }

    /// With one thread alone: its OpenMP counts the cores once, when the process still has one.
    fn batch(&mut self, count: usize, threads: usize) -> bool {
        if threads == 1 {
            self.predict(0, count);
        }
        threads == 1
    }

    fn answers(&self, count: usize) -> Vec<f64> {
        let size = count * self.rows.outputs;
        if self.single {
            self.narrow[..size].iter().map(|&value| f64::from(value)).collect()
        } else {
            self.wide[..size].to_vec()
        }
    }
}
