//! `HistGradientBoostingRegressor` and `HistGradientBoostingClassifier`.
//!
//! Rows stay float64. A category that the training did not know goes where missing values go. Since 1.4 the columns of categories
//! are put in front and their values become places in a list; the trees here ask for the columns where the caller has them.

use super::super::categories::{Category, categories};
use super::super::{Context, classes, column_count, estimator, is_quantile, model};
use super::{chosen, features, version};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::ir::forest::{
    CategoryRule, CategorySet, Child, Compare, Finish, Layout, Missing, Node, Side, Target, Test, Tree,
};
use crate::ir::pipeline::{Pipeline, Transform};
use crate::ir::transform::Codes;
use crate::ir::{Body, Classes, Decision, Estimator, Forest, Importance, Link, Model, Precision, Task};
use crate::limits;
use std::collections::BTreeMap;

/// Words of a set of categories: bins have 8 bits.
const WORDS: usize = 8;

/// The regressor.
pub(super) fn regressor(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let loss = object.attr("loss")?;
    if loss.is_str() && loss.as_str()? == "quantile" {
        let mut made = read(object, context, 1, Task::Distribution, Classes::Index)?;
        is_quantile(&mut made, object.attr("quantile")?)?;
        return Ok(made);
    }
    read(object, context, 1, Task::Regression, Classes::Index)
}

/// The classifier.
pub(super) fn classifier(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    let labels = object.attr("classes_")?;
    let classes = classes(labels)?;
    match classes.count() {
        Some(2) => read(object, context, 1, Task::Binary, classes),
        Some(count @ 3..) => read(object, context, count, Task::Multiclass(count), classes),
        _ => Err(labels.malformed("two classes at least are expected")),
    }
}

fn read(object: Ref<'_>, context: &Context<'_>, outputs: usize, task: Task, classes: Classes) -> Result<Model> {
    let version = version(object)?;
    let features = match object.attr_some("_n_features")? {
        Some(count) => column_count(count)?,
        None => features(object)?,
    };
    let columns = Columns::of(object, features, context)?;
    let baseline = object.attr("_baseline_prediction")?;
    let base = if baseline.is_array() { baseline.array_f64()?.data } else { vec![baseline.as_f64()?] };
    if base.len() != outputs {
        return Err(baseline.malformed(format!("{} numbers for {outputs} margins", base.len())));
    }
    let list = object.attr("_predictors")?;
    let rounds = list.list()?;
    let chosen = chosen(context, rounds.len())?;
    let mut trees = limits::vec("trees", rounds.len().saturating_mul(outputs))?;
    let counted = if features > limits::IMPORTANCE_FEATURES { 0 } else { features };
    let mut importance = Sums { splits: vec![0.0; counted], gain: vec![0.0; counted] };
    let mut accepts_nan = true;
    for (index, round) in rounds.iter().enumerate() {
        let predictors = round.list()?;
        if predictors.len() != outputs {
            return Err(round.malformed(format!("{} trees for {outputs} margins", predictors.len())));
        }
        for (output, predictor) in (0u32..).zip(predictors) {
            let nodes = Nodes::of(predictor)?;
            accepts_nan &= nodes.missing_left.is_some();
            nodes.add_to(&mut importance, &columns)?;
            if chosen.contains(&index) {
                trees.push(nodes.tree(&columns, Target::One(output))?);
            }
        }
    }
    let single = baseline.is_array() && baseline.dtype()?.size == 4;
    let layout = Layout {
        features,
        input: Precision::F64,
        snap_zero: false,
        compare: Compare::LessEqual,
        category: match version {
            (0, _) | (1, 0 | 1) => CategoryRule::LowByte,
            (1, 2 | 3) => CategoryRule::NonNegativeLowByte,
            _ => CategoryRule::NonNegative,
        },
        accepts_nan,
        sum: if single { Precision::F32 } else { Precision::F64 },
        base,
        finish: Finish::Sum,
        trees_per_round: outputs,
    };
    let forest = Forest::new(layout, trees)?;
    let mut made = model(object, Body::Forest(forest), link(object)?, task, classes)?;
    if version >= (1, 5) && task.classes().is_some() {
        made.decision = Decision::Margin(0.0);
    }
    let loss = object.attr("loss")?;
    made.source.objective = if loss.is_str() { Some(loss.as_str()?.into_owned()) } else { None };
    if let Some(codes) = columns.codes {
        let inner = Model { feature_names: None, ..made.clone() };
        let pipeline = Pipeline::new(vec![codes], Some(Box::new(inner)))?;
        made = estimator(object, Estimator::Pipeline(pipeline), made.task, made.classes)?;
    }
    if counted == features {
        made.importance = Importance { split: Some(importance.splits), gain: Some(importance.gain), coefficient: None };
    }
    made.validated()
}

