//! The object graph: an arena of small nodes that name each other by number.
//!
//! Shared references stay shared and cycles are legal, because an object is only ever named by its [`Id`]; nothing here, not
//! even `Drop`, follows references. Strings and bytes are spans of the file, so that an array costs nothing until it is read.

use super::meter::Meter;
use crate::error::{Error, Result};

/// The number of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(pub u32);

/// A part of the file, or of the text that had to be made from it (escapes taken out).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub start: u32,
    pub len: u32,
}

/// A part of the pool, where the items of tuples, lists, sets and dicts lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Items {
    pub start: u32,
    pub len: u32,
    pub room: u32,
}

/// Which of Python's types of bytes it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Octets {
    /// `bytes`
    Bytes,
    /// `bytearray`
    ByteArray,
    /// The `str` of Python 2, which is text or bytes.
    Str2,
}

/// One object. 16 bytes, because a file may ask for one node per byte.
#[derive(Debug, Clone, Copy)]
pub(super) enum Node {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 64 bits: little-endian two's complement, or digits.
    Long(Span),
    Float(f64),
    Str(Span),
    /// Text made from escapes.
    MadeStr(Span),
    Octets(Octets, Span),
    /// A Python 2 `str` made from escapes.
    MadeStr2(Span),
    Tuple(Items),
    List(Items),
    Set(Items),
    FrozenSet(Items),
    /// Keys and values in turns.
    Dict(Items),
    /// A class or function by its name; index into `globals`.
    Global(u32),
    /// A call that was not made, or an instance that was not built; index into `records`.
    Record(u32),
    /// An object kept outside of the pickle.
    Persistent(Id),
    /// An array that joblib wrote into the stream; index into `arrays`.
    Array(u32),
}

/// How a record came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// `REDUCE`: the result of a call.
    Call,
    /// `NEWOBJ`, `NEWOBJ_EX`, `OBJ`, `INST`: an instance of a class.
    Instance,
}

/// An object described by what would have made it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub made: Made,
    /// Class or function: usually a global.
    pub callable: Id,
    /// Positional arguments: a tuple.
    pub args: Id,
    /// Keyword arguments: a dict, or [`NONE`].
    pub keywords: Id,
    /// What `BUILD` handed to it; [`NONE`] when there was none.
    pub state: Id,
    /// List items appended to it: a list node, or [`NONE`].
    pub items: Id,
    /// Dict items set on it: a dict node, or [`NONE`].
    pub dict: Id,
}

/// A class or function by its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Global {
    pub module: Span,
    pub name: Span,
}

/// An array whose data lie raw in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawArray {
    pub dtype: Id,
    pub shape: Id,
    pub fortran: bool,
    pub data: Span,
}

pub(super) const NONE: Id = Id(0);
pub(super) const TRUE: Id = Id(1);
pub(super) const FALSE: Id = Id(2);
pub(super) const EMPTY_TUPLE: Id = Id(3);
/// The integers 0 to 255 are nodes 4 to 259: lists of small numbers cost no nodes.
const BYTES_FROM: u32 = 4;

/// Everything that grows while a pickle is read.
#[derive(Debug)]
pub(super) struct Heap {
    pub nodes: Vec<Node>,
    pub pool: Vec<Id>,
    pub records: Vec<Record>,
    pub globals: Vec<Global>,
    pub arrays: Vec<RawArray>,
    pub made: Vec<u8>,
}

/// A length or offset as 32 bits; files are smaller than that.
pub(super) fn narrow(number: usize) -> Result<u32> {
    u32::try_from(number).map_err(|_| Error::limit(format!("{number} passes the 32 bits of a pickle's offsets")))
}

impl Heap {
    /// How many nodes every pickle begins with.
    pub const SHARED: usize = BYTES_FROM as usize + 256;

    pub fn new(meter: &mut Meter) -> Result<Self> {
        let mut heap = Self {
            nodes: Vec::new(),
            pool: Vec::new(),
            records: Vec::new(),
            globals: Vec::new(),
            arrays: Vec::new(),
            made: Vec::new(),
        };
        let nothing = Items { start: 0, len: 0, room: 0 };
        for node in [Node::None, Node::Bool(true), Node::Bool(false), Node::Tuple(nothing)] {
            heap.add(node, meter)?;
        }
        for number in 0..=255 {
            heap.add(Node::Int(number), meter)?;
        }
        Ok(heap)
    }

