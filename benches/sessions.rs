//! A network through libmi beside the same network through ONNX Runtime's own C functions, in the same process.
//!
//! Both sides do what a caller needs: copy a row into a tensor, run, widen the answer to doubles. The other side is what a careful
//! program in C would write: values made once, over memory of its own, one `Run` for a row. Blocks of calls alternate on one core, and
//! the median of the ratios of neighbouring blocks is printed, so that a machine that speeds up or slows down does not count. A ratio
//! beyond 1.03 is named as missed.

#[path = "../tests/session/graphs.rs"]
#[allow(dead_code)] // tests use all of it
mod graphs;

use graphs::{Dim, FLOAT, Model as Hand};
use mi::Model;
use mi::exec::Rows;
use mi::formats::ReadOptions;
use mi::ir::Output;
use ort::sys::{
    ONNXTensorElementDataType, OrtAllocatorType, OrtApi, OrtLoggingLevel, OrtMemType, OrtSession, OrtStatusPtr,
    OrtValue,
};
use std::ffi::CString;
use std::hint::black_box;
use std::ptr;
use std::time::Instant;

/// The largest ratio that is aimed at.
const AIM: f64 = 1.03;
/// Pairs of blocks.
const PAIRS: usize = 301;
/// Nanoseconds that a block should take.
const BLOCK: f64 = 2e6;
/// Rows that calls go round.
const ROWS: usize = 32;

fn main() {
    // `cargo test --benches` passes no `--bench`: to have been compiled is all that is asked of us then.
    let arguments: Vec<String> = std::env::args().collect();
    if !arguments.iter().any(|argument| argument == "--bench") || arguments.iter().any(|argument| argument == "--test")
    {
        return;
    }
    let wanted = arguments.iter().skip(1).find(|argument| !argument.starts_with('-'));
    pin();
    println!("{:28} {:>5} {:>12} {:>12} {:>8}", "network", "rows", "libmi", "Run", "ratio");
    let mut worst = 0.0f64;
    for subject in subjects() {
        if wanted.is_some_and(|wanted| !subject.name.contains(wanted.as_str())) {
            continue;
        }
        for batch in [1, 64] {
            match measure(&subject, batch) {
                Ok(ratio) => worst = worst.max(ratio),
                Err(error) => return println!("skipped: {error}"),
            }
        }
    }
    if worst > AIM {
        println!("missed: a ratio of {worst:.3}, {AIM} is the aim");
    }
}

/// Stays on the core that this runs on, where the system lets it.
fn pin() {
    // SAFETY: zeroed memory is an empty set, the functions write to it within its size, and a failure changes nothing.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(usize::try_from(libc::sched_getcpu()).unwrap_or(0), &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set);
    }
}

/// A network, its input and the numbers of a row.
struct Subject {
    name: &'static str,
    bytes: Vec<u8>,
    /// Sizes of the input behind the rows.
    shape: &'static [i64],
    answers: usize,
}

fn weights(count: i64) -> Vec<f32> {
    let mut state = 0x9e37_79b9u32;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            f32::from(i16::try_from(state >> 17).unwrap_or(0) - 16384) / 163_840.0
        })
        .collect()
}

fn dense(graph: &mut Hand, input: &str, output: &str, from: i64, to: i64, activation: Option<&str>) {
    let (w, b, sum) = (format!("w{output}"), format!("b{output}"), format!("s{output}"));
    graph.floats(&w, &[from, to], &weights(from * to));
    graph.floats(&b, &[to], &weights(to));
    let place = if activation.is_some() { sum.as_str() } else { output };
    graph.node("Gemm", &[input, &w, &b], &[place], |_| {});
    if let Some(activation) = activation {
        graph.node(activation, &[&sum], &[output], |_| {});
    }
}

