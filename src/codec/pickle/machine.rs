//! The pickle machine: every opcode of protocols 0 to 5, none of which runs anything.
//!
//! Python's machine imports names and calls them. This one writes down the name, the arguments and the state in a record and
//! goes on; what a record means is for the reader of a format to say. Opcodes as `CPython`'s `Lib/pickletools.py` describes them.

use super::joblib;
use super::meter::Meter;
use super::value::{EMPTY_TUPLE, FALSE, Global, Heap, Id, Items, Made, NONE, Node, Octets, Span, Store, TRUE, narrow};
use crate::error::{Error, Result, Within};
use crate::limits;

/// A slot of the memo that nothing was put into.
const VACANT: Id = Id(u32::MAX);

/// One run over one pickle.
pub(super) struct Machine<'m, 's> {
    pub source: &'s [u8],
    pub heap: &'m mut Heap,
    pub meter: &'m mut Meter,
    /// Offset of the first byte.
    start: usize,
    /// Offset of the next byte.
    pub at: usize,
    /// The pickle inside of a joblib file that holds one object array; raw arrays do not occur in it.
    nested: bool,
    stack: Vec<Id>,
    /// Heights of the stack where marks stand.
    marks: Vec<u32>,
    memo: Vec<Id>,
    memoized: usize,
}

/// Runs the pickle that begins at `at`: its object, and the offset behind it.
pub(super) fn run(source: &[u8], at: usize, nested: bool, heap: &mut Heap, meter: &mut Meter) -> Result<(Id, usize)> {
    let (stack, marks, memo) = (Vec::new(), Vec::new(), Vec::new());
    let mut machine = Machine { source, heap, meter, start: at, at, nested, stack, marks, memo, memoized: 0 };
    let root = machine.run()?;
    let end = machine.at;
    let Machine { meter, stack, marks, memo, .. } = machine;
    meter.give_back(stack);
    meter.give_back(marks);
    meter.give_back(memo);
    Ok((root, end))
}

impl Machine<'_, '_> {
    fn run(&mut self) -> Result<Id> {
        loop {
            let place = self.at;
            let opcode = self.byte()?;
            let step = self.step(opcode).within(|| format!("pickle opcode 0x{opcode:02x} at byte {place}"))?;
            if let Some(root) = step {
                return Ok(root);
            }
        }
    }

