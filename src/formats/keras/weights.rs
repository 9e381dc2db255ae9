//! Where the weights of a layer lie.
//!
//! Keras 3 writes a tree of objects: a layer stands at `layers/<class>[_<number>]`, numbered among the layers of its class, and has
//! `vars/0`, `vars/1`, ... in the order in which they were made; parts of a layer lie below it. The older form has a group for each layer of
//! the outermost model under its name, and in it the list `weight_names`: first what is trained, then the rest, each in the order in which it
//! was made, those of inner models and parts among them.

use crate::codec::hdf5::Object;
use crate::error::{Error, Result, Within};
use crate::ir::network::Array;
use crate::limits;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// An open file of weights. Arrays that were read once are kept: layers may be called several times.
#[derive(Debug)]
pub(super) struct Store<'a> {
    root: Object<'a>,
    form: Form,
    arrays: RefCell<HashMap<String, Arc<Array>>>,
}

/// How a file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A tree of objects.
    Tree,
    /// A list for each layer.
    Lists,
}

impl<'a> Store<'a> {
    /// The weights below an object of a file.
    pub fn new(root: Object<'a>, form: Form) -> Self {
        Self { root, form, arrays: RefCell::default() }
    }

    /// How it is laid out.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The weights of the whole model in a tree.
    pub fn tree(&'a self) -> Weights<'a> {
        Weights(Place::Tree { store: self, path: String::new(), next: 0 })
    }

    /// The weights of a layer of the outermost model in lists: paths in the order of the file.
    pub fn list(&self, layer: &str) -> Result<Vec<String>> {
        let Some(group) = self.root.find(layer)? else {
            return Err(Error::malformed(format!("the file has no weights of '{}'", layer.escape_debug())));
        };
        let names = parted(&group, "weight_names")?.unwrap_or_default();
        Ok(names.into_iter().map(|name| format!("{layer}/{name}")).collect())
    }

    fn array(&self, path: &str) -> Result<Arc<Array>> {
        if let Some(known) = self.arrays.borrow().get(path) {
            return Ok(Arc::clone(known));
        }
        let array = self.read(path).within(|| format!("weights '{}'", path.escape_debug()))?;
        limits::check("arrays of weights", self.arrays.borrow().len(), limits::NETWORK_NODES)?;
        self.arrays.borrow_mut().insert(path.to_owned(), Arc::clone(&array));
        Ok(array)
    }

    fn read(&self, path: &str) -> Result<Arc<Array>> {
        let dataset = match self.root.find(path)? {
            Some(object) => object.dataset()?,
            None => return Err(Error::malformed("they are not in the file; save the model again, with its weights")),
        };
        let dataset = dataset.ok_or_else(|| Error::malformed("a group is there, an array is expected"))?;
        limits::check("axes of a tensor", dataset.shape().len(), limits::TENSOR_AXES)?;
        Ok(Arc::new(Array::f32(dataset.shape(), dataset.numbers()?)?))
    }
}

/// A list of strings that is cut into several attributes where it is long: `weight_names0`, `weight_names1`, ...
pub(super) fn parted(group: &Object<'_>, name: &str) -> Result<Option<Vec<String>>> {
    if let Some(whole) = group.strings(name)? {
        return Ok(Some(whole));
    }
    let mut all = Vec::new();
    let mut number = 0;
    while let Some(part) = group.strings(&format!("{name}{number}"))? {
        all.extend(part);
        number += 1;
    }
    Ok((number > 0).then_some(all))
}

/// The weights of a layer or of a part of one, and how many of them were taken.
#[derive(Debug, Clone)]
pub(super) struct Weights<'a>(Place<'a>);

#[derive(Debug, Clone)]
enum Place<'a> {
    Tree {
        store: &'a Store<'a>,
        path: String,
        next: usize,
    },
    /// In the order in which they were made.
    List {
        store: &'a Store<'a>,
        paths: Rc<[String]>,
        next: usize,
    },
}

impl<'a> Weights<'a> {
    /// Weights at these paths, in the order in which they were made.
    pub fn listed(store: &'a Store<'a>, paths: Vec<String>) -> Self {
        Self(Place::List { store, paths: paths.into(), next: 0 })
    }

    /// The next weight, which the layer calls `what`.
    pub fn take(&mut self, what: &str) -> Result<Arc<Array>> {
        match &mut self.0 {
            Place::Tree { store, path, next } => {
                *next += 1;
                store.array(&join(path, &format!("vars/{}", *next - 1)))
            }
            Place::List { store, paths, next } => {
                *next += 1;
                let path = paths.get(*next - 1).ok_or_else(|| {
                    Error::malformed(format!("the file has {} weights of it, more are expected", paths.len()))
                })?;
                store.array(path)
            }
        }
        .within(|| what.to_owned())
    }

    /// The next weight when `there` says that there is one.
    pub fn maybe(&mut self, there: bool, what: &str) -> Result<Option<Arc<Array>>> {
        there.then(|| self.take(what)).transpose()
    }

    /// Whether a layer of its own has no weights: none of its own in a tree, none at all in a list.
    pub fn is_empty(&self) -> Result<bool> {
        match &self.0 {
            Place::Tree { store, path, .. } => Ok(store.root.find(&join(path, "vars/0"))?.is_none()),
            Place::List { paths, .. } => Ok(paths.is_empty()),
        }
    }

    /// Weights of a part, under the first of these names that there is. In a list they follow each other: the first `count` that
    /// were not taken.
    pub fn part(&mut self, names: &[&str], count: usize) -> Result<Weights<'a>> {
        match &mut self.0 {
            Place::Tree { store, path, .. } => {
                let mut found = None;
                for name in names {
                    let path = join(path, name);
                    if found.is_none() && store.root.find(&path)?.is_some() {
                        found = Some(path);
                    }
                }
                // A part without weights need not be there; one with weights says so when they are taken.
                let path = found.unwrap_or_else(|| join(path, names[0]));
                Ok(Weights(Place::Tree { store, path, next: 0 }))
            }
            Place::List { store, paths, next } => {
                let end = next.saturating_add(count);
                let Some(part) = paths.get(*next..end) else {
                    return Err(Error::malformed(format!(
                        "the file has {} weights of it, at least {end} are expected",
                        paths.len()
                    )));
                };
                *next = end;
                Ok(Weights(Place::List { store, paths: part.into(), next: 0 }))
            }
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}
