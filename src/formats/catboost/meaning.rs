//! What the numbers of a model mean: its loss function, its classes, and where it came from.

use crate::error::{Error, Result};
use crate::ir::{Classes, Decision, Link, Task};
use crate::limits;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::Deserialize;
use std::fmt;
use std::marker::PhantomData;

/// The parts of a model's metadata that bear on predictions.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Info {
    params: Embedded<Params>,
    class_params: Embedded<ClassParams>,
    multiclass_params: Embedded<ClassParams>,
    loss_function: Embedded<Loss>,
    binclass_probability_threshold: Option<String>,
    catboost_version_info: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Params {
    loss_function: Embedded<Loss>,
    data_processing_options: DataProcessing,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DataProcessing {
    class_names: Labels,
}

/// Classes as they were trained.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ClassParams {
    class_names: Labels,
    class_to_label: Labels,
    classes_count: i64,
}

/// A loss function: its name, and its parameters in the order of the file.
#[derive(Debug, Clone, Default)]
struct Loss {
    name: String,
    parameters: Vec<(String, String)>,
}

/// A value that may also be written as the JSON text of itself.
#[derive(Debug)]
struct Embedded<T>(Option<T>);

impl<T> Default for Embedded<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de> + FromText> Deserialize<'de> for Embedded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de> + FromText> Visitor<'de> for Either<T> {
            type Value = Option<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object, or its text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Self::Value, E> {
                T::from_text(text).map_err(E::custom)
            }

            fn visit_unit<E: de::Error>(self) -> std::result::Result<Self::Value, E> {
                Ok(None)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Self::Value, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(Some)
            }
        }

        deserializer.deserialize_any(Either(PhantomData)).map(Embedded)
    }
}

/// What the text of a value says; an empty one says nothing.
trait FromText: Sized {
    fn from_text(text: &str) -> Result<Option<Self>>;
}

impl FromText for Params {
    fn from_text(text: &str) -> Result<Option<Self>> {
        if text.is_empty() { Ok(None) } else { crate::codec::json::typed(text.as_bytes()).map(Some) }
    }
}

impl FromText for ClassParams {
    fn from_text(text: &str) -> Result<Option<Self>> {
        if text.is_empty() { Ok(None) } else { crate::codec::json::typed(text.as_bytes()).map(Some) }
    }
}

impl FromText for Loss {
    /// JSON, or the short form `Quantile:alpha=0.3`.
    fn from_text(text: &str) -> Result<Option<Self>> {
        if text.is_empty() {
            return Ok(None);
        }
        if text.starts_with('{') {
            return crate::codec::json::typed(text.as_bytes()).map(Some);
        }
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let pair = |part: &str| part.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        Ok(Some(Self { name: name.to_owned(), parameters: rest.split(';').filter_map(pair).collect() }))
    }
}

impl<'de> Deserialize<'de> for Loss {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Written {
            #[serde(rename = "type")]
            name: String,
            #[serde(default)]
            params: Parameters,
        }

        #[derive(Default)]
        struct Parameters(Vec<(String, String)>);

        impl<'de> Deserialize<'de> for Parameters {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                struct Pairs;

                impl<'de> Visitor<'de> for Pairs {
                    type Value = Parameters;

                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        formatter.write_str("the parameters of a loss function")
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Parameters, A::Error> {
                        let mut pairs = Vec::new();
                        while let Some((key, value)) = map.next_entry::<String, serde_json::Value>()? {
                            if pairs.len() >= limits::PARAMETERS {
                                return Err(de::Error::custom("too many parameters of a loss function"));
                            }
                            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                            // A key that begins so is bookkeeping of the library.
                            if !key.starts_with("__") {
                                pairs.push((key, value));
                            }
                        }
                        Ok(Parameters(pairs))
                    }
                }

                deserializer.deserialize_map(Pairs)
            }
        }

        let written = Written::deserialize(deserializer)?;
        Ok(Self { name: written.name, parameters: written.params.0 })
    }
}

/// Labels of classes, at most as many as a model may have margins.
#[derive(Debug, Default)]
struct Labels(Vec<Label>);

