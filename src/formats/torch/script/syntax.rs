//! The text of TorchScript: a small language that looks like Python.

use crate::error::{Error, Result, Within};
use crate::limits;
use std::collections::HashMap;
use std::rc::Rc;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    Name(String),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Expr>),
    Attribute(Box<Expr>, String),
    Index(Box<Expr>, Box<Expr>),
    Call(Box<Expr>, Vec<Expr>, Vec<(String, Expr)>),
    Negative(Box<Expr>),
}

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stmt {
    /// `a = ..` or `a, b, = ..`.
    Assign(Vec<String>, bool, Expr),
    Return(Expr),
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    Do(Expr),
    /// A loop, which is not run.
    Loop,
}

/// A function.
#[derive(Debug, PartialEq)]
pub(super) struct Function {
    /// Parameters, and what they are when they are not given.
    pub(super) parameters: Vec<(String, Option<Expr>)>,
    pub(super) body: Vec<Stmt>,
}

/// The functions of a file: `name`, or `Class.name`.
pub(super) type File = HashMap<String, Rc<Function>>;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Int(i64),
    Float(f64),
    Text(String),
    Sign(char),
}

/// A line of code: how far it is indented, and its tokens.
struct Line {
    indent: usize,
    tokens: Vec<Token>,
}

/// Parses a file.
///
/// # Errors
/// `MI_MALFORMED` for text that is no TorchScript, `MI_LIMIT_EXCEEDED` for expressions that are nested too deep.
pub(super) fn parse(text: &str) -> Result<File> {
    let lines = lines(text)?;
    let mut file = File::new();
    let mut class = String::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let within = || format!("line of code {}", at + 1);
        let word = |index: usize| match line.tokens.get(index) {
            Some(Token::Word(word)) => word.as_str(),
            _ => "",
        };
        match word(0) {
            "class" => word(1).clone_into(&mut class),
            "def" => {
                if line.indent == 0 {
                    class.clear();
                }
                let name = if class.is_empty() { word(1).to_owned() } else { format!("{class}.{}", word(1)) };
                let parameters = parameters(&line.tokens[2.min(line.tokens.len())..]).within(within)?;
                let mut next = at + 1;
                let body = block(&lines, &mut next, line.indent, 0)?;
                file.insert(name, Rc::new(Function { parameters, body }));
                at = next;
                continue;
            }
            // Declarations of attributes.
            _ => {}
        }
        at += 1;
    }
    Ok(file)
}

/// Lines of code; one that ends inside of brackets goes on in the next.
fn lines(text: &str) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    let (mut open, mut tokens, mut indent) = (0usize, Vec::new(), 0);
    let mut rest = text.chars().peekable();
    let mut fresh = true;
    while let Some(&c) = rest.peek() {
        if fresh && open == 0 {
            indent = 0;
            while rest.next_if_eq(&' ').is_some() {
                indent += 1;
            }
            fresh = false;
            continue;
        }
        rest.next();
        match c {
            '\n' => {
                fresh = open == 0; // within brackets a line goes on
                if fresh && !tokens.is_empty() {
                    lines.push(Line { indent, tokens: std::mem::take(&mut tokens) });
                }
            }
            ' ' | '\t' | '\r' => {}
            '#' => while rest.next_if(|&c| c != '\n').is_some() {},
            '(' | '[' | '{' => {
                open += 1;
                tokens.push(Token::Sign(c));
            }
            ')' | ']' | '}' => {
                open = open.saturating_sub(1);
                tokens.push(Token::Sign(c));
            }
            '"' | '\'' => tokens.push(Token::Text(quoted(&mut rest, c)?)),
            c if c.is_ascii_digit() => tokens.push(number(&mut rest, c)?),
            c if c.is_alphabetic() || c == '_' => {
                let mut word = String::from(c);
                while let Some(c) = rest.next_if(|&c| c.is_alphanumeric() || c == '_') {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
            c => tokens.push(Token::Sign(c)),
        }
    }
    if !tokens.is_empty() {
        lines.push(Line { indent, tokens });
    }
    Ok(lines)
}

type Chars<'t> = std::iter::Peekable<std::str::Chars<'t>>;

fn quoted(rest: &mut Chars<'_>, end: char) -> Result<String> {
    let mut text = String::new();
    loop {
        match rest.next() {
            Some(c) if c == end => return Ok(text),
            Some('\\') => match rest.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(c) => text.push(c),
                None => return Err(Error::malformed("a string without an end")),
            },
            Some(c) => text.push(c),
            None => return Err(Error::malformed("a string without an end")),
        }
    }
}

fn number(rest: &mut Chars<'_>, first: char) -> Result<Token> {
    let mut text = String::from(first);
    while let Some(c) = rest.next_if(|&c| c.is_ascii_alphanumeric() || c == '.') {
        text.push(c);
        if matches!(c, 'e' | 'E')
            && let Some(sign) = rest.next_if(|&c| c == '-' || c == '+')
        {
            text.push(sign);
        }
    }
    let refuse = || Error::malformed(format!("the number '{}'", text.escape_default()));
    if text.contains(['.', 'e', 'E']) {
        return text.parse().map(Token::Float).map_err(|_| refuse());
    }
    text.parse().map(Token::Int).map_err(|_| refuse())
}

