//! Every fixture cut short and with flipped bits: an error or a sound model, within a second and within a memory bound.
//!
//! A model that comes out is asked twice: the second time it allocates nothing.
//!
//! Set `MI_HOSTILE=n` for n times as many corruptions.

mod attack;
mod common;

use std::time::Duration;

/// A small generator of random numbers (SplitMix64), so that every run corrupts the same places.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }
}

#[derive(Default)]
struct Tally {
    errors: usize,
    models: usize,
    slowest: Duration,
    hungriest: usize,
}

/// Reads the bytes and asks a model that comes out of them, all within the bounds.
fn attack(what: &str, bytes: &[u8], tally: &mut Tally) {
    let (result, cost) = attack::model(&what, bytes);
    match result {
        Ok(()) => tally.models += 1,
        Err(_) => tally.errors += 1,
    }
    tally.slowest = tally.slowest.max(cost.time);
    tally.hungriest = tally.hungriest.max(cost.memory);
}

fn sweep(library: &str) {
    sweep_cases(library, &common::cases(library));
}

/// The cases of these subjects as the newest release wrote them; the older ones differ in a few attributes.
fn sweep_newest(what: &str, subjects: &[&str]) {
    let mut newest: Vec<common::Case> = Vec::new();
    for case in common::cases_of("sklearn", subjects) {
        match newest.last_mut() {
            Some(last) if last.subject() == case.subject() => *last = case,
            _ => newest.push(case),
        }
    }
    sweep_cases(what, &newest);
}

fn sweep_cases(library: &str, cases: &[common::Case]) {
    let factor: usize = std::env::var("MI_HOSTILE").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let mut tally = Tally::default();
    for case in cases {
        let bytes = std::fs::read(case.model()).unwrap();
        let mut random = Random(bytes.len() as u64);
        for cut in 0..200 * factor {
            let length = if cut < 200 { bytes.len() * cut / 200 } else { random.below(bytes.len()) };
            attack(&format!("{} cut to {length}", case.name()), &bytes[..length], &mut tally);
        }
        let mut flipped = bytes.clone();
        for _ in 0..500 * factor {
            let (place, bit) = (random.below(bytes.len()), random.below(8));
            flipped[place] ^= 1 << bit;
            attack(&format!("{} bit {bit} of byte {place}", case.name()), &flipped, &mut tally);
            flipped[place] = bytes[place];
        }
    }
    println!(
        "{library}: {} files, {} errors, {} sound models, slowest {:?}, most memory {} KiB",
        cases.len(),
        tally.errors,
        tally.models,
        tally.slowest,
        tally.hungriest / 1024
    );
    assert!(tally.errors > 1000, "too few errors: the corruptions do not reach the reader");
}

#[test]
fn lightgbm() {
    sweep("lightgbm");
}

#[test]
fn catboost() {
    sweep("catboost");
}

#[test]
fn xgboost() {
    sweep("xgboost");
}

/// A file that was cut off says so and what to do, wherever it ends.
#[test]
fn xgboost_json_that_ends_early() {
    let bytes = std::fs::read(common::cases_of("xgboost", &["approx"])[0].model()).unwrap();
    for end in (100..bytes.len() - 1).step_by(97) {
        let error = mi::Model::from_bytes(&bytes[..end], &mi::formats::ReadOptions::default()).unwrap_err();
        assert!(error.message().contains("the file is cut off, copy it again"), "{end} bytes: {error}");
    }
}

#[test]
fn boosters_in_pickles() {
    sweep("pickled");
}

#[test]
fn ngboost() {
    sweep("ngboost");
}

#[test]
fn torch() {
    let mut cases = common::cases("torch");
    cases.retain(|case| case.name().ends_with("-2.15") || case.name().ends_with("-2.6"));
    sweep_cases("torch", &cases);
}

#[test]
fn keras() {
    sweep("keras");
}

#[test]
fn wrappers() {
    sweep("wrappers");
}

/// Opcodes between PROTO and STOP.
fn pickle(parts: &[&[u8]]) -> Vec<u8> {
    [&[b"\x80\x04".as_slice()], parts, &[b"."]].concat().concat()
}

