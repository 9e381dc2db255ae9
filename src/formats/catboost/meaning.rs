//! What the numbers of a model mean: its loss function, its classes, and where it came from.

use super::info::{Info, Label, Labels, Loss};
use crate::error::{Error, Result};
use crate::ir::{Classes, Decision, Link, Task};
use crate::limits;

/// What a model predicts.
#[derive(Debug, Clone, PartialEq)]
pub struct Meaning {
    /// The loss function as the library writes it.
    pub objective: Option<String>,
    /// What was learnt.
    pub task: Task,
    /// From margins to values.
    pub link: Link,
    /// Labels of the classes.
    pub classes: Classes,
    /// How one of them is chosen.
    pub decision: Decision,
    /// The library's version.
    pub version: Option<String>,
    /// What a careful reader should know.
    pub warnings: Vec<String>,
    /// For each value of a leaf the class that it belongs to, when the model knows more classes than it was trained on.
    pub spread: Option<Vec<usize>>,
    /// The quantiles of a quantile loss, one for each margin.
    pub quantiles: Option<Vec<f64>>,
    /// Margins of the model.
    pub outputs: usize,
}

impl Info {
    fn loss(&self) -> Option<&Loss> {
        let trained = self.params.0.as_ref().and_then(|params| params.loss_function.0.as_ref());
        trained.or(self.loss_function.0.as_ref())
    }

    /// What a model of `dimension` values per leaf predicts.
    ///
    /// # Errors
    /// `MI_MALFORMED` when loss function, classes and dimension disagree, `MI_LIMIT_EXCEEDED` for too many classes.
    pub fn meaning(&self, dimension: usize) -> Result<Meaning> {
        let loss = self.loss().map_or("", |loss| loss.name.as_str());
        let mut meaning = Meaning {
            objective: self.loss().map(Loss::text),
            task: Task::Regression,
            link: Link::Identity,
            classes: Classes::Index,
            decision: Decision::Margin(0.0),
            version: self.library_version(),
            warnings: Vec::new(),
            spread: None,
            quantiles: None,
            outputs: dimension,
        };
        let sigmoid = Link::Sigmoid { scale: 1.0 };
        match loss {
            "Logloss" | "CrossEntropy" | "Focal" => (meaning.task, meaning.link) = (Task::Binary, sigmoid),
            "MultiClass" => (meaning.task, meaning.link) = (Task::Multiclass(dimension), Link::TableSoftmax),
            "MultiClassOneVsAll" => (meaning.task, meaning.link) = (Task::Multiclass(dimension), sigmoid),
            "MultiLogloss" | "MultiCrossEntropy" => (meaning.task, meaning.link) = (Task::Multilabel, sigmoid),
            "Poisson" | "Tweedie" => meaning.link = Link::TableExp,
            "RMSEWithUncertainty" => (meaning.task, meaning.link) = (Task::Distribution, Link::MeanVariance),
            "Quantile" | "MultiQuantile" => {
                meaning.task = Task::Distribution;
                meaning.quantiles = self.loss().and_then(Loss::quantiles);
            }
            "YetiRank" | "YetiRankPairwise" | "PairLogit" | "PairLogitPairwise" | "QueryRMSE" | "QuerySoftMax"
            | "QueryCrossEntropy" | "StochasticFilter" | "StochasticRank" | "LambdaMart" | "GroupQuantile" => {
                meaning.task = Task::Ranking;
            }
            "RMSE"
            | "MAE"
            | "LogLinQuantile"
            | "Expectile"
            | "Lq"
            | "Huber"
            | "MAPE"
            | "LogCosh"
            | "Cox"
            | "SurvivalAft"
            | "MultiRMSE"
            | "MultiRMSEWithMissingValues" => {}
            _ => self.guess(loss, dimension, &mut meaning),
        }
        if let Some(classes) = meaning.task.classes() {
            self.classes(classes, &mut meaning)?;
        }
        if meaning.task == Task::Binary {
            meaning.decision = Decision::Margin(self.threshold(&mut meaning.warnings));
        }
        Ok(meaning)
    }

    /// A loss function that this reader does not know: classes tell a classifier.
    fn guess(&self, loss: &str, dimension: usize, meaning: &mut Meaning) {
        let classifier = self.class_params.0.is_some() || self.multiclass_params.0.is_some();
        let kind = match (classifier, dimension) {
            (false, _) => "raw values",
            (true, 1) => {
                (meaning.task, meaning.link) = (Task::Binary, Link::Sigmoid { scale: 1.0 });
                "the probability of the second class"
            }
            (true, _) => {
                (meaning.task, meaning.link) = (Task::Multiclass(dimension), Link::TableSoftmax);
                "probabilities by softmax"
            }
        };
        let name = if loss.is_empty() {
            "the file names no loss function".to_owned()
        } else {
            format!("loss function '{loss}' is not known")
        };
        meaning.warnings.push(format!("{name}; values are {kind}"));
    }

