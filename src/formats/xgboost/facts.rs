//! What a file tells beside the computation: attributes, labels, the rounds of an estimator.

use super::learner::{Base, Learner, Release, Used};
use crate::ir::{Classes, Task};
use serde_json::{Map, Value, json};

/// Types of columns that are listed; more of them say little and take much.
const LISTED_TYPES: usize = 1 << 16;
/// Bytes of the text in which an estimator describes itself.
const ESTIMATOR_BYTES: usize = 1 << 20;

/// What a scikit-learn estimator left in the attributes of the booster it saved.
#[derive(Debug, Default)]
pub(super) struct Estimator {
    /// Rounds that its `predict` uses, when training stopped early.
    pub rounds: Option<usize>,
    /// Trees of a round and margin, for files that do not tell.
    pub parallel_trees: Option<usize>,
    labels: Option<Vec<Value>>,
}

impl Estimator {
    /// From the attributes of a booster; nothing when no estimator wrote the file.
    pub fn of(attributes: &[(String, String)], warnings: &mut Vec<String>) -> Self {
        let Some(text) = attribute(attributes, "scikit_learn") else { return Self::default() };
        let rounds = best_iteration(attributes).and_then(|best| best.checked_add(1));
        let said = if text.len() <= ESTIMATOR_BYTES { crate::codec::json::parse(text.as_bytes()).ok() } else { None };
        let Some(said) = said else {
            warnings.push(
                "the attribute 'scikit_learn' cannot be read; class labels are the indices of the classes".to_owned(),
            );
            return Self { rounds, ..Self::default() };
        };
        let number = |key: &str| said[key].as_u64().and_then(|number| usize::try_from(number).ok());
        let parallel_trees = match (number("best_ntree_limit"), rounds) {
            (Some(trees), Some(rounds)) if trees > 0 && trees.is_multiple_of(rounds) => Some(trees / rounds),
            _ => number("num_parallel_tree"),
        };
        let labels = [&said["_le"]["classes_"], &said["classes_"]].into_iter().find_map(Value::as_array).cloned();
        Self { rounds, parallel_trees, labels }
    }

    /// Labels of the classes, when the estimator kept them.
    pub fn classes(self, task: Task, warnings: &mut Vec<String>) -> Classes {
        let (Some(labels), Some(count)) = (self.labels, task.classes()) else { return Classes::Index };
        if labels.len() != count {
            warnings.push(format!(
                "the estimator names {} classes, the model has {count}; the names are dropped",
                labels.len()
            ));
            return Classes::Index;
        }
        let numbers =
            labels.iter().map(|label| label.as_f64().or(label.as_bool().map(|truth| f64::from(u8::from(truth)))));
        if let Some(numbers) = numbers.collect::<Option<Vec<f64>>>() {
            return Classes::Numbers(numbers);
        }
        let strings = labels.iter().map(|label| label.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>();
        strings.map_or_else(
            || {
                warnings.push("the estimator's class labels are of mixed types; they are dropped".to_owned());
                Classes::Index
            },
            Classes::Strings,
        )
    }
}

fn attribute<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attributes.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn best_iteration(attributes: &[(String, String)]) -> Option<usize> {
    attribute(attributes, "best_iteration")?.trim().parse().ok()
}

/// Facts for the model's JSON.
pub(super) fn details(learner: &Learner, margins: &[f32]) -> Map<String, Value> {
    let mut details = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            details.insert(key.to_owned(), value);
        }
    };
    put("booster", json!(learner.booster_name));
    if let Base::Value(values) = &learner.base {
        put("base_score", json!(values));
    }
    put("base_margin", json!(margins));
    if learner.release < Release(1, 4) {
        put(
            "base_margin_note",
            json!("XGBoost before 1.3 (dart: 1.4) adds it to the finished sum; later releases start with it"),
        );
    }
    if let Some(alpha) = learner.alpha.as_deref().and_then(|alpha| super::numbers_in(alpha).ok()) {
        if learner.objective.ends_with("quantileerror") {
            // 0.1 and not the double nearest to the float32 nearest to it.
            let shares: Vec<_> = alpha.iter().filter_map(|share| share.to_string().parse::<f64>().ok()).collect();
            put("quantiles", json!(shares));
        } else {
            put("alpha", json!(alpha));
        }
    }
    if !learner.attributes.is_empty() {
        let attributes = learner.attributes.iter().map(|(key, value)| (key.clone(), json!(value)));
        put("attributes", Value::Object(attributes.collect()));
    }
    put("best_iteration", json!(best_iteration(&learner.attributes)));
    if !learner.feature_types.is_empty() && learner.feature_types.len() <= LISTED_TYPES {
        put("feature_types", json!(learner.feature_types));
    }
    details
}

/// The rounds that are used, as JSON.
pub(super) fn iterations(used: &Used) -> Value {
    json!({"used": [used.rounds.start, used.rounds.end], "of": used.available, "rule": used.rule})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimator(text: &str) -> (Estimator, Vec<String>) {
        let attributes =
            [("best_iteration", "4"), ("scikit_learn", text)].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut warnings = Vec::new();
        (Estimator::of(&attributes, &mut warnings), warnings)
    }

    #[test]
    fn labels_come_from_the_encoder_first() {
        let (said, _) = estimator(r#"{"_le": {"classes_": ["a", "b"]}, "classes_": [0, 1], "best_ntree_limit": 15}"#);
        assert_eq!((said.rounds, said.parallel_trees), (Some(5), Some(3)));
        assert_eq!(said.classes(Task::Binary, &mut Vec::new()), Classes::Strings(vec!["a".into(), "b".into()]));
        let (said, _) = estimator(r#"{"classes_": [false, true]}"#);
        assert_eq!(said.classes(Task::Binary, &mut Vec::new()), Classes::Numbers(vec![0.0, 1.0]));
    }

    #[test]
    fn labels_that_do_not_fit_are_dropped_aloud() {
        for text in [r#"{"classes_": [0, 1, 2]}"#, r#"{"classes_": [0, "b"]}"#] {
            let (said, mut warnings) = estimator(text);
            assert_eq!(said.classes(Task::Binary, &mut warnings), Classes::Index);
            assert_eq!(warnings.len(), 1, "{text}");
        }
        assert_eq!(estimator("nonsense").1.len(), 1);
    }
}