/// The link of the loss, by the class of the link, or of the loss before 1.1.
fn link(object: Ref<'_>) -> Result<Link> {
    let loss = match object.attr_some("loss_")? {
        Some(old) => old, // before 0.24
        None => object.attr("_loss")?,
    };
    let named = match loss.attr_some("link")? {
        Some(link) => link,
        None => loss,
    };
    match named.class().map(|(_, name)| name) {
        Some("IdentityLink" | "LeastSquares" | "LeastAbsoluteDeviation") => Ok(Link::Identity),
        Some("LogLink" | "Poisson") => Ok(Link::Exp),
        Some("LogitLink" | "BinaryCrossEntropy") => Ok(Link::Sigmoid { scale: 1.0 }),
        Some("HalfLogitLink") => Ok(Link::Sigmoid { scale: 2.0 }),
        Some("MultinomialLogit" | "CategoricalCrossEntropy") => Ok(Link::Softmax),
        _ => Err(named.unsupported(format!(
            "{} is no loss of scikit-learn; train with one of its own, or export the model to ONNX",
            named.describe()
        ))),
    }
}

/// Which column of the row each feature of the trees is, and the categories.
struct Columns {
    /// Column by feature.
    order: Vec<usize>,
    /// By feature: the categories that the training knew.
    known: BTreeMap<usize, [u32; WORDS]>,
    /// What makes categories of numbers before the trees see them.
    codes: Option<Transform>,
}

impl Columns {
    fn of(object: Ref<'_>, features: usize, context: &Context<'_>) -> Result<Self> {
        let mut columns = Self { order: (0..features).collect(), known: BTreeMap::new(), codes: None };
        let Some(mask) = object.attr_some("is_categorical_")? else { return Ok(columns) };
        let categorical = mask.array_bool()?.data;
        if categorical.len() != features {
            return Err(mask.malformed(format!("marks of {} features, there are {features}", categorical.len())));
        }
        if let Some(preprocessor) = object.attr_some("_preprocessor")? {
            // Columns of categories come first (`ColumnTransformer` of an encoder and the rest).
            columns.order.sort_by_key(|&column| !categorical[column]);
            columns.codes = Some(codes(preprocessor, features, &categorical, context)?);
        }
        let thresholds = object.attr("_bin_mapper")?.attr("bin_thresholds_")?;
        let lists = thresholds.list()?;
        if lists.len() != features {
            return Err(thresholds.malformed(format!("bins of {} features, there are {features}", lists.len())));
        }
        for (feature, (list, &column)) in lists.iter().zip(&columns.order).enumerate() {
            if categorical[column] {
                columns.known.insert(feature, bits(*list)?);
            }
        }
        Ok(columns)
    }
}

/// The encoder's lists of categories.
fn codes(preprocessor: Ref<'_>, features: usize, categorical: &[bool], context: &Context<'_>) -> Result<Transform> {
    let steps = preprocessor.attr("transformers_")?.list()?;
    let mut encoder = None;
    for step in steps {
        if let [name, transformer, ..] = *step.list()?
            && name.as_str()? == "encoder"
        {
            encoder = Some(transformer);
        }
    }
    let encoder = encoder.ok_or_else(|| preprocessor.malformed("no step 'encoder'"))?;
    let lists = encoder.attr("categories_")?;
    let mut columns = Vec::new();
    let marked = (0..features).filter(|&column| categorical[column]);
    let found = lists.list()?;
    if found.len() != marked.clone().count() {
        return Err(lists.malformed(format!("categories of {} columns", found.len())));
    }
    for (column, list) in marked.zip(found) {
        let places = (0u32..).map(f64::from).zip(categories(list, context)?);
        // NaN goes where missing values go; None is a category as any other.
        let known = places.filter(|(_, category)| *category != Category::Nan);
        let known = known.map(|(place, category)| (category.number(), place));
        columns.push((column, Codes::new(known, Some(f64::NAN))));
    }
    Transform::codes(features, columns)
}

/// A set of categories below 256.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // checked before
fn bits(list: Ref<'_>) -> Result<[u32; WORDS]> {
    let mut words = [0; WORDS];
    for category in list.array_f64()?.data {
        if !(0.0..256.0).contains(&category) {
            return Err(list.malformed(format!("the category {category}, where 0 to 255 are possible")));
        }
        words[category as usize / 32] |= 1u32 << (category as usize % 32);
    }
    Ok(words)
}

