//! Files that are odd, damaged or hostile. The bases are models that the library wrote; numbers are compared in `tests/parity.rs`.

use super::*;
use crate::error::Status;

fn fixture(case: &str) -> String {
    let path = format!("{}/tests/fixtures/lightgbm/{case}/model.txt", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn read_text(text: &str) -> Result<Model> {
    read(text.as_bytes(), &ReadOptions::default())
}

fn refusal(text: &str) -> (Status, String) {
    let error = read_text(text).unwrap_err();
    (error.status(), error.message().to_owned())
}

/// The text with the value of the `nth` line of this key replaced.
fn with(text: &str, key: &str, nth: usize, value: &str) -> String {
    let prefix = format!("{key}=");
    let mut seen = 0;
    let lines = text.lines().map(|line| {
        seen += usize::from(line.starts_with(&prefix));
        if line.starts_with(&prefix) && seen == nth + 1 { format!("{prefix}{value}\n") } else { format!("{line}\n") }
    });
    lines.collect()
}

fn forest(model: &Model) -> &Forest {
    match &model.body {
        Body::Forest(forest) => forest,
        _ => panic!("a forest was expected"),
    }
}

#[test]
fn line_breaks_do_not_matter() {
    let unix = fixture("categorical_pandas");
    let (unix_model, dos_model) = (read_text(&unix).unwrap(), read_text(&unix.replace('\n', "\r\n")).unwrap());
    assert_eq!(forest(&unix_model).trees(), forest(&dos_model).trees());
    assert_eq!(unix_model.source, dos_model.source);
    assert_eq!(unix_model.importance, dos_model.importance);
}

#[test]
fn sizes_of_trees_are_not_followed() {
    let text = fixture("regression");
    let count = read_text(&text).unwrap().source.details["iterations"]["of"].as_u64().unwrap();
    let wrong = with(&text, "tree_sizes", 0, &"9 ".repeat(usize::try_from(count).unwrap()));
    assert_eq!(forest(&read_text(&wrong).unwrap()).trees(), forest(&read_text(&text).unwrap()).trees());
    let (status, message) = refusal(&with(&text, "tree_sizes", 0, "9 9"));
    assert!(status == Status::Malformed && message.contains("tree_sizes: sizes of 2 trees"), "{message}");
}

#[test]
fn a_file_that_was_cut_off_is_refused() {
    for case in ["linear_tree_categorical", "multiclass"] {
        let text = fixture(case);
        let end = text.find("end of trees").unwrap();
        assert!(read_text(&text[..end + "end of trees".len()]).is_ok());
        let mut cut = 0;
        while cut < end {
            assert!(read_text(&text[..cut]).is_err(), "{case} cut at {cut} was read");
            cut += 37;
        }
    }
}

#[test]
fn failures_name_tree_line_and_key() {
    let text = fixture("categorical");
    let line = |key: &str| {
        let prefix = format!("{key}=");
        text.lines().enumerate().filter(|(_, line)| line.starts_with(&prefix)).nth(2).unwrap().0 + 1
    };
    for (key, value, words) in [
        ("leaf_value", "1 2", "2 numbers"),
        ("threshold", "a b c d e f g h i j k l m n", "'a' is not a number"),
        ("split_feature", "-1 0 0 0 0 0 0 0 0 0 0 0 0 0", "'-1' is not a number"),
        ("cat_boundaries", "7 0", "numbers"),
        ("num_leaves", "999999999999", "268435456"),
        ("num_leaves", "200000000", "asks for 200000000"),
        ("num_cat", "1000000", "1000000 category sets"),
    ] {
        let (_, message) = refusal(&with(&text, key, 2, value));
        assert!(message.starts_with("tree 2: ") && message.contains(words), "{message}");
        if key != "num_leaves" {
            assert!(message.contains(&format!("line {}: {key}: ", line(key))), "{message}");
        }
    }
    let (_, message) = refusal(&text.replacen("\nleft_child=", "\nleft_hand=", 3));
    assert!(message.contains("tree 0: has no left_child"), "{message}");
}

#[test]
fn trees_that_do_not_hold_together_are_refused() {
    let text = fixture("regression");
    let nodes = text.lines().find(|line| line.starts_with("left_child=")).unwrap().split(' ').count();
    for (key, value, words) in [
        ("left_child", "0 ", "two parents"),
        ("right_child", "-2000000000 ", "does not exist"),
        ("split_feature", "4000000000 ", "split 0 is on feature 4000000000"),
        ("decision_type", "16 ", "decision_type 16"),
        ("decision_type", "14 ", "no missing type"),
    ] {
        let (_, message) = refusal(&with(&text, key, 0, &value.repeat(nodes)));
        assert!(message.starts_with("tree 0: ") && message.contains(words), "{message}");
    }
    let categorical = fixture("categorical");
    let boundaries = categorical.lines().find(|line| line.starts_with("cat_boundaries=")).unwrap();
    let mut numbers: Vec<&str> = boundaries["cat_boundaries=".len()..].split(' ').collect();
    numbers[0] = "4000000000";
    let (_, message) = refusal(&with(&categorical, "cat_boundaries", 0, &numbers.join(" ")));
    assert!(message.contains("boundaries only grow"), "{message}");
}

#[test]
fn headers_that_do_not_fit_are_refused() {
    let text = fixture("multiclass");
    for (key, value, status, words) in [
        ("version", "v5", Status::Unsupported, "version=v5"),
        ("objective", "hinge", Status::Unsupported, "'hinge'"),
        ("num_class", "4", Status::Malformed, "num_class=4"),
        ("num_class", "0", Status::Malformed, "num_class=0"),
        ("max_feature_idx", "18446744073709551615", Status::Malformed, "too large"),
        ("max_feature_idx", "99999999", Status::LimitExceeded, "features"),
        ("feature_names", "a b", Status::Malformed, "feature_names: 2 entries"),
    ] {
        let (found, message) = refusal(&with(&text, key, 0, value));
        assert!(found == status && message.contains(words), "{key}={value}: {found:?} {message}");
    }
    let (status, message) = refusal("tree\nversion=v4\n");
    assert!(status == Status::Malformed && message.contains("num_class"), "{message}");
}

#[test]
fn a_header_without_trees_is_a_model_without_trees() {
    let text = fixture("regression");
    let header = &text[..text.find("tree_sizes=").unwrap()];
    let model = read_text(&format!("{header}tree_sizes=\n\nend of trees\n")).unwrap();
    assert_eq!((forest(&model).trees().len(), forest(&model).outputs()), (0, 1));
}

#[test]
fn iterations_are_cut_out() {
    let text = fixture("multiclass");
    let whole = read_text(&text).unwrap();
    let options = ReadOptions { iteration_begin: 2, iteration_end: 4, ..ReadOptions::default() };
    let part = read(text.as_bytes(), &options).unwrap();
    assert_eq!(forest(&part).trees(), &forest(&whole).trees()[2 * 3..4 * 3]);
    assert_eq!(part.source.details["iterations"]["used"], json!([2, 4]));
    assert_eq!(part.importance, whole.importance);
    let beyond = ReadOptions { iteration_begin: 4000, ..ReadOptions::default() };
    assert_eq!(read(text.as_bytes(), &beyond).unwrap_err().status(), Status::InvalidArgument);
}

/// Every version lists the rows of the leaves; together they are those of the root, which a tree without splits does not list.
#[test]
fn rows_of_the_leaves_add_up() {
    let folder = format!("{}/tests/fixtures/lightgbm", env!("CARGO_MANIFEST_DIR"));
    let mut roots = 0;
    for case in std::fs::read_dir(&folder).unwrap() {
        let case = case.unwrap().file_name().into_string().unwrap();
        if !std::path::Path::new(&format!("{folder}/{case}/model.txt")).exists() {
            continue;
        }
        let text = fixture(&case);
        let model = read_text(&text).unwrap();
        let sections: Vec<&str> = text.split("\nTree=").skip(1).collect();
        assert_eq!(forest(&model).trees().len(), sections.len(), "{case}");
        for (tree, section) in forest(&model).trees().iter().zip(sections) {
            assert_eq!(tree.cover.len(), tree.leaves(), "{case}");
            let root = section.lines().find_map(|line| line.strip_prefix("internal_count=")).unwrap_or_default();
            if let Some(root) = root.split(' ').next().filter(|root| !root.is_empty()) {
                assert_eq!(tree.cover.iter().sum::<f32>(), root.parse::<f32>().unwrap(), "{case}");
                roots += 1;
            }
        }
    }
    assert!(roots > 1000, "only {roots} trees were looked at");
}

#[test]
fn damaged_rows_of_the_leaves_are_left_out() {
    let text = fixture("regression");
    let whole = read_text(&text).unwrap();
    let bare = Tree { cover: Vec::new(), ..forest(&whole).trees()[1].clone() };
    let leaves = bare.leaves();
    let mut damaged = vec![String::new(), "1 2".to_owned()];
    damaged.extend(["a ", "-1 ", "0.5 ", "nan ", "4294967296 "].map(|rows| rows.repeat(leaves)));
    damaged.push("1 ".repeat(leaves + 1));
    let mut texts: Vec<String> = damaged.iter().map(|rows| with(&text, "leaf_count", 1, rows)).collect();
    texts.push(text.replace("\nleaf_count=", "\nleaf_rows="));
    for text in texts {
        let model = read_text(&text).unwrap();
        assert_eq!(forest(&model).trees()[1], bare);
        assert_eq!(model.importance, whole.importance);
    }
}

#[test]
fn facts_after_the_trees_are_kept() {
    let model = read_text(&fixture("categorical_pandas")).unwrap();
    assert!(model.source.details["pandas_categorical"].is_array());
    assert_eq!(model.source.details["parameters"]["boosting"], "gbdt");
    assert_eq!(model.source.version.as_deref(), Some("v4"));
    let broken = fixture("categorical_pandas").replace("pandas_categorical:[", "pandas_categorical:");
    let model = read_text(&broken).unwrap();
    assert!(model.source.warnings[0].contains("pandas_categorical is left out"), "{:?}", model.source.warnings);
    let monotone = read_text(&fixture("monotone")).unwrap();
    let constraints = monotone.source.details["monotone_constraints"].as_array().unwrap();
    assert!(constraints.iter().any(|constraint| constraint == -1));
}