/// The statements that are indented further than the line in front of them.
fn block(lines: &[Line], at: &mut usize, outer: usize, depth: usize) -> Result<Vec<Stmt>> {
    limits::check("nested blocks", depth, limits::DEPTH)?;
    let mut body = Vec::new();
    while let Some(line) = lines.get(*at).filter(|line| line.indent > outer) {
        let number = *at + 1;
        let within = || format!("line of code {number}");
        *at += 1;
        match &line.tokens[..] {
            [Token::Word(word), rest @ ..] if word == "return" => {
                let value = if rest.is_empty() { Expr::Name("None".to_owned()) } else { whole(rest).within(within)? };
                body.push(Stmt::Return(value));
            }
            [Token::Word(word), condition @ .., Token::Sign(':')] if word == "if" => {
                let condition = whole(condition).within(within)?;
                let yes = block(lines, at, line.indent, depth + 1)?;
                let mut no = Vec::new();
                if let Some(next) = lines.get(*at)
                    && next.indent == line.indent
                    && next.tokens == [Token::Word("else".to_owned()), Token::Sign(':')]
                {
                    *at += 1;
                    no = block(lines, at, line.indent, depth + 1)?;
                }
                body.push(Stmt::If(condition, yes, no));
            }
            [Token::Word(word), ..] if word == "for" || word == "while" => {
                block(lines, at, line.indent, depth + 1)?;
                body.push(Stmt::Loop);
            }
            [Token::Word(word)] if word == "pass" => {}
            tokens => body.push(assignment(tokens).within(within)?),
        }
    }
    Ok(body)
}

/// `a = ..`, `a : T = ..`, `a, b, = ..`, or an expression alone.
fn assignment(tokens: &[Token]) -> Result<Stmt> {
    let mut names = Vec::new();
    let mut several = false;
    let mut at = 0;
    loop {
        match (tokens.get(at), tokens.get(at + 1)) {
            (Some(Token::Word(name)), Some(Token::Sign(','))) => {
                names.push(name.clone());
                several = true;
                at += 2;
            }
            (Some(Token::Word(name)), Some(Token::Sign('='))) => {
                names.push(name.clone());
                at += 2;
                break;
            }
            (Some(Token::Word(name)), Some(Token::Sign(':'))) => {
                names.push(name.clone());
                at += 2;
                while tokens.get(at).is_some_and(|token| *token != Token::Sign('=')) {
                    at += 1;
                }
                at += 1;
                break;
            }
            (Some(Token::Sign('=')), _) if several => {
                at += 1;
                break;
            }
            _ => return whole(tokens).map(Stmt::Do),
        }
    }
    Ok(Stmt::Assign(names, several, whole(tokens.get(at..).unwrap_or_default())?))
}

/// The names in front of a function, with what they are by default.
fn parameters(tokens: &[Token]) -> Result<Vec<(String, Option<Expr>)>> {
    let mut parameters = Vec::new();
    let mut parser = Parser { tokens, at: 0 };
    parser.expect('(')?;
    while !parser.take(')') {
        let Some(Token::Word(name)) = parser.next() else { return Err(Error::malformed("a parameter without a name")) };
        let name = name.clone();
        if parser.take(':') {
            parser.skip_type();
        }
        let default = if parser.take('=') { Some(parser.expression(0)?) } else { None };
        parameters.push((name, default));
        if !parser.take(',') && parser.peek() != Some(&Token::Sign(')')) {
            return Err(Error::malformed("parameters that are not separated"));
        }
    }
    Ok(parameters)
}

