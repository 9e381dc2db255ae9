//! `docs/sklearn.md`, `docs/pickles.md`, `docs/keras.md` and `docs/torch.md` are made from the tables that the readers themselves use.
//!
//! `MI_UPDATE=1 cargo test --test docs` writes them anew.

use std::fmt::Write;
use std::path::Path;

/// Compares a page with the committed one.
fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("MI_UPDATE").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "docs/{name} differs from the readers; run MI_UPDATE=1 cargo test --test docs");
    assert!(text.lines().count() > 50, "{text}");
}

#[test]
fn the_table_of_classes_is_up_to_date() {
    let mut text = String::from(
        "# What is read of scikit-learn\n\nClasses of scikit-learn 0.19 to 1.9, pickled or written by joblib, in any compression. This table is made \
         from the reader's own;\na class that is not in it is refused by name.\n\n| class | outputs | refused |\n|---|---|---|\n",
    );
    for (class, outputs, refused) in mi::formats::sklearn_classes() {
        writeln!(text, "| {class} | {outputs} | {refused} |").unwrap();
    }
    check("sklearn.md", &text);
}

#[test]
fn the_page_of_keras_is_up_to_date() {
    let mut text = String::from(include_str!("docs/keras_files.md"));
    for (class, what, refused) in mi::formats::keras_classes() {
        writeln!(text, "| {class} | {what} | {refused} |").unwrap();
    }
    text.push_str(include_str!("docs/keras_operations.md"));
    writeln!(text, "{}.", mi::formats::keras_operations().join(", ")).unwrap();
    check("keras.md", &text);
}

#[test]
fn the_page_of_pickles_is_up_to_date() {
    let read = mi::formats::pickled();
    let mut text = String::from(include_str!("docs/pickles_boosters.md"));
    for [classes, outputs, rules] in &read.boosters {
        writeln!(text, "| {classes} | {outputs} | {rules} |").unwrap();
    }
    text.push_str(include_str!("docs/pickles_ngboost.md"));
    for (class, value, columns) in &read.distributions {
        writeln!(text, "| {class} | {value} | {} |", columns.join(", ")).unwrap();
    }
    text.push_str(include_str!("docs/pickles_objects.md"));
    for (names, what) in &read.parts {
        writeln!(text, "| {} | {what} |", names.join(", ")).unwrap();
    }
    text.push_str(include_str!("docs/pickles_refused.md"));
    for (library, why, remedy) in &read.refused {
        writeln!(text, "| {library} | {why} | {remedy} |").unwrap();
    }
    check("pickles.md", &text);
}

#[test]
fn the_page_of_pytorch_is_up_to_date() {
    let (operations, modules) = mi::formats::torch_operations();
    let mut text = String::from(include_str!("docs/torch.md"));
    text.push_str(&modules.join(", "));
    text.push_str("\n\n## Operations of programs and of TorchScript\n\n| subject | operations |\n|---|---|\n");
    for (subject, names) in &operations {
        writeln!(text, "| {subject} | {} |", names.join(", ").replace('_', "\\_")).unwrap();
    }
    text.push_str(include_str!("docs/torch_refused.md"));
    check("torch.md", &text);
}