    /// A new node.
    pub fn add(&mut self, node: Node, meter: &mut Meter) -> Result<Id> {
        let id = narrow(self.nodes.len())?;
        meter.push(&mut self.nodes, node)?;
        Ok(Id(id))
    }

    /// The node of an integer.
    pub fn int(&mut self, number: i64, meter: &mut Meter) -> Result<Id> {
        match u8::try_from(number) {
            Ok(small) => Ok(Id(BYTES_FROM + u32::from(small))),
            Err(_) => self.add(Node::Int(number), meter),
        }
    }

    #[inline]
    pub fn node(&self, id: Id) -> Node {
        self.nodes[id.0 as usize]
    }

    pub fn items(&self, items: Items) -> &[Id] {
        &self.pool[items.start as usize..][..items.len as usize]
    }

    /// New items with no room to grow.
    pub fn gather(&mut self, ids: &[Id], meter: &mut Meter) -> Result<Items> {
        let start = narrow(self.pool.len())?;
        meter.extend(&mut self.pool, ids)?;
        narrow(self.pool.len())?;
        let len = narrow(ids.len())?;
        Ok(Items { start, len, room: len })
    }

    /// The items with `ids` behind them. They move to the end of the pool when they do not fit where they are, and then get as
    /// much room again, so that appending one at a time costs constant time on average.
    pub fn extend(&mut self, items: Items, ids: &[Id], meter: &mut Meter) -> Result<Items> {
        let (start, len, room) = (items.start as usize, items.len as usize, items.room as usize);
        let grown = len + ids.len();
        if grown <= room {
            self.pool[start + len..start + grown].copy_from_slice(ids);
            return Ok(Items { len: narrow(grown)?, ..items });
        }
        if start + room == self.pool.len() {
            self.pool.truncate(start + len);
            meter.extend(&mut self.pool, ids)?;
            narrow(self.pool.len())?;
            return Ok(Items { start: items.start, len: narrow(grown)?, room: narrow(grown)? });
        }
        let room = if len == 0 { grown } else { grown.max(2 * len) };
        let moved = self.pool.len();
        meter.reserve(&mut self.pool, room)?;
        self.pool.extend_from_within(start..start + len);
        self.pool.extend_from_slice(ids);
        self.pool.resize(moved + room, NONE);
        narrow(self.pool.len())?;
        Ok(Items { start: narrow(moved)?, len: narrow(grown)?, room: narrow(room)? })
    }

    pub fn record(&mut self, made: Made, callable: Id, args: Id, meter: &mut Meter) -> Result<Id> {
        let index = narrow(self.records.len())?;
        let record = Record { made, callable, args, keywords: NONE, state: NONE, items: NONE, dict: NONE };
        meter.push(&mut self.records, record)?;
        self.add(Node::Record(index), meter)
    }
}

/// The graph as far as it is read: the heap and the bytes its spans point into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Store<'s> {
    pub source: &'s [u8],
    pub heap: &'s Heap,
}

impl<'s> Store<'s> {
    #[inline]
    pub fn node(self, id: Id) -> Node {
        self.heap.node(id)
    }

    fn cut(bytes: &'s [u8], span: Span) -> &'s [u8] {
        &bytes[span.start as usize..][..span.len as usize]
    }

    pub fn span(self, span: Span) -> &'s [u8] {
        Self::cut(self.source, span)
    }

