//! Built once, shared, and nobody waits for somebody else's model.

use crate::common::runs::TestRun;
use crate::refused;
use mi::cache::Cache;
use mi::loader::Name;
use mi::{Error, Model, Status};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

const MODEL: &str = "lightgbm/regression";
const NAME: Name<'static> = Name { target: "t", family: "lgb", view: None, symbol: None };

#[test]
fn sixty_four_threads_get_one_instance() {
    let run = TestRun::new();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").done();
    let loader = run.loader();
    let start = Barrier::new(64);
    let models: Vec<Arc<Model>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..64)
            .map(|index| {
                let (loader, start) = (&loader, &start);
                scope.spawn(move || {
                    start.wait();
                    let family = ["LightGBM", "lgb", "lightgbm", "family=lgbm"][index % 4];
                    loader.load(Name::new("t", family)).unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(models.iter().all(|model| Arc::ptr_eq(model, &models[0])));
}

#[test]
fn one_key_is_built_once() {
    let cache = Cache::new();
    let builds = AtomicUsize::new(0);
    let start = Barrier::new(64);
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                start.wait();
                let build = || {
                    thread::sleep(Duration::from_millis(20));
                    Ok(builds.fetch_add(1, Ordering::SeqCst))
                };
                assert_eq!(*cache.get_or_build(&"key", build).unwrap(), 0);
            });
        }
    });
    assert_eq!(builds.load(Ordering::SeqCst), 1);
}

#[test]
fn another_key_does_not_wait() {
    let cache = Cache::new();
    let (started, has_started) = channel();
    let (release, released) = channel();
    thread::scope(|scope| {
        let cache = &cache;
        scope.spawn(move || {
            let slow = cache.get_or_build(&"slow", || {
                started.send(()).unwrap();
                // Ends only after the other key was built: with a shared lock this times out.
                released.recv_timeout(Duration::from_secs(20)).map_err(|_| Error::internal("the other key waited"))?;
                Ok(1)
            });
            assert_eq!(*slow.unwrap(), 1);
        });
        has_started.recv().unwrap();
        assert_eq!(*cache.get_or_build(&"fast", || Ok(2)).unwrap(), 2);
        release.send(()).unwrap();
    });
}

#[test]
fn those_who_wait_for_a_failure_get_it_and_the_next_call_builds_anew() {
    let cache: Cache<&str, i32> = Cache::new();
    let builds = AtomicUsize::new(0);
    let start = Barrier::new(8);
    let failures = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                let build = || {
                    builds.fetch_add(1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(100));
                    Err(Error::malformed("broken"))
                };
                let error = cache.get_or_build(&"key", build).unwrap_err();
                assert_eq!(error.message(), "broken");
                failures.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    assert_eq!(failures.load(Ordering::SeqCst), 8);
    assert!(builds.load(Ordering::SeqCst) < 8, "nobody waited");
    assert_eq!(*cache.get_or_build(&"key", || Ok(7)).unwrap(), 7);
}

#[test]
fn a_build_that_panics_leaves_nobody_waiting() {
    let cache: Cache<&str, i32> = Cache::new();
    let (started, has_started) = channel();
    thread::scope(|scope| {
        let cache = &cache;
        let panics = scope.spawn(move || {
            let _ = cache.get_or_build(&"key", || {
                started.send(()).unwrap();
                thread::sleep(Duration::from_millis(50));
                panic!("a defect")
            });
        });
        has_started.recv().unwrap();
        assert_eq!(cache.get_or_build(&"key", || Ok(0)).unwrap_err().status(), Status::Internal);
        assert!(panics.join().is_err());
    });
    assert_eq!(*cache.get_or_build(&"key", || Ok(7)).unwrap(), 7);
}

#[test]
fn a_failure_is_not_kept() {
    let run = TestRun::new();
    let folder = run.plain("t", "LightGBM").model(MODEL, "model.txt").done();
    let sound = std::fs::read(folder.join("model.txt")).unwrap();
    std::fs::write(folder.join("model.txt"), &sound[..700]).unwrap();
    let loader = run.loader();
    refused(loader.load(NAME), Status::ChecksumMismatch, &[]);
    std::fs::remove_file(folder.join("model.txt")).unwrap();
    refused(loader.load(NAME), Status::NotFound, &[]);
    std::fs::write(folder.join("model.txt"), &sound).unwrap();
    let model = loader.load(NAME).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(Arc::ptr_eq(&model, &loader.load(NAME).unwrap()), "what is loaded stays");
    drop((loader, run));
    assert_eq!(model.feature_count(), 8, "a model outlives its loader and its files");
}

#[test]
fn without_a_cache_every_call_loads() {
    let run = TestRun::new();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").done();
    let loader = run.loader_with(|options| options.cache_models = false);
    assert!(!Arc::ptr_eq(&loader.load(NAME).unwrap(), &loader.load(NAME).unwrap()));
}

#[test]
fn preloading_counts_and_names_failures() {
    let run = TestRun::new();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").done();
    run.plain("t", "mlp").file("model.onnx", b"\x18\0\0\0ORTMrest").done();
    let symbols = "targets/t/models/view=SYMBOL_SPECIFIC/symbol=AAPL/family=lgb";
    run.family(symbols).model(MODEL, "model.txt").done();
    let loader = run.loader();
    let all = loader.preload("t", None).unwrap();
    assert_eq!((all.loaded, all.failures.len()), (2, 1));
    assert_eq!(all.failures[0].0.to_string(), "t/CROSS_SECTIONAL/mlp");
    assert!(all.failures[0].1.message().contains("t/CROSS_SECTIONAL/mlp"));
    let one = loader.preload("t", Some("SYMBOL_SPECIFIC")).unwrap();
    assert_eq!((one.loaded, one.failures.len()), (1, 0));
    refused(loader.preload("t", Some("SEQUENTIAL")), Status::NotFound, &["SYMBOL_SPECIFIC"]);
    refused(loader.preload("u", None), Status::NotFound, &["'u'"]);
}

#[test]
fn an_eager_loader_finds_faults_when_it_opens() {
    let run = TestRun::new();
    run.plain("t", "LightGBM").model(MODEL, "model.txt").done();
    run.plain("t", "mlp").file("model.onnx", b"\x18\0\0\0ORTMrest").done();
    run.loader_with(|options| options.lazy_load = false);
    run.plain("u", "LightGBM").model(MODEL, "model.txt").says("model_checksum", serde_json::json!("00")).done();
    let options = mi::loader::Options { lazy_load: false, ..mi::loader::Options::default() };
    refused(mi::loader::Loader::open(run.path(), options), Status::ChecksumMismatch, &["u/CROSS_SECTIONAL/LightGBM"]);
}