/// Objects and dicts that hold themselves, one another, or the same thing over and over.
#[test]
fn wrapped_without_end() {
    const RIDGE: &[u8] = b"csklearn.linear_model._ridge\nRidge\n)\x81}(\x8c\x05coef_]G\x3f\xf0\0\0\0\0\0\0a\x8c\x0aintercept_G\0\0\0\0\0\0\0\0ubq\0";
    const SCALER: &[u8] = b"csklearn.preprocessing._data\nStandardScaler\n)\x81}(\x8c\x09with_mean\x89\x8c\x08with_std\x89\x8c\x0en_features_in_K\x01ubq\0";
    const NORMALIZER: &[u8] = b"csklearn.preprocessing._data\nNormalizer\n)\x81}\x8c\x04norm\x8c\x02l2sbq\x01";
    // Sixty objects, each of which holds the one before it twice: X stands for it.
    let doubled = |shape: &[u8]| {
        let mut bytes = RIDGE.to_vec();
        for level in 0..60 {
            bytes.push(b'0');
            for &byte in shape {
                if byte == b'X' { bytes.extend([b'h', level]) } else { bytes.push(byte) }
            }
            bytes.extend([b'q', level + 1]);
        }
        pickle(&[&bytes])
    };
    // Thirty pipelines, each with a scaler before the one inside, which does not say how wide its rows are.
    let pipelines = |innermost: &[u8]| {
        let mut bytes = b"csklearn.preprocessing._data\nStandardScaler\n)\x81}(\x8c\x09with_mean\x88\x8c\x08with_std\x89\x8c\x05mean_]G\0\0\0\0\0\0\0\0aubq@0".to_vec();
        bytes.extend([innermost, b"q\0"].concat());
        for level in 0..30 {
            bytes.extend(b"0csklearn.pipeline\nPipeline\n)\x81}\x8c\x05steps](\x8c\x01sh@\x86\x8c\x01mh");
            bytes.extend([level, b'\x86', b'e', b's', b'b', b'q', level + 1]);
        }
        pickle(&[&bytes])
    };
    let deep = |open: &[u8], close: &[u8]| pickle(&[&open.repeat(100_000), b"N", &close.repeat(100_000)]);
    let attacks = [
        ("a dict that is its own model", pickle(&[b"}q\0\x8c\x05modelh\0s"])),
        ("an object that is its own model", pickle(&[b"cm\nC\n)\x81q\0}\x8c\x05modelh\0sb"])),
        ("two objects that hold each other", pickle(&[b"cm\nC\n)\x81q\0}\x8c\x05modelcm\nC\n)\x81}\x8c\x05modelh\0sbsb"])),
        ("a list that holds itself", pickle(&[b"]q\0h\0a"])),
        ("dicts in dicts", deep(b"}\x8c\x05model", b"s")),
        ("lists in lists", deep(b"]", b"a")),
        ("doubled lists", doubled(b"](XXe")),
        ("doubled members", doubled(b"}(\x8c\x06models](XXe\x8c\x07weights](K\x01K\x01eu")),
        ("doubled quantiles", doubled(b"}(G\x3f\xe0\0\0\0\0\0\0XG\x3f\xd0\0\0\0\0\0\0Xu")),
        ("doubled parts", doubled(b"}(\x8c\x05modelX\x8c\x06scalerXu")),
        ("pipelines of nothing", pipelines(b"csklearn.linear_model._ridge\nRidge\n)\x81}b")),
        ("pipelines of a class that is not read", pipelines(b"csklearn.manifold._isomap\nIsomap\n)\x81}b")),
        ("a union of many steps that do not say how many columns they take", {
            let union: &[u8] = b"csklearn.pipeline\nFeatureUnion\n)\x81}(\x8c\x13transformer_weightsN\x8c\x10transformer_list](";
            pickle(&[NORMALIZER, b"0", SCALER, b"0", union, &b"\x8c\x01ah\x01\x86".repeat(50_000), b"\x8c\x01ah\0\x86eub"])
        }),
        ("many members", pickle(&[RIDGE, b"0](", &b"h\0".repeat(200_000), b"e"])),
        ("many pieces", pickle(&[RIDGE, b"0(", &b"](h\0h\0e".repeat(50_000), b"t"])),
        (
            "a hundred thousand rounds of one tree",
            pickle(&[
                b"cngboost.api\nNGBRegressor\n)\x81}(\x8c\x04Distcngboost.distns.normal\nNormal\n\x8c\x0binit_paramsG\0\0\0\0\0\0\0\0",
                b"\x8c\x0dlearning_rateG\x3f\xf0\0\0\0\0\0\0\x8c\x0bbase_models]q\0(",
                &b"](NNe".repeat(100_000),
                b"e\x8c\x08scalings](",
                &b"K\x01".repeat(100_000),
                b"e\x8c\x08col_idxs](",
                &b"]".repeat(100_000),
                b"e\x8c\x0an_featuresJ\0\0\x01\0ub",
            ]),
        ),
    ];
    let mut tally = Tally::default();
    for (what, bytes) in &attacks {
        attack(what, bytes, &mut tally);
        if let Err(error) = mi::Model::from_bytes(bytes, &mi::formats::ReadOptions::default()) {
            assert!(!error.message().contains("not a sound pickle"), "{what}: {error}");
        }
    }
    println!("slowest {:?}, most memory {} KiB, {} models", tally.slowest, tally.hungriest / 1024, tally.models);
    assert!(tally.errors > 8);
}

