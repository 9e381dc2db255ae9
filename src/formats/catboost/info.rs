//! A model's metadata: of all that the library keeps there, what bears on predictions.

use crate::error::Result;
use crate::limits;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// The parts of a model's metadata that bear on predictions.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Info {
    pub params: Embedded<Params>,
    pub class_params: Embedded<ClassParams>,
    pub multiclass_params: Embedded<ClassParams>,
    pub loss_function: Embedded<Loss>,
    pub binclass_probability_threshold: Option<String>,
    #[serde(rename = "catboost_version_info")]
    pub version: Option<String>,
}

/// Parameters of the training.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Params {
    pub loss_function: Embedded<Loss>,
    pub data_processing_options: DataProcessing,
}

/// How the data was read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DataProcessing {
    pub class_names: Labels,
}

/// Classes as they were trained.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ClassParams {
    pub class_names: Labels,
    pub class_to_label: Labels,
    pub classes_count: i64,
}

/// A loss function: its name, and its parameters in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct Loss {
    pub name: String,
    pub parameters: Vec<(String, String)>,
}

/// A value that may also be written as the JSON text of itself.
#[derive(Debug)]
pub struct Embedded<T>(pub Option<T>);

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
pub struct Labels(pub Vec<Label>);

/// The label of a class.
#[derive(Debug, Clone, PartialEq)]
pub enum Label {
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
                "catboost_version_info" => info.version = Some(value.to_owned()),
                _ => {}
            }
        }
        Ok(info)
    }
}

impl Loss {
    /// The shares in `alpha`, of which there is one when the file names none.
    pub fn quantiles(&self) -> Option<Vec<f64>> {
        match self.parameters.iter().find(|(key, _)| key == "alpha") {
            Some((_, text)) => text.split(',').map(|share| share.trim().parse().ok()).collect(),
            None => Some(vec![0.5]),
        }
    }

    /// The loss function as the library writes it: `Quantile:alpha=0.3`.
    pub fn text(&self) -> String {
        let mut text = self.name.clone();
        for (index, (key, value)) in self.parameters.iter().enumerate() {
            text.push(if index == 0 { ':' } else { ';' });
            text.push_str(key);
            text.push('=');
            text.push_str(value);
        }
        text
    }
}