fn subjects() -> Vec<Subject> {
    const N: Dim = Dim::Open("N");
    let perceptron = |sizes: &'static [i64]| {
        Hand::bytes(|graph| {
            graph.input("x", FLOAT, &[N, Dim::Fixed(sizes[0])]);
            graph.output("y", FLOAT, &[N, Dim::Fixed(sizes[sizes.len() - 1])]);
            let last = sizes.len() - 2;
            for (layer, pair) in sizes.windows(2).enumerate() {
                let input = if layer == 0 { "x".to_owned() } else { format!("h{layer}") };
                let output = if layer == last { "y".to_owned() } else { format!("h{}", layer + 1) };
                dense(graph, &input, &output, pair[0], pair[1], (layer < last).then_some("Relu"));
            }
        })
    };
    let lstm = Hand::bytes(|graph| {
        graph.input("x", FLOAT, &[N, Dim::Fixed(60), Dim::Fixed(32)]);
        graph.output("y", FLOAT, &[N, Dim::Fixed(1)]);
        graph.node("Transpose", &["x"], &["time"], |node| {
            node.message(5, |attribute| {
                attribute.bytes(1, b"perm");
                attribute.ints(8, [1, 0, 2]);
                attribute.int(20, 7);
            });
        });
        graph.floats("W", &[1, 4 * 64, 32], &weights(4 * 64 * 32));
        graph.floats("R", &[1, 4 * 64, 64], &weights(4 * 64 * 64));
        graph.node("LSTM", &["time", "W", "R"], &["", "last"], |node| {
            node.message(5, |attribute| {
                attribute.bytes(1, b"hidden_size");
                attribute.int(3, 64);
                attribute.int(20, 2);
            });
        });
        graph.node("Flatten", &["last"], &["matrix"], |node| {
            node.message(5, |attribute| {
                attribute.bytes(1, b"axis");
                attribute.int(3, 2);
                attribute.int(20, 2);
            });
        });
        dense(graph, "matrix", "y", 64, 1, None);
    });
    vec![
        Subject { name: "MLP 200-64-32-1", bytes: perceptron(&[200, 64, 32, 1]), shape: &[200], answers: 1 },
        Subject { name: "MLP 20-16-1", bytes: perceptron(&[20, 16, 1]), shape: &[20], answers: 1 },
        Subject { name: "MLP 500-256-128-10", bytes: perceptron(&[500, 256, 128, 10]), shape: &[500], answers: 10 },
        Subject { name: "LSTM 60x32, 64 units", bytes: lstm, shape: &[60, 32], answers: 1 },
    ]
}