fn whole(tokens: &[Token]) -> Result<Expr> {
    let mut parser = Parser { tokens, at: 0 };
    let first = parser.expression(0)?;
    let value = if parser.take(',') {
        let mut items = vec![first];
        while parser.at < tokens.len() {
            items.push(parser.expression(0)?);
            if !parser.take(',') {
                break;
            }
        }
        Expr::List(items)
    } else {
        first
    };
    if parser.at < tokens.len() {
        return Err(Error::malformed(format!("{:?} behind an expression", tokens[parser.at])));
    }
    Ok(value)
}

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<&'t Token> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        Some(token)
    }

    fn take(&mut self, sign: char) -> bool {
        let found = self.peek() == Some(&Token::Sign(sign));
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: char) -> Result<()> {
        if self.take(sign) {
            return Ok(());
        }
        let found = self.peek().map_or_else(|| "the end of the line".to_owned(), |token| format!("{token:?}"));
        Err(Error::malformed(format!("'{sign}' is expected, found {found}")))
    }

    /// Passes a type by: up to a comma, an equals sign or a bracket that was not opened in it.
    fn skip_type(&mut self) {
        let mut open = 0usize;
        while let Some(token) = self.peek() {
            match token {
                Token::Sign('[' | '(') => open += 1,
                Token::Sign(']' | ')') if open == 0 => return,
                Token::Sign(']' | ')') => open -= 1,
                Token::Sign(',' | '=') if open == 0 => return,
                _ => {}
            }
            self.at += 1;
        }
    }

    fn expression(&mut self, depth: usize) -> Result<Expr> {
        limits::check("nested expressions", depth, limits::DEPTH)?;
        if self.take('-') {
            return Ok(match self.expression(depth + 1)? {
                Expr::Int(number) => Expr::Int(number.wrapping_neg()),
                Expr::Float(number) => Expr::Float(-number),
                other => Expr::Negative(Box::new(other)),
            });
        }
        let mut value = match self.next() {
            Some(Token::Word(name)) => Expr::Name(name.clone()),
            Some(Token::Int(number)) => Expr::Int(*number),
            Some(Token::Float(number)) => Expr::Float(*number),
            Some(Token::Text(text)) => Expr::Text(text.clone()),
            Some(Token::Sign('[')) => Expr::List(self.items(']', depth)?.0),
            Some(Token::Sign('(')) => {
                let (mut items, comma) = self.items(')', depth)?;
                match items.pop() {
                    Some(only) if items.is_empty() && !comma => only,
                    last => Expr::List(items.into_iter().chain(last).collect()),
                }
            }
            other => return Err(Error::malformed(format!("an expression is expected, found {other:?}"))),
        };
        loop {
            if self.take('.') {
                let Some(Token::Word(name)) = self.next() else {
                    return Err(Error::malformed("a name is expected behind '.'"));
                };
                value = Expr::Attribute(Box::new(value), name.clone());
            } else if self.take('(') {
                let (placed, named) = self.arguments(depth)?;
                value = Expr::Call(Box::new(value), placed, named);
            } else if self.take('[') {
                let (mut items, _) = self.items(']', depth)?;
                // Of several, as in a type, the last one stands for all: types are not looked at.
                let index = items.pop().ok_or_else(|| Error::malformed("an empty index"))?;
                value = Expr::Index(Box::new(value), Box::new(index));
            } else {
                return Ok(value);
            }
        }
    }

    /// Items up to a bracket, and whether the last is followed by a comma.
    fn items(&mut self, end: char, depth: usize) -> Result<(Vec<Expr>, bool)> {
        let mut items = Vec::new();
        let mut comma = false;
        while !self.take(end) {
            items.push(self.expression(depth + 1)?);
            comma = self.take(',');
            if !comma {
                self.expect(end)?;
                break;
            }
        }
        Ok((items, comma))
    }

    #[allow(clippy::type_complexity)]
    fn arguments(&mut self, depth: usize) -> Result<(Vec<Expr>, Vec<(String, Expr)>)> {
        let (mut placed, mut named) = (Vec::new(), Vec::new());
        while !self.take(')') {
            match (self.peek(), self.tokens.get(self.at + 1)) {
                (Some(Token::Word(name)), Some(Token::Sign('='))) => {
                    self.at += 2;
                    named.push((name.clone(), self.expression(depth + 1)?));
                }
                _ => placed.push(self.expression(depth + 1)?),
            }
            if !self.take(',') {
                self.expect(')')?;
                break;
            }
        }
        Ok((placed, named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_parsed() {
        let file = parse(
            "class Net(Module):\n  __parameters__ = []\n  fc : __torch__.torch.nn.modules.linear.Linear\n  def forward(self: __torch__.Net,\n    \
             x: Tensor, flag: Optional[Tuple[int, int]]=None) -> Tensor:\n    fc = self.fc\n    a, b, = torch.max(x, -1, False)\n    \
             if torch.eq(1, 2):\n      y = (fc).forward(x, )\n    else:\n      y = torch.mul(x, -2.5e-1, dtype=6)\n    return (y, [1, 2][0])\n",
        )
        .unwrap();
        let forward = &file["Net.forward"];
        assert_eq!(forward.parameters.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["self", "x", "flag"]);
        assert_eq!(forward.body.len(), 4);
        assert!(matches!(&forward.body[1], Stmt::Assign(names, true, _) if names == &["a", "b"]));
        let Stmt::If(_, yes, no) = &forward.body[2] else { panic!("{:?}", forward.body[2]) };
        assert_eq!((yes.len(), no.len()), (1, 1));
        let Stmt::Assign(_, false, Expr::Call(_, placed, named)) = &no[0] else { panic!("{no:?}") };
        assert_eq!(placed[1], Expr::Float(-0.25));
        assert_eq!(named[0], ("dtype".to_owned(), Expr::Int(6)));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "def f(\n",
            "def f(x) -> T:\n  y = \n",
            "def f(x) -> T:\n  return \"a\n",
            "def f(x) -> T:\n  y = 1 2\n",
            "def f(x) -> T:\n  y = 9e999e\n",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        let deep = format!("def f(x) -> T:\n  return {}x{}\n", "(".repeat(10_000), ")".repeat(10_000));
        assert!(parse(&deep).is_err());
    }
}
