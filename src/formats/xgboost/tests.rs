//! Documents and binary models written by hand: what is in them is known without the library.

use super::*;
use crate::Status;
use crate::ir::forest::{Finish, Missing, Side, Target, Test, Tree};
use crate::ir::{Body, Classes, Forest, Task};
use serde_json::{Value, json};

/// A tree with one split on column 1.
fn stump() -> Value {
    json!({
        "id": 0,
        "tree_param": {"num_nodes": "3", "size_leaf_vector": "1"},
        "left_children": [1, -1, -1],
        "right_children": [2, -1, -1],
        "parents": [i32::MAX, 0, 0],
        "split_indices": [1, 0, 0],
        "split_conditions": [0.1, -1.5, 2.5],
        "default_left": [true, false, false],
        "loss_changes": [3.0, 0.0, 0.0],
        "sum_hessian": [2.0, 1.0, 1.0],
        "base_weights": [0.0, 0.0, 0.0],
    })
}

fn model(trees: &[Value]) -> Value {
    json!({
        "gbtree_model_param": {"num_trees": trees.len().to_string(), "num_parallel_tree": "1"},
        "tree_info": vec![0; trees.len()],
        "trees": trees,
    })
}

fn document(booster: &Value) -> Value {
    json!({
        "version": [2, 0, 3],
        "learner": {
            "attributes": {},
            "feature_names": [],
            "feature_types": [],
            "gradient_booster": booster,
            "learner_model_param": {"base_score": "5E-1", "num_class": "0", "num_feature": "2", "num_target": "1"},
            "objective": {"name": "reg:squarederror"},
        },
    })
}

fn gbtree(trees: &[Value]) -> Value {
    document(&json!({"name": "gbtree", "model": model(trees)}))
}

fn read(document: &Value) -> Result<Model> {
    read_json(document.to_string().as_bytes(), &ReadOptions::default())
}

fn forest(model: &Model) -> &Forest {
    match &model.body {
        Body::Forest(forest) => forest,
        _ => panic!("a forest was expected"),
    }
}

fn refused(document: &Value) -> (Status, String) {
    let error = read(document).unwrap_err();
    (error.status(), error.message().to_owned())
}

/// The same document as UBJSON, in the plainest form.
fn ubjson(value: &Value, bytes: &mut Vec<u8>) {
    let text = |text: &str, bytes: &mut Vec<u8>| {
        bytes.push(b'L');
        bytes.extend((text.len() as u64).to_be_bytes());
        bytes.extend(text.as_bytes());
    };
    match value {
        Value::Null => bytes.push(b'Z'),
        Value::Bool(truth) => bytes.push(if *truth { b'T' } else { b'F' }),
        Value::Number(number) => {
            if let Some(number) = number.as_i64() {
                bytes.push(b'L');
                bytes.extend(number.to_be_bytes());
            } else {
                bytes.push(b'D');
                bytes.extend(number.as_f64().unwrap().to_be_bytes());
            }
        }
        Value::String(string) => {
            bytes.push(b'S');
            text(string, bytes);
        }
        Value::Array(items) => {
            bytes.push(b'[');
            for item in items {
                ubjson(item, bytes);
            }
            bytes.push(b']');
        }
        Value::Object(entries) => {
            bytes.push(b'{');
            for (key, value) in entries {
                text(key, bytes);
                ubjson(value, bytes);
            }
            bytes.push(b'}');
        }
    }
}

#[test]
fn a_stump_means_what_it_says() {
    let model = read(&gbtree(&[stump()])).unwrap();
    let forest = forest(&model);
    assert_eq!(forest.layout().base, [0.5]);
    assert_eq!(forest.layout().finish, Finish::Sum);
    let tree: &Tree = &forest.trees()[0];
    assert_eq!(tree.nodes[0].feature, 1);
    assert_eq!(tree.nodes[0].test, Test::Threshold(f64::from(0.1_f32)));
    assert_eq!(tree.nodes[0].missing, Missing::Nan(Side::Left));
    assert_eq!((tree.values.as_slice(), tree.leaf_ids.as_slice()), ([-1.5, 2.5].as_slice(), [1, 2].as_slice()));
    assert_eq!(model.importance.split.as_deref(), Some([0.0, 1.0].as_slice()));
    assert_eq!(model.importance.gain.as_deref(), Some([0.0, 3.0].as_slice()));
    assert_eq!(model.source.version.as_deref(), Some("2.0.3"));
    assert_eq!(model.source.details["iterations"], json!({"used": [0, 1], "of": 1, "rule": "all"}));
}

