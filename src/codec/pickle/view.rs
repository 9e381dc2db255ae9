//! How a reader walks the graph.

use super::numpy::{self, Parts};
use super::path::{self, Label, Step};
use super::value::{Heap, Id, Made, NONE, Node, Octets, Record, Store};
use crate::error::{Error, Result, Within};
use crate::limits;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};

/// A decoded pickle. It may be sent to another thread, but one at a time walks it.
#[derive(Debug)]
pub struct Graph<'a> {
    source: Cow<'a, [u8]>,
    heap: Heap,
    root: Id,
    end: usize,
    /// Every step that was walked; the first one is the root's.
    steps: RefCell<Vec<Step>>,
    /// Bytes that walking and converting may still take.
    left: Cell<usize>,
}

impl<'a> Graph<'a> {
    pub(super) fn new(source: Cow<'a, [u8]>, heap: Heap, root: Id, end: usize, left: usize) -> Self {
        let steps = RefCell::new(vec![Step { before: 0, depth: 0, label: Label::Item(0) }]);
        Self { source, heap, root, end, steps, left: Cell::new(left) }
    }

    /// The object that was pickled.
    #[must_use]
    pub fn root(&self) -> Ref<'_> {
        Ref { graph: self, id: self.root, step: 0 }
    }

    /// Bytes behind the pickle, inflated when the file is compressed: none in a sound file that holds one object.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        &self.source[self.end..]
    }

    /// How many objects it has, those that every pickle shares (small integers, None, ...) not counted.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.heap.nodes.len() - Heap::SHARED
    }

    /// Every class and function that the file names, each once, as (module, name), sorted: what unpickling would have imported.
    #[must_use]
    pub fn globals(&self) -> Vec<(&str, &str)> {
        let ids = (0u32..).zip(&self.heap.nodes).filter(|(_, node)| matches!(node, Node::Global(_)));
        let mut names: Vec<_> = ids.filter_map(|(id, _)| self.store().global(Id(id))).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The ids of all objects that are kept outside of the pickle, as torch does with tensors; in the order of the file, without a way
    /// that led to them.
    pub fn persistent_ids(&self) -> impl Iterator<Item = Ref<'_>> {
        self.heap.nodes.iter().filter_map(|node| match node {
            Node::Persistent(id) => Some(Ref { graph: self, id: *id, step: 0 }),
            _ => None,
        })
    }

    /// Every text that stands under this key in a dict or among the attributes of an object, each once, sorted.
    #[must_use]
    pub fn texts_of(&self, key: &str) -> Vec<&str> {
        let store = self.store();
        let mut texts = Vec::new();
        for node in &self.heap.nodes {
            let Node::Dict(items) = node else { continue };
            for pair in self.heap.items(*items).chunks_exact(2).filter(|pair| store.text(pair[0]) == Some(key)) {
                texts.extend(store.text(pair[1]));
            }
        }
        texts.sort_unstable();
        texts.dedup();
        texts
    }

    fn store(&self) -> Store<'_> {
        Store { source: &self.source, heap: &self.heap }
    }

    fn charge(&self, bytes: usize) -> Result<()> {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.ok_or_else(|| {
            Error::limit(
                "reading this pickle takes more memory or steps than its size justifies; it shares objects too often",
            )
        })?);
        Ok(())
    }
}

/// An object of a [`Graph`], and the way that led to it. Cheap to copy.
///
/// Every method that can fail leads its message by the path, for example `Pipeline.steps[1][1].coef_: ...`.
#[derive(Clone, Copy)]
pub struct Ref<'g> {
    graph: &'g Graph<'g>,
    id: Id,
    step: u32,
}

impl std::fmt::Debug for Ref<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.path(), self.describe())
    }
}

/// Whether two references lead to the very same object (Python's `is`).
impl PartialEq for Ref<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.graph, other.graph) && self.id == other.id
    }
}

