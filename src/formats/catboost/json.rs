//! The JSON format.

use super::document::{
    CategoryFeature, CtrFeature, CtrTable, Features, FloatFeature, NanTreatment, OneHotFeature, Position, ScaleBias,
    Step, refuse_feature,
};
use super::info::Info;
use super::json_tables::{Element, Tables, ctr_base, ctr_table};
use super::number::{Double, OneOrMany, Single};
use super::trees::{Grower, Leaves};
use crate::codec;
use crate::error::{Error, Result, Within};
use crate::ir::forest::Tree;
use crate::limits;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use std::fmt;
use std::ops::Range;

/// The keys by which a file is recognised.
pub const KEYS: [&str; 5] = ["features_info", "oblivious_trees", "ctr_data", "scale_and_bias", "model_info"];

#[derive(Debug, Deserialize)]
struct Root {
    features_info: FeaturesInfo,
    #[serde(default)]
    model_info: Option<Info>,
    #[serde(default)]
    oblivious_trees: Option<Vec<SymmetricTree>>,
    #[serde(default)]
    trees: Option<Vec<Node>>,
    #[serde(default)]
    scale_and_bias: Option<(Double, OneOrMany)>,
    #[serde(default)]
    ctr_data: Tables,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FeaturesInfo {
    float_features: Option<Vec<Float>>,
    categorical_features: Option<Vec<Category>>,
    text_features: FirstName,
    embedding_features: FirstName,
    ctrs: Option<Vec<Ctr>>,
}

#[derive(Debug, Deserialize)]
struct Float {
    borders: Option<Vec<Single>>,
    feature_index: i32,
    flat_feature_index: i32,
    #[serde(default)]
    feature_id: Option<String>,
    #[serde(default)]
    has_nans: bool,
    nan_value_treatment: String,
}

#[derive(Debug, Deserialize)]
struct Category {
    feature_index: i32,
    flat_feature_index: i32,
    #[serde(default)]
    feature_id: Option<String>,
    #[serde(default)]
    values: Option<Vec<i32>>,
}

#[derive(Debug, Deserialize)]
struct Ctr {
    borders: Vec<Single>,
    #[serde(rename = "ctr_type")]
    kind: String,
    elements: Vec<Element>,
    prior_numerator: Single,
    prior_denomerator: Single,
    scale: Single,
    shift: Single,
    target_border_idx: i32,
}

#[derive(Debug, Deserialize)]
struct SymmetricTree {
    leaf_values: Vec<Double>,
    #[serde(default)]
    leaf_weights: Vec<Double>,
    #[serde(default)]
    splits: Option<Vec<Split>>,
}

#[derive(Debug, Deserialize)]
struct Split {
    split_index: usize,
}

/// A leaf or a split, as the text has it.
#[derive(Debug, Deserialize)]
struct WrittenNode {
    #[serde(default)]
    value: Option<OneOrMany>,
    #[serde(default)]
    weight: Option<Double>,
    #[serde(default)]
    split: Option<Split>,
    #[serde(default)]
    left: Option<Box<Node>>,
    #[serde(default)]
    right: Option<Box<Node>>,
}

/// A tree that is not symmetric.
#[derive(Debug, Deserialize)]
#[serde(try_from = "WrittenNode")]
enum Node {
    /// Values and weight.
    Leaf(OneOrMany, Option<f64>),
    Split(usize, Box<Node>, Box<Node>),
}

impl TryFrom<WrittenNode> for Node {
    type Error = &'static str;

    fn try_from(node: WrittenNode) -> std::result::Result<Self, Self::Error> {
        match node {
            WrittenNode { value: Some(value), weight, .. } => Ok(Node::Leaf(value, weight.map(|weight| weight.0))),
            WrittenNode { split: Some(split), left: Some(left), right: Some(right), .. } => {
                Ok(Node::Split(split.split_index, left, right))
            }
            _ => Err("a node has neither a value nor a split with left and right"),
        }
    }
}

/// The name of the first feature of a list, if it has a feature at all.
#[derive(Debug, Default)]
struct FirstName(Option<String>);

impl<'de> Deserialize<'de> for FirstName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Named {
            #[serde(default)]
            feature_id: Option<String>,
        }

        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = FirstName;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of features")
            }

            fn visit_unit<E>(self) -> std::result::Result<FirstName, E> {
                Ok(FirstName(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<FirstName, A::Error> {
                let first: Option<Named> = list.next_element()?;
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(FirstName(first.map(|feature| feature.feature_id.unwrap_or_default())))
            }
        }

        deserializer.deserialize_any(List)
    }
}