#[test]
fn ubjson_and_a_boosters_memory_hold_the_same() {
    let plain = gbtree(&[stump()]);
    let expected = read(&plain).unwrap();
    for document in [plain.clone(), json!({"Config": {"learner": [1, {"a": null}]}, "Model": plain})] {
        let mut bytes = Vec::new();
        ubjson(&document, &mut bytes);
        let found = read_ubjson(&bytes, &ReadOptions::default()).unwrap();
        assert_eq!(forest(&found).trees(), forest(&expected).trees());
        assert_eq!(forest(&read(&document).unwrap()).trees(), forest(&expected).trees());
        for end in 0..bytes.len() {
            assert!(read_ubjson(&bytes[..end], &ReadOptions::default()).is_err(), "cut at {end}");
        }
    }
}

#[test]
fn damaged_hessians_are_left_out() {
    let whole = read(&gbtree(&[stump()])).unwrap();
    assert_eq!(forest(&whole).trees()[0].cover, [1.0, 1.0]);
    let bare = Tree { cover: Vec::new(), ..forest(&whole).trees()[0].clone() };
    for damaged in [
        json!([]),
        json!([2.0, 1.0]),
        json!([2.0, 1.0, 1.0, 1.0]),
        json!([2.0, "one", 1.0]),
        json!([[2.0, 1.0, 1.0], [2.0], 1.0]),
        json!([2.0, {"a": [1.0, 1.0]}, null]),
        json!([true, 1.0, 1.0]),
        json!({"a": [2.0, 1.0, 1.0]}),
        json!("2, 1, 1"),
        json!(3),
        json!(2.5),
        json!(false),
        json!(null),
    ] {
        let mut tree = stump();
        tree["sum_hessian"] = damaged;
        let document = gbtree(&[stump(), tree]);
        let mut bytes = Vec::new();
        ubjson(&document, &mut bytes);
        for model in [read(&document).unwrap(), read_ubjson(&bytes, &ReadOptions::default()).unwrap()] {
            assert_eq!(forest(&model).trees()[0], forest(&whole).trees()[0]);
            assert_eq!(forest(&model).trees()[1], bare, "{}", document["learner"]["gradient_booster"]);
        }
    }
}

