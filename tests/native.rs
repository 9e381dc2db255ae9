//! C and C++ programs, compiled by the system's compiler and linked with `libmi.so`: misuse, numbers, examples; plain, under
//! AddressSanitizer and under valgrind.

mod common;

use common::workshop::{Workshop, run};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn lightgbm() -> common::Case {
    common::cases("lightgbm")
        .into_iter()
        .find(|case| case.json["outputs"] == 1 && case.json["options"] == serde_json::json!({}))
        .expect("a LightGBM fixture with one output")
}

fn market() -> PathBuf {
    common::fixtures().join("runs/market")
}

/// The checks of each kind: the program alone, with `AddressSanitizer` and its leak check, under valgrind.
fn all_ways(source: &str, arguments: &[&Path]) -> Vec<Output> {
    let workshop = Workshop::new();
    let plain = workshop.compile(source, &[]);
    let mut outputs = vec![run(Command::new(&plain).args(arguments))];
    let sanitized = workshop.compile(source, &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
    outputs.push(run(Command::new(&sanitized)
        .args(arguments)
        .env("ASAN_OPTIONS", "detect_leaks=1:allocator_may_return_null=1")));
    if Command::new("valgrind").arg("--version").output().is_ok() {
        let mut valgrind = Command::new("valgrind");
        valgrind.args([
            "--quiet",
            "--error-exitcode=9",
            "--leak-check=full",
            "--errors-for-leak-kinds=definite,indirect,possible",
        ]);
        outputs.push(run(valgrind.arg(&plain).args(arguments)));
    } else {
        println!("skipped: valgrind is not installed");
    }
    outputs
}

#[test]
fn numbers_are_pinned() {
    let workshop = Workshop::new();
    run(&mut Command::new(workshop.compile("tests/c/numbers.c", &[])));
}

#[test]
fn misuse_is_a_status() {
    all_ways("tests/c/misuse.c", &[&lightgbm().model(), &market()]);
}

#[test]
fn windows_are_right_and_misuse_of_them_is_a_status() {
    let folder = tempfile::tempdir().unwrap();
    for source in ["tests/c/buffer.c", "tests/c/buffer_cpp.cpp"] {
        all_ways(source, &[folder.path()]);
    }
}

#[test]
fn an_engine_predicts_sequences_by_symbol() {
    if common::runtime::is_absent() {
        return;
    }
    let folder = common::fixtures().join("runs/sequences");
    let workshop = Workshop::new();
    for source in ["tests/c/sequences.c", "tests/c/sequences_cpp.cpp"] {
        for flags in [&[][..], &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]] {
            run(Command::new(workshop.compile(source, flags)).arg(&folder));
        }
    }
}

#[test]
fn a_warm_predict_is_quiet() {
    let workshop = Workshop::new();
    let program = workshop.compile("tests/c/quiet.c", &["-fno-builtin"]);
    let text_case = common::cases_of("sklearn", &["text_frame_logistic"]).pop().unwrap();
    let mut command = Command::new(program);
    command.arg(lightgbm().model()).arg(market()).args(["fwd_ret_5m", "lightgbm"]).arg(text_case.model());
    command.arg(common::fixtures().join("runs/sequences"));
    let output = run(&mut command);
    print!("{}", text(&output));
}

#[test]
fn closing_the_library_under_a_thread_is_harmless() {
    let workshop = Workshop::new();
    let program = workshop.compile("tests/c/unload.c", &[]);
    run(Command::new(program).arg(workshop.folder.path().join("libmi.so.1")));
}

#[test]
fn the_example_in_c_prints_what_the_library_said() {
    let case = lightgbm();
    let rows = case.matrix(&case.json["input"]);
    let expect = case.json["expect"].as_array().unwrap().iter();
    let expect = expect.clone().find(|e| e["output"] == "value" && e["input"] == "f64").unwrap();
    let expected = case.matrix(&expect["file"]).data[0];
    let workshop = Workshop::new();
    let program = workshop.compile("examples_c/load_predict.c", &["-fsanitize=address"]);
    let features: Vec<String> = rows.data[..rows.columns].iter().map(|value| format!("{value:e}")).collect();
    let output = run(Command::new(&program).arg(case.model()).args(&features));
    assert_eq!(text(&output).trim().parse::<f64>().unwrap().to_bits(), expected.to_bits());

    let failed = Command::new(&program).arg(case.model()).arg("1.0").output().unwrap();
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("MI_SHAPE_MISMATCH"), "{failed:?}");
}

