//! `.npy` files, versions 1 to 3, as `numpy.save` writes them (format described in numpy's `lib/format.py`).

use super::ndarray::{self, DType, Field, Kind, RawArray};
use crate::error::{Error, Result, Within};
use crate::limits;
use std::borrow::Cow;

const MAGIC: &[u8] = b"\x93NUMPY";

/// Whether it begins as a `.npy` file does.
#[must_use]
pub fn looks_like(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// The array of a `.npy` file.
///
/// # Errors
/// `MI_MALFORMED` for a damaged file, `MI_UNSUPPORTED` for an array of objects and for a version later than 3.
pub fn read(bytes: &[u8]) -> Result<RawArray<'_>> {
    read_inner(bytes).within(|| "npy")
}

fn read_inner(bytes: &[u8]) -> Result<RawArray<'_>> {
    let short = || Error::malformed("the file is cut short");
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| Error::malformed("not a .npy file"))?;
    let (len, rest) = match rest {
        [1, _, a, b, rest @ ..] => (u32::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]), rest),
        [version @ 4..=255, ..] => return Err(Error::unsupported(format!("version {version}; 1 to 3 are read"))),
        _ => return Err(short()),
    };
    let len = len as usize;
    limits::check("bytes of header", len, limits::NPY_HEADER_BYTES)?;
    let (header, data) = rest.split_at_checked(len).ok_or_else(short)?;
    let mut literals = Literals { text: header, at: 0 };
    let Literal::Dict(entries) = literals.value(0)? else {
        return Err(Error::malformed("the header is not a dict"));
    };
    let find = |name: &str| {
        let entry = entries.iter().find(|(key, _)| matches!(key, Literal::Text(text) if text == name));
        entry.map(|(_, value)| value).ok_or_else(|| Error::malformed(format!("the header has no '{name}'")))
    };
    let dtype = dtype(find("descr")?)?;
    if dtype.has_objects() {
        return Err(Error::unsupported("an array of Python objects; save an array of numbers"));
    }
    let fortran = match find("fortran_order")? {
        Literal::Word(word) if word == "True" => true,
        Literal::Word(word) if word == "False" => false,
        _ => return Err(Error::malformed("fortran_order is neither True nor False")),
    };
    let shape = axes(find("shape")?)?;
    let size = ndarray::count(&shape)?.checked_mul(dtype.size).ok_or_else(short)?;
    let data = data.get(..size).ok_or_else(short)?;
    RawArray::new(dtype, shape, fortran, Cow::Borrowed(data))
}

fn axes(literal: &Literal) -> Result<Vec<usize>> {
    let number = |literal: &Literal| match literal {
        Literal::Word(digits) => digits.trim_end_matches('L').parse().ok(), // Python 2 writes long integers so
        _ => None,
    };
    let axes = match literal {
        Literal::Items(items) => items.iter().map(number).collect(),
        _ => None,
    };
    axes.ok_or_else(|| Error::malformed("the shape is not a tuple of lengths"))
}

fn dtype(literal: &Literal) -> Result<DType> {
    let fields = match literal {
        Literal::Text(code) => return DType::parse(code),
        Literal::Items(fields) => fields,
        _ => return Err(Error::malformed("the descr is neither a dtype nor a list of fields")),
    };
    let mut found = Vec::new();
    let mut size: usize = 0;
    for field in fields {
        let wrong = || Error::malformed("a field of the descr has an unknown form");
        let Literal::Items(parts) = field else { return Err(wrong()) };
        let (name, code, inner) = match parts.as_slice() {
            [name, code] => (name, code, None),
            [name, code, inner] => (name, code, Some(inner)),
            _ => return Err(wrong()),
        };
        let name = match name {
            Literal::Text(name) => name,
            // A title and a name.
            Literal::Items(both) => match both.as_slice() {
                [_, Literal::Text(name)] => name,
                _ => return Err(wrong()),
            },
            _ => return Err(wrong()),
        };
        let mut dtype = dtype(code)?;
        if let Some(inner) = inner {
            let axes = axes(inner)?;
            let size = ndarray::count(&axes)?.checked_mul(dtype.size).ok_or_else(wrong)?;
            let code = dtype.code.clone();
            dtype = DType { kind: Kind::Sub(Box::new(dtype), axes), size, big_endian: false, code };
        }
        let offset = size;
        size = size.checked_add(dtype.size).ok_or_else(wrong)?;
        // Padding is written as a field without a name.
        if !name.is_empty() {
            found.push(Field { name: name.clone(), dtype, offset });
        }
    }
    Ok(DType { kind: Kind::Struct(found), size, big_endian: false, code: format!("V{size}") })
}