#[test]
fn sklearn_linear() {
    sweep_newest("sklearn linear", common::subjects::LINEAR);
}

#[test]
fn sklearn_kernels() {
    sweep_newest("sklearn kernels", common::subjects::KERNELS);
}

#[test]
fn sklearn_networks() {
    sweep_newest("sklearn networks", common::subjects::NETWORKS);
}

#[test]
fn sklearn_neighbors() {
    sweep_newest("sklearn neighbors", common::subjects::NEIGHBORS);
}

#[test]
fn sklearn_bayes() {
    sweep_newest("sklearn bayes", common::subjects::BAYES);
}

#[test]
fn sklearn_similarity() {
    sweep_newest("sklearn similarity", common::subjects::SIMILARITY);
}

#[test]
fn sklearn_versions() {
    sweep_newest("sklearn versions", common::subjects::VERSIONS);
}

#[test]
fn sklearn_unsupervised() {
    sweep_newest("sklearn unsupervised", common::subjects::UNSUPERVISED);
}

#[test]
fn sklearn_trees() {
    sweep_newest("sklearn trees", common::subjects::TREES);
}

#[test]
fn sklearn_text() {
    sweep_newest("sklearn text", common::subjects::TEXT);
}

/// Short text that would become large things, were each of them believed.
#[test]
fn catboost_bombs() {
    let list = |item: &str, length: usize| item.repeat(length / item.len());
    let zeros = list("0,", 2 << 20) + "0";
    let info = r#""features_info": {"float_features": []}"#;
    let element = r#"{"combination_element": "cat_feature_value", "cat_feature_index": 0}"#;
    let counted = format!(
        r#""features_info": {{"categorical_features": [{{"feature_index": 0, "flat_feature_index": 0}}], "ctrs": [{{
        "borders": [0], "ctr_type": "Counter", "elements": [{element}], "prior_numerator": 0, "prior_denomerator": 1,
        "scale": 1, "shift": 0, "target_border_idx": 0}}]}}"#
    );
    let identifier = format!(r#"{{"identifier": [{element}], "type": "Counter"}}"#).replace('"', "\\\"");
    let table = format!(r#""ctr_data": {{"{identifier}""#);
    let bombs = [
        format!("{{{info}, \"trees\": [{}{{}}]}}", list("{},", 2 << 20)),
        format!("{{{info}, \"trees\": [{}{{\"value\":0}}]}}", list("{\"value\":0},", 2 << 20)),
        format!("{{{info}, \"trees\": [{}]}}", list("{\"left\":", 1 << 20)),
        format!("{{{info}, \"oblivious_trees\": [{{\"leaf_values\": [{zeros}]}}]}}"),
        format!(
            "{{{info}, \"oblivious_trees\": [{}{{\"leaf_values\":[0]}}]}}",
            list("{\"leaf_values\":[0]},", 2 << 20)
        ),
        format!("{{\"features_info\": {{\"text_features\": [{}{{}}]}}}}", list("{},", 2 << 20)),
        format!("{{{counted}, {table}: {{\"hash_map\": [\"1\",{zeros}]}}}}}}"),
        format!("{{{counted}, {table}: {{\"hash_map\": [{}\"1\",0]}}}}}}", list("\"1\",0,", 2 << 20)),
        format!("{{{info}, \"model_info\": {{\"class_params\": {{\"class_names\": [{zeros}]}}}}}}"),
        format!("{{{info}, \"scale_and_bias\": [1, [{zeros}]]}}"),
    ];
    let mut tally = Tally::default();
    for (index, bomb) in bombs.iter().enumerate() {
        attack(&format!("JSON bomb {index}"), bomb.as_bytes(), &mut tally);
    }
    for (what, bomb) in binary_bombs() {
        attack(what, &bomb, &mut tally);
    }
    println!(
        "{} errors, {} models, slowest {:?}, most memory {} KiB",
        tally.errors,
        tally.models,
        tally.slowest,
        tally.hungriest / 1024
    );
    assert!(tally.errors > 8);
}

/// Flatbuffers whose trees are a vector of offsets to one and the same table, or nothing but sizes.
fn binary_bombs() -> Vec<(&'static str, Vec<u8>)> {
    let made = |field: usize, count: u32, element: u32| {
        let mut core = Vec::new();
        let word = |core: &mut Vec<u8>, value: u32| core.extend(value.to_le_bytes());
        let half = |core: &mut Vec<u8>, value: u16| core.extend(value.to_le_bytes());
        word(&mut core, 12); // the root table at 12, its vtable at 4
        for value in [8, 12, 4, 8] {
            half(&mut core, value);
        }
        word(&mut core, 8); // 12: distance to the vtable
        word(&mut core, 12); // 16: format version at 28
        word(&mut core, 40); // 20: trees at 60
        word(&mut core, 0); // 24
        word(&mut core, 18); // 28
        core.extend(*b"FlabuffersModel_v1\0\0");
        word(&mut core, 0); // 52
        word(&mut core, 0); // 56
        word(&mut core, (60u32).wrapping_sub(80)); // 60: the vtable of the trees lies behind them, at 80
        word(&mut core, 1); // 64: ApproxDimension
        word(&mut core, 80); // 68: the vector at 148
        word(&mut core, 0);
        word(&mut core, 0); // 76
        for value in [42, 20, 4].into_iter().chain((1..20).map(|at| if at == field { 8 } else { 0 })) {
            half(&mut core, value); // 80
        }
        core.resize(148, 0);
        word(&mut core, count);
        let end = 152 + 4 * count;
        for place in 0..count {
            // Offsets lead forwards to one table at the end, sizes are what they are.
            word(&mut core, if element == 0 { 0 } else { end + 8 - (152 + 4 * place) });
        }
        for value in [4, 4, 0, 0] {
            half(&mut core, value); // an empty vtable, then its table
        }
        word(&mut core, 8);
        word(&mut core, 0);
        let mut file = b"CBM1".to_vec();
        word(&mut file, u32::try_from(core.len()).unwrap());
        file.extend(core);
        file
    };
    vec![
        ("a million trees of no size", made(2, 1 << 20, 0)),
        ("a million times one float feature", made(5, 1 << 20, 1)),
        ("a million times one ctr", made(7, 1 << 20, 1)),
        ("a million times one category feature", made(4, 1 << 20, 1)),
    ]
}

#[test]
fn sklearn_transformers() {
    sweep_newest("sklearn transformers", common::subjects::TRANSFORMERS);
}

#[test]
fn sklearn_meta() {
    sweep_newest("sklearn meta", common::subjects::META);
}
