//! libmi, as a C program calls it.

use crate::library::{Shared, message, path_text};
use crate::peer::{Loader, Peer, Setting, split};
use crate::rows::{LARGEST, Rows};
use std::ffi::{c_char, c_void};
use std::path::Path;
use std::ptr;
use std::rc::Rc;

const MI_RAW: i32 = 1;
const MI_VALUE: i32 = 0;

type OpenModel = unsafe extern "C" fn(*const c_char, *const c_void, *mut *mut c_void) -> i32;
type Predict<T> = unsafe extern "C" fn(*const c_void, i32, *const T, usize, usize, *mut f64, usize) -> i32;

struct Ours {
    model: *const c_void,
    output: i32,
    wide: Predict<f64>,
    narrow: Predict<f32>,
    rows: Rc<Rows>,
    out: Vec<f64>,
}

/// libmi and the file that the training library wrote.
pub fn open(setting: &Setting, folder: &Path) -> Result<Loader, String> {
    let library = Shared::open(&setting.ours)?;
    let names = ["model.txt", "model.ubj", "model.cbm", "model.joblib"];
    let file = names.iter().map(|name| folder.join(name)).find(|file| file.exists()).ok_or("no model file")?;
    let forest = file.ends_with("model.joblib");
    Ok(Box::new(move |rows| {
        let open: OpenModel = library.function("mi_model_open")?;
        let error: unsafe extern "C" fn() -> *const c_char = library.function("mi_last_error")?;
        let path = path_text(&file);
        let mut model = ptr::null_mut();
        // SAFETY: the path is NUL-terminated, NULL are the default options, and `model` has room for one pointer.
        if unsafe { open(path.as_ptr(), ptr::null(), &raw mut model) } != 0 {
            return Err(message(error));
        }
        let out = vec![0.0; LARGEST * rows.outputs];
        let output = if forest { MI_VALUE } else { MI_RAW };
        let (wide, narrow) = (library.function("mi_model_predict_f64")?, library.function("mi_model_predict_f32")?);
        Ok(Box::new(Ours { model, output, wide, narrow, rows, out }))
    }))
}

/// Predicts rows of a model that any number of threads may share.
#[derive(Clone, Copy)]
struct Call<'a> {
    ours: &'a Ours,
    out: *mut f64,
}

// SAFETY: `mi.h` says that any number of threads may predict with one model; each gets rows and results of its own.
unsafe impl Sync for Call<'_> {}

impl Call<'_> {
    fn predict(self, first: usize, count: usize) {
        let Ours { model, output, wide, narrow, rows, .. } = self.ours;
        let (columns, length) = (rows.columns, count * rows.outputs);
        // SAFETY: `rows` holds `count` rows from `first` on, `out` has room for the margins of all of them.
        let status = unsafe {
            let out = self.out.add(first * rows.outputs);
            if rows.single {
                narrow(*model, *output, rows.narrow.as_ptr().add(first * columns), count, columns, out, length)
            } else {
                wide(*model, *output, rows.wide.as_ptr().add(first * columns), count, columns, out, length)
            }
        };
        assert_eq!(status, 0, "libmi answers with status {status}");
    }
}

impl Peer for Ours {
    fn row(&mut self, index: usize) {
        // The answer lies at the front, wherever the row is.
        let out = self.out.as_mut_ptr().wrapping_sub(index * self.rows.outputs);
        Call { ours: self, out }.predict(index, 1);
    }

    fn batch(&mut self, count: usize, threads: usize) -> bool {
        let out = self.out.as_mut_ptr();
        let call = Call { ours: self, out };
        split(count, threads, |first, count| call.predict(first, count));
        true
    }

    fn answers(&self, count: usize) -> Vec<f64> {
        self.out[..count * self.rows.outputs].to_vec()
    }
}
