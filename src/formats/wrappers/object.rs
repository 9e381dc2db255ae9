//! Objects and dicts of any class whose attributes say everything: columns, imputer, scaler, model.
//!
//! What stands in front of the model is applied in this order: `colmask`, `preprocessor`, `imputer`, `keep_mask`, `scaler`, `pca`.

use super::{boosters, collection, made, refused, regimes, text, unknown};
use crate::codec::pickle::Ref;
use crate::error::{Result, Within};
use crate::formats::{Context, sklearn};
use crate::ir::pipeline::Transform;
use crate::ir::transform::Each;
use crate::ir::{Classes, Model};
use crate::limits;
use serde_json::json;

/// Names under which one part lies, the one that is believed first in front, and what the part does.
pub struct Part {
    /// The names.
    pub names: &'static [&'static str],
    /// What it does, as the documentation says it.
    pub what: &'static str,
}

/// Every part of an object or dict that is known, in the order in which they are applied.
pub const PARTS: &[Part] = &[MASK, PREPROCESSOR, IMPUTER, KEEP, SCALER, PCA, MODEL, MEMBERS, WEIGHTS, MIXTURE, NAMES];

const MASK: Part = Part {
    names: &["colmask", "col_mask", "column_mask", "feature_mask"],
    what: "which columns go on: a mask of bool, column numbers, or names",
};
const PREPROCESSOR: Part = Part { names: &["preprocessor", "preprocessor_"], what: "a transformer" };
const IMPUTER: Part = Part { names: &["imputer", "imputer_", "_imputer"], what: "a transformer" };
const KEEP: Part = Part { names: &["keep_mask"], what: "which columns go on behind the imputer" };
const SCALER: Part = Part {
    names: &["scaler", "scaler_", "_scaler", "feature_scaler", "x_scaler"],
    what: "a transformer; beside a mixture it is the mixture's alone",
};
const PCA: Part =
    Part { names: &["pca", "pca_", "_pca"], what: "a transformer; beside a mixture it is the mixture's alone" };
/// A name without `_` may hold what training copied.
pub(super) const MODEL: Part = Part {
    names: &[
        "model",
        "model_",
        "_model",
        "estimator_",
        "best_estimator_",
        "regressor",
        "regressor_",
        "classifier",
        "classifier_",
        "clf",
        "estimator",
        "booster",
        "pipeline",
    ],
    what: "the model: any object that is read, a tuple or list of them, text of LightGBM, bytes of a model file",
};
pub(super) const MEMBERS: Part = Part {
    names: &["models", "members", "_members", "estimators", "estimators_", "regressors", "regs"],
    what: "several models: a list, pairs of name and model, or a dict",
};
pub(super) const WEIGHTS: Part = Part {
    names: &["weights", "_weights", "weights_", "model_weights"],
    what: "numbers in a list or by name: the value is the sum of the members' values, each times its weight",
};
const MIXTURE: Part = Part {
    names: &["gmm", "gmm_", "_gmm", "mixture"],
    what: "a GaussianMixture whose responsibilities weigh the members",
};
const NAMES: Part = Part {
    names: &[
        "feature_names",
        "features",
        "feature_list",
        "feature_names_",
        "feature_cols",
        "feature_columns",
        "columns",
    ],
    what: "names of the columns that come in",
};

/// The attributes of an object, or the keys of a dict.
#[derive(Clone, Copy)]
pub(super) struct Fields<'g>(pub Ref<'g>);

