//! TorchScript: an archive of code and of the objects that it works on.
//!
//! The code is walked once with the rows unknown: what depends on them becomes the network, everything else is computed on the way. So
//! traced modules are read whole, and scripted ones as far as no branch and no loop depends on the rows.

mod inputs;
mod syntax;

use super::aten;
use super::graph::Graph;
use super::stored::{self, Storages};
use super::value::{Args, Size, Tensor, Value};
use crate::codec::archive::Archive;
use crate::codec::pickle::{self, Ref};
use crate::error::{Error, Result, Within};
use crate::formats::Files;
use crate::ir::Precision;
use crate::ir::network::{Network, NodeId};
use crate::limits;
use inputs::{plain, shapes};
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use syntax::{Expr, File, Function, Stmt};

/// Whether an archive holds code of TorchScript, and the folder that all of it is in.
pub(super) fn folder(archive: &Archive<'_>) -> Option<String> {
    let name = archive.names().find(|name| name.ends_with("constants.pkl"))?;
    let folder = name[..name.len() - "constants.pkl".len()].to_owned();
    let code = format!("{folder}code/");
    archive.names().any(|name| name.starts_with(&code)).then_some(folder)
}

/// Texts and pickles of an archive, read ahead: the rest is storages.
struct Sources {
    files: HashMap<String, Rc<File>>,
    texts: HashMap<String, String>,
}

/// Reads a module of TorchScript.
///
/// # Errors
/// `MI_UNSUPPORTED` for code that depends on the rows, and when nothing says of which shape they are.
pub(super) fn read(archive: &mut Archive<'_>, folder: &str, files: &dyn Files) -> Result<Network> {
    let code = format!("{folder}code/");
    let names: Vec<String> = archive
        .names()
        .filter(|name| name.starts_with(&code) && Path::new(name).extension() == Some("py".as_ref()))
        .collect();
    let mut texts = HashMap::new();
    for name in names {
        let text =
            String::from_utf8(archive.read(&name)?).map_err(|_| Error::malformed(format!("{name}: no UTF-8")))?;
        texts.insert(name[code.len()..name.len() - ".py".len()].replace('/', "."), text);
    }
    let shapes = shapes(archive, folder, files)?;
    let constants = archive.read(&format!("{folder}constants.pkl"))?;
    let object = archive.read(&format!("{folder}data.pkl"))?;
    let constants = pickle::decode(&constants).within(|| "constants.pkl")?;
    let object = pickle::decode(&object).within(|| "data.pkl")?;
    let mut walk = Walk {
        graph: Graph::new(Precision::F32, None),
        sources: Sources { files: HashMap::new(), texts },
        archive,
        folder: folder.to_owned(),
        constants: constants.root(),
        objects: vec![object.root()],
        places: HashMap::new(),
        known: HashMap::new(),
        steps: 0,
    };
    let mut args = vec![Value::Object(0)];
    for (index, shape) in shapes.into_iter().enumerate() {
        let name = if index == 0 { "input".to_owned() } else { format!("input_{index}") };
        let node = walk.graph.builder.input(&name, shape)?;
        args.push(walk.graph.float(node));
    }
    let result = walk.method(0, "forward", &Args::of(args), 0)?;
    let mut outputs: Vec<NodeId> = Vec::new();
    for value in result.items() {
        if let Value::Tensor(tensor) = value {
            outputs.push(walk.graph.node(tensor)?);
        }
    }
    let names: Vec<String> = (0..outputs.len()).map(|index| format!("output_{index}")).collect();
    let outputs: Vec<(&str, NodeId)> = names.iter().map(String::as_str).zip(outputs).collect();
    walk.graph.builder.finish(&outputs)
}

struct Walk<'a, 'b, 'g> {
    graph: Graph,
    sources: Sources,
    archive: &'b mut Archive<'a>,
    folder: String,
    constants: Ref<'g>,
    /// Objects that code has met, by the number that a value has for them.
    objects: Vec<Ref<'g>>,
    /// Attributes that were read before.
    places: HashMap<(usize, String), Value>,
    /// Constants that were read before.
    known: HashMap<String, Value>,
    steps: usize,
}

impl<'g> Walk<'_, '_, 'g> {
    fn file(&mut self, place: &str) -> Result<Rc<File>> {
        if let Some(file) = self.sources.files.get(place) {
            return Ok(Rc::clone(file));
        }
        let text = self.sources.texts.get(place);
        let text =
            text.ok_or_else(|| Error::malformed(format!("the code of '{}' is not there", place.escape_default())))?;
        let file = Rc::new(syntax::parse(text).within(|| place.to_owned())?);
        self.sources.files.insert(place.to_owned(), Rc::clone(&file));
        Ok(file)
    }

