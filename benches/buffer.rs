//! How many rows a second windows take, and how long reading one takes.
//!
//! Threads push to symbols of their own, then all to one; a thousand symbols, so that no two pushes in a row go to the same memory.

use criterion::{BenchmarkId, Criterion, Throughput};
use mi::buffer::{Buffer, Normalization, Options};
use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

const STEPS: usize = 64;
const SYMBOLS: usize = 1000;
const NOON: i64 = 1_700_000_000_000_000_000;

fn main() {
    // `cargo test --benches` passes no `--bench`: to have been compiled is all that is asked of us then.
    let arguments: Vec<String> = std::env::args().collect();
    if !arguments.iter().any(|argument| argument == "--bench") || arguments.iter().any(|argument| argument == "--test")
    {
        return;
    }
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for width in [5, 50, 200] {
        pushes(&mut criterion, width);
        reads(&mut criterion, width);
    }
    criterion.final_summary();
}

fn buffer(width: usize, normalization: Normalization) -> (Buffer, Vec<String>) {
    let options = Options { normalization, ..Options::default() };
    let buffer = Buffer::new(STEPS, width, &options).expect("a buffer");
    let symbols: Vec<String> = (0..SYMBOLS).map(|number| format!("SYM{number}")).collect();
    for symbol in &symbols {
        for _ in 0..STEPS {
            buffer.push(symbol, &vec![1.5; width], NOON).expect("a push");
        }
    }
    (buffer, symbols)
}

/// The time in which this many threads push `count` rows each.
fn push(
    threads: usize,
    count: u64,
    buffer: &Buffer,
    row: &[f32],
    symbol: impl Fn(usize, usize) -> usize + Sync,
    symbols: &[String],
) -> Duration {
    let start = Barrier::new(threads + 1);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (start, symbol) = (&start, &symbol);
            scope.spawn(move || {
                start.wait();
                let mut at = thread;
                for _ in 0..count {
                    buffer.push(&symbols[symbol(thread, at)], black_box(row), NOON).expect("a push");
                    at = if at + 7 >= SYMBOLS { at + 7 - SYMBOLS } else { at + 7 };
                }
                start.wait();
            });
        }
        start.wait();
        let begin = Instant::now();
        start.wait();
        begin.elapsed()
    })
}

fn pushes(criterion: &mut Criterion, width: usize) {
    let (buffer, symbols) = buffer(width, Normalization::None);
    let row = vec![1.5; width];
    let mut group = criterion.benchmark_group(format!("push_{width}"));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    for threads in [1, 2, 4, 8, 16].into_iter().filter(|&threads| threads == 1 || threads <= cores) {
        group.throughput(Throughput::Elements(threads as u64));
        group.bench_function(BenchmarkId::new("own symbols", threads), |bencher| {
            // Each thread has the symbols whose number is its own modulo the threads.
            let own = |thread, at: usize| (at / threads * threads + thread) % (SYMBOLS / threads * threads);
            bencher.iter_custom(|count| push(threads, count, &buffer, &row, own, &symbols));
        });
        group.bench_function(BenchmarkId::new("one symbol", threads), |bencher| {
            bencher.iter_custom(|count| push(threads, count, &buffer, &row, |_, _| 0, &symbols));
        });
    }
    group.finish();
}

fn reads(criterion: &mut Criterion, width: usize) {
    let mut group = criterion.benchmark_group(format!("sequence_{STEPS}x{width}"));
    for normalization in [Normalization::None, Normalization::Returns, Normalization::LogReturns, Normalization::MinMax]
    {
        if normalization != Normalization::None && width != 5 {
            continue;
        }
        let (buffer, symbols) = buffer(width, normalization);
        let mut out = vec![0.0; STEPS * width];
        let mut at = 0;
        group.bench_function(BenchmarkId::from_parameter(format!("{normalization:?}")), |bencher| {
            bencher.iter(|| {
                buffer.sequence(&symbols[at], NOON, &mut out).expect("a window");
                at = (at + 7) % SYMBOLS;
                black_box(&mut out);
            });
        });
    }
    group.finish();
}