    fn classes(&self, classes: usize, meaning: &mut Meaning) -> Result<()> {
        let given = self.class_params.0.as_ref().or(self.multiclass_params.0.as_ref());
        let trained = self.params.0.as_ref().map(|params| &params.data_processing_options.class_names);
        let names = given.map(|given| &given.class_names).into_iter().chain(trained).find(|names| !names.0.is_empty());
        if let Task::Multiclass(_) = meaning.task
            && let Some(given) = given
        {
            let counted = usize::try_from(given.classes_count).unwrap_or(0);
            let known = names.map_or(0, |names| names.0.len()).max(counted);
            limits::check("classes", known, limits::OUTPUTS)?;
            if known > classes {
                // Classes that training never saw have a margin of minus infinity.
                let place = |label: &Label| match label {
                    Label::Number(number) => index(*number).filter(|&class| class < known),
                    Label::Text(_) => None,
                };
                let places: Option<Vec<usize>> = given.class_to_label.0.iter().map(place).collect();
                let places = places.filter(|places| places.len() == classes).ok_or_else(|| {
                    Error::malformed(format!("class_to_label does not place {classes} margins among {known} classes"))
                })?;
                meaning.task = Task::Multiclass(known);
                meaning.outputs = known;
                meaning.spread = Some(places);
            } else if names.is_none() && counted == 0 && given.class_to_label.0.len() == classes {
                meaning.classes = label_list(&given.class_to_label);
                return Ok(());
            }
        }
        // Without names the labels were the numbers from 0 on.
        let count = meaning.task.classes().unwrap_or(classes);
        meaning.classes = names.map_or_else(|| Classes::numbered(count), label_list);
        Ok(())
    }

    /// The margin above which the second class is chosen.
    fn threshold(&self, warnings: &mut Vec<String>) -> f64 {
        let Some(text) = &self.binclass_probability_threshold else { return 0.0 };
        match text.parse::<f64>() {
            Ok(probability) if probability > 0.0 && probability < 1.0 => -((1.0 / probability) - 1.0).ln(),
            _ => {
                warnings.push(format!("binclass_probability_threshold '{text}' is no probability; 0.5 is used"));
                0.0
            }
        }
    }

    /// The version in a text such as `Branch: tags/v1.2.8`.
    fn library_version(&self) -> Option<String> {
        let text = self.version.as_ref()?;
        let (_, rest) = text.split_once("tags/v").or_else(|| text.split_once("CatBoost Release "))?;
        let version: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').take(32).collect();
        (!version.is_empty()).then_some(version)
    }
}

/// A whole number that is not negative.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn index(number: f64) -> Option<usize> {
    (number >= 0.0 && number < f64::from(u32::MAX) && number.trunc() == number).then_some(number as usize)
}

fn label_list(labels: &Labels) -> Classes {
    let numbers: Option<Vec<f64>> =
        labels.0.iter().map(|label| if let Label::Number(number) = label { Some(*number) } else { None }).collect();
    numbers.map_or_else(
        || {
            let text = |label: &Label| match label {
                Label::Text(text) => text.clone(),
                Label::Number(number) => number.to_string(),
            };
            Classes::Strings(labels.0.iter().map(text).collect())
        },
        Classes::Numbers,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(pairs: &[(&str, &str)], dimension: usize) -> Result<Meaning> {
        Info::from_pairs(pairs.iter().copied())?.meaning(dimension)
    }

    #[test]
    fn losses_are_read_in_all_their_spellings() {
        let long = r#"{"loss_function": {"type": "Quantile", "params": {"alpha": "0.3", "__params_key_order": "[]"}}}"#;
        for pair in [("params", long), ("loss_function", "Quantile:alpha=0.3")] {
            assert_eq!(meaning(&[pair], 1).unwrap().objective.unwrap(), "Quantile:alpha=0.3");
        }
        let short = meaning(&[("loss_function", r#"{"type":"Logloss","params":{}}"#)], 1).unwrap();
        assert_eq!((short.task, short.objective.as_deref()), (Task::Binary, Some("Logloss")));
        assert!(!meaning(&[("params", "{\"loss_function\": \"Tomorrow\"}")], 1).unwrap().warnings.is_empty());
        assert!(meaning(&[("params", "{")], 1).is_err());
    }

    #[test]
    fn unseen_classes_get_a_place() {
        let loss = ("loss_function", "MultiClass");
        let classes = ("class_params", r#"{"class_names": [], "class_to_label": [0, 2, 4], "classes_count": 5}"#);
        let spread = meaning(&[loss, classes], 3).unwrap();
        assert_eq!((spread.task, spread.outputs, spread.spread), (Task::Multiclass(5), 5, Some(vec![0, 2, 4])));
        for broken in [
            r#"{"class_to_label": [0, 2], "classes_count": 5}"#,
            r#"{"class_to_label": [0, 2, 7], "classes_count": 5}"#,
            r#"{"class_to_label": ["a", 2, 4], "classes_count": 5}"#,
        ] {
            assert!(meaning(&[loss, ("class_params", broken)], 3).is_err(), "{broken}");
        }
        assert!(meaning(&[loss, ("class_params", r#"{"classes_count": 99999}"#)], 3).is_err());
    }

    #[test]
    fn labels_keep_their_kind() {
        let labels = |names: &str| {
            let params = format!(r#"{{"class_names": {names}}}"#);
            meaning(&[("loss_function", "Logloss"), ("class_params", &params)], 1).unwrap().classes
        };
        assert_eq!(labels("[false, true]"), Classes::Numbers(vec![0.0, 1.0]));
        assert_eq!(labels("[-1, 2.5]"), Classes::Numbers(vec![-1.0, 2.5]));
        assert_eq!(labels(r#"["1", "up"]"#), Classes::Strings(vec!["1".into(), "up".into()]));
    }

    #[test]
    fn a_probability_threshold_becomes_a_margin() {
        let at = |text| meaning(&[("loss_function", "Logloss"), ("binclass_probability_threshold", text)], 1).unwrap();
        assert_eq!(at("0.5").decision, Decision::Margin(0.0));
        assert!(matches!(at("0.8").decision, Decision::Margin(margin) if (margin - 4f64.ln()).abs() < 1e-12));
        assert!(!at("1.5").warnings.is_empty());
    }
}