/// A Python literal of the kinds that headers hold.
#[derive(Debug)]
enum Literal {
    Text(String),
    /// A number, `True`, `False` or `None`.
    Word(String),
    /// A list or a tuple.
    Items(Vec<Literal>),
    Dict(Vec<(Literal, Literal)>),
}

struct Literals<'a> {
    text: &'a [u8],
    at: usize,
}

impl Literals<'_> {
    fn wrong(&self) -> Error {
        Error::malformed(format!("the header is not a Python literal at its byte {}", self.at))
    }

    /// The next byte that is not blank.
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn value(&mut self, depth: usize) -> Result<Literal> {
        limits::check("levels of brackets", depth, 2 * limits::DTYPE_DEPTH)?;
        match self.peek() {
            Some(quote @ (b'\'' | b'"')) => self.string(quote).map(Literal::Text),
            Some(b'(') => self.list(b')', depth, Self::value).map(Literal::Items),
            Some(b'[') => self.list(b']', depth, Self::value).map(Literal::Items),
            Some(b'{') => self.list(b'}', depth, Self::pair).map(Literal::Dict),
            _ => {
                let from = self.at;
                while self.text.get(self.at).is_some_and(u8::is_ascii_alphanumeric) {
                    self.at += 1;
                }
                let word = String::from_utf8_lossy(&self.text[from..self.at]).into_owned();
                if word.is_empty() { Err(self.wrong()) } else { Ok(Literal::Word(word)) }
            }
        }
    }

    fn pair(&mut self, depth: usize) -> Result<(Literal, Literal)> {
        let key = self.value(depth)?;
        if self.peek() != Some(b':') {
            return Err(self.wrong());
        }
        self.at += 1;
        Ok((key, self.value(depth)?))
    }

    /// Items up to the bracket `close`, commas between them and perhaps one behind them.
    fn list<T>(&mut self, close: u8, depth: usize, item: impl Fn(&mut Self, usize) -> Result<T>) -> Result<Vec<T>> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            if self.peek() == Some(close) {
                self.at += 1;
                return Ok(items);
            }
            items.push(item(self, depth + 1)?);
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(byte) if byte == close => {}
                _ => return Err(self.wrong()),
            }
        }
    }

    fn string(&mut self, quote: u8) -> Result<String> {
        self.at += 1;
        let from = self.at;
        loop {
            match self.text.get(self.at) {
                Some(&byte) if byte == quote => break,
                Some(b'\\') | None => return Err(self.wrong()), // numpy writes names that need no escapes
                Some(_) => self.at += 1,
            }
        }
        let text = std::str::from_utf8(&self.text[from..self.at]);
        let text = text.map_err(|_| Error::malformed("the header is not UTF-8"))?.to_owned();
        self.at += 1;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        bytes.extend(header.bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn headers_of_any_spacing() {
        let bytes = file("{'descr':'|u1',\"fortran_order\" : True, 'shape':(2,3L), } \n", &[1, 4, 2, 5, 3, 6]);
        assert_eq!(read(&bytes).unwrap().i64().unwrap().data, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn damage_is_told() {
        let good = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n";
        assert!(read(&file(good, &[0; 16])).is_ok());
        let cases = [
            (good.to_owned(), 15, "cut short"),
            (good.replace("(2,)", "(99999999999999999, 99999999999)"), 16, "every address"),
            (good.replace("(2,)", "(-2,)"), 16, "literal"),
            (good.replace("'<f8'", "'|O'"), 16, "objects"),
            (good.replace("'shape'", "'shade'"), 16, "no 'shape'"),
            (good.replace("'<f8'", &"[".repeat(1000)), 16, "brackets"),
            (good.replace("False", "0"), 16, "fortran_order"),
        ];
        for (header, len, word) in cases {
            let error = read(&file(&header, &vec![0; len])).unwrap_err();
            assert!(error.message().contains(word), "{header}: {error}");
        }
        let whole = file(good, &[0; 16]);
        for len in 0..whole.len() {
            assert!(read(&whole[..len]).is_err(), "{len}");
        }
    }
}