    fn method(&mut self, object: usize, name: &str, args: &Args, depth: usize) -> Result<Value> {
        let value = self.objects[object];
        let (place, class) = value.class().ok_or_else(|| value.expected("a module of TorchScript"))?;
        let within = || format!("{place}.{class}");
        let file = self.file(place)?;
        let function = file.get(&format!("{class}.{name}"));
        let function = function
            .ok_or_else(|| Error::malformed(format!("it has no method {}", name.escape_default())))
            .within(within)?;
        self.function(function, args, depth).within(within)
    }

    fn function(&mut self, function: &Function, args: &Args, depth: usize) -> Result<Value> {
        limits::check("nested calls", depth, limits::DEPTH)?;
        let mut names = HashMap::new();
        for (place, (name, default)) in function.parameters.iter().enumerate() {
            let named = args.named.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
            let value = match (named.or_else(|| args.placed.get(place).cloned()), default) {
                (Some(value), _) => value,
                (None, Some(default)) => self.expression(default, &HashMap::new(), depth)?,
                (None, None) => {
                    return Err(Error::unsupported(format!(
                        "forward() takes '{}', of which nothing says of which shape it is; save the model with torch.export.save",
                        name.escape_default()
                    )));
                }
            };
            names.insert(name.clone(), value);
        }
        Ok(self.block(&function.body, &mut names, depth)?.unwrap_or(Value::None))
    }

    /// Runs statements; the value that they return, if they do.
    fn block(&mut self, body: &[Stmt], names: &mut HashMap<String, Value>, depth: usize) -> Result<Option<Value>> {
        for statement in body {
            self.steps += 1;
            limits::check("statements of a program", self.steps, limits::PROGRAM_STEPS)?;
            match statement {
                Stmt::Assign(targets, several, value) => {
                    let value = self.expression(value, names, depth)?;
                    if !several {
                        names.insert(targets[0].clone(), value);
                        continue;
                    }
                    let items = value.items();
                    if items.len() < targets.len() {
                        return Err(Error::malformed(format!("{} values for {} names", items.len(), targets.len())));
                    }
                    for (target, value) in targets.iter().zip(items) {
                        names.insert(target.clone(), value.clone());
                    }
                }
                Stmt::Return(value) => return self.expression(value, names, depth).map(Some),
                Stmt::Do(value) => {
                    self.expression(value, names, depth)?;
                }
                Stmt::If(condition, yes, no) => {
                    let condition = self.expression(condition, names, depth)?;
                    let condition = truth(&condition).map_err(|_| refuse("a branch"))?;
                    if let Some(value) = self.block(if condition { yes } else { no }, names, depth)? {
                        return Ok(Some(value));
                    }
                }
                Stmt::Loop => return Err(refuse("a loop")),
            }
        }
        Ok(None)
    }

    fn expression(&mut self, expr: &Expr, names: &HashMap<String, Value>, depth: usize) -> Result<Value> {
        self.steps += 1;
        limits::check("statements of a program", self.steps, limits::PROGRAM_STEPS)?;
        Ok(match expr {
            Expr::Int(number) => Value::int(*number),
            Expr::Float(number) => Value::Float(*number),
            Expr::Text(text) => Value::Text(text.clone()),
            Expr::List(items) => {
                Value::List(items.iter().map(|item| self.expression(item, names, depth)).collect::<Result<_>>()?)
            }
            Expr::Negative(inner) => match self.expression(inner, names, depth)? {
                Value::Size(size) => Value::Size(size.negate()),
                value => Value::Float(-value.as_float()?),
            },
            Expr::Name(name) => match name.as_str() {
                "None" => Value::None,
                "True" => Value::Bool(true),
                "False" => Value::Bool(false),
                "inf" => Value::Float(f64::INFINITY),
                "nan" => Value::Float(f64::NAN),
                _ => names
                    .get(name)
                    .cloned()
                    .ok_or_else(|| Error::malformed(format!("'{}' is used before it is set", name.escape_default())))?,
            },
            Expr::Index(list, index) => {
                let (list, index) =
                    (self.expression(list, names, depth)?, self.expression(index, names, depth)?.as_int()?);
                let items = list.items();
                let item = super::graph::within(index, items.len()).and_then(|index| items.get(index));
                item.cloned().ok_or_else(|| Error::malformed(format!("item {index} of {}", items.len())))?
            }
            Expr::Attribute(owner, name) => self.attribute(expr, owner, name, names, depth)?,
            Expr::Call(callee, placed, named) => self.call(callee, placed, named, names, depth)?,
        })
    }

