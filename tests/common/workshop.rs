//! C and C++ programs, compiled by the system's compiler and linked with `libmi.so`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder with the library under its two names, and room for programs.
pub struct Workshop {
    pub folder: tempfile::TempDir,
}

impl Workshop {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let library = std::env::current_exe().unwrap().parent().unwrap().join("libmi.so");
        for name in ["libmi.so", "libmi.so.1"] {
            std::os::unix::fs::symlink(&library, folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    /// Compiles a source of this repository against the headers and the library.
    pub fn compile(&self, source: &str, flags: &[&str]) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (compiler, standard) = if Path::new(source).extension().is_some_and(|ending| ending == "c") {
            ("cc", "-std=c11")
        } else {
            ("c++", "-std=c++17")
        };
        let program =
            self.folder.path().join(format!("{}{}", source.replace('/', "_"), flags.join("").replace('/', "_")));
        let output = Command::new(compiler)
            .args([standard, "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-I"])
            .arg(root.join("include"))
            .arg(root.join(source))
            .args(flags)
            .arg("-L")
            .arg(self.folder.path())
            .arg(format!("-Wl,-rpath,{}", self.folder.path().display()))
            .args(["-lmi", "-lm", "-ldl", "-pthread", "-o"])
            .arg(&program)
            .output()
            .unwrap_or_else(|cause| panic!("{compiler}: {cause}; install a C and a C++ compiler"));
        assert!(output.status.success(), "{source}:\n{}", String::from_utf8_lossy(&output.stderr));
        program
    }
}

/// Runs a command that must succeed.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|cause| panic!("{command:?}: {cause}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
