//! Families by any of their spellings: `LightGBM`, `lightgbm`, `lgb` and `family=light_gbm` are one.

use super::name;
use crate::error::{Error, Result};

/// What a directory of a family begins with.
pub const PREFIX: &str = "family=";

/// Short names and the family they stand for, both without `_`, `-`, spaces and capitals.
const ALIASES: &[(&str, &str)] = &[
    ("lgb", "lightgbm"),
    ("lgbm", "lightgbm"),
    ("gbm", "lightgbm"),
    ("xgb", "xgboost"),
    ("nn", "neuralnetwork"),
    ("cnn", "cnn1d"),
    ("ftrl", "ftrlproximal"),
    ("rf", "randomforest"),
    ("et", "extratrees"),
];

/// The one spelling of a family that all its spellings share.
#[must_use]
pub fn canonical(family: &str) -> String {
    let family = family.strip_prefix(PREFIX).unwrap_or(family);
    let plain: String = family.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect();
    match ALIASES.iter().find(|(alias, _)| *alias == plain) {
        Some((_, family)) => (*family).to_owned(),
        None => plain,
    }
}

/// The indices of the spellings that mean this family.
///
/// # Errors
/// `MI_INVALID_ARGUMENT` for a family that is empty or a path.
pub fn matching<S: AsRef<str>>(wanted: &str, spellings: &[S]) -> Result<Vec<usize>> {
    let plain = canonical(wanted);
    name::check("family", wanted.strip_prefix(PREFIX).unwrap_or(wanted))?;
    if plain.is_empty() {
        return Err(Error::invalid(format!("'{wanted}' names no family")));
    }
    Ok((0..spellings.len()).filter(|&index| canonical(spellings[index].as_ref()) == plain).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_meet() {
        for (a, b) in [
            ("LightGBM", "family=lightgbm"),
            ("lgb", "light_gbm"),
            ("LGBM", "gbm"),
            ("xgb", "XGBoost"),
            ("nn", "neural_network"),
            ("cnn", "CNN1D"),
            ("tab_cnn", "TabCNN"),
            ("change_point", "ChangePoint"),
            ("ftrl", "FTRL-Proximal"),
            ("meta_learning", "MetaLearning"),
            ("cat_boost", "CatBoost"),
            ("rf", "Random Forest"),
            ("et", "extra_trees"),
        ] {
            assert_eq!(canonical(a), canonical(b), "{a} {b}");
        }
    }

    #[test]
    fn families_stay_apart() {
        let families =
            ["lightgbm", "quantile_lightgbm", "xgboost", "cnn1d", "tab_cnn", "cnn1d_transformer", "mlp", "rf", "et"];
        for (index, a) in families.iter().enumerate() {
            for b in &families[index + 1..] {
                assert_ne!(canonical(a), canonical(b));
            }
        }
    }

    #[test]
    fn all_matches_are_found() {
        assert_eq!(matching("lgb", &["LightGBM", "ridge", "light_gbm"]).unwrap(), [0, 2]);
        assert!(matching("../x", &["a"]).is_err());
        assert!(matching("_-", &["a"]).is_err());
    }
}
