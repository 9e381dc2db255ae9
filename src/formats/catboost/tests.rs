//! What trees of any shape say of the rows in their leaves.

use super::*;
use serde_json::Value;

fn fixture(case: &str, file: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/catboost/{case}/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn trees(model: Model) -> Vec<Tree> {
    match model.body {
        Body::Forest(forest) => forest.trees().to_vec(),
        _ => panic!("a forest was expected"),
    }
}

#[test]
fn rows_of_the_leaves_add_up() {
    for case in ["rmse_depthwise", "rmse_lossguide", "multiclass_depthwise", "multiclass_lossguide"] {
        for version in ["1.0", "1.2"] {
            let bytes = fixture(&format!("{case}-{version}"), "model.cbm");
            for tree in trees(read_binary(&bytes, &ReadOptions::default()).unwrap()) {
                assert_eq!((tree.cover.len(), tree.cover.iter().sum::<f32>()), (tree.leaves(), 300.0), "{case}");
            }
        }
    }
    let symmetric = read_binary(&fixture("rmse-1.2", "model.cbm"), &ReadOptions::default()).unwrap();
    assert!(trees(symmetric).iter().all(|tree| tree.cover.is_empty()));
}

#[test]
fn a_leaf_without_a_weight_leaves_its_tree_without_a_cover() {
    fn first_leaf(node: &mut Value) -> &mut Value {
        if node.get("left").is_some() { first_leaf(&mut node["left"]) } else { node }
    }
    let covers = |bytes: &[u8]| -> Vec<Vec<f32>> {
        let model = read_json(bytes, &ReadOptions::default()).unwrap();
        trees(model).into_iter().map(|tree| tree.cover).collect()
    };
    let bytes = fixture("multiclass_lossguide-1.2-json", "model.json");
    let mut expected = covers(&bytes);
    assert!(expected.len() > 2 && expected.iter().all(|cover| cover.iter().sum::<f32>() == 300.0));
    let mut document: Value = serde_json::from_slice(&bytes).unwrap();
    first_leaf(&mut document["trees"][1]).as_object_mut().unwrap().remove("weight").unwrap();
    expected[1].clear();
    assert_eq!(covers(document.to_string().as_bytes()), expected);
}
