//! The four names of a model in a run.

/// The view of a model when the caller names none.
pub const DEFAULT_VIEW: &str = "CROSS_SECTIONAL";

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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
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
