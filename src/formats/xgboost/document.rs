//! The document that JSON and UBJSON files hold, as far as prediction needs it.
//!
//! Arrays of numbers become vectors of the library's own types at once, decimals are rounded to float32 in one step, and every tree
//! is walked while its columns are at hand; what is not needed is skipped. So memory stays near the size of the file, whatever is in it.

use super::numbers::{Key, Loose, Numbers, Text};
use super::sapling::Sapling;
use super::tree::{Columns, Leaves};
use crate::error::{Error, Result, Within};
use crate::limits;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// An object of which some keys are read; of keys that occur twice the last counts, as in the library.
macro_rules! object {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty = $key:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        pub(super) struct $name {
            $(pub $field: Option<$type>,)*
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                struct Entries;
                impl<'de> Visitor<'de> for Entries {
                    type Value = $name;

                    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                        out.write_str("an object")
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<$name, A::Error> {
                        let mut object = $name::default();
                        while let Some(Key(key)) = map.next_key()? {
                            match key.as_ref() {
                                $($key => object.$field = value(&mut map, $key)?,)*
                                _ => {
                                    map.next_value::<IgnoredAny>()?;
                                }
                            }
                        }
                        Ok(object)
                    }
                }
                deserializer.deserialize_map(Entries)
            }
        }
    )*};
}

object! {
    /// The root: a model, or a booster's memory with a model inside.
    Root {
        version: Numbers<i32> = "version",
        learner: LearnerObject = "learner",
        model: ModelRoot = "Model",
    }
    /// The model inside of a booster's memory.
    ModelRoot {
        version: Numbers<i32> = "version",
        learner: LearnerObject = "learner",
    }
    /// `learner`.
    LearnerObject {
        attributes: Dictionary = "attributes",
        feature_names: Strings = "feature_names",
        feature_types: Strings = "feature_types",
        booster: BoosterObject = "gradient_booster",
        parameters: LearnerParameters = "learner_model_param",
        objective: ObjectiveObject = "objective",
    }
    /// `learner_model_param`.
    LearnerParameters {
        base_score: Text = "base_score",
        num_class: Text = "num_class",
        num_feature: Text = "num_feature",
        num_target: Text = "num_target",
    }
    /// `objective`.
    ObjectiveObject {
        name: Text = "name",
        quantiles: QuantileParameters = "quantile_loss_param",
        expectiles: ExpectileParameters = "expectile_loss_param",
        softmax: SoftmaxParameters = "softmax_multiclass_param",
    }
    /// `quantile_loss_param`.
    QuantileParameters {
        alpha: Text = "quantile_alpha",
    }
    /// `expectile_loss_param`.
    ExpectileParameters {
        alpha: Text = "expectile_alpha",
    }
    /// `softmax_multiclass_param`.
    SoftmaxParameters {
        num_class: Text = "num_class",
    }
    /// `gradient_booster`; a dart booster until 3.3 holds a tree booster of its own.
    BoosterObject {
        name: Text = "name",
        model: BoosterModel = "model",
        gbtree: TreeBooster = "gbtree",
        weight_drop: Numbers<f32> = "weight_drop",
    }
    /// The tree booster inside of a dart booster.
    TreeBooster {
        model: BoosterModel = "model",
    }
    /// `model` of either a tree booster or a linear one.
    BoosterModel {
        parameters: BoosterParameters = "gbtree_model_param",
        trees: Trees = "trees",
        tree_info: Numbers<i32> = "tree_info",
        iteration_indptr: Numbers<i32> = "iteration_indptr",
        weight_drop: Numbers<f32> = "weight_drop",
        cats: Categories = "cats",
        weights: Numbers<f32> = "weights",
    }
    /// `gbtree_model_param`.
    BoosterParameters {
        num_trees: Text = "num_trees",
        num_parallel_tree: Text = "num_parallel_tree",
    }
    /// `tree_param`.
    TreeParameters {
        num_nodes: Text = "num_nodes",
        size_leaf_vector: Text = "size_leaf_vector",
    }
    /// One of `trees`.
    TreeObject {
        parameters: TreeParameters = "tree_param",
        left_children: Numbers<i32> = "left_children",
        right_children: Numbers<i32> = "right_children",
        split_indices: Numbers<i32> = "split_indices",
        split_conditions: Numbers<f32> = "split_conditions",
        default_left: Numbers<u8> = "default_left",
        split_type: Numbers<u8> = "split_type",
        categories_nodes: Numbers<i32> = "categories_nodes",
        categories_segments: Numbers<i64> = "categories_segments",
        categories_sizes: Numbers<i64> = "categories_sizes",
        categories: Numbers<i32> = "categories",
        loss_changes: Numbers<f32> = "loss_changes",
        sum_hessian: Loose = "sum_hessian",
        base_weights: Numbers<f32> = "base_weights",
        leaf_weights: Numbers<f32> = "leaf_weights",
    }
    /// `cats`: the categories that the codes of each column stand for (3.1 and later).
    Categories {
        columns: CategoryColumns = "enc",
    }
    /// One of `enc`: numbers, or strings as bytes and the places where they begin.
    CategoryObject {
        offsets: Numbers<i32> = "offsets",
        values: Numbers<i64> = "values",
    }
}