    fn attribute(
        &mut self,
        whole: &Expr,
        owner: &Expr,
        name: &str,
        names: &HashMap<String, Value>,
        depth: usize,
    ) -> Result<Value> {
        if let Some(path) = path(whole) {
            if let Some(name) = path.strip_prefix("CONSTANTS.") {
                return self.constant(name);
            }
            if path.starts_with("__torch__.") {
                return Ok(Value::Text(path));
            }
            if path.starts_with("torch.") {
                return Ok(Value::None);
            }
        }
        let owner = self.expression(owner, names, depth)?;
        self.member(&owner, name)
    }

    /// An attribute of an object of the archive.
    fn member(&mut self, owner: &Value, name: &str) -> Result<Value> {
        let &Value::Object(object) = owner else {
            return Err(Error::unsupported(format!(
                "'{}' of {} is not read; save the model with torch.export.save",
                name.escape_default(),
                owner.describe()
            )));
        };
        let key = (object, name.to_owned());
        if let Some(value) = self.places.get(&key) {
            return Ok(value.clone());
        }
        let value = self.objects[object].attr(name)?;
        let value = self.stored(value, "data", 0)?;
        self.places.insert(key, value.clone());
        Ok(value)
    }

    fn constant(&mut self, name: &str) -> Result<Value> {
        if let Some(value) = self.known.get(name) {
            return Ok(value.clone());
        }
        let items = self.constants.list()?;
        let index = name.strip_prefix('c').and_then(|index| index.parse::<usize>().ok());
        let item = index.and_then(|index| items.get(index));
        let item =
            *item.ok_or_else(|| Error::malformed(format!("CONSTANTS.{} is not there", name.escape_default())))?;
        let value = self.stored(item, "constants", 0)?;
        self.known.insert(name.to_owned(), value.clone());
        Ok(value)
    }

    /// A pickled value; the storages of its tensors lie in this folder.
    fn stored(&mut self, value: Ref<'g>, storages: &str, depth: usize) -> Result<Value> {
        limits::check("nested lists", depth, limits::TENSOR_AXES)?;
        let value = plain(value)?;
        if let Some(noted) = stored::tensor(value)? {
            let mut storages = Storages::of_folder(self.archive, format!("{}{storages}/", self.folder));
            let (kind, array) = noted.read(&mut storages, self.graph.precision()).within(|| value.path())?;
            return self.graph.constant(kind, array).map(Value::Tensor);
        }
        if let Some((module, _)) = value.class()
            && module.starts_with("__torch__")
        {
            self.objects.push(value);
            return Ok(Value::Object(self.objects.len() - 1));
        }
        if value.is_none() {
            return Ok(Value::None);
        }
        if let Ok(text) = value.as_str() {
            return Ok(Value::Text(text.into_owned()));
        }
        if let Ok(items) = value.list() {
            let items = items.into_iter().map(|item| self.stored(item, storages, depth + 1));
            return items.collect::<Result<_>>().map(Value::List);
        }
        match (value.as_i64(), value.as_f64()) {
            (Ok(number), _) => Ok(Value::int(number)),
            (Err(_), Ok(number)) => Ok(Value::Float(number)),
            _ => Ok(Value::Absent("an attribute that is no number")),
        }
    }