impl<'g> Fields<'g> {
    /// The value under a name, `None` included.
    fn find(self, name: &str) -> Result<Option<Ref<'g>>> {
        if self.0.is_dict() {
            return self.0.dict_get_opt(name);
        }
        match self.0.attr_opt(name)? {
            Some(value) => Ok(Some(value)),
            // A subclass of dict.
            None if self.0.is_filled() => self.0.dict_get_opt(name),
            None => Ok(None),
        }
    }

    /// The value under the first of these names that has one; the object itself is none.
    pub fn any(self, names: &[&str]) -> Result<Option<Ref<'g>>> {
        for name in names {
            if let Some(value) = self.find(name)?.filter(|value| !value.is_none() && *value != self.0) {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// Whether one of these names is there, with a value or with `None`.
    fn names(self, names: &[&str]) -> Result<bool> {
        for name in names {
            if self.find(name)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Everything, by name.
    fn all(self) -> Result<Vec<(String, Ref<'g>)>> {
        let mut pairs = if self.0.is_dict() || self.0.is_filled() { self.0.items()? } else { Vec::new() };
        if let Some(state) = self.0.state() {
            // Attributes, or attributes and slots.
            let dicts = if state.is_list() { state.list()? } else { vec![state] };
            for dict in dicts.into_iter().filter(|dict| dict.is_dict()) {
                pairs.extend(dict.items()?);
            }
        }
        Ok(pairs.into_iter().filter_map(|(name, value)| Some((name.as_str().ok()?.into_owned(), value))).collect())
    }
}

/// Whether it is an object or a dict that holds a model, or would if it were trained.
pub(super) fn holds_model(object: Ref<'_>) -> Result<bool> {
    Fields(object).names(MODEL.names)
}

/// Reads an object of a class of its own, or a dict.
pub(super) fn read(object: Ref<'_>, context: &Context<'_>) -> Result<Model> {
    if let Some(bytes) = archive(object)? {
        return boosters::booster(object, &bytes, context.options);
    }
    if object.class().is_some_and(|(module, _)| refused::is_foreign(module)) {
        return Err(unknown(object));
    }
    let fields = Fields(object);
    if let Some(model) = core(object, fields, context)? {
        return finished(object, fields, model);
    }
    if fields.names(MODEL.names)? || fields.names(MEMBERS.names)? {
        return Err(object.malformed("not trained: what should hold the model is empty; fit it before it is saved"));
    }
    // A named tuple has no names in the file.
    let arguments = object.args()?;
    if object.state().is_none() && !arguments.is_empty() {
        return collection::pieces(object, arguments, context);
    }
    Err(unknown(object))
}

/// The model of an object, with everything in front of it.
fn core(object: Ref<'_>, fields: Fields<'_>, context: &Context<'_>) -> Result<Option<Model>> {
    let inner = fields.any(MODEL.names)?;
    let mixture = fields.any(MIXTURE.names)?;
    let members = fields.any(MEMBERS.names)?;
    let parts = Parts::of(fields)?;
    let regimes = match (inner, mixture, members) {
        (_, Some(mixture), Some(members)) => Some((mixture, members.list()?)),
        (Some(inner), ..) if inner.class().is_none() => regimes::in_list(inner)?,
        _ => None,
    };
    if let Some((mixture, regressors)) = regimes {
        refuse_others(fields)?;
        let model = regimes::read(object, mixture, &regressors, parts.scaler, parts.pca, context)?;
        let before = Parts { scaler: None, pca: None, ..parts };
        return before.in_front_of(object, model, context).map(Some);
    }
    let model = match (inner, members) {
        (Some(inner), _) => (context.model)(inner, context)?,
        (None, Some(members)) => collection::members(object, members, fields.any(WEIGHTS.names)?, context)?,
        (None, None) => return Ok(None),
    };
    refuse_others(fields)?;
    parts.in_front_of(object, model, context).map(Some)
}

/// Names, classes and facts of what an object holds.
fn finished(object: Ref<'_>, fields: Fields<'_>, mut model: Model) -> Result<Model> {
    let width = model.body.features();
    if let Some(names) = fields.any(NAMES.names)?
        && let Ok(names) = names.array_strings().map(|names| names.data).or_else(|_| texts(names))
        && !names.is_empty()
    {
        if names.len() == width {
            model.feature_names = Some(names);
        } else {
            let count = names.len();
            model.source.warnings.push(format!("{}: {count} feature names for {width} columns", object.path()));
        }
    }
    for (_, value) in fields.all()? {
        if encodes_labels(value)
            && let Classes::Strings(labels) = sklearn::classes(value.attr("classes_")?)?
            && model.task.classes() == Some(labels.len())
        {
            model.classes = Classes::Strings(labels);
        }
    }
    let class = object.class().map_or_else(|| "dict".to_owned(), |(module, name)| format!("{module}.{name}"));
    model.source.details.insert("wrapper".to_owned(), class.into());
    made(object, Ok(model))
}

fn texts(list: Ref<'_>) -> Result<Vec<String>> {
    list.list()?.into_iter().map(|name| name.as_str().map(std::borrow::Cow::into_owned)).collect()
}

/// An estimator of a library, with what somebody attached to it.
pub(super) fn attached(object: Ref<'_>, model: Model, context: &Context<'_>) -> Result<Model> {
    let parts = Parts {
        mask: object.attr_some("colmask")?,
        imputer: object.attr_some("imputer")?,
        scaler: object.attr_some("scaler")?,
        ..Parts::default()
    };
    parts.in_front_of(object, model, context)
}

/// What stands in front of a model.
#[derive(Default, Clone)]
struct Parts<'g> {
    mask: Option<Ref<'g>>,
    preprocessor: Option<Ref<'g>>,
    imputer: Option<Ref<'g>>,
    keep: Option<Ref<'g>>,
    scaler: Option<Ref<'g>>,
    pca: Option<Ref<'g>>,
    /// Names of the columns, for a mask that names some.
    names: Option<Vec<String>>,
}

impl<'g> Parts<'g> {
    fn of(fields: Fields<'g>) -> Result<Self> {
        let names = fields.any(NAMES.names)?.and_then(|names| texts(names).ok());
        Ok(Self {
            mask: fields.any(MASK.names)?,
            preprocessor: fields.any(PREPROCESSOR.names)?,
            imputer: fields.any(IMPUTER.names)?,
            keep: fields.any(KEEP.names)?,
            scaler: fields.any(SCALER.names)?,
            pca: fields.any(PCA.names)?,
            names,
        })
    }

    /// The steps, in their order; `width` is the number of columns behind them.
    fn steps(&self, width: Option<usize>, context: &Context<'_>) -> Result<Vec<Transform>> {
        let mut steps: Vec<Transform> = Vec::new();
        if let Some(place) = self.mask {
            steps.push(mask(place, self.names.as_deref())?);
        }
        for (part, selects) in [
            (self.preprocessor, false),
            (self.imputer, false),
            (self.keep, true),
            (self.scaler, false),
            (self.pca, false),
        ] {
            let Some(place) = part else { continue };
            let given = steps.last().map(Transform::outputs).or(width);
            steps.push(if selects { mask(place, None)? } else { (context.step)(place, given, context)? });
        }
        Ok(steps)
    }

    fn in_front_of(&self, object: Ref<'_>, model: Model, context: &Context<'_>) -> Result<Model> {
        let steps = self.steps(Some(model.body.features()), context)?;
        if steps.is_empty() {
            return Ok(model);
        }
        let present = [self.mask, self.preprocessor, self.imputer, self.keep, self.scaler, self.pca];
        let mut names: Vec<String> = present.into_iter().flatten().map(Ref::class_name).collect();
        let mut model = text::inside(model, context)?.behind(steps).within(|| {
            format!(
                "{} (applied in the order colmask, preprocessor, imputer, keep_mask, scaler, pca, model)",
                object.path()
            )
        })?;
        // What the model has in front of it comes behind these.
        let own = model.source.details.get("steps").and_then(serde_json::Value::as_array);
        names.extend(own.into_iter().flatten().filter_map(|step| step.as_str().map(str::to_owned)));
        model.source.details.insert("steps".to_owned(), json!(names));
        Ok(model)
    }
}

/// The columns that a mask lets pass: booleans, numbers or names.
fn mask(place: Ref<'_>, names: Option<&[String]>) -> Result<Transform> {
    let features = match (place.array_bool(), place.array_i64(), names) {
        (Ok(marks), ..) => marks.data.len(),
        (_, _, Some(names)) => names.len(),
        // Nothing says how many columns there are: as many as are needed.
        (_, Ok(columns), None) => {
            let last = columns.data.iter().copied().max().unwrap_or(-1);
            usize::try_from(last.saturating_add(1)).unwrap_or(0)
        }
        _ => return Err(place.expected("a mask of bool or an array of column numbers")),
    };
    limits::check("features", features, limits::FEATURES).within(|| place.path())?;
    let columns = sklearn::chosen(place, features, names.map(sklearn::places).as_ref())?;
    Transform::select(features, columns).within(|| place.path())
}

/// Whether it encodes labels: it belongs to the training, and its classes to the model.
fn encodes_labels(value: Ref<'_>) -> bool {
    value.class().is_some_and(|(module, name)| {
        module.starts_with("sklearn.preprocessing.") && matches!(name, "LabelEncoder" | "LabelBinarizer")
    })
}

/// Refuses an object with a transformer or a model whose part in the prediction nobody knows.
fn refuse_others(fields: Fields<'_>) -> Result<()> {
    for (name, value) in fields.all()? {
        if PARTS.iter().any(|part| part.names.contains(&&*name)) || encodes_labels(value) || !sklearn::acts(value) {
            continue;
        }
        return Err(value.unsupported(format!(
            "'{name}' is {}, and what part it has in a prediction is not in the file; save a Pipeline of the steps and the model, or take \
             '{name}' out",
            value.describe()
        )));
    }
    Ok(())
}

/// A model file inside of a pickle: bytes, text, or the call by which Keras pickles a network (with a `BytesIO`, or with bytes).
pub(super) fn archive(object: Ref<'_>) -> Result<Option<Vec<u8>>> {
    if object.is_str() {
        let text = object.as_str()?;
        let is_model = text.starts_with("tree\n") || text.trim_start().starts_with('{');
        return Ok(is_model.then(|| text.as_bytes().to_vec()));
    }
    if let Ok(bytes) = object.bytes() {
        return Ok(Some(bytes.into_owned()));
    }
    let [argument] = *object.args()? else { return Ok(None) };
    let bytes = if argument.is("_io", "BytesIO") {
        match argument.state().map(Ref::list).transpose()?.as_deref() {
            Some([bytes, ..]) => bytes.bytes().ok(),
            _ => None,
        }
    } else {
        argument.bytes().ok()
    };
    Ok(bytes
        .filter(|bytes| bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\x89HDF"))
        .map(std::borrow::Cow::into_owned))
}

/// Numbers of this name, the lower and the upper bound of a clip.
const BOUNDS: &[[&str; 2]] = &[
    ["lower", "upper"],
    ["low", "high"],
    ["lo", "hi"],
    ["a_min", "a_max"],
    ["min", "max"],
    ["clip_min", "clip_max"],
    ["min_value", "max_value"],
];

/// Reads a step of a class of its own: one that clips, or one that holds transformers.
pub(super) fn step(object: Ref<'_>, width: Option<usize>, context: &Context<'_>) -> Result<Transform> {
    let fields = Fields(object);
    let refused = || {
        object.unsupported(format!(
            "{} is not a transformer that is read; replace this step, or export the model to ONNX",
            object.describe()
        ))
    };
    if let Some((_, name)) = object.class() {
        if name.to_lowercase().contains("clip")
            && let Some((low, high)) = bounds(fields)?
        {
            let width = width.ok_or_else(|| object.unsupported("nothing says how many columns this step takes"))?;
            return Transform::each(width, vec![Each::Clip(low, high)]).within(|| object.path());
        }
        if fields.names(MODEL.names)? || refused::is_foreign(name) {
            return Err(refused());
        }
    }
    let steps = Parts::of(fields)?.steps(width, context)?;
    let Some(features) = steps.first().map(Transform::features) else { return Err(refused()) };
    refuse_others(fields)?;
    Transform::chain(features, steps).within(|| object.path())
}

/// The bounds of an object that does nothing but clip: it has no other attributes.
fn bounds(fields: Fields<'_>) -> Result<Option<(f64, f64)>> {
    let about = ["n_features_in_", "feature_names_in_", "_sklearn_version"];
    let all: Vec<_> = fields.all()?.into_iter().filter(|(name, _)| !about.contains(&name.as_str())).collect();
    match &*all {
        [(name, bound)] if ["clip", "limit", "bound", "c"].contains(&name.as_str()) => {
            let bound = bound.as_f64()?;
            Ok(Some((-bound, bound)))
        }
        [_, _] => {
            for [low, high] in BOUNDS {
                if let (Some(low), Some(high)) = (fields.find(low)?, fields.find(high)?) {
                    let open = |bound: Ref<'_>, none: f64| if bound.is_none() { Ok(none) } else { bound.as_f64() };
                    return Ok(Some((open(low, f64::NEG_INFINITY)?, open(high, f64::INFINITY)?)));
                }
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}
