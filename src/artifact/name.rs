//! The four names of a model in a run.

use crate::error::{Error, Result};

/// The view of a model when the caller names none.
pub const DEFAULT_VIEW: &str = "CROSS_SECTIONAL";
/// The view whose models are one per symbol.
pub const SYMBOL_VIEW: &str = "SYMBOL_SPECIFIC";
/// The longest name of a directory on the file systems in use.
const LONGEST: usize = 255;
/// Names that an error message lists before it says how many more there are.
const LISTED: usize = 24;

/// What a caller calls a model by; borrowed, so that asking costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name<'a> {
    /// The target: `fwd_ret_5m`. `/` and `\` stand for the `_` on disk.
    pub target: &'a str,
    /// The family in any spelling: `LightGBM`, `lightgbm`, `lgb`, `family=lightgbm`.
    pub family: &'a str,
    /// The view; `None`: `CROSS_SECTIONAL`.
    pub view: Option<&'a str>,
    /// The symbol; required in the view `SYMBOL_SPECIFIC`, elsewhere used where the run has a level of symbols.
    pub symbol: Option<&'a str>,
}

impl<'a> Name<'a> {
    /// The name of a model in the default view.
    #[must_use]
    pub fn new(target: &'a str, family: &'a str) -> Self {
        Self { target, family, view: None, symbol: None }
    }

    /// The same name in this view.
    #[must_use]
    pub fn view(self, view: impl Into<Option<&'a str>>) -> Self {
        Self { view: view.into(), ..self }
    }

    /// The same name for this symbol.
    #[must_use]
    pub fn symbol(self, symbol: impl Into<Option<&'a str>>) -> Self {
        Self { symbol: symbol.into(), ..self }
    }
}

/// Which models are meant: those that match everything that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// Only this target.
    pub target: Option<String>,
    /// Only this family, in any spelling.
    pub family: Option<String>,
    /// Only this view; `None`: all of them.
    pub view: Option<String>,
    /// Only this symbol; models without one then do not match.
    pub symbol: Option<String>,
}

/// A model that a run holds, by its names as they are on disk.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// The target's directory.
    pub target: String,
    /// The view.
    pub view: String,
    /// The symbol, where there is a level of symbols.
    pub symbol: Option<String>,
    /// The family as the directory spells it, without `family=`.
    pub family: String,
}

impl Entry {
    /// The name that loads this model.
    #[must_use]
    pub fn name(&self) -> Name<'_> {
        Name { target: &self.target, family: &self.family, view: Some(&self.view), symbol: self.symbol.as_deref() }
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.target, self.view)?;
        if let Some(symbol) = &self.symbol {
            write!(out, "/{symbol}")?;
        }
        write!(out, "/{}", self.family)
    }
}

/// Refuses a name that could be a path: empty, `.`, `..`, with a separator or a NUL, or longer than a file system takes.
///
/// # Errors
/// `MI_INVALID_ARGUMENT` saying which rule it breaks.
pub fn check(what: &str, name: &str) -> Result<()> {
    let wrong = if name.is_empty() {
        "is empty"
    } else if name == "." || name == ".." {
        "is a path, not a name"
    } else if name.contains(['/', '\\']) {
        "holds a path separator"
    } else if name.contains('\0') {
        "holds a NUL"
    } else if name.len() > LONGEST {
        "is longer than 255 bytes"
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!("the {what} '{}' {wrong}; use a plain name", name.escape_default())))
}

/// The directory of a target: `/` and `\` become `_`.
///
/// # Errors
/// `MI_INVALID_ARGUMENT` for a name that is absolute, has a part `..`, or breaks a rule of `check`.
pub fn target_directory(target: &str) -> Result<String> {
    let separators = ['/', '\\'];
    if target.starts_with(separators) || target.split(separators).any(|part| part == "..") {
        return Err(Error::invalid(format!("the target '{}' is a path, not a name", target.escape_default())));
    }
    let directory = target.replace(separators, "_");
    check("target", &directory)?;
    Ok(directory)
}

/// The `MI_NOT_FOUND` that teaches: what is unknown, what exists instead, and which of it is nearest.
pub fn unknown(what: &str, plural: &str, wanted: &str, place: &str, existing: &[String]) -> Error {
    let wanted = wanted.escape_default();
    if existing.is_empty() {
        return Error::not_found(format!("no {what} '{wanted}' in {place}: it holds no {plural}"));
    }
    let lowered = wanted.to_string().to_lowercase();
    let nearest = existing
        .iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(&lowered, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= 0.5)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let question = nearest.map(|(_, name)| format!("; did you mean '{name}'?")).unwrap_or_default();
    Error::not_found(format!("no {what} '{wanted}' in {place}: its {plural} are {}{question}", list(existing)))
}

/// Names for a sentence: the first ones, and how many more there are.
pub fn list<S: AsRef<str>>(names: &[S]) -> String {
    let text = names.iter().take(LISTED).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(LISTED) {
        None | Some(0) => text,
        Some(more) => format!("{text} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_of_a_target_become_underscores() {
        assert_eq!(target_directory("fwd/ret\\5m").unwrap(), "fwd_ret_5m");
    }

    #[test]
    fn paths_are_no_names() {
        for target in ["", ".", "..", "../x", "a/../b", "a\\..", "/etc/passwd", "\\\\host", "a\0b"] {
            let error = target_directory(target).unwrap_err();
            assert_eq!(error.status(), crate::Status::InvalidArgument, "{target:?}: {error}");
        }
        for symbol in ["", "..", "a/b", "/a", "a\\b", "\0", &"x".repeat(256)] {
            assert!(check("symbol", symbol).is_err(), "{symbol:?}");
        }
        check("symbol", "BRK.B").unwrap();
    }

    #[test]
    fn the_unknown_teaches() {
        let existing = ["fwd_ret_15m".to_owned(), "fwd_ret_60m".to_owned(), "vol".to_owned()];
        let error = unknown("target", "targets", "fwd_ret_15", "/run", &existing);
        assert_eq!(
            error.message(),
            "no target 'fwd_ret_15' in /run: its targets are fwd_ret_15m, fwd_ret_60m, vol; did you mean 'fwd_ret_15m'?"
        );
        assert!(!unknown("target", "targets", "zzz", "/run", &existing).message().contains("did you mean"));
    }
}