    fn call(
        &mut self,
        callee: &Expr,
        placed: &[Expr],
        named: &[(String, Expr)],
        names: &HashMap<String, Value>,
        depth: usize,
    ) -> Result<Value> {
        let path = path(callee);
        // The first operand of these is a type.
        if let Some("annotate" | "unchecked_cast") = path.as_deref() {
            let value = placed.get(1).ok_or_else(|| Error::malformed("a cast of nothing"))?;
            return self.expression(value, names, depth);
        }
        let mut args = Args::default();
        if path.as_deref() != Some("torch.device") && path.as_deref() != Some("uninitialized") {
            for value in placed {
                args.placed.push(self.expression(value, names, depth)?);
            }
            for (name, value) in named {
                args.named.push((name.clone(), self.expression(value, names, depth)?));
            }
        }
        match path.as_deref() {
            Some("torch.device" | "uninitialized") => return Ok(Value::None),
            Some(
                "int" | "ops.prim.NumToTensor" | "ops.aten.Int" | "ops.aten.ScalarImplicit" | "ops.aten.IntImplicit",
            ) => {
                return whole(args.get(0, "self")?);
            }
            Some("float" | "ops.aten.Float") => {
                return match args.get(0, "self")? {
                    Value::Text(word) if word.contains("inf") => {
                        Ok(Value::Float(if word.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }))
                    }
                    Value::Text(_) => Ok(Value::Float(f64::NAN)),
                    value => value.as_float().map(Value::Float),
                };
            }
            Some("bool") => {
                return truth(args.get(0, "self")?).map(Value::Bool).map_err(|_| refuse("a condition"));
            }
            Some("torch.__is__") => {
                return Ok(Value::Bool(matches!((&args.placed[..],), ([Value::None, Value::None],))));
            }
            Some("torch.__isnot__") => {
                return Ok(Value::Bool(!matches!((&args.placed[..],), ([Value::None, Value::None],))));
            }
            Some("torch.__not__") => return truth(args.get(0, "self")?).map(|truth| Value::Bool(!truth)),
            Some("torch.len") => {
                let items = match args.get(0, "self")? {
                    Value::Tensor(tensor) => return self.graph.size(tensor, 0).map(Value::Size),
                    value => value.items().len(),
                };
                return Ok(Value::int(i64::try_from(items).unwrap_or(i64::MAX)));
            }
            // Modules of a list have numbers for names, which no attribute can be called by.
            Some("getattr") => {
                let (owner, name) = (args.get(0, "self")?, args.get(1, "name")?);
                return match name {
                    Value::Text(name) => self.member(owner, name),
                    _ => Err(refuse("an attribute by a name that is made")),
                };
            }
            Some("torch.list") => return Ok(args.get(0, "self")?.clone()),
            Some("ops.prim.RaiseException") => return Err(refuse("an exception")),
            Some(path) if path.starts_with("__torch__.") => return self.free(path, &args, depth),
            Some(path) => {
                let name = path.strip_prefix("torch.").or_else(|| path.strip_prefix("ops.aten."));
                // torch.nn.functional and the like are code of the archive, of which only the last word is an operation.
                if let Some(name) = name {
                    return aten::call(&mut self.graph, name, &args);
                }
                if path.starts_with("ops.") {
                    return Err(Error::unsupported(format!(
                        "'{}' is not read; export the model to ONNX",
                        path.escape_default()
                    )));
                }
            }
            None => {}
        }
        if let Expr::Attribute(owner, method) = callee {
            let Value::Object(object) = self.expression(owner, names, depth)? else {
                return Err(Error::unsupported(format!("a call of '{}' is not read", method.escape_default())));
            };
            args.placed.insert(0, Value::Object(object));
            return self.method(object, method, &args, depth + 1);
        }
        match self.expression(callee, names, depth)? {
            Value::Text(path) if path.starts_with("__torch__.") => self.free(&path, &args, depth),
            other => Err(Error::malformed(format!("a call of {}", other.describe()))),
        }
    }

    /// A function of the archive.
    fn free(&mut self, path: &str, args: &Args, depth: usize) -> Result<Value> {
        let (place, name) = path.rsplit_once('.').unwrap_or(("", path));
        let file = self.file(place)?;
        let function = file
            .get(name)
            .ok_or_else(|| Error::malformed(format!("the function '{}' is not there", path.escape_default())))?;
        self.function(function, args, depth + 1).within(|| path.to_owned())
    }
}

/// A condition that does not depend on the rows.
fn truth(value: &Value) -> Result<bool> {
    match value {
        Value::Tensor(_) => value.as_float().map(|number| number != 0.0),
        Value::None => Ok(false),
        _ => value.as_bool(),
    }
}

/// Names with dots between them, if it is nothing else and begins with a name that code does not set itself.
fn path(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Name(name)
            if matches!(
                name.as_str(),
                "torch"
                    | "ops"
                    | "__torch__"
                    | "CONSTANTS"
                    | "int"
                    | "float"
                    | "bool"
                    | "getattr"
                    | "annotate"
                    | "unchecked_cast"
                    | "uninitialized"
            ) =>
        {
            Some(name.clone())
        }
        Expr::Attribute(owner, name) => Some(format!("{}.{name}", path(owner)?)),
        _ => None,
    }
}

/// A whole number out of a number or a tensor that holds one.
fn whole(value: &Value) -> Result<Value> {
    match value {
        Value::Size(_) => Ok(value.clone()),
        Value::Tensor(Tensor { .. }) | Value::Float(_) | Value::Bool(_) => {
            #[allow(clippy::cast_possible_truncation)]
            let number = value.as_float()? as i64;
            Ok(Value::Size(Size::Fixed(number)))
        }
        other => Err(Error::malformed(format!("{} as a whole number", other.describe()))),
    }
}

fn refuse(what: &str) -> Error {
    Error::unsupported(format!(
        "{what} that depends on the rows is not read; trace the module, or save it with torch.export.save"
    ))
}
