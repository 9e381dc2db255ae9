//! Trees that were compiled to machine code: by lleaves, by tl2cgen, and by CatBoost's own export to C++.

use crate::answers::why_not;
use crate::library::Shared;
use crate::peer::{Loader, Peer, Setting, split};
use crate::rows::{LARGEST, Rows};
use std::ffi::c_int;
use std::path::Path;
use std::rc::Rc;

/// Predicts `count` rows from `first` on; room for the answers of all rows follows.
type Call = Box<dyn Fn(usize, usize, *mut f64) + Sync>;

struct Compiled {
    row: Call,
    rows_at_once: Call,
    outputs: usize,
    out: Vec<f64>,
}

/// A pointer that may go to other threads, which write to different places behind it.
#[derive(Clone, Copy)]
struct Out(*mut f64);

// SAFETY: `split` gives every thread rows of its own, and their answers lie apart.
unsafe impl Sync for Out {}

impl Out {
    fn pointer(self) -> *mut f64 {
        self.0
    }
}

impl Peer for Compiled {
    fn row(&mut self, index: usize) {
        (self.row)(index, 1, self.out.as_mut_ptr().wrapping_sub(index * self.outputs));
    }

    fn batch(&mut self, count: usize, threads: usize) -> bool {
        let out = Out(self.out.as_mut_ptr());
        let call = &self.rows_at_once;
        split(count, threads, |first, count| call(first, count, out.pointer()));
        true
    }

    fn answers(&self, count: usize) -> Vec<f64> {
        self.out[..count * self.outputs].to_vec()
    }
}

fn compiled(rows: &Rows, row: Call, rows_at_once: Call) -> Box<dyn Peer> {
    Box::new(Compiled { row, rows_at_once, outputs: rows.outputs, out: vec![0.0; LARGEST * rows.outputs] })
}

/// The rows of a benchmark, for calls of any thread.
#[derive(Clone)]
struct Shareable {
    wide: &'static [f64],
    narrow: &'static [f32],
    columns: usize,
    outputs: usize,
}

impl Shareable {
    fn new(rows: &Rc<Rows>) -> Self {
        let rows: &'static Rows = Box::leak(Box::new(Rc::clone(rows)));
        Self { wide: &rows.wide, narrow: &rows.narrow, columns: rows.columns, outputs: rows.outputs }
    }
}

/// lleaves: LightGBM's trees through LLVM, once without blocks of trees for one row, once with them for batches.
pub fn open_lleaves(_: &Setting, folder: &Path) -> Result<Loader, String> {
    /// rows, answers, first row, one past the last row.
    type Forest = unsafe extern "C" fn(*const f64, *mut f64, c_int, c_int);
    let (row, batch) = (folder.join("peers/lleaves_row.so"), folder.join("peers/lleaves.so"));
    for file in [&row, &batch] {
        if !file.exists() {
            return Err(why_not(folder, file.file_name().and_then(|name| name.to_str()).expect("a name")));
        }
    }
    Ok(Box::new(move |rows| {
        let data = Shareable::new(&rows);
        let call = |file: &Path| -> Result<Call, String> {
            let forest: Forest = Shared::open(file)?.function("forest_root")?;
            let data = data.clone();
            let index = |index: usize| c_int::try_from(index).expect("a small number");
            Ok(Box::new(move |first, count, out| {
                // SAFETY: all rows from `first` on are there and have room for their answers.
                unsafe { forest(data.wide.as_ptr(), out, index(first), index(first + count)) }
            }))
        };
        Ok(compiled(&rows, call(&row)?, call(&batch)?))
    }))
}

/// tl2cgen: Treelite's trees as C, compiled by gcc.
pub fn open_tl2cgen(_: &Setting, folder: &Path) -> Result<Loader, String> {
    type Wide = unsafe extern "C" fn(*mut u64, c_int, *mut f64);
    type Narrow = unsafe extern "C" fn(*mut u32, c_int, *mut f32);
    /// An entry that is missing.
    const MISSING: i32 = -1;
    let file = folder.join("peers/tl2cgen.so");
    if !file.exists() {
        return Err(why_not(folder, "tl2cgen.so"));
    }
    let single = folder.join("model.ubj").exists();
    Ok(Box::new(move |rows| {
        let library = Shared::open(&file)?;
        let data = Shareable::new(&rows);
        // Its entries are unions of a number and a mark: NaN becomes the mark before the clock starts.
        let mark = u64::from(MISSING.cast_unsigned());
        let wide: Vec<u64> =
            data.wide.iter().map(|value| if value.is_nan() { mark } else { value.to_bits() }).collect();
        let narrow: Vec<u32> = data
            .narrow
            .iter()
            .map(|value| if value.is_nan() { MISSING.cast_unsigned() } else { value.to_bits() })
            .collect();
        let (wide, narrow): (&'static [u64], &'static [u32]) = (wide.leak(), narrow.leak());
        let make = || -> Result<Call, String> {
            let (columns, outputs) = (data.columns, data.outputs);
            if single {
                let predict: Narrow = library.function("predict")?;
                return Ok(Box::new(move |first, count, out| {
                    for row in first..first + count {
                        let mut answer = [0f32; 64];
                        // SAFETY: it reads one row and writes the margins of one row.
                        unsafe {
                            predict(narrow.as_ptr().add(row * columns).cast_mut(), 1, answer.as_mut_ptr());
                            for (place, &value) in answer[..outputs].iter().enumerate() {
                                *out.wrapping_add(row * outputs + place) = f64::from(value);
                            }
                        }
                    }
                }));
            }
            let predict: Wide = library.function("predict")?;
            Ok(Box::new(move |first, count, out| {
                for row in first..first + count {
                    // SAFETY: it reads one row and adds to the margins of one row.
                    unsafe {
                        out.wrapping_add(row * outputs).write_bytes(0, outputs);
                        let row_data = wide.as_ptr().add(row * columns).cast_mut();
                        predict(row_data, 1, out.wrapping_add(row * outputs));
                    }
                }
            }))
        };
        Ok(compiled(&rows, make()?, make()?))
    }))
}

/// CatBoost's export: the model as C++, compiled by the machine's compiler.
pub fn open_catboost(_: &Setting, folder: &Path) -> Result<Loader, String> {
    type PredictRow = unsafe extern "C" fn(*const f32, u32) -> f64;
    let file = folder.join("peers/catboost.so");
    if !file.exists() {
        return Err(why_not(folder, "catboost.so"));
    }
    Ok(Box::new(move |rows| {
        let library = Shared::open(&file)?;
        let data = Shareable::new(&rows);
        let make = || -> Result<Call, String> {
            let predict: PredictRow = library.function("predict_row")?;
            let data = data.clone();
            let columns = u32::try_from(data.columns).expect("few columns");
            Ok(Box::new(move |first, count, out| {
                for row in first..first + count {
                    // SAFETY: it reads one row; the place of its answer is there.
                    unsafe {
                        let answer = predict(data.narrow.as_ptr().add(row * data.columns), columns);
                        *out.wrapping_add(row) = answer;
                    }
                }
            }))
        };
        Ok(compiled(&rows, make()?, make()?))
    }))
}
