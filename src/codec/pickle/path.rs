//! Where in the graph a reader is, for messages: `Pipeline.steps[1].coef_`.

use super::value::{Id, Store};
use std::borrow::Cow;
use std::fmt::Write;

/// One step from an object into it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Label {
    /// An attribute, by the node of its name.
    Attr(Id),
    /// A key of a dict.
    Key(Id),
    /// An item of a list, tuple, set or array.
    Item(u32),
    /// An argument of the call or constructor.
    Argument(u32),
}

/// A step and the step before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// Index into the steps of the graph.
    pub before: u32,
    pub depth: u16,
    pub label: Label,
}

/// The longest name shown in a message.
const SHOWN: usize = 64;

/// A name as a message shows it: without what a terminal would obey, and not too long.
pub(super) fn shorten(text: &str) -> Cow<'_, str> {
    if text.len() <= SHOWN && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte)) {
        return Cow::Borrowed(text);
    }
    let mut short: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        short.push_str("...");
    }
    Cow::Owned(short)
}

/// The path that ends with step `last`; `root` is what it begins with.
pub(super) fn render(store: Store<'_>, steps: &[Step], last: u32, root: &str) -> String {
    let mut labels = Vec::new();
    let mut at = last;
    while at != 0 {
        let step = steps[at as usize];
        labels.push(step.label);
        at = step.before;
    }
    let mut path = root.to_owned();
    for label in labels.into_iter().rev() {
        // Writing to a string cannot fail.
        let _ = match label {
            Label::Attr(name) => write!(path, ".{}", shorten(store.text(name).unwrap_or("?"))),
            Label::Key(key) => match (store.text(key), store.int(key)) {
                (Some(text), _) => write!(path, "[\"{}\"]", shorten(text)),
                (None, Some(number)) => write!(path, "[{number}]"),
                (None, None) => write!(path, "[?]"),
            },
            Label::Item(index) => write!(path, "[{index}]"),
            Label::Argument(index) => write!(path, "(argument {index})"),
        };
    }
    path
}