/// Squared errors have a hessian of 1 per row.
#[test]
fn hessians_of_the_leaves_add_up() {
    let fixture = |case: &str, file: &str| {
        let path = format!("{}/tests/fixtures/xgboost/{case}/{file}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    for release in ["1_0", "1_2", "1_3", "1_5", "1_6", "1_7", "2_1", "3_0", "3_4"] {
        let bytes = fixture(&format!("v{release}_regression"), "model.json");
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        let model = read_json(&bytes, &ReadOptions::default()).unwrap();
        for (index, tree) in forest(&model).trees().iter().enumerate() {
            let trees = &document["learner"]["gradient_booster"]["model"]["trees"];
            let root = trees[index]["sum_hessian"][0].as_f64().unwrap();
            assert_eq!((tree.cover.len(), f64::from(tree.cover.iter().sum::<f32>())), (tree.leaves(), root));
        }
        if release >= "1_6" {
            let ubjson =
                read_ubjson(&fixture(&format!("v{release}_regression_ubj"), "model.ubj"), &ReadOptions::default());
            assert_eq!(forest(&ubjson.unwrap()).trees(), forest(&model).trees());
        }
        if release <= "3_0" {
            let binary =
                read_binary(&fixture(&format!("v{release}_regression_bin"), "model.bin"), &ReadOptions::default());
            assert_eq!(forest(&binary.unwrap()).trees(), forest(&model).trees());
        }
    }
    for release in ["0_4", "0_6", "0_7", "0_72", "0_82", "0_90"] {
        let model = read_binary(&fixture(&format!("v{release}_regression"), "model.bin"), &ReadOptions::default());
        for tree in forest(&model.unwrap()).trees() {
            assert_eq!((tree.cover.len(), tree.cover.iter().sum::<f32>()), (tree.leaves(), 500.0), "{release}");
        }
    }
}

#[test]
fn decimals_are_rounded_once() {
    // Just above the middle of two float32 neighbours; as a float64 it is the middle itself, and would then round to even.
    let text = gbtree(&[stump()]).to_string().replace("0.1,-1.5", "1.00000005960464477540,-1.5");
    let model = read_json(text.as_bytes(), &ReadOptions::default()).unwrap();
    assert_eq!(forest(&model).trees()[0].nodes[0].test, Test::Threshold(f64::from(1.0_f32.next_up())));
}

#[test]
fn bare_words_are_numbers() {
    let text = gbtree(&[stump()]).to_string().replace("0.1,-1.5,2.5", "NaN,-Infinity,Infinity");
    let model = read_json(text.as_bytes(), &ReadOptions::default()).unwrap();
    assert_eq!(forest(&model).trees()[0].values, [f64::NEG_INFINITY, f64::INFINITY]);
}

#[test]
fn dart_weights_are_found_in_every_layout() {
    let trees = model(&[stump(), stump()]);
    let mut inside = trees.clone();
    inside["weight_drop"] = json!([0.1, 1.0]);
    for booster in [
        json!({"name": "dart", "gbtree": {"name": "gbtree", "model": trees}, "weight_drop": [0.1, 1.0]}),
        json!({"name": "gbtree", "model": inside}),
        json!({"name": "gbtree", "model": trees, "weight_drop": [0.1]}),
    ] {
        let model = read(&document(&booster)).unwrap();
        let values: Vec<&[f64]> = forest(&model).trees().iter().map(|tree| tree.values.as_slice()).collect();
        assert_eq!(values, [[f64::from(0.1_f32 * -1.5), f64::from(0.1_f32 * 2.5)], [-1.5, 2.5]]);
        assert_eq!(model.source.details["booster"], "dart");
    }
}

#[test]
fn vector_leaves_of_both_layouts() {
    let mut old = stump();
    old["tree_param"]["size_leaf_vector"] = json!("2");
    old["base_weights"] = json!([9.0, 9.0, 1.0, 2.0, 3.0, 4.0]);
    let mut new = old.clone();
    new["base_weights"] = json!([9.0, 9.0, 9.0]);
    new["leaf_weights"] = json!([3.0, 4.0, 1.0, 2.0]);
    new["right_children"] = json!([2, 1, 0]);
    for tree in [old, new] {
        let mut document = gbtree(&[tree]);
        document["learner"]["learner_model_param"]["num_target"] = json!("2");
        document["learner"]["learner_model_param"]["base_score"] = json!("[1E0,-2E0]");
        let model = read(&document).unwrap();
        assert_eq!(forest(&model).layout().base, [1.0, -2.0]);
        let tree = &forest(&model).trees()[0];
        assert_eq!((tree.target, tree.values.as_slice()), (Target::All, [1.0, 2.0, 3.0, 4.0].as_slice()));
    }
}

#[test]
fn old_releases_add_the_base_score_last() {
    for (version, last) in [([1, 2, 0], true), ([1, 3, 0], false)] {
        let mut document = gbtree(&[stump()]);
        document["version"] = json!(version);
        let finish = forest(&read(&document).unwrap()).layout().finish.clone();
        assert_eq!(finish, if last { Finish::Base(vec![0.5]) } else { Finish::Sum });
    }
}

#[test]
fn estimators_stop_at_their_best_iteration() {
    let mut document = gbtree(&[stump(), stump(), stump()]);
    document["learner"]["objective"]["name"] = json!("binary:logistic");
    document["learner"]["attributes"] = json!({"best_iteration": "1"});
    assert_eq!(forest(&read(&document).unwrap()).trees().len(), 3);
    document["learner"]["attributes"]["scikit_learn"] = json!(r#"{"classes_": [3, 7]}"#);
    let model = read(&document).unwrap();
    assert_eq!(forest(&model).trees().len(), 2);
    assert_eq!((model.task, &model.classes), (Task::Binary, &Classes::Numbers(vec![3.0, 7.0])));
    assert_eq!(model.source.details["iterations"]["used"], json!([0, 2]));
    let all = ReadOptions { iteration_end: 9, ..ReadOptions::default() };
    assert_eq!(forest(&read_json(document.to_string().as_bytes(), &all).unwrap()).trees().len(), 3);
}

#[test]
fn a_file_without_a_width_takes_that_of_its_trees() {
    let mut document = gbtree(&[stump()]);
    document["learner"]["learner_model_param"]["num_feature"] = json!("0");
    let model = read(&document).unwrap();
    assert_eq!(model.body.features(), 2);
    assert!(model.source.warnings[0].contains("num_feature"));
}

#[test]
fn faults_are_placed() {
    let tree = |key: &str, value: Value| {
        let mut broken = stump();
        broken[key] = value;
        gbtree(&[stump(), broken])
    };
    let learner = |pointer: &str, value: Value| {
        let mut document = gbtree(&[stump()]);
        *document.pointer_mut(&format!("/learner/{pointer}")).unwrap() = value;
        document
    };
    for (document, status, words) in [
        (tree("left_children", json!([1, -1])), Status::Malformed, ["tree 1", "right_children of node 0 is 2"]),
        (tree("left_children", json!([1.5, -1, -1])), Status::Malformed, ["tree 1", "left_children: element 0 is 1.5"]),
        (tree("split_conditions", json!([[1], 2, 3])), Status::Malformed, ["tree 1", "split_conditions: element 0"]),
        (tree("default_left", json!({})), Status::Malformed, ["tree 1", "default_left: an array was expected"]),
        (tree("right_children", Value::Null), Status::Malformed, ["tree 1", "'right_children' is missing"]),
        (tree("split_indices", json!([2, 0, 0])), Status::Malformed, ["tree 1", "feature 2 of 2"]),
        (
            tree("tree_param", json!({"size_leaf_vector": "99999999"})),
            Status::LimitExceeded,
            ["tree 1", "numbers per leaf"],
        ),
        (tree("tree_param", json!({"size_leaf_vector": "3"})), Status::Malformed, ["tree 1", "base_weights"]),
        (learner("objective/name", json!("my:loss")), Status::Unsupported, ["my:loss", "objective"]),
        (learner("gradient_booster/name", json!("gbforest")), Status::Unsupported, ["gbforest", "gblinear"]),
        (
            learner("gradient_booster/model/tree_info", json!([1])),
            Status::Malformed,
            ["tree_info of tree 0", "1 margins"],
        ),
        (learner("gradient_booster/model/tree_info", json!([])), Status::Malformed, ["tree_info", "0 entries"]),
        (
            learner("gradient_booster/model/gbtree_model_param/num_trees", json!("7")),
            Status::Malformed,
            ["num_trees", "1 trees"],
        ),
        (learner("learner_model_param/base_score", json!("half")), Status::Malformed, ["base_score", "half"]),
        (learner("learner_model_param/base_score", json!("[1,2]")), Status::Malformed, ["base_score", "2 numbers"]),
        (learner("learner_model_param/num_feature", json!("-1")), Status::Malformed, ["num_feature", "-1"]),
        (learner("learner_model_param/num_feature", json!("2000000")), Status::LimitExceeded, ["features", "cap"]),
        (learner("learner_model_param/num_class", json!("99999")), Status::LimitExceeded, ["outputs", "cap"]),
        (learner("feature_names", json!(["a"])), Status::Malformed, ["1 feature names", "2 features"]),
        (json!({"model": 1}), Status::Malformed, ["'learner' is missing", "save_model"]),
    ] {
        let (found, message) = refused(&document);
        assert!(found == status && words.iter().all(|word| message.contains(word)), "{found:?} {message}");
    }
}

#[test]
fn small_files_cannot_ask_for_large_sets() {
    let mut tree = stump();
    tree["split_type"] = json!([1, 0, 0]);
    tree["categories"] = json!([(1 << 24) - 1]);
    tree["categories_nodes"] = json!([0]);
    tree["categories_segments"] = json!([0]);
    tree["categories_sizes"] = json!([1]);
    assert!(read(&gbtree(&[tree.clone()])).is_ok());
    assert_eq!(refused(&gbtree(&vec![tree; 64])).0, Status::LimitExceeded);
}

/// A learner's parameters, then the names.
fn head(objective: &str, booster: &str, extra: u32, release: (u32, u32)) -> Vec<u8> {
    let mut words = [0_u32; 34];
    words[..7].copy_from_slice(&[0.25_f32.to_bits(), 2, 0, extra, 0, release.0, release.1]);
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    for name in [objective, booster] {
        bytes.extend((name.len() as u64).to_le_bytes());
        bytes.extend(name.as_bytes());
    }
    bytes
}

/// One stump on column 1 with a deleted node behind it.
fn binary_trees(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut booster = [0_u32; 40];
    (booster[0], booster[1], booster[6]) = (1, 1, 1);
    let mut parameters = [0_u32; 37];
    parameters[..3].copy_from_slice(&[1, 4, 1]);
    let none = u32::MAX;
    let nodes = [
        [none, 1, 2, 1 | 1 << 31, 0.1_f32.to_bits()],
        [1 << 31, none, none, 0, (-1.5_f32).to_bits()],
        [0, none, none, 0, 2.5_f32.to_bits()],
        [0, none, none, none, 0],
    ];
    let [three, two] = [3.0_f32, 2.0].map(f32::to_bits);
    let statistics = [[three, three, 0, 0], [0, 1.0_f32.to_bits(), 0, 0], [0, two, 0, 0], [0; 4]];
    let words = booster.iter().chain(&parameters).chain(nodes.iter().flatten()).chain(statistics.iter().flatten());
    bytes.extend(words.chain(&[0]).flat_map(|word| word.to_le_bytes()));
    bytes
}

#[test]
fn binary_stumps_of_old_and_new_releases() {
    for (release, base) in [((0, 0), 0.25), ((1, 7), 0.25_f64.ln())] {
        let mut bytes = binary_trees(head("count:poisson", "gbtree", 0, release));
        for _ in 0..2 {
            assert!(is_binary(&bytes));
            let model = read_binary(&bytes, &ReadOptions::default()).unwrap();
            let tree = &forest(&model).trees()[0];
            assert_eq!((tree.nodes[0].feature, tree.nodes[0].missing), (1, Missing::Nan(Side::Left)));
            assert_eq!((tree.values.as_slice(), tree.leaf_ids.as_slice()), ([-1.5, 2.5].as_slice(), [1, 2].as_slice()));
            assert_eq!(tree.cover, [1.0, 2.0]);
            let layout = forest(&model).layout();
            let found = if let Finish::Base(base) = &layout.finish { base[0] } else { layout.base[0] };
            assert!((found - base).abs() < 1e-7, "{found}");
            assert_eq!(model.importance.gain.as_deref(), Some([0.0, 3.0].as_slice()));
            bytes.splice(..0, *b"binf");
        }
    }
}

#[test]
fn binary_attributes_and_linear_boosters() {
    let mut bytes = head("reg:linear", "gblinear", 1, (1, 2));
    bytes.extend([2_u32, 1].iter().chain(&[0; 32]).flat_map(|word| word.to_le_bytes()));
    bytes.extend(3_u64.to_le_bytes());
    bytes.extend([0.5_f32, -2.0, 4.0].iter().flat_map(|weight| weight.to_le_bytes()));
    bytes.extend(1_u64.to_le_bytes());
    for text in ["best_iteration", "4"] {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    let model = read_binary(&bytes, &ReadOptions::default()).unwrap();
    let Body::Linear(linear) = &model.body else { panic!("a linear model was expected") };
    assert_eq!((linear.coefficients(0), linear.intercept()), ([0.5, -2.0].as_slice(), [4.25].as_slice()));
    assert_eq!(model.source.details["best_iteration"], 4);
    for end in 0..bytes.len() {
        assert!(read_binary(&bytes[..end], &ReadOptions::default()).is_err(), "cut at {end}");
    }
}

#[test]
fn binary_models_are_recognised_with_care() {
    let good = binary_trees(head("reg:linear", "gbtree", 0, (0, 0)));
    assert!(is_binary(&good));
    // Any byte of the parameters that has no meaning, and flags that are none.
    for at in [12, 16, 23, 40, 135] {
        let mut bytes = good.clone();
        bytes[at] = 7;
        assert!(!is_binary(&bytes), "byte {at}");
    }
    assert!(!is_binary(&head("reg:linear", "gbforest", 0, (0, 0))));
    assert!(!is_binary(&[0; 4096]));
    assert!(!is_binary(b"binf"));
    for end in 0..good.len() {
        let error = read_binary(&good[..end], &ReadOptions::default()).unwrap_err();
        assert_eq!(error.status(), Status::Malformed, "{error}");
    }
}
