//! CatBoost itself: its package for Python has no entry for C, so that what is measured is its loader alone, from Python.

use crate::peer::{Loader, Setting};
use std::path::Path;
use std::process::Command;

/// Loads a file twice in a process and prints the milliseconds of each.
const LOADS: &str = "
import sys, time, catboost
for _ in range(2):
    model = catboost.CatBoost()
    start = time.perf_counter()
    model.load_model(sys.argv[1])
    print((time.perf_counter() - start) * 1e3)
";
/// Processes, of which the fastest counts.
const TIMES: usize = 5;

/// Says how long the library takes to load its file; it answers no rows here.
pub fn open(setting: &Setting, folder: &Path) -> Result<Loader, String> {
    let file = folder.join("model.cbm");
    if !file.exists() {
        return Err("not its model".to_owned());
    }
    // Packages lie in lib/python3.X/site-packages of the environment.
    let python = setting.packages.ancestors().nth(3).ok_or("no environment")?.join("bin/python");
    let once = || -> Option<(f64, f64)> {
        let output = Command::new(&python).args(["-c", LOADS]).arg(&file).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (first, second) = text.trim().split_once('\n')?;
        Some((first.parse().ok()?, second.parse().ok()?))
    };
    let (first, second) = (0..TIMES)
        .filter_map(|_| once())
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .ok_or_else(|| format!("{} does not load its file", python.display()))?;
    Err(format!(
        "no entry for C in its package for Python; there its own loader takes {first:.1} ms for the first model of a process, {second:.1} for the next"
    ))
}