/// What a file says.
#[derive(Debug)]
pub struct Model {
    /// Columns and statistics.
    pub features: Features,
    /// Tables of the statistics.
    pub tables: Vec<CtrTable>,
    /// Values per leaf.
    pub dimension: usize,
    /// Factor and bias of the sum.
    pub scale_bias: ScaleBias,
    /// Metadata.
    pub info: Info,
    /// What a careful reader should know.
    pub warnings: Vec<String>,
    symmetric: Vec<SymmetricTree>,
    any: Vec<Node>,
}

/// Reads a file.
pub fn read(bytes: &[u8]) -> Result<Model> {
    let text = codec::json::clean(bytes);
    let root: Root = codec::json::typed(&text)?;
    let features = features(root.features_info)?;
    let mut tables = limits::vec("tables", root.ctr_data.0.len())?;
    let fractional =
        root.ctr_data.0.iter().any(|(identifier, table)| identifier.contains("MeanValue") && table.has_fractions());
    let warnings = fractional.then(|| {
        "the library takes a fractional sum of target values in JSON as 0, and so do these predictions; the binary file keeps it"
            .to_owned()
    });
    for (index, (identifier, table)) in root.ctr_data.0.into_iter().enumerate() {
        tables.push(ctr_table(&identifier, table).within(|| format!("ctr_data entry {index}"))?);
    }
    let symmetric = root.oblivious_trees.unwrap_or_default();
    let any = root.trees.unwrap_or_default();
    let (scale, bias) = root.scale_and_bias.unwrap_or((Double(1.0), OneOrMany::Many(Vec::new())));
    let scale_bias = ScaleBias { scale: scale.0, bias: bias.iter().collect() };
    // As the library does: the last tree tells.
    let dimension = match (symmetric.last(), any.last()) {
        (Some(tree), _) => {
            let levels = tree.splits.as_ref().map_or(0, Vec::len);
            limits::check("levels of a symmetric tree", levels, limits::LEVELS)?;
            tree.leaf_values.len() >> levels
        }
        (None, Some(node)) => dimension(node),
        (None, None) => scale_bias.bias.len().max(1),
    };
    Ok(Model {
        features,
        tables,
        dimension,
        scale_bias,
        info: root.model_info.unwrap_or_default(),
        warnings: warnings.into_iter().collect(),
        symmetric,
        any,
    })
}

fn dimension(mut node: &Node) -> usize {
    loop {
        match node {
            Node::Split(.., right) => node = right,
            Node::Leaf(values, _) => return values.len(),
        }
    }
}

fn features(info: FeaturesInfo) -> Result<Features> {
    for (kind, first) in [("text", &info.text_features), ("embedding", &info.embedding_features)] {
        if let Some(name) = &first.0 {
            return Err(refuse_feature(kind, name));
        }
    }
    let mut features = Features::default();
    for float in info.float_features.unwrap_or_default() {
        features.floats.push(FloatFeature {
            position: Position {
                index: float.feature_index,
                flat: float.flat_feature_index,
                name: float.feature_id.unwrap_or_default(),
            },
            borders: singles(float.borders.unwrap_or_default()),
            has_nans: float.has_nans,
            nan: NanTreatment::from_name(&float.nan_value_treatment)?,
        });
    }
    for category in info.categorical_features.unwrap_or_default() {
        if let Some(values) = category.values {
            features.one_hots.push(OneHotFeature { index: category.feature_index, values });
        }
        features.categories.push(CategoryFeature {
            position: Position {
                index: category.feature_index,
                flat: category.flat_feature_index,
                name: category.feature_id.unwrap_or_default(),
            },
        });
    }
    for ctr in info.ctrs.unwrap_or_default() {
        features.ctrs.push(CtrFeature {
            base: ctr_base(ctr.elements, &ctr.kind)?,
            target_border: ctr.target_border_idx,
            prior: ctr.prior_numerator.0,
            weight: ctr.prior_denomerator.0,
            shift: ctr.shift.0,
            scale: ctr.scale.0,
            borders: singles(ctr.borders),
        });
    }
    Ok(features)
}

