//! One model, every library, in turns.

use crate::answers::{Equality, compare};
use crate::clock;
use crate::machine::{self, Evictor, Load};
use crate::peer::{Open, Peer, Setting};
use crate::rows::{LARGEST, Rows};
use std::path::Path;
use std::rc::Rc;

/// Rows of the batches.
pub const BATCHES: [usize; 5] = [1, 16, 64, 1000, LARGEST];
/// Threads of the batches.
pub const THREADS: [usize; 2] = [1, 2];

/// What was measured of one library.
pub struct Line {
    /// The library.
    pub peer: &'static str,
    /// Whether it is right.
    pub equality: Equality,
    /// Nanoseconds of one row: half of the calls are faster.
    pub median: f64,
    /// Nanoseconds of one row: 99 of 100 calls are faster.
    pub slow: f64,
    /// Nanoseconds of one row when nothing of model and code is in a cache.
    pub cold: f64,
    /// Rows per second by threads and batch; `None` where the library has no such call.
    pub rates: [[Option<f64>; BATCHES.len()]; THREADS.len()],
    /// Loading, in a fresh process.
    pub load: Option<Load>,
}

/// What was measured of one model.
pub struct Table {
    /// The name of the model.
    pub model: String,
    /// Libraries, in the order of the list.
    pub lines: Vec<Line>,
    /// Libraries that do not run it, and why.
    pub absent: Vec<(&'static str, String)>,
    /// How much longer the slowest of a hundred takes than the median, of what the machine does in the same turns within its first cache:
    /// additions that wait for each other, and others, which suffer where a neighbour uses the same core.
    pub scatter: [f64; 2],
}

/// What no rounding of a threshold or a sum explains, relative to the larger of 1 and the answer: part of the model was left out.
const ANOTHER: f64 = 0.1;
/// Before every turn a part of its calls is made that does not count, one in so many: others had displaced the model from the caches, and
/// it comes back. What that takes is measured as cold calls.
const WARM: usize = 10;
/// Additions, one after the other, and how often a turn makes them.
const ADDITIONS: (usize, usize) = (300, 2_000);
/// Nanoseconds of a batch that is a sample by itself: nothing of its beginning is left in the caches at its end.
const SLOW: f64 = 1e8;
/// Samples of such batches that are enough.
const SLOW_SAMPLES: usize = 3;

struct Effort {
    /// Turns of every library.
    turns: usize,
    /// Nanoseconds of one turn.
    turn: f64,
    cold: usize,
    loads: usize,
}

/// Measures a model.
pub fn model(setting: &Setting, folder: &Path, peers: &[(&'static str, Open)], quick: bool) -> Table {
    let model = folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    eprintln!("{model} ...");
    let effort = if quick {
        Effort { turns: 5, turn: 2e6, cold: 5, loads: 1 }
    } else {
        Effort { turns: 40, turn: 1e7, cold: 50, loads: 5 }
    };
    let rows = Rc::new(Rows::read(folder));
    let (mut lines, mut absent, mut open_peers) = (Vec::new(), Vec::new(), Vec::new());
    for &(name, open) in peers {
        let opened = open(setting, folder).and_then(|load| load(Rc::clone(&rows)));
        let mut peer = match opened {
            Ok(peer) => peer,
            Err(why) => {
                absent.push((name, why));
                continue;
            }
        };
        let equality = verify(name, peer.as_mut(), &rows);
        if let Equality::Off(distance) = equality
            && distance > ANOTHER
        {
            absent.push((name, format!("its answers are {distance:.0e} off: it runs another model")));
            continue;
        }
        let load = machine::load(setting, folder, name, effort.loads);
        lines.push(Line { peer: name, equality, median: 0.0, slow: 0.0, cold: 0.0, rates: Default::default(), load });
        open_peers.push(peer);
    }
    let scatter = one_row(&mut lines, &mut open_peers, &rows, &effort);
    cold(&mut lines, &mut open_peers, &rows, &effort);
    for (place, &threads) in THREADS.iter().enumerate() {
        if threads > 1 {
            machine::two_cores();
        }
        batches(&mut lines, &mut open_peers, (place, threads), &effort);
    }
    machine::pin();
    Table { model, lines, absent, scatter }
}

/// Compares one row and all of them; our own answers must be the library's to the last bit.
fn verify(name: &str, peer: &mut dyn Peer, rows: &Rows) -> Equality {
    peer.batch(rows.distinct, 1);
    let expected = rows.expected(rows.distinct);
    let found = peer.answers(rows.distinct);
    let equality = compare(peer.meaning(), &found, &expected, rows.outputs);
    for index in (0..rows.distinct).step_by(61) {
        peer.row(index);
        let place = index * rows.outputs..(index + 1) * rows.outputs;
        let one = compare(peer.meaning(), &peer.answers(1), &expected[place], rows.outputs);
        assert!(one == Equality::Exact || equality != Equality::Exact, "{name}: row {index} alone is {one:?}");
    }
    assert!(name != "libmi" || equality == Equality::Exact, "libmi differs from the library: {equality:?}");
    equality
}

/// Calls that fit into a turn.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn calls(turn: f64, mut call: impl FnMut()) -> usize {
    call();
    let start = clock::now();
    call();
    ((turn / clock::between(start, clock::now()).max(20.0)) as usize).clamp(1, 20_000)
}

/// Measures single rows, and how much the machine scatters meanwhile.
fn one_row(lines: &mut [Line], peers: &mut [Box<dyn Peer>], rows: &Rows, effort: &Effort) -> [f64; 2] {
    let mut samples: Vec<Vec<f64>> = vec![Vec::new(); peers.len()];
    let (near, mut alone): (machine::Near, _) = ([1; 1024], [Vec::new(), Vec::new()]);
    let mut next = 0;
    for turn in 0..effort.turns {
        for place in 0..peers.len() {
            let place = (place + turn) % peers.len();
            let peer = &mut peers[place];
            let count = calls(effort.turn, || peer.row(0));
            let warm = count.div_ceil(WARM);
            for call in 0..warm + count {
                let index = (next + call) % rows.distinct;
                let start = clock::now();
                peer.row(index);
                let end = clock::now();
                if call >= warm {
                    samples[place].push(clock::between(start, end));
                }
            }
            next += 257;
        }
        let (additions, times) = ADDITIONS;
        for _ in 0..times {
            let start = clock::now();
            machine::add(additions);
            let middle = clock::now();
            machine::add_at_once(&near);
            alone[0].push(clock::between(start, middle));
            alone[1].push(clock::between(middle, clock::now()));
        }
    }
    for (line, samples) in lines.iter_mut().zip(&mut samples) {
        line.median = quantile(samples, 0.5);
        line.slow = quantile(samples, 0.99);
    }
    alone.map(|mut samples| quantile(&mut samples, 0.99) / quantile(&mut samples, 0.5))
}

fn cold(lines: &mut [Line], peers: &mut [Box<dyn Peer>], rows: &Rows, effort: &Effort) {
    let mut evictor = Evictor::new();
    let mut samples: Vec<Vec<f64>> = vec![Vec::new(); peers.len()];
    for turn in 0..effort.cold {
        for (peer, samples) in peers.iter_mut().zip(&mut samples) {
            evictor.evict();
            let start = clock::now();
            peer.row((turn * 37) % rows.distinct);
            samples.push(clock::between(start, clock::now()));
        }
    }
    for (line, samples) in lines.iter_mut().zip(&mut samples) {
        line.cold = quantile(samples, 0.5);
    }
}

#[allow(clippy::cast_precision_loss)]
fn batches(lines: &mut [Line], peers: &mut [Box<dyn Peer>], (place, threads): (usize, usize), effort: &Effort) {
    for (column, &size) in BATCHES.iter().enumerate() {
        let mut samples: Vec<Vec<f64>> = vec![Vec::new(); peers.len()];
        for turn in 0..effort.turns.div_ceil(3) {
            for at in 0..peers.len() {
                let at = (at + turn) % peers.len();
                let peer = &mut peers[at];
                if samples[at].len() >= SLOW_SAMPLES && samples[at][0] > SLOW {
                    continue;
                }
                let start = clock::now();
                if !peer.batch(size, threads) {
                    continue;
                }
                let time = clock::between(start, clock::now());
                if time > SLOW {
                    samples[at].push(time);
                    continue;
                }
                let count = calls(effort.turn, || {
                    peer.batch(size, threads);
                });
                let start = clock::now();
                for _ in 0..count {
                    peer.batch(size, threads);
                }
                samples[at].push(clock::between(start, clock::now()) / count as f64);
            }
        }
        for (line, samples) in lines.iter_mut().zip(&mut samples) {
            if !samples.is_empty() {
                line.rates[place][column] = Some(size as f64 * 1e9 / quantile(samples, 0.5));
            }
        }
    }
}

/// The smallest sample that this share of them does not pass.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
fn quantile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    samples[((samples.len() as f64 * share) as usize).min(samples.len() - 1)]
}