#[test]
fn the_example_of_windows_answers_as_keras_does_across_a_restart() {
    const SYMBOLS: [&str; 2] = ["AAPL", "MSFT"];
    let run_root = common::fixtures().join("runs/sequences");
    let read = |name: String| common::npy::read(&run_root.join(name));
    let bars = SYMBOLS.map(|symbol| read(format!("{symbol}_bars.npy")));
    let expected = SYMBOLS.map(|symbol| read(format!("expected/SEQUENTIAL_tab_lstm_{symbol}.npy")));
    let workshop = Workshop::new();
    let program = workshop.compile("examples_c/rolling_windows.c", &["-fsanitize=address,undefined"]);
    let windows = workshop.folder.path().join("windows");
    let follow = |bars: &str| {
        let mut command = Command::new(&program);
        command.arg(&run_root).args(["fwd_ret_5m", "tab_lstm", "SEQUENTIAL"]).arg(&windows);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(bars.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let (mut answered, mut waiting) = (0, 0);
    for rows in [0..20, 20..60] {
        let lines = rows.clone().flat_map(|row| {
            let numbers = bars.each_ref().map(|bars| {
                bars.data[row * bars.columns..][..bars.columns].iter().map(f64::to_string).collect::<Vec<_>>().join(" ")
            });
            SYMBOLS.into_iter().zip(numbers).map(|(symbol, numbers)| format!("{symbol} {numbers}\n"))
        });
        let output = follow(&lines.collect::<String>());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let output = text(&output);
        let mut lines = output.lines();
        for row in rows {
            for (symbol, expected) in SYMBOLS.into_iter().zip(&expected) {
                let (name, answer) = lines.next().unwrap().split_once(' ').unwrap();
                assert_eq!(name, symbol);
                let expected = expected.data[row];
                if expected.is_nan() {
                    waiting += usize::from(answer == "-");
                    continue;
                }
                let found: f64 = answer.parse().unwrap();
                assert!(
                    (found - expected).abs() <= (1e-5 * expected.abs()).max(1e-6),
                    "{found}, Keras says {expected}"
                );
                answered += 1;
            }
        }
        assert_eq!(lines.next(), None);
    }
    // A window of nine rows waits for eight, once: the second start goes on where the first one ended.
    assert_eq!((answered, waiting), (2 * 52, 2 * 8));
    let refused = follow("AAPL 1 2 3\n");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("MI_SHAPE_MISMATCH"), "{refused:?}");
}

#[test]
fn the_execution_engine_runs_clean() {
    let [rows, expected] = ["rows.npy", "expected.tsv"].map(|name| market().join(name));
    let workshop = Workshop::new();
    let source = "examples_c/execution_engine.cpp";
    let plain = workshop.compile(source, &["-O2"]);
    let output = text(&run(Command::new(&plain).arg(market()).arg(&rows).arg(&expected).args(["2000", "2"])));
    assert!(
        output.contains("latency") && output.lines().filter(|line| line.starts_with("predict")).count() >= 6,
        "{output}"
    );
    for sanitizer in ["-fsanitize=address,undefined", "-fsanitize=thread"] {
        let program = workshop.compile(source, &[sanitizer, "-fno-sanitize-recover=all"]);
        run(Command::new(program).arg(market()).arg(&rows).arg(&expected).args(["200", "8"]));
    }
    if Command::new("valgrind").arg("--version").output().is_ok() {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--quiet", "--error-exitcode=9", "--leak-check=full"]);
        run(valgrind.arg(plain).arg(market()).arg(&rows).arg(&expected).args(["20", "4"]));
    } else {
        println!("skipped: valgrind is not installed");
    }
}

/// A network among the fixtures.
fn network() -> PathBuf {
    common::fixtures().join("onnx/graph_dense/model.onnx")
}

/// The name under which a runtime is looked for.
const RUNTIME: &str = "libonnxruntime.so.1";

/// A program that finds a runtime beside the library, as an installed one does.
fn network_program(workshop: &Workshop, runtime: &Path, flags: &[&str]) -> PathBuf {
    let link = workshop.folder.path().join(RUNTIME);
    if !link.exists() {
        std::os::unix::fs::symlink(runtime, link).unwrap();
    }
    workshop.compile("tests/c/network.c", flags)
}

/// The runtime that `make runtime` brings, and others whose paths `MI_TEST_RUNTIMES` lists with colons in between.
fn runtimes() -> Vec<PathBuf> {
    if common::runtime::is_absent() {
        return Vec::new();
    }
    let store = PathBuf::from(std::env::var_os("MI_ONNXRUNTIME").expect("set by .cargo/config.toml"));
    let others = std::env::var("MI_TEST_RUNTIMES").unwrap_or_default();
    let others = others.split(':').filter(|path| !path.is_empty()).map(PathBuf::from);
    std::iter::once(store.join(RUNTIME)).chain(others).collect()
}

#[test]
fn without_a_runtime_trees_work() {
    let workshop = Workshop::new();
    let program = workshop.compile("tests/c/network.c", &[]);
    run(Command::new(program).arg("missing").arg(network()).arg(lightgbm().model()).env("MI_ONNXRUNTIME", "/nowhere"));
}

#[test]
fn the_runtime_is_looked_for_in_order() {
    let workshop = Workshop::new();
    let program = workshop.compile("tests/c/network.c", &[]);
    let places = tempfile::tempdir().unwrap();
    // Each place holds a library that is too old and says so, so that the error tells which of them were looked at.
    let [chosen, variable, system] = ["chosen", "variable", "system"].map(|name| places.path().join(name));
    let beside = workshop.folder.path().to_path_buf();
    let versions = ["1.11.0", "1.12.0", "1.13.0", "1.14.0"];
    for (folder, version) in [&chosen, &variable, &beside, &system].into_iter().zip(versions) {
        let define = format!("-DVERSION=\"{version}\"");
        let library = workshop.compile("tests/c/old_runtime.c", &["-shared", "-fPIC", &define]);
        std::fs::create_dir_all(folder).unwrap();
        std::fs::rename(library, folder.join(RUNTIME)).unwrap();
    }
    let search = |chosen: Option<&Path>, variable: Option<&Path>| {
        let mut command = Command::new(&program);
        command.arg("search").arg(network()).args(chosen).env("LD_LIBRARY_PATH", &system).env_remove("MI_ONNXRUNTIME");
        if let Some(variable) = variable {
            command.env("MI_ONNXRUNTIME", variable);
        }
        text(&run(&mut command))
    };
    let seen = |said: &str| versions.into_iter().filter(|version| said.contains(version)).collect::<Vec<_>>();
    // A place that was named is the only one, as a folder and as a file.
    for place in [chosen.clone(), chosen.join(RUNTIME)] {
        let said = search(Some(&place), Some(&variable));
        assert_eq!(seen(&said), [versions[0]], "{said}");
        assert!(said.starts_with("MI_BACKEND_MISSING") && said.contains("options->runtime says"), "{said}");
    }
    let said = search(None, Some(&variable));
    assert_eq!(seen(&said), [versions[1]], "{said}");
    assert!(said.contains("MI_ONNXRUNTIME says") && said.contains("1.24 or newer is needed"), "{said}");
    // Beside the library first, then where the system looks.
    let said = search(None, None);
    assert_eq!(seen(&said), versions[2..], "{said}");
    assert!(said.find(versions[2]) < said.find(versions[3]), "{said}");
    assert!(said.contains("make runtime"), "{said}");
    // An empty variable names nothing.
    assert_eq!(seen(&search(None, Some(Path::new("")))), versions[2..]);
    // A place where there is nothing, and relative to the working directory.
    let mut command = Command::new(&program);
    command.arg("search").arg(network()).arg("chosen/nothing").current_dir(places.path());
    let said = text(&run(&mut command));
    assert!(said.contains("chosen/nothing: No such file") && seen(&said).is_empty(), "{said}");
    let mut command = Command::new(&program);
    command.arg("search").arg(network()).arg("chosen").current_dir(places.path());
    assert_eq!(seen(&text(&run(&mut command))), [versions[0]]);
}

#[test]
fn the_runtime_is_the_one_beside_the_library() {
    for runtime in runtimes() {
        let workshop = Workshop::new();
        let program = network_program(&workshop, &runtime, &[]);
        let said = text(&run(Command::new(program).arg("search").arg(network()).env_remove("MI_ONNXRUNTIME")));
        let real = runtime.canonicalize().unwrap();
        assert!(said.starts_with("MI_OK") && said.contains(&real.display().to_string()), "{said}");
    }
}

#[test]
fn a_network_opens_no_socket_and_writes_no_file() {
    for runtime in runtimes() {
        let workshop = Workshop::new();
        let program = network_program(&workshop, &runtime, &[]);
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command.arg("quiet").arg(network()).env_remove("MI_ONNXRUNTIME").env_remove("ORT_DISABLE_TELEMETRY");
        for place in ["HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "TMPDIR"] {
            command.env(place, home.path());
        }
        let output = run(command.current_dir(home.path()));
        println!("{}: {}", runtime.display(), text(&output).trim());
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "files were left behind");
    }
}

#[test]
fn who_runs_a_network_is_an_option() {
    let keras = common::cases_of("keras", &["mlp_keras"]).pop().unwrap().model();
    for runtime in runtimes() {
        let workshop = Workshop::new();
        let program = network_program(&workshop, &runtime, &["-fsanitize=address,undefined"]);
        let mut command = Command::new(program);
        command.arg("choice").arg(&keras).arg(common::fixtures().join("runs/sequences"));
        run(command.env_remove("MI_ONNXRUNTIME"));
    }
}

#[test]
fn threads_share_a_network() {
    for runtime in runtimes() {
        let workshop = Workshop::new();
        for flags in [&[][..], &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"], &["-fsanitize=thread"]] {
            let program = network_program(&workshop, &runtime, flags);
            run(Command::new(program).arg("shared").arg(network()).env_remove("MI_ONNXRUNTIME"));
        }
    }
}
