//! libmi, as a C program calls it.

use crate::library::{Shared, message, path_text};
use crate::peer::{Loader, Peer, Setting};
use crate::rows::{LARGEST, Rows};
use mi::ffi::mi_model_options;
use std::ffi::{CString, c_char, c_void};
use std::path::Path;
use std::ptr;
use std::rc::Rc;

const MI_RAW: i32 = 1;
const MI_VALUE: i32 = 0;

type OpenModel = unsafe extern "C" fn(*const c_char, *const mi_model_options, *mut *mut c_void) -> i32;
type InitOptions = unsafe extern "C" fn(*mut mi_model_options);
type Predict<T> = unsafe extern "C" fn(*const c_void, i32, *const T, usize, usize, *mut f64, usize) -> i32;

/// What opens models of one file.
struct Opener {
    path: CString,
    open: OpenModel,
    init: InitOptions,
    error: unsafe extern "C" fn() -> *const c_char,
}

impl Opener {
    /// The model, with so many threads for the rows of a call.
    fn model(&self, threads: usize) -> Result<*const c_void, String> {
        let mut options = std::mem::MaybeUninit::uninit();
        let mut model = ptr::null_mut();
        // SAFETY: the options are filled in before they are read, the path is NUL-terminated, and `model` has room for one pointer.
        let status = unsafe {
            (self.init)(options.as_mut_ptr());
            let mut options = options.assume_init();
            options.threads = i32::try_from(threads).expect("few threads");
            (self.open)(self.path.as_ptr(), &raw const options, &raw mut model)
        };
        if status == 0 { Ok(model) } else { Err(message(self.error)) }
    }
}

struct Ours {
    opener: Opener,
    model: *const c_void,
    /// The same model with threads of its own, once it was asked for.
    helped: Option<(usize, *const c_void)>,
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
        let opener = Opener {
            path: path_text(&file),
            open: library.function("mi_model_open")?,
            init: library.function("mi_model_options_init")?,
            error: library.function("mi_last_error")?,
        };
        let model = opener.model(1)?;
        let out = vec![0.0; LARGEST * rows.outputs];
        let output = if forest { MI_VALUE } else { MI_RAW };
        let (wide, narrow) = (library.function("mi_model_predict_f64")?, library.function("mi_model_predict_f32")?);
        Ok(Box::new(Ours { opener, model, helped: None, output, wide, narrow, rows, out }))
    }))
}

impl Ours {
    /// Predicts `count` rows from `first` on; their answers lie at the front.
    fn predict(&mut self, model: *const c_void, first: usize, count: usize) {
        let Self { output, wide, narrow, rows, out, .. } = self;
        let (columns, length) = (rows.columns, count * rows.outputs);
        // SAFETY: `rows` holds `count` rows from `first` on, `out` has room for the margins of all of them.
        let status = unsafe {
            if rows.single {
                let data = rows.narrow.as_ptr().add(first * columns);
                narrow(model, *output, data, count, columns, out.as_mut_ptr(), length)
            } else {
                let data = rows.wide.as_ptr().add(first * columns);
                wide(model, *output, data, count, columns, out.as_mut_ptr(), length)
            }
        };
        assert_eq!(status, 0, "libmi answers with status {status}");
    }
}

impl Peer for Ours {
    fn row(&mut self, index: usize) {
        self.predict(self.model, index, 1);
    }

    fn batch(&mut self, count: usize, threads: usize) -> bool {
        let model = match self.helped {
            _ if threads == 1 => self.model,
            Some((with, model)) if with == threads => model,
            _ => {
                let model = self.opener.model(threads).expect("a model that was opened before");
                self.helped = Some((threads, model));
                model
            }
        };
        self.predict(model, 0, count);
        true
    }

    fn answers(&self, count: usize) -> Vec<f64> {
        self.out[..count * self.rows.outputs].to_vec()
    }
}