/// Importance by column of the row.
struct Sums {
    splits: Vec<f64>,
    gain: Vec<f64>,
}

/// A tree as it lies in the file.
struct Nodes<'g> {
    origin: Ref<'g>,
    leaf: Vec<i64>,
    left: Vec<i64>,
    right: Vec<i64>,
    feature: Vec<i64>,
    threshold: Vec<f64>,
    value: Vec<f64>,
    gain: Vec<f64>,
    /// The training rows of each node; empty when the file does not say.
    rows: Vec<i64>,
    missing_left: Option<Vec<i64>>,
    /// For each node whether it asks for a category, and the row of `sets` that goes left.
    categorical: Option<(Vec<i64>, Vec<i64>)>,
    /// Of shape (splits by category, words).
    sets: Vec<i64>,
}

impl<'g> Nodes<'g> {
    fn of(predictor: Ref<'g>) -> Result<Self> {
        let nodes = predictor.attr("nodes")?.structured()?;
        let optional = |name: &str| nodes.has(name).then(|| nodes.i64(name)).transpose();
        let threshold = if nodes.has("num_threshold") { "num_threshold" } else { "threshold" };
        let categorical = match (optional("is_categorical")?, optional("bitset_idx")?) {
            (Some(marks), Some(sets)) => Some((marks, sets)),
            _ => None,
        };
        let sets = match predictor.attr_some("raw_left_cat_bitsets")? {
            Some(sets) => sets.array_i64()?.data,
            None => Vec::new(),
        };
        let read = Self {
            origin: predictor,
            leaf: nodes.i64("is_leaf")?,
            left: nodes.i64("left")?,
            right: nodes.i64("right")?,
            feature: nodes.i64("feature_idx")?,
            threshold: nodes.f64(threshold)?,
            value: nodes.f64("value")?,
            gain: nodes.f64("gain")?,
            rows: nodes.i64("count").unwrap_or_default(),
            missing_left: optional("missing_go_to_left")?,
            categorical,
            sets,
        };
        let count = nodes.len();
        let pairs = read.categorical.iter().flat_map(|(marks, sets)| [marks, sets]);
        let whole =
            [&read.leaf, &read.left, &read.right, &read.feature].into_iter().chain(pairs).chain(&read.missing_left);
        let real = [&read.threshold, &read.value, &read.gain].into_iter();
        let even = whole.map(Vec::len).chain(real.map(Vec::len)).all(|length| length == count);
        if even && count > 0 {
            Ok(read)
        } else {
            Err(predictor.malformed("its nodes are empty, or a field of them is an array"))
        }
    }

    fn is_leaf(&self, node: usize) -> bool {
        self.leaf[node] != 0
    }

    fn inner(&self) -> impl Iterator<Item = usize> {
        (0..self.leaf.len()).filter(|&node| !self.is_leaf(node))
    }

    /// The feature of a node, below the number of features.
    fn feature(&self, node: usize, columns: &Columns) -> Result<usize> {
        let feature = usize::try_from(self.feature[node]).ok().filter(|&feature| feature < columns.order.len());
        feature.ok_or_else(|| {
            self.origin.malformed(format!(
                "node {node} splits on feature {} of {}",
                self.feature[node],
                columns.order.len()
            ))
        })
    }

    fn add_to(&self, sums: &mut Sums, columns: &Columns) -> Result<()> {
        for node in self.inner() {
            let column = columns.order[self.feature(node, columns)?];
            if let (Some(splits), Some(gain)) = (sums.splits.get_mut(column), sums.gain.get_mut(column)) {
                *splits += 1.0;
                *gain += self.gain[node];
            }
        }
        Ok(())
    }