/// Measures both sides; their ratio.
fn measure(subject: &Subject, batch: usize) -> mi::Result<f64> {
    let model = Model::from_bytes(&subject.bytes, &ReadOptions::default())?;
    let width = usize::try_from(subject.shape.iter().product::<i64>()).unwrap_or(0);
    let rows = weights(i64::try_from(ROWS * batch * width).unwrap_or(0));
    let steps = model.sequence_length();
    let mut out = vec![0.0; batch * subject.answers];
    let mut raw = Raw::new(subject, batch);
    let mut at = 0;
    let mut next = || {
        at = (at + 1) % ROWS;
        &rows[at * batch * width..][..batch * width]
    };

    // The same numbers, or the comparison means nothing.
    let mut expected = vec![0.0; out.len()];
    for _ in 0..ROWS {
        let row = next();
        ours(&model, steps, row, batch, width, &mut out);
        raw.predict(row, &mut expected);
        assert_eq!(out, expected, "{}", subject.name);
    }

    let start = Instant::now();
    (0..50).for_each(|_| raw.predict(next(), &mut expected));
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let calls = (BLOCK * 50.0 / nanoseconds(start)).max(4.0) as usize;
    #[allow(clippy::cast_precision_loss)]
    let each = calls as f64;
    let mut pairs: Vec<(f64, f64)> = Vec::with_capacity(PAIRS);
    for pair in 0..PAIRS {
        let mut times = [0.0; 2];
        // Which side goes first changes, so that neither always finds what the other left in the caches.
        for side in [pair % 2, 1 - pair % 2] {
            let start = Instant::now();
            for _ in 0..calls {
                let row = black_box(next());
                if side == 0 {
                    ours(&model, steps, row, batch, width, &mut out);
                    black_box(&mut out);
                } else {
                    raw.predict(row, &mut expected);
                    black_box(&mut expected);
                }
            }
            times[side] = nanoseconds(start) / each;
        }
        pairs.push((times[0], times[1]));
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let ratio = median(pairs.iter().map(|(ours, raw)| ours / raw).collect());
    println!(
        "{:28} {batch:>5} {:>9.0} ns {:>9.0} ns {ratio:>8.3}",
        subject.name,
        median(pairs.iter().map(|pair| pair.0).collect()),
        median(pairs.iter().map(|pair| pair.1).collect()),
    );
    Ok(ratio)
}

#[allow(clippy::cast_precision_loss)]
fn nanoseconds(start: Instant) -> f64 {
    start.elapsed().as_nanos() as f64
}

fn ours(model: &Model, steps: usize, row: &[f32], batch: usize, width: usize, out: &mut [f64]) {
    let rows = Rows::new(row, batch, width).expect("rows");
    if steps > 0 {
        model.predict_sequence(Output::Value, rows, steps, out).expect("a prediction");
    } else {
        model.predict(Output::Value, rows, out).expect("a prediction");
    }
}

/// The runtime by its C functions, with values made once.
struct Raw {
    api: &'static OrtApi,
    session: *mut OrtSession,
    input: *mut OrtValue,
    output: *mut OrtValue,
    names: [CString; 2],
    given: Box<[f32]>,
    answers: Box<[f32]>,
}

impl Raw {
    fn new(subject: &Subject, batch: usize) -> Self {
        let api = ort::api();
        let names = ["x", "y"].map(|name| CString::new(name).expect("a name"));
        let batch_size = i64::try_from(batch).expect("a small batch");
        let sizes = |tail: &[i64]| -> Vec<i64> { std::iter::once(batch_size).chain(tail.iter().copied()).collect() };
        let (shape, answer_shape) =
            (sizes(subject.shape), sizes(&[i64::try_from(subject.answers).expect("a few answers")]));
        let room = |shape: &[i64]| {
            let count = usize::try_from(shape.iter().product::<i64>()).expect("a small tensor");
            vec![0.0f32; count].into_boxed_slice()
        };
        let mut raw = Self {
            api,
            session: ptr::null_mut(),
            input: ptr::null_mut(),
            output: ptr::null_mut(),
            given: room(&shape),
            answers: room(&answer_shape),
            names,
        };
        let (mut environment, mut options, mut memory) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: functions of the table with live arguments and room for what they give; the boxes outlive the values over them.
        unsafe {
            let level = OrtLoggingLevel::ORT_LOGGING_LEVEL_ERROR;
            well((api.CreateEnv)(level, c"raw".as_ptr(), &raw mut environment));
            well((api.CreateSessionOptions)(&raw mut options));
            well((api.SetIntraOpNumThreads)(options, 1));
            well((api.SetInterOpNumThreads)(options, 1));
            well((api.CreateSessionFromArray)(
                environment,
                subject.bytes.as_ptr().cast(),
                subject.bytes.len(),
                options,
                &raw mut raw.session,
            ));
            let (kind, place) = (OrtAllocatorType::OrtDeviceAllocator, OrtMemType::OrtMemTypeDefault);
            well((api.CreateCpuMemoryInfo)(kind, place, &raw mut memory));
            for (room, shape, value) in
                [(&mut raw.given, &shape, &raw mut raw.input), (&mut raw.answers, &answer_shape, &raw mut raw.output)]
            {
                well((api.CreateTensorWithDataAsOrtValue)(
                    memory,
                    room.as_mut_ptr().cast(),
                    size_of_val(&room[..]),
                    shape.as_ptr(),
                    shape.len(),
                    ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
                    value,
                ));
            }
        }
        raw
    }

    fn predict(&mut self, row: &[f32], out: &mut [f64]) {
        self.given.copy_from_slice(row);
        let mut output = self.output;
        // SAFETY: a live session and live values, used by this thread alone.
        unsafe {
            well((self.api.Run)(
                self.session,
                ptr::null(),
                &self.names[0].as_ptr(),
                (&raw const self.input).cast(),
                1,
                &self.names[1].as_ptr(),
                1,
                &raw mut output,
            ));
        }
        out.iter_mut().zip(&self.answers).for_each(|(out, answer)| *out = f64::from(*answer));
    }
}

fn well(status: OrtStatusPtr) {
    assert!(status.0.is_null(), "the runtime refused");
}