    #[allow(clippy::too_many_lines)] // one line per opcode is easiest to check against the specification
    fn step(&mut self, opcode: u8) -> Result<Option<Id>> {
        match opcode {
            b'.' => return self.pop().map(Some),
            b'(' => {
                let height = narrow(self.stack.len())?;
                self.meter.push(&mut self.marks, height)?;
            }
            b'0' => {
                // As in Python, a mark with nothing above it is popped itself.
                if self.marks.last().is_some_and(|&mark| mark as usize == self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => {
                let mark = self.mark()?;
                self.stack.truncate(mark);
            }
            b'2' => self.push(self.top()?)?,
            b'N' => self.push(NONE)?,
            0x88 => self.push(TRUE)?,
            0x89 => self.push(FALSE)?,
            b'K' => self.integer(|bytes: [u8; 1]| i64::from(bytes[0]))?,
            b'M' => self.integer(|bytes| i64::from(u16::from_le_bytes(bytes)))?,
            b'J' => self.integer(|bytes| i64::from(i32::from_le_bytes(bytes)))?,
            b'G' => {
                let number = f64::from_be_bytes(self.array()?);
                self.make(Node::Float(number))?;
            }
            b'I' | b'L' | b'F' => self.number_line(opcode)?,
            0x8a => {
                let len = self.length::<1>()?;
                self.long(len)?;
            }
            0x8b => {
                let len = self.length::<4>()?;
                self.long(len)?;
            }
            0x8c => self.unicode::<1>()?,
            b'X' => self.unicode::<4>()?,
            0x8d => self.unicode::<8>()?,
            b'V' => self.unicode_line()?,
            b'C' => self.octets::<1>(Octets::Bytes)?,
            b'B' => self.octets::<4>(Octets::Bytes)?,
            0x8e => self.octets::<8>(Octets::Bytes)?,
            0x96 => self.octets::<8>(Octets::ByteArray)?,
            b'U' => self.octets::<1>(Octets::Str2)?,
            b'T' => self.octets::<4>(Octets::Str2)?,
            b'S' => self.string_line()?,
            b')' => self.push(EMPTY_TUPLE)?,
            b't' => self.collect(Node::Tuple)?,
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b']' => self.make(Node::List(Items { start: 0, len: 0, room: 0 }))?,
            b'l' => self.collect(Node::List)?,
            b'}' => self.make(Node::Dict(Items { start: 0, len: 0, room: 0 }))?,
            b'd' => {
                let mark = self.mark()?;
                even(self.stack.len() - mark)?;
                self.collect_from(mark, Node::Dict)?;
            }
            0x8f => self.make(Node::Set(Items { start: 0, len: 0, room: 0 }))?,
            0x91 => self.collect(Node::FrozenSet)?,
            b'a' => {
                let from = self.below(1)?;
                self.append(from)?;
            }
            b'e' => {
                let mark = self.mark()?;
                self.append(mark)?;
            }
            b's' => {
                let from = self.below(2)?;
                self.set(from)?;
            }
            b'u' => {
                let mark = self.mark()?;
                self.set(mark)?;
            }
            0x90 => {
                let mark = self.mark()?;
                self.add_items(mark)?;
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (module, name) = (self.global_name(module)?, self.global_name(name)?);
                self.global(module, name)?;
            }
            b'R' => {
                let (args, callable) = (self.pop()?, self.pop()?);
                self.call(Made::Call, callable, args)?;
            }
            0x81 => {
                let (args, class) = (self.pop()?, self.pop()?);
                self.call(Made::Instance, class, args)?;
            }
            0x92 => self.new_with_keywords()?,
            b'o' => {
                let mark = self.mark()?;
                let Some(&class) = self.stack.get(mark) else {
                    return Err(Error::malformed("an instance without a class"));
                };
                self.instance(mark + 1, class)?;
                let made = self.pop()?;
                self.pop()?;
                self.push(made)?;
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                let mark = self.mark()?;
                self.global(module, name)?;
                let class = self.pop()?;
                self.instance(mark, class)?;
            }
            b'b' => self.build()?,
            b'P' => {
                let line = self.line()?;
                self.utf8(line)?;
                let name = self.heap.add(Node::Str(line), self.meter)?;
                self.make(Node::Persistent(name))?;
            }
            b'Q' => {
                let name = self.pop()?;
                self.make(Node::Persistent(name))?;
            }
            b'p' => {
                let index = self.index_line()?;
                self.put(index)?;
            }
            b'q' => {
                let index = self.length::<1>()?;
                self.put(index)?;
            }
            b'r' => {
                let index = self.length::<4>()?;
                self.put(index)?;
            }
            0x94 => self.put(self.memoized)?,
            b'g' => {
                let index = self.index_line()?;
                self.get(index)?;
            }
            b'h' => {
                let index = self.length::<1>()?;
                self.get(index)?;
            }
            b'j' => {
                let index = self.length::<4>()?;
                self.get(index)?;
            }
            0x80 => {
                let protocol = self.byte()?;
                if protocol > 5 {
                    return Err(Error::unsupported(format!("protocol {protocol}; protocols 0 to 5 are read")));
                }
            }
            0x95 => {
                let len = self.length::<8>()?;
                if len > self.source.len() - self.at {
                    return Err(self.short(len));
                }
            }
            0x82..=0x84 => {
                return Err(Error::unsupported(
                    "a code of copyreg's extension registry, whose meaning is not in the file; \
                     dump again in a process that registers no extensions",
                ));
            }
            0x97 | 0x98 => {
                return Err(Error::unsupported(
                    "out-of-band buffers, which lie outside of the file; dump again without buffer_callback",
                ));
            }
            _ => return Err(Error::malformed("no such opcode; this is not a pickle, or it is damaged")),
        }
        Ok(None)
    }

    // --- stack and memo ---

    /// Height of the topmost mark: what lies below it is out of reach.
    fn floor(&self) -> usize {
        self.marks.last().map_or(0, |&mark| mark as usize)
    }

    #[inline]
    pub(super) fn push(&mut self, id: Id) -> Result<()> {
        self.meter.push(&mut self.stack, id)
    }

    pub(super) fn make(&mut self, node: Node) -> Result<()> {
        let id = self.heap.add(node, self.meter)?;
        self.push(id)
    }

    /// The height `count` objects below the top.
    fn below(&self, count: usize) -> Result<usize> {
        let height = self.stack.len().checked_sub(count).filter(|&height| height >= self.floor());
        height.ok_or_else(|| Error::malformed("the stack of objects is empty"))
    }

    fn pop(&mut self) -> Result<Id> {
        let height = self.below(1)?;
        let id = self.stack[height];
        self.stack.truncate(height);
        Ok(id)
    }

    pub fn top(&self) -> Result<Id> {
        Ok(self.stack[self.below(1)?])
    }

    pub fn replace_top(&mut self, id: Id) -> Result<()> {
        let height = self.below(1)?;
        self.stack[height] = id;
        Ok(())
    }

    /// Takes the topmost mark: the height where it stood.
    fn mark(&mut self) -> Result<usize> {
        self.marks.pop().map(|mark| mark as usize).ok_or_else(|| Error::malformed("there is no mark on the stack"))
    }

    fn put(&mut self, index: usize) -> Result<()> {
        let id = self.top()?;
        if index >= self.memo.len() {
            // Indices count the objects so far: one that passes the bytes so far is not Python's, and would make room for nothing.
            limits::check("objects in the memo", index, self.at - self.start)?;
            let more = index + 1 - self.memo.len();
            self.meter.reserve(&mut self.memo, more)?;
            self.memo.resize(index + 1, VACANT);
        }
        self.memoized += usize::from(self.memo[index] == VACANT);
        self.memo[index] = id;
        Ok(())
    }

    fn get(&mut self, index: usize) -> Result<()> {
        match self.memo.get(index) {
            Some(&id) if id != VACANT => self.push(id),
            _ => Err(Error::malformed(format!("object {index} of the memo was never put there"))),
        }
    }

    fn index_line(&mut self) -> Result<usize> {
        let line = self.line()?;
        let index = self.utf8(line).ok().and_then(|text| text.trim_end_matches('\r').parse().ok());
        index.ok_or_else(|| Error::malformed("the index of the memo is not a number"))
    }

    // --- containers ---

    fn collect(&mut self, node: fn(Items) -> Node) -> Result<()> {
        let mark = self.mark()?;
        self.collect_from(mark, node)
    }

    fn collect_from(&mut self, from: usize, node: fn(Items) -> Node) -> Result<()> {
        let items = self.heap.gather(&self.stack[from..], self.meter)?;
        self.stack.truncate(from);
        self.make(node(items))
    }

    fn tuple(&mut self, count: usize) -> Result<()> {
        let from = self.below(count)?;
        self.collect_from(from, Node::Tuple)
    }

    /// Moves the objects from height `from` on behind the items of the list, set or dict `to`.
    fn extend(&mut self, to: Id, from: usize) -> Result<()> {
        let (items, node): (Items, fn(Items) -> Node) = match self.heap.node(to) {
            Node::List(items) => (items, Node::List),
            Node::Set(items) => (items, Node::Set),
            Node::Dict(items) => (items, Node::Dict),
            _ => return Err(Error::malformed("items for an object that holds none")),
        };
        let grown = self.heap.extend(items, &self.stack[from..], self.meter)?;
        self.heap.nodes[to.0 as usize] = node(grown);
        self.stack.truncate(from);
        Ok(())
    }

    /// The object that takes the items above height `from`.
    fn target(&self, from: usize) -> Result<Id> {
        match from.checked_sub(1) {
            Some(height) if height >= self.floor() => Ok(self.stack[height]),
            _ => Err(Error::malformed("items without an object that takes them")),
        }
    }

    fn append(&mut self, from: usize) -> Result<()> {
        let target = self.target(from)?;
        let list = match self.heap.node(target) {
            Node::List(_) => target,
            Node::Record(index) => {
                let record = index as usize;
                if self.heap.records[record].items == NONE {
                    let list = self.heap.add(Node::List(Items { start: 0, len: 0, room: 0 }), self.meter)?;
                    self.heap.records[record].items = list;
                }
                self.heap.records[record].items
            }
            _ => return Err(Error::malformed("items are appended to an object that is not a list")),
        };
        self.extend(list, from)
    }

    fn set(&mut self, from: usize) -> Result<()> {
        even(self.stack.len() - from)?;
        let target = self.target(from)?;
        let dict = match self.heap.node(target) {
            Node::Dict(_) => target,
            Node::Record(index) => {
                let record = index as usize;
                if self.heap.records[record].dict == NONE {
                    let dict = self.heap.add(Node::Dict(Items { start: 0, len: 0, room: 0 }), self.meter)?;
                    self.heap.records[record].dict = dict;
                }
                self.heap.records[record].dict
            }
            _ => return Err(Error::malformed("keys are set on an object that is not a dict")),
        };
        self.extend(dict, from)
    }

    fn add_items(&mut self, from: usize) -> Result<()> {
        let target = self.target(from)?;
        match self.heap.node(target) {
            Node::Set(_) => self.extend(target, from),
            _ => Err(Error::malformed("items are added to an object that is not a set")),
        }
    }

    // --- records ---

    fn global_name(&self, id: Id) -> Result<Span> {
        match self.heap.node(id) {
            Node::Str(span) | Node::Octets(Octets::Str2, span) => Ok(span),
            _ => Err(Error::malformed("the name of a class or function is not a plain string")),
        }
    }

    fn global(&mut self, module: Span, name: Span) -> Result<()> {
        for span in [module, name] {
            limits::check("bytes in the name of a class or function", span.len as usize, limits::CLASS_NAME_BYTES)?;
            self.utf8(span)?;
        }
        let index = narrow(self.heap.globals.len())?;
        self.meter.push(&mut self.heap.globals, Global { module, name })?;
        self.make(Node::Global(index))
    }

    fn call(&mut self, made: Made, callable: Id, args: Id) -> Result<()> {
        if !matches!(self.heap.node(args), Node::Tuple(_)) {
            return Err(Error::malformed("the arguments of a call are not a tuple"));
        }
        let id = self.heap.record(made, callable, args, self.meter)?;
        self.push(id)
    }

    /// An instance of `class`, its arguments being the objects from height `from` on.
    fn instance(&mut self, from: usize, class: Id) -> Result<()> {
        self.collect_from(from, Node::Tuple)?;
        let args = self.pop()?;
        self.call(Made::Instance, class, args)
    }

    fn new_with_keywords(&mut self) -> Result<()> {
        let (keywords, args, class) = (self.pop()?, self.pop()?, self.pop()?);
        if !matches!(self.heap.node(keywords), Node::Dict(_)) {
            return Err(Error::malformed("the keyword arguments of a call are not a dict"));
        }
        self.call(Made::Instance, class, args)?;
        if let Some(record) = self.heap.records.last_mut() {
            record.keywords = keywords;
        }
        Ok(())
    }

    fn build(&mut self) -> Result<()> {
        let state = self.pop()?;
        let target = self.top()?;
        let Node::Record(index) = self.heap.node(target) else {
            return Err(Error::malformed("a state for something that is not an instance"));
        };
        let record = &mut self.heap.records[index as usize];
        if record.state != NONE {
            return Err(Error::unsupported("an instance whose state is set twice"));
        }
        record.state = state;
        if self.nested { Ok(()) } else { joblib::after_build(self, target) }
    }

    pub fn store(&self) -> Store<'_> {
        Store { source: self.source, heap: self.heap }
    }
}

fn even(count: usize) -> Result<()> {
    if count.is_multiple_of(2) { Ok(()) } else { Err(Error::malformed("a key without a value")) }
}
