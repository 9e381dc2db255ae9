//! `docs/sklearn.md` is made from the table that the reader itself uses.
//!
//! `MI_UPDATE=1 cargo test --test docs` writes it anew.

use std::fmt::Write;
use std::path::Path;

fn page() -> String {
    let mut text = String::from(
        "# What is read of scikit-learn\n\nClasses of scikit-learn 0.19 to 1.9, pickled or written by joblib, in any compression. This table is made \
         from the reader's own;\na class that is not in it is refused by name.\n\n| class | outputs | refused |\n|---|---|---|\n",
    );
    for (class, outputs, refused) in mi::formats::sklearn_classes() {
        writeln!(text, "| {class} | {outputs} | {refused} |").unwrap();
    }
    text
}

#[test]
fn the_table_of_classes_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sklearn.md");
    let text = page();
    if std::env::var_os("MI_UPDATE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "docs/sklearn.md differs from the readers; run MI_UPDATE=1 cargo test --test docs");
    assert!(text.lines().count() > 50, "{text}");
}
