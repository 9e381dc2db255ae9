//! LightGBM's C API: its single-row fast path, and `LGBM_BoosterPredictForMat`.

use crate::library::{Shared, message, path_text, text};
use crate::peer::{Loader, Peer, Setting};
use crate::rows::{LARGEST, Rows};
use std::ffi::{CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;
use std::rc::Rc;

const FLOAT64: c_int = 1;
const RAW_SCORE: c_int = 1;

type FromFile = unsafe extern "C" fn(*const c_char, *mut c_int, *mut *mut c_void) -> c_int;
/// booster, kind, first round, rounds, type of the numbers, columns, parameters, handle.
type FastInit =
    unsafe extern "C" fn(*mut c_void, c_int, c_int, c_int, c_int, i32, *const c_char, *mut *mut c_void) -> c_int;
/// handle, row, length of the answer, answer.
type Fast = unsafe extern "C" fn(*mut c_void, *const c_void, *mut i64, *mut f64) -> c_int;
/// booster, rows, type, rows, columns, row-major, kind, first round, rounds, parameters, length of the answer, answer.
type ForMat = unsafe extern "C" fn(
    *mut c_void,
    *const c_void,
    c_int,
    i32,
    i32,
    c_int,
    c_int,
    c_int,
    c_int,
    *const c_char,
    *mut i64,
    *mut f64,
) -> c_int;

struct Booster {
    handle: *mut c_void,
    fast_handle: *mut c_void,
    fast: Fast,
    for_mat: ForMat,
    parameters: [CString; 2],
    rows: Rc<Rows>,
    out: Vec<f64>,
}

/// LightGBM and its own model.
pub fn open(setting: &Setting, folder: &Path) -> Result<Loader, String> {
    let file = folder.join("model.txt");
    if !file.exists() {
        return Err("not its model".to_owned());
    }
    let library = Shared::open(&setting.packages.join("lightgbm/lib/lib_lightgbm.so"))?;
    Ok(Box::new(move |rows| {
        let from_file: FromFile = library.function("LGBM_BoosterCreateFromModelfile")?;
        let fast_init: FastInit = library.function("LGBM_BoosterPredictForMatSingleRowFastInit")?;
        let error = library.function("LGBM_GetLastError")?;
        let (mut rounds, mut booster, mut fast_handle) = (0, ptr::null_mut(), ptr::null_mut());
        let parameters = [text("num_threads=1"), text("num_threads=2")];
        let columns = i32::try_from(rows.columns).expect("few columns");
        // SAFETY: strings end in NUL and every result has a place.
        let failed = unsafe {
            from_file(path_text(&file).as_ptr(), &raw mut rounds, &raw mut booster) != 0
                || fast_init(booster, RAW_SCORE, 0, -1, FLOAT64, columns, parameters[0].as_ptr(), &raw mut fast_handle)
                    != 0
        };
        if failed {
            return Err(message(error));
        }
        let out = vec![0.0; LARGEST * rows.outputs];
        let fast = library.function("LGBM_BoosterPredictForMatSingleRowFast")?;
        let for_mat = library.function("LGBM_BoosterPredictForMat")?;
        Ok(Box::new(Booster { handle: booster, fast_handle, fast, for_mat, parameters, rows, out }))
    }))
}

impl Peer for Booster {
    fn row(&mut self, index: usize) {
        let mut length = 0;
        let row = self.rows.wide(index).as_ptr().cast();
        // SAFETY: the row has the columns that the handle was made for, `out` has room for its margins.
        let status = unsafe { (self.fast)(self.fast_handle, row, &raw mut length, self.out.as_mut_ptr()) };
        assert_eq!(status, 0);
    }

    fn batch(&mut self, count: usize, threads: usize) -> bool {
        let mut length = 0;
        let size = |size: usize| i32::try_from(size).expect("a small number");
        // SAFETY: there are `count` rows and `out` has room for their margins.
        let status = unsafe {
            (self.for_mat)(
                self.handle,
                self.rows.wide.as_ptr().cast(),
                FLOAT64,
                size(count),
                size(self.rows.columns),
                1,
                RAW_SCORE,
                0,
                -1,
                self.parameters[threads - 1].as_ptr(),
                &raw mut length,
                self.out.as_mut_ptr(),
            )
        };
        assert_eq!(status, 0);
        true
    }

    fn answers(&self, count: usize) -> Vec<f64> {
        self.out[..count * self.rows.outputs].to_vec()
    }
}