impl<'g> Ref<'g> {
    pub(super) fn store(self) -> Store<'g> {
        self.graph.store()
    }

    pub(super) fn node(self) -> Node {
        self.store().node(self.id)
    }

    pub(super) fn record(self) -> Option<Record> {
        self.store().record(self.id)
    }

    /// Counts memory or steps that reading this object costs beside those of its arrays and strings, which count by themselves. A
    /// file can name the same object any number of times.
    ///
    /// # Errors
    /// `MI_LIMIT_EXCEEDED` when all that was counted passes what [`limits::pickle_memory`] grants.
    pub fn charge(self, bytes: usize) -> Result<()> {
        self.graph.charge(bytes).map_err(|error| error.within(self.path()))
    }

    // --- where and what ---

    /// The way from the root: `Pipeline.steps[1][1].coef_`.
    #[must_use]
    pub fn path(self) -> String {
        let root = self.graph.root();
        let name = match root.class() {
            Some((_, name)) => path::shorten(name).into_owned(),
            None => root.describe().trim_start_matches("a ").trim_start_matches("an ").to_owned(),
        };
        path::render(self.store(), &self.graph.steps.borrow(), self.step, &name)
    }

    /// What it is, for messages: `a list of 3`, `a sklearn.linear_model._ridge.Ridge`, `a numpy array`.
    #[must_use]
    pub fn describe(self) -> String {
        match self.node() {
            Node::None => "None".to_owned(),
            Node::Bool(_) => "a bool".to_owned(),
            Node::Int(_) | Node::Long(_) => "an int".to_owned(),
            Node::Float(_) => "a float".to_owned(),
            Node::Str(_) | Node::MadeStr(_) | Node::MadeStr2(_) | Node::Octets(Octets::Str2, _) => "a str".to_owned(),
            Node::Octets(Octets::Bytes, _) => "a bytes".to_owned(),
            Node::Octets(Octets::ByteArray, _) => "a bytearray".to_owned(),
            Node::Tuple(items) => format!("a tuple of {}", items.len),
            Node::List(items) => format!("a list of {}", items.len),
            Node::Set(items) => format!("a set of {}", items.len),
            Node::FrozenSet(items) => format!("a frozenset of {}", items.len),
            Node::Dict(items) => format!("a dict of {}", items.len / 2),
            Node::Persistent(_) => "a persistent id".to_owned(),
            Node::Array(_) => "a numpy array".to_owned(),
            Node::Global(_) => match self.global() {
                Some((module, name)) => format!("the class {}.{}", path::shorten(module), path::shorten(name)),
                None => "a class".to_owned(),
            },
            Node::Record(_) => match self.class() {
                Some(("numpy", "ndarray")) => "a numpy array".to_owned(),
                Some((module, name)) => format!("a {}.{}", path::shorten(module), path::shorten(name)),
                None => "an object of a class without a name".to_owned(),
            },
        }
    }

    /// `MI_MALFORMED` with this sentence, led by the path.
    #[must_use]
    pub fn malformed(self, message: impl std::fmt::Display) -> Error {
        Error::malformed(format!("{}: {message}", self.path()))
    }

    /// `MI_UNSUPPORTED` with this sentence, led by the path.
    #[must_use]
    pub fn unsupported(self, message: impl std::fmt::Display) -> Error {
        Error::unsupported(format!("{}: {message}", self.path()))
    }

    /// `MI_MALFORMED`: this was expected here, and something else is.
    #[must_use]
    pub fn expected(self, what: &str) -> Error {
        self.malformed(format!("{what} is expected, this is {}", self.describe()))
    }

    /// Module and name of its class, for an instance or for the result of a call (then, of what was called, which for a class is
    /// the class). `__builtin__` and `copy_reg` of Python 2 have their new names; arrays are `numpy.ndarray`; plain Python
    /// objects (int, list, dict, ...) have none.
    #[must_use]
    pub fn class(self) -> Option<(&'g str, &'g str)> {
        if let Node::Array(_) = self.node() {
            return Some(("numpy", "ndarray"));
        }
        self.store().class(self.record()?)
    }

    /// Its class as `module.name`; of an object without one, what it is.
    #[must_use]
    pub fn class_name(self) -> String {
        self.class().map_or_else(|| self.describe(), |(module, name)| format!("{module}.{name}"))
    }

    /// Whether its class has this module and name.
    #[must_use]
    pub fn is(self, module: &str, name: &str) -> bool {
        self.class() == Some((module, name))
    }

    /// Module and name, when it is itself a class or function and not an object of one.
    #[must_use]
    pub fn global(self) -> Option<(&'g str, &'g str)> {
        self.store().global(self.id)
    }

    /// The id of an object that is kept outside of the pickle, as torch does with tensors.
    #[must_use]
    pub fn persistent_id(self) -> Option<Ref<'g>> {
        match self.node() {
            Node::Persistent(id) => Some(Ref { id, ..self }),
            _ => None,
        }
    }

    /// Whether it is `None`.
    #[must_use]
    pub fn is_none(self) -> bool {
        matches!(self.node(), Node::None)
    }

    /// Whether it is a plain `list` or `tuple`.
    #[must_use]
    pub fn is_list(self) -> bool {
        matches!(self.node(), Node::List(_) | Node::Tuple(_))
    }

    /// Whether it is a plain `dict`.
    #[must_use]
    pub fn is_dict(self) -> bool {
        matches!(self.node(), Node::Dict(_))
    }

    /// Whether it is an object, of a subclass of `dict`, that was filled key by key.
    #[must_use]
    pub fn is_filled(self) -> bool {
        self.record().is_some_and(|record| record.dict != NONE)
    }

    // --- into it ---

    pub(super) fn go(self, label: Label, id: Id) -> Result<Ref<'g>> {
        let depth = self.graph.steps.borrow()[self.step as usize].depth + 1;
        if usize::from(depth) > limits::DEPTH {
            let message = format!("{}: nested deeper than {} steps, or within itself", self.path(), limits::DEPTH);
            return Err(Error::limit(message));
        }
        self.charge(2 * size_of::<Step>())?;
        let mut steps = self.graph.steps.borrow_mut();
        let step = super::value::narrow(steps.len())?;
        steps.push(Step { before: self.step, depth, label });
        Ok(Ref { id, step, ..self })
    }

    pub(super) fn go_each(self, ids: &[Id], label: fn(u32) -> Label) -> Result<Vec<Ref<'g>>> {
        self.charge(size_of::<Ref<'_>>().saturating_mul(ids.len()))?;
        let mut refs = limits::vec("references", ids.len())?;
        for (index, &id) in (0u32..).zip(ids) {
            refs.push(self.go(label(index), id)?);
        }
        Ok(refs)
    }

    /// The positional arguments of the call or constructor; none for other objects.
    ///
    /// # Errors
    /// `MI_LIMIT_EXCEEDED` only.
    pub fn args(self) -> Result<Vec<Ref<'g>>> {
        let Some(record) = self.record() else { return Ok(Vec::new()) };
        self.go_each(self.store().tuple(record.args).unwrap_or_default(), Label::Argument)
    }

    /// The state that `__setstate__` would have been given, whatever it is.
    #[must_use]
    pub fn state(self) -> Option<Ref<'g>> {
        let record = self.record().filter(|record| record.state != NONE)?;
        Some(Ref { id: record.state, ..self })
    }

    /// The value of an attribute; `None` when there is no such attribute.
    ///
    /// # Errors
    /// `MI_MALFORMED` when this is no instance with attributes.
    pub fn attr_opt(self, name: &str) -> Result<Option<Ref<'g>>> {
        let Some(record) = self.record() else { return Err(self.expected("an object with attributes")) };
        let store = self.store();
        // Attributes, or attributes and slots.
        let dicts = match store.tuple(record.state) {
            Some(&[attributes, slots]) => [slots, attributes],
            _ => [record.state, NONE],
        };
        for dict in dicts {
            if let Some((key, value)) = self.find(dict, name)? {
                return self.go(Label::Attr(key), value).map(Some);
            }
        }
        Ok(None)
    }

    /// The value of an attribute.
    ///
    /// # Errors
    /// `MI_MALFORMED` when there is no such attribute: the object was not trained, or another version wrote it.
    pub fn attr(self, name: &str) -> Result<Ref<'g>> {
        self.attr_opt(name)?.ok_or_else(|| {
            self.malformed(format!(
                "{} has no attribute '{name}'; it is not trained, or of another version",
                self.describe()
            ))
        })
    }

    /// The value of an attribute that is there and is not `None`.
    ///
    /// # Errors
    /// `MI_MALFORMED` when this is no instance with attributes.
    pub fn attr_some(self, name: &str) -> Result<Option<Ref<'g>>> {
        Ok(self.attr_opt(name)?.filter(|value| !value.is_none()))
    }

    fn find(self, dict: Id, key: &str) -> Result<Option<(Id, Id)>> {
        let Node::Dict(items) = self.store().node(dict) else { return Ok(None) };
        self.charge(items.len as usize)?;
        Ok(self.store().lookup(dict, key))
    }

    /// Items of a list, tuple, set, frozenset, deque or object array, also of subclasses that were filled item by item.
    ///
    /// # Errors
    /// `MI_MALFORMED` when it has no items.
    pub fn list(self) -> Result<Vec<Ref<'g>>> {
        let ids = self.list_ids().ok_or_else(|| self.expected("a list"));
        match ids {
            Ok(ids) => self.go_each(ids, Label::Item),
            Err(error) => match self.parts()? {
                Some(Parts { content: numpy::Content::Objects(ids), .. }) => self.go_each(ids, Label::Item),
                _ => Err(error),
            },
        }
    }

    pub(super) fn list_ids(self) -> Option<&'g [Id]> {
        let store = self.store();
        let items = |id| match store.node(id) {
            Node::List(items) | Node::Tuple(items) | Node::Set(items) | Node::FrozenSet(items) => Some(items),
            _ => None,
        };
        if let Some(items) = items(self.id) {
            return Some(store.heap.items(items));
        }
        let record = self.record()?;
        if record.items != NONE {
            return items(record.items).map(|items| store.heap.items(items));
        }
        if let Some(base) = self.base() {
            return items(base).map(|items| store.heap.items(items));
        }
        // Protocols below 4 write sets as calls with a list.
        let name = self.class()?;
        let builtin = matches!(name, ("builtins", "set" | "frozenset" | "list" | "tuple") | ("collections", "deque"));
        match store.tuple(record.args) {
            Some(&[first, ..]) if builtin => items(first).map(|items| store.heap.items(items)),
            Some([]) if builtin => Some(&[]),
            _ => None,
        }
    }

    /// Keys and values of a dict, `OrderedDict`, `defaultdict`, `Counter`, `Bunch` or other subclass that was filled key by key,
    /// in their order. A key that was set twice appears twice; the later one counts.
    ///
    /// # Errors
    /// `MI_MALFORMED` when it is no dict.
    pub fn items(self) -> Result<Vec<(Ref<'g>, Ref<'g>)>> {
        let pairs = self.pair_ids()?;
        self.charge(2 * size_of::<Ref<'_>>() * pairs.len())?;
        let mut items = limits::vec("items", pairs.len())?;
        for (key, value) in pairs {
            let label = Label::Key(key);
            items.push((Ref { id: key, ..self }, self.go(label, value)?));
        }
        Ok(items)
    }

    /// The list, dict or tuple that protocols 0 and 1 hand to `copyreg._reconstructor(class, base, value)`.
    fn base(self) -> Option<Id> {
        let store = self.store();
        let record = self.record()?;
        let &[_, _, value] = store.tuple(record.args)? else { return None };
        let plain = matches!(store.node(value), Node::List(_) | Node::Tuple(_) | Node::Dict(_));
        (plain && store.global(record.callable)? == ("copyreg", "_reconstructor")).then_some(value)
    }

    fn pair_ids(self) -> Result<Vec<(Id, Id)>> {
        let store = self.store();
        let record = self.record();
        let dict = match (self.node(), record) {
            (Node::Dict(_), _) => self.id,
            (_, Some(record)) if record.dict != NONE => record.dict,
            (_, Some(_)) if self.base().is_some() => self.base().unwrap_or(NONE),
            (_, Some(record)) => {
                let first = store.tuple(record.args).and_then(|args| args.first().copied());
                match (self.class(), first) {
                    // Python 2 writes a list of pairs, `Counter` a dict.
                    (Some(("collections", "OrderedDict")), Some(first)) => return self.pairs_of(first),
                    (Some(("collections", "Counter")), Some(first)) => first,
                    (Some(("collections", "OrderedDict" | "Counter" | "defaultdict")), _) => return Ok(Vec::new()),
                    // A subclass, `Bunch` for one, that was empty.
                    _ if record.made == Made::Instance => return Ok(Vec::new()),
                    _ => return Err(self.expected("a dict")),
                }
            }
            _ => return Err(self.expected("a dict")),
        };
        let Node::Dict(items) = store.node(dict) else { return Err(self.expected("a dict")) };
        self.charge(size_of::<Id>() * items.len as usize)?;
        Ok(store.heap.items(items).chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
    }

    fn pairs_of(self, list: Id) -> Result<Vec<(Id, Id)>> {
        let pair = |id| match self.at(id).list_ids() {
            Some(&[key, value]) => Ok((key, value)),
            _ => Err(self.expected("a dict given as pairs")),
        };
        let pairs = self.at(list).list_ids().ok_or_else(|| self.expected("a dict given as pairs"))?;
        self.charge(2 * size_of::<Id>() * pairs.len())?;
        pairs.iter().map(|&id| pair(id)).collect()
    }

    /// The value of a text key of a dict, or of what [`Ref::items`] takes for one; `None` when there is no such key.
    ///
    /// # Errors
    /// `MI_MALFORMED` when it is no dict.
    pub fn dict_get_opt(self, key: &str) -> Result<Option<Ref<'g>>> {
        let dict = match (self.node(), self.record()) {
            (Node::Dict(_), _) => self.id,
            (_, Some(record)) if record.dict != NONE => record.dict,
            _ => {
                let store = self.store();
                let pairs = self.pair_ids()?;
                let found = pairs.into_iter().rev().find(|&(name, _)| store.is_text(name, key));
                return found.map(|(name, value)| self.go(Label::Key(name), value)).transpose();
            }
        };
        self.find(dict, key)?.map(|(name, value)| self.go(Label::Key(name), value)).transpose()
    }

    /// The value of a text key of a dict.
    ///
    /// # Errors
    /// `MI_MALFORMED` when it is no dict or has no such key.
    pub fn dict_get(self, key: &str) -> Result<Ref<'g>> {
        self.dict_get_opt(key)?.ok_or_else(|| self.malformed(format!("there is no key '{key}'")))
    }

    /// Start, stop and step of a `slice`.
    ///
    /// # Errors
    /// `MI_MALFORMED` when it is no slice.
    pub fn slice(self) -> Result<[Ref<'g>; 3]> {
        match (self.class(), self.args()?.as_slice()) {
            (Some(("builtins", "slice")), &[start, stop, step]) => Ok([start, stop, step]),
            _ => Err(self.expected("a slice")),
        }
    }

    pub(super) fn parts(self) -> Result<Option<Parts<'g>>> {
        numpy::parts(self.store(), self.id, &self.meter()).within(|| self.path())
    }

    pub(super) fn octets(self) -> Result<Option<Cow<'g, [u8]>>> {
        numpy::bytes(self.store(), self.id, &self.meter()).within(|| self.path())
    }

    /// [`Ref::charge`] for those who add the path themselves.
    pub(super) fn meter(self) -> impl Fn(usize) -> Result<()> + 'g {
        move |bytes| self.graph.charge(bytes)
    }

    /// The bytes of text, which may not be UTF-8.
    pub(super) fn written(self) -> Option<&'g [u8]> {
        self.store().written(self.id)
    }

    pub(super) fn text(self) -> Option<&'g str> {
        self.store().text(self.id)
    }

    pub(super) fn at(self, id: Id) -> Ref<'g> {
        Ref { id, ..self }
    }
}