fn singles(numbers: Vec<Single>) -> Vec<f32> {
    numbers.into_iter().map(|number| number.0).collect()
}

impl Model {
    /// Number of trees.
    pub fn trees(&self) -> Result<usize> {
        let trees = self.symmetric.len() + self.any.len();
        if !self.symmetric.is_empty() && !self.any.is_empty() {
            return Err(Error::malformed("the file has both oblivious_trees and trees"));
        }
        limits::check("trees", trees, limits::TREES)?;
        Ok(trees)
    }

    /// The trees of these numbers; each is given up when it has become one of ours.
    pub fn grow(&mut self, grower: &mut Grower<'_>, range: &Range<usize>) -> Result<Vec<Tree>> {
        let mut trees = grower.room(range.len())?;
        let wanted = |number: &usize| range.contains(number);
        for (number, tree) in std::mem::take(&mut self.symmetric).into_iter().enumerate() {
            if wanted(&number) {
                trees.push(symmetric(grower, &tree, self.dimension).within(|| format!("tree {number}"))?);
            }
        }
        for (number, root) in std::mem::take(&mut self.any).into_iter().enumerate() {
            if wanted(&number) {
                trees.push(any(grower, &root, self.dimension).within(|| format!("tree {number}"))?);
            }
        }
        Ok(trees)
    }
}

fn symmetric(grower: &mut Grower<'_>, tree: &SymmetricTree, dimension: usize) -> Result<Tree> {
    let splits = tree.splits.as_deref().unwrap_or_default();
    limits::check("levels of a symmetric tree", splits.len(), limits::LEVELS)?;
    let expected = (1usize << splits.len()) * dimension;
    if tree.leaf_values.len() != expected {
        return Err(Error::malformed(format!("{} leaf_values, {expected} were expected", tree.leaf_values.len())));
    }
    let held = Leaves { values: &tree.leaf_values, weights: &tree.leaf_weights };
    grower.symmetric(splits.len(), |level| Ok(splits[level].split_index), 0, held)
}

fn any(grower: &mut Grower<'_>, root: &Node, dimension: usize) -> Result<Tree> {
    let mut flat = Flat::default();
    flatten(root, dimension, &mut flat)?;
    let step = |place: usize| flat.steps.get(place).copied().ok_or_else(|| Error::internal("a node got lost"));
    let held = Leaves { values: &flat.values, weights: if flat.unweighted { &[] } else { &flat.weights[..] } };
    grower.any(0, flat.steps.len(), &step, held)
}

/// A tree in lists.
#[derive(Default)]
struct Flat {
    steps: Vec<Step>,
    values: Vec<f64>,
    weights: Vec<f64>,
    /// Whether some leaf has no weight.
    unweighted: bool,
}

/// Nodes in the order of the text, whose nesting the JSON parser has bounded. Returns the place of the node.
fn flatten(node: &Node, dimension: usize, flat: &mut Flat) -> Result<usize> {
    let place = flat.steps.len();
    match node {
        Node::Leaf(value, weight) => {
            if value.len() != dimension {
                return Err(Error::malformed(format!("a leaf has {} values, {dimension} were expected", value.len())));
            }
            flat.steps.push(Step::Leaf(flat.values.len()));
            flat.values.extend(value.iter());
            flat.unweighted |= weight.is_none();
            flat.weights.extend(*weight);
        }
        Node::Split(question, left, right) => {
            flat.steps.push(Step::Leaf(0));
            let left = flatten(left, dimension, flat)?;
            let right = flatten(right, dimension, flat)?;
            flat.steps[place] = Step::Split(*question, left, right);
        }
    }
    Ok(place)
}
