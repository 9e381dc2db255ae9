//! The machine: one core, its caches, and what a process of its own measures of loading.

use crate::clock;
use crate::peer::{Open, Setting};
use crate::rows::Rows;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

/// What a fresh process measured.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Milliseconds from the file to a model that has answered once.
    pub milliseconds: f64,
    /// MiB that the process grew by, a thousand answers included.
    pub mebibytes: f64,
}

/// Keeps this thread on the core that it is on.
pub fn pin() {
    set_cores(&[current_core()]);
}

/// Lets this thread and those that it starts run on two cores.
pub fn two_cores() {
    let core = current_core();
    set_cores(&[core, if core == 0 { 1 } else { core - 1 }]);
}

fn current_core() -> usize {
    // SAFETY: it takes nothing.
    usize::try_from(unsafe { libc::sched_getcpu() }).unwrap_or(0)
}

fn set_cores(cores: &[usize]) {
    // SAFETY: all zeros are a set without cores; the call reads a set of the size that it is told.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        for &core in cores {
            libc::CPU_SET(core, &mut set);
        }
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set);
    }
}

/// The processor's own name.
pub fn name() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |key: &str| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    // Of the machine, not those that this process is bound to.
    // SAFETY: it takes a number and gives one.
    let cores = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    let name = field("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let model = match (field("cpu family"), field("model")) {
        (Some(family), Some(model)) => format!(" (family {family}, model {model})"),
        _ => String::new(),
    };
    format!("{name}{model}, {cores} cores")
}

/// So many additions, one after the other.
pub fn add(count: usize) {
    let mut sum = black_box(0.0);
    for _ in 0..count {
        sum += 1.5;
    }
    black_box(sum);
}

/// Numbers that fit into the first cache.
pub type Near = [u64; 1024];

/// Additions of them, as many at a time as the processor takes.
pub fn add_at_once(numbers: &Near) {
    let mut sums = [0u64; 16];
    for some in black_box(numbers).chunks_exact(sums.len()) {
        sums.iter_mut().zip(some).for_each(|(sum, number)| *sum = sum.wrapping_add(*number));
    }
    black_box(sums);
}

/// Memory that is larger than the last cache, to push everything else out of it.
pub struct Evictor(Vec<u8>);

impl Evictor {
    /// Twice the last cache, as far as the machine tells how large it is.
    pub fn new() -> Self {
        let size = std::fs::read_to_string("/sys/devices/system/cpu/cpu0/cache/index3/size").unwrap_or_default();
        let kibibytes = size.trim().trim_end_matches('K').parse().unwrap_or(64 * 1024);
        Self(vec![1; 2 * 1024 * kibibytes])
    }

    /// Reads and writes all of it.
    pub fn evict(&mut self) {
        for line in self.0.chunks_mut(64) {
            line[0] = line[0].wrapping_add(1);
        }
        black_box(&self.0);
    }
}

fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0.0);
    pages * 4096.0 / (1024.0 * 1024.0)
}

/// In a process of its own: loads the model, answers a thousand rows, prints what that took.
pub fn measure_load(setting: &Setting, folder: &Path, open: Open) {
    let rows = Rc::new(Rows::read(folder));
    let Ok(load) = open(setting, folder) else { return };
    let (before, start) = (resident(), clock::now());
    let Ok(mut peer) = load(Rc::clone(&rows)) else { return };
    peer.row(0);
    let milliseconds = clock::between(start, clock::now()) / 1e6;
    for index in 0..1000 {
        peer.row(index);
    }
    println!("{milliseconds} {}", resident() - before);
}

/// The best of some fresh processes.
pub fn load(setting: &Setting, folder: &Path, peer: &str, times: usize) -> Option<Load> {
    let itself = std::env::current_exe().expect("a path of this program");
    let once = || {
        let output = Command::new(&itself)
            .args(["--bench", "--child", peer])
            .args([folder, setting.packages.as_path(), setting.ours.as_path()])
            .output()
            .expect("a child process");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (milliseconds, mebibytes) = text.trim().split_once(' ')?;
        Some(Load { milliseconds: milliseconds.parse().ok()?, mebibytes: mebibytes.parse().ok()? })
    };
    (0..times).filter_map(|_| once()).min_by(|a, b| a.milliseconds.total_cmp(&b.milliseconds))
}