fn value<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    map: &mut A,
    key: &str,
) -> std::result::Result<Option<T>, A::Error> {
    map.next_value().map_err(|failure| A::Error::custom(format_args!("{key}: {failure}")))
}

/// A list whose elements are checked as they come; what is wrong with one is kept as the crate's own error, with its status.
macro_rules! checked_list {
    ($($(#[$doc:meta])* $name:ident: $item:ty => $kept:ty, $what:literal, $keep:expr;)*) => {$(
        $(#[$doc])*
        pub(super) struct $name(pub Result<Vec<$kept>>);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                struct List;
                impl<'de> Visitor<'de> for List {
                    type Value = $name;

                    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                        out.write_str(concat!("an array of ", $what, "s"))
                    }

                    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<$name, A::Error> {
                        let mut kept = Vec::new();
                        let mut index = 0;
                        loop {
                            let place = || format!(concat!($what, " {}"), index);
                            let item = items.next_element::<$item>();
                            let item = item.map_err(|failure| A::Error::custom(format_args!("{}: {failure}", place())))?;
                            let Some(item) = item else { return Ok($name(Ok(kept))) };
                            let keep: fn(&mut Vec<$kept>, usize, $item) -> Result<()> = $keep;
                            if let Err(error) = keep(&mut kept, index, item).within(place) {
                                while items.next_element::<IgnoredAny>()?.is_some() {}
                                return Ok($name(Err(error)));
                            }
                            index += 1;
                        }
                    }
                }
                deserializer.deserialize_seq(List)
            }
        }
    )*};
}

/// The categories of one column.
pub(super) struct CategoryColumn {
    /// The column.
    pub feature: usize,
    /// Numbers, or the bytes of all strings.
    pub values: Vec<i64>,
    /// Where each string begins, and the end of the last.
    pub offsets: Option<Vec<i32>>,
}

checked_list! {
    /// Names of columns, or of their types.
    Strings: Text => String, "string", |kept, index, Text(text)| {
        limits::check("strings", index + 1, limits::FEATURES)?;
        limits::check("bytes of a string", text.len(), limits::NAME_BYTES)?;
        kept.push(text);
        Ok(())
    };
    /// `trees`, each of them walked already.
    Trees: TreeObject => Sapling, "tree", |kept, index, tree| {
        limits::check("trees", index + 1, limits::TREES)?;
        kept.push(tree.columns()?.grow()?);
        Ok(())
    };
    /// `enc`; columns without categories are left out.
    CategoryColumns: CategoryObject => CategoryColumn, "column", |kept, feature, column| {
        limits::check("columns", feature + 1, limits::FEATURES)?;
        let values = required(column.values, "values")?.0;
        if !values.is_empty() {
            kept.push(CategoryColumn { feature, values, offsets: column.offsets.map(|offsets| offsets.0) });
        }
        Ok(())
    };
}

/// An object of strings.
pub(super) struct Dictionary(pub Result<Vec<(String, String)>>);

impl<'de> Deserialize<'de> for Dictionary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Dictionary;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Dictionary, A::Error> {
                let mut entries = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    let Some(Text(text)) = value(&mut map, &key)? else { continue };
                    if let Err(error) = limits::check("attributes", entries.len() + 1, limits::ATTRIBUTES) {
                        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                        return Ok(Dictionary(Err(error)));
                    }
                    entries.push((key.into_owned(), text));
                }
                Ok(Dictionary(Ok(entries)))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// The value of a key that must be there.
///
/// # Errors
/// `MI_MALFORMED` naming the key.
pub(super) fn required<T>(value: Option<T>, key: &str) -> Result<T> {
    value.ok_or_else(|| Error::malformed(format!("'{key}' is missing")))
}

impl TreeObject {
    fn columns(self) -> Result<Columns> {
        fn list<T>(numbers: Option<Numbers<T>>) -> Vec<T> {
            numbers.map_or_else(Vec::new, |numbers| numbers.0)
        }
        let width = self.parameters.and_then(|parameters| parameters.size_leaf_vector);
        let width: usize = match &width {
            Some(Text(width)) => width
                .parse()
                .map_err(|_| Error::malformed(format!("size_leaf_vector is '{width}', a number was expected")))?,
            None => 0,
        };
        limits::check("numbers per leaf", width, limits::OUTPUTS)?;
        let leaves = match self.leaf_weights {
            _ if width <= 1 => Leaves::Scalar,
            Some(Numbers(values)) => Leaves::PerLeaf { width, values },
            None => Leaves::PerNode { width, values: required(self.base_weights, "base_weights")?.0 },
        };
        Ok(Columns {
            left: required(self.left_children, "left_children")?.0,
            right: required(self.right_children, "right_children")?.0,
            feature: required(self.split_indices, "split_indices")?.0,
            threshold: required(self.split_conditions, "split_conditions")?.0,
            default_left: required(self.default_left, "default_left")?.0,
            categorical: list(self.split_type),
            category_nodes: list(self.categories_nodes),
            category_begins: list(self.categories_segments),
            category_counts: list(self.categories_sizes),
            categories: list(self.categories),
            gain: self.loss_changes.map(|numbers| numbers.0),
            cover: self.sum_hessian.map_or_else(Vec::new, Loose::numbers),
            leaves,
        })
    }
}