    #[allow(clippy::cast_precision_loss)] // numbers of rows decide no answer
    fn tree(&self, columns: &Columns, target: Target) -> Result<Tree> {
        let count = self.leaf.len();
        limits::check("nodes", count, limits::NODES)?;
        let mut places = limits::vec("nodes", count)?;
        let (mut inner, mut outer) = (0, 0);
        for node in 0..count {
            let next = if self.is_leaf(node) { &mut outer } else { &mut inner };
            places.push(if self.is_leaf(node) { Child::leaf(*next)? } else { Child::node(*next)? });
            *next += 1;
        }
        let child = |index: i64| {
            usize::try_from(index)
                .ok()
                .and_then(|index| places.get(index).copied())
                .ok_or_else(|| self.origin.malformed(format!("a node has the child {index} of {count} nodes")))
        };
        let covered = if self.rows.len() == count { outer } else { 0 };
        let mut tree = Tree {
            nodes: limits::vec("nodes", inner)?,
            values: limits::vec("leaves", outer)?,
            leaf_ids: limits::vec("leaves", outer)?,
            cover: limits::vec("leaves", covered)?,
            sets: Vec::new(),
            linear: Vec::new(),
            target,
        };
        for node in 0..count {
            if self.is_leaf(node) {
                tree.leaf_ids.push(u32::try_from(node).unwrap_or(u32::MAX));
                tree.values.push(self.value[node]);
                if covered > 0 {
                    tree.cover.push(self.rows[node] as f32);
                }
                continue;
            }
            let feature = self.feature(node, columns)?;
            let missing = Side::left_if(self.missing_left.as_ref().is_some_and(|left| left[node] != 0));
            tree.nodes.push(Node {
                feature: u32::try_from(columns.order[feature]).unwrap_or(u32::MAX),
                test: match &self.categorical {
                    Some((marks, sets)) if marks[node] != 0 => {
                        let known = columns.known.get(&feature).ok_or_else(|| {
                            self.origin.malformed(format!("node {node} asks for a category of a column of numbers"))
                        })?;
                        self.category(sets[node], *known, missing, &mut tree.sets)?
                    }
                    _ => Test::Threshold(self.threshold[node]),
                },
                missing: Missing::Nan(missing),
                left: child(self.left[node])?,
                right: child(self.right[node])?,
            });
        }
        Ok(tree)
    }

    /// Members of the set go left, other known categories right, all else where missing values go.
    fn category(&self, set: i64, known: [u32; WORDS], missing: Side, sets: &mut Vec<CategorySet>) -> Result<Test> {
        let rows = self.sets.as_chunks::<WORDS>().0;
        let left = usize::try_from(set).ok().and_then(|set| rows.get(set)).ok_or_else(|| {
            self.origin.malformed(format!("a node asks for the set {set} of {} sets of categories", rows.len()))
        })?;
        let mut words = limits::vec("words of categories", WORDS)?;
        for (&left, known) in left.iter().zip(known) {
            let left =
                u32::try_from(left).map_err(|_| self.origin.malformed("a set of categories has 32-bit words"))?;
            words.push(if missing == Side::Left { known & !left } else { left });
        }
        let index = u32::try_from(sets.len()).unwrap_or(u32::MAX);
        sets.push(CategorySet::from_words(words).within(|| self.origin.path())?);
        // The set holds those that do not go where missing values go.
        let member = if missing == Side::Left { Side::Right } else { Side::Left };
        Ok(Test::Category { set: index, member })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::pickle;

    fn trees(bytes: &[u8]) -> Vec<Tree> {
        match crate::formats::read(bytes, &crate::formats::ReadOptions::default()).unwrap().body {
            Body::Forest(forest) => forest.trees().to_vec(),
            _ => panic!("a forest was expected"),
        }
    }

    #[test]
    #[allow(clippy::cast_precision_loss)]
    fn rows_of_the_leaves_add_up_or_are_left_out() {
        for kind in ["hist_regressor", "hist_multiclass"] {
            for version in ["0.24", "1.0", "1.3", "1.5", "1.7", "1.9"] {
                let path = format!("{}/tests/fixtures/sklearn/{kind}-{version}/model.pkl", env!("CARGO_MANIFEST_DIR"));
                let mut bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
                let whole = trees(&bytes);
                let graph = pickle::decode(&bytes).unwrap();
                let rounds = graph.root().attr("_predictors").unwrap().list().unwrap();
                let predictors: Vec<_> = rounds.iter().flat_map(|round| round.list().unwrap()).collect();
                assert_eq!(predictors.len(), whole.len());
                for (predictor, tree) in predictors.into_iter().zip(&whole) {
                    let root = Nodes::of(predictor).unwrap().rows[0] as f32;
                    assert_eq!((tree.cover.len(), tree.cover.iter().sum()), (tree.leaves(), root), "{path}");
                }
                // The name of the field.
                let place = bytes.windows(5).position(|word| word == b"count").unwrap();
                bytes[place] = b'm';
                let bare: Vec<Tree> = whole.into_iter().map(|tree| Tree { cover: Vec::new(), ..tree }).collect();
                assert_eq!(trees(&bytes), bare, "{path}");
            }
        }
    }
}