    /// The bytes of text, when the node is text: a `str`, or a Python 2 `str`, which may not be UTF-8.
    pub fn written(self, id: Id) -> Option<&'s [u8]> {
        match self.node(id) {
            Node::Str(span) | Node::Octets(Octets::Str2, span) => Some(self.span(span)),
            Node::MadeStr(span) | Node::MadeStr2(span) => Some(Self::cut(&self.heap.made, span)),
            _ => None,
        }
    }

    /// Text, when the node is text: a `str`, or a Python 2 `str` that is UTF-8.
    pub fn text(self, id: Id) -> Option<&'s str> {
        std::str::from_utf8(self.written(id)?).ok()
    }

    /// Whether the node is this text. Costs nothing for text of another length.
    pub fn is_text(self, id: Id, text: &str) -> bool {
        self.written(id) == Some(text.as_bytes())
    }

    /// Bytes, when the node is `bytes`, `bytearray` or a Python 2 `str`.
    pub fn octets(self, id: Id) -> Option<&'s [u8]> {
        match self.node(id) {
            Node::Octets(_, span) => Some(self.span(span)),
            Node::MadeStr2(span) => Some(Self::cut(&self.heap.made, span)),
            _ => None,
        }
    }

    pub fn tuple(self, id: Id) -> Option<&'s [Id]> {
        match self.node(id) {
            Node::Tuple(items) => Some(self.heap.items(items)),
            _ => None,
        }
    }

    pub fn int(self, id: Id) -> Option<i64> {
        match self.node(id) {
            Node::Int(number) => Some(number),
            Node::Bool(yes) => Some(i64::from(yes)),
            _ => None,
        }
    }

    pub fn record(self, id: Id) -> Option<Record> {
        match self.node(id) {
            Node::Record(index) => Some(self.heap.records[index as usize]),
            _ => None,
        }
    }

    /// Module and name of a global; the modules that Python 3 renamed have their new names.
    pub fn global(self, id: Id) -> Option<(&'s str, &'s str)> {
        let Node::Global(index) = self.node(id) else { return None };
        let global = self.heap.globals[index as usize];
        let module = std::str::from_utf8(self.span(global.module)).unwrap_or_default();
        let module = match module {
            "__builtin__" => "builtins",
            "copy_reg" => "copyreg",
            other => other,
        };
        Some((module, std::str::from_utf8(self.span(global.name)).unwrap_or_default()))
    }

    /// The class of which a record is an instance, or what was called. Protocols 0 and 1 call
    /// `copyreg._reconstructor(class, base, value)` where later ones have an opcode.
    pub fn class(self, record: Record) -> Option<(&'s str, &'s str)> {
        match self.named(record.callable)? {
            ("copyreg", "_reconstructor" | "__newobj__" | "__newobj_ex__")
            | ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => {
                self.named(*self.tuple(record.args)?.first()?)
            }
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Some(("numpy", "ndarray")),
            called => Some(called),
        }
    }

    /// Module and name of a class or function, also of one that stands in a persistent id: torch's older serialisation writes
    /// `("module", class, file, source)` in the place of the class.
    fn named(self, id: Id) -> Option<(&'s str, &'s str)> {
        match self.node(id) {
            Node::Persistent(inner) => match self.tuple(inner)? {
                [kind, class, ..] if self.text(*kind) == Some("module") => self.global(*class),
                _ => None,
            },
            _ => self.global(id),
        }
    }

    /// The value of a key of a dict node: the last one, as in Python, where a later assignment wins.
    pub fn lookup(self, dict: Id, key: &str) -> Option<(Id, Id)> {
        let Node::Dict(items) = self.node(dict) else { return None };
        let pairs = self.heap.items(items).chunks_exact(2).rev();
        pairs.map(|pair| (pair[0], pair[1])).find(|&(name, _)| self.is_text(name, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_16_bytes() {
        assert_eq!(size_of::<Node>(), 16);
    }

    #[test]
    fn two_lists_grow_in_turns() {
        let mut meter = Meter::new(1 << 20);
        let mut heap = Heap::new(&mut meter).unwrap();
        let mut lists = [Items { start: 0, len: 0, room: 0 }; 2];
        for number in 0..1000 {
            for (list, offset) in lists.iter_mut().zip([0, 5000]) {
                *list = heap.extend(*list, &[Id(number + offset)], &mut meter).unwrap();
            }
        }
        assert!(heap.items(lists[0]).iter().copied().eq((0..1000).map(Id)));
        assert!(heap.items(lists[1]).iter().copied().eq((5000..6000).map(Id)));
        assert!(heap.pool.len() < 8 * 1000);
    }
}