#[derive(Debug, Clone, PartialEq)]
enum Label {
    Number(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Any;

        #[allow(clippy::cast_precision_loss)]
        impl Visitor<'_> for Any {
            type Value = Label;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the label of a class")
            }

            fn visit_bool<E>(self, label: bool) -> std::result::Result<Label, E> {
                Ok(Label::Number(f64::from(u8::from(label))))
            }

            fn visit_i64<E>(self, label: i64) -> std::result::Result<Label, E> {
                Ok(Label::Number(label as f64))
            }

            fn visit_u64<E>(self, label: u64) -> std::result::Result<Label, E> {
                Ok(Label::Number(label as f64))
            }

            fn visit_f64<E>(self, label: f64) -> std::result::Result<Label, E> {
                Ok(Label::Number(label))
            }

            fn visit_str<E>(self, label: &str) -> std::result::Result<Label, E> {
                Ok(Label::Text(label.to_owned()))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Labels;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of class labels")
            }

            fn visit_unit<E>(self) -> std::result::Result<Labels, E> {
                Ok(Labels::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Labels, A::Error> {
                let mut labels = Vec::new();
                while let Some(label) = list.next_element()? {
                    if labels.len() >= limits::OUTPUTS {
                        while list.next_element::<IgnoredAny>()?.is_some() {}
                        return Err(de::Error::custom("more class labels than a model may have margins"));
                    }
                    labels.push(label);
                }
                Ok(Labels(labels))
            }
        }

        deserializer.deserialize_any(List)
    }
}

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
    /// Margins of the model.
    pub outputs: usize,
}

impl Info {
    /// Metadata as a binary file holds it.
    ///
    /// # Errors
    /// `MI_MALFORMED` for broken JSON inside of it.
    pub fn from_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let mut info = Self::default();
        for (key, value) in pairs {
            match key {
                "params" => info.params = Embedded(Params::from_text(value)?),
                "class_params" => info.class_params = Embedded(ClassParams::from_text(value)?),
                "multiclass_params" => info.multiclass_params = Embedded(ClassParams::from_text(value)?),
                "loss_function" => info.loss_function = Embedded(Loss::from_text(value)?),
                "binclass_probability_threshold" => info.binclass_probability_threshold = Some(value.to_owned()),
                "catboost_version_info" => info.catboost_version_info = Some(value.to_owned()),
                _ => {}
            }
        }
        Ok(info)
    }

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
            version: self.version(),
            warnings: Vec::new(),
            spread: None,
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
            "MultiQuantile" => meaning.task = Task::Distribution,
            "YetiRank" | "YetiRankPairwise" | "PairLogit" | "PairLogitPairwise" | "QueryRMSE" | "QuerySoftMax"
            | "QueryCrossEntropy" | "StochasticFilter" | "StochasticRank" | "LambdaMart" | "GroupQuantile" => {
                meaning.task = Task::Ranking;
            }
            "RMSE" | "MAE" | "Quantile" | "LogLinQuantile" | "Expectile" | "Lq" | "Huber" | "MAPE" | "LogCosh" | "Cox"
            | "SurvivalAft" | "MultiRMSE" | "MultiRMSEWithMissingValues" => {}
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
        let name = if loss.is_empty() { "the file names no loss function".to_owned() } else { format!("loss function '{loss}' is not known") };
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
        if let Some(names) = names {
            meaning.classes = label_list(names);
        }
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
    fn version(&self) -> Option<String> {
        let text = self.catboost_version_info.as_ref()?;
        let (_, rest) = text.split_once("tags/v").or_else(|| text.split_once("CatBoost Release "))?;
        let version: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').take(32).collect();
        (!version.is_empty()).then_some(version)
    }
}

impl Loss {
    fn text(&self) -> String {
        let mut text = self.name.clone();
        for (index, (key, value)) in self.parameters.iter().enumerate() {
            text.push(if index == 0 { ':' } else { ';' });
            text.push_str(&format!("{key}={value}"));
        }
        text
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
