//! The operands of opcodes: lengths, lines, numbers, strings and bytes.

use super::machine::Machine;
use super::text;
use super::value::{FALSE, Node, Octets, Span, TRUE, narrow};
use crate::error::{Error, Result};
use crate::limits;

impl<'s> Machine<'_, 's> {
    #[cold]
    pub(super) fn short(&self, wanted: usize) -> Error {
        Error::malformed(format!(
            "{wanted} bytes are needed at byte {}, only {} follow; the file is cut short or damaged",
            self.at,
            self.source.len() - self.at
        ))
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        let byte = *self.source.get(self.at).ok_or_else(|| self.short(1))?;
        self.at += 1;
        Ok(byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = self.source[self.at..].first_chunk().ok_or_else(|| self.short(N))?;
        self.at += N;
        Ok(*bytes)
    }

    /// The span of the next `len` bytes, which are skipped.
    pub(super) fn take(&mut self, len: usize) -> Result<Span> {
        if len > self.source.len() - self.at {
            return Err(self.short(len));
        }
        let span = Span { start: narrow(self.at)?, len: narrow(len)? };
        self.at += len;
        Ok(span)
    }

    /// An unsigned little-endian number of `N` bytes.
    pub(super) fn length<const N: usize>(&mut self) -> Result<usize> {
        let mut wide = [0; 8];
        wide[..N].copy_from_slice(&self.array::<N>()?);
        usize::try_from(u64::from_le_bytes(wide)).map_err(|_| self.short(usize::MAX))
    }

    /// The bytes up to the next line break, which is skipped.
    pub(super) fn line(&mut self) -> Result<Span> {
        let rest = &self.source[self.at..];
        let len = rest.iter().position(|&byte| byte == b'\n').ok_or_else(|| self.short(rest.len() + 1))?;
        let span = self.take(len)?;
        self.at += 1;
        Ok(span)
    }

    pub(super) fn bytes(&self, span: Span) -> &'s [u8] {
        &self.source[span.start as usize..][..span.len as usize]
    }

    pub(super) fn utf8(&self, span: Span) -> Result<&'s str> {
        std::str::from_utf8(self.bytes(span)).map_err(|_| Error::malformed("a string is not UTF-8"))
    }

    pub(super) fn integer<const N: usize>(&mut self, number: impl Fn([u8; N]) -> i64) -> Result<()> {
        let number = number(self.array()?);
        let id = self.heap.int(number, self.meter)?;
        self.push(id)
    }

    pub(super) fn long(&mut self, len: usize) -> Result<()> {
        limits::check("bytes of one integer", len, limits::PICKLE_INTEGER_BYTES)?;
        let span = self.take(len)?;
        let bytes = self.bytes(span);
        let id = match text::little_endian(bytes) {
            Some(number) => self.heap.int(number, self.meter)?,
            None => self.heap.add(Node::Long(span), self.meter)?,
        };
        self.push(id)
    }

    pub(super) fn number_line(&mut self, opcode: u8) -> Result<()> {
        let mut span = self.line()?;
        let bytes = self.bytes(span);
        if opcode == b'F' {
            let number = self.utf8(span).ok().and_then(|text| text.trim().parse().ok());
            return self.make(Node::Float(number.ok_or_else(|| Error::malformed("not a number"))?));
        }
        if opcode == b'I' && (bytes == b"00" || bytes == b"01") {
            return self.push(if bytes == b"01" { TRUE } else { FALSE });
        }
        if opcode == b'L' && bytes.ends_with(b"L") {
            span.len -= 1;
        }
        limits::check("digits of one integer", span.len as usize, limits::PICKLE_INTEGER_BYTES)?;
        let digits = self.utf8(span)?;
        let id = match digits.parse() {
            Ok(number) => self.heap.int(number, self.meter)?,
            Err(_) if text::is_decimal(digits) => self.heap.add(Node::Long(span), self.meter)?,
            Err(_) => return Err(Error::malformed("not an integer")),
        };
        self.push(id)
    }

    pub(super) fn unicode<const N: usize>(&mut self) -> Result<()> {
        let len = self.length::<N>()?;
        let span = self.take(len)?;
        if self.utf8(span).is_ok() {
            return self.make(Node::Str(span));
        }
        // Python writes half of a surrogate pair as three bytes that UTF-8 does not allow; it becomes U+FFFD.
        let text =
            text::without_surrogates(self.bytes(span)).ok_or_else(|| Error::malformed("a string is not UTF-8"))?;
        self.made(text.as_bytes(), Node::MadeStr)
    }

    pub(super) fn made(&mut self, bytes: &[u8], node: fn(Span) -> Node) -> Result<()> {
        let span = Span { start: narrow(self.heap.made.len())?, len: narrow(bytes.len())? };
        self.meter.extend(&mut self.heap.made, bytes)?;
        self.make(node(span))
    }

    pub(super) fn unicode_line(&mut self) -> Result<()> {
        let span = self.line()?;
        let bytes = self.bytes(span);
        if bytes.is_ascii() && !bytes.contains(&b'\\') {
            return self.make(Node::Str(span));
        }
        let text = text::raw_unicode_escape(bytes)?;
        self.made(text.as_bytes(), Node::MadeStr)
    }

    pub(super) fn octets<const N: usize>(&mut self, kind: Octets) -> Result<()> {
        let len = self.length::<N>()?;
        let span = self.take(len)?;
        self.make(Node::Octets(kind, span))
    }

    pub(super) fn string_line(&mut self) -> Result<()> {
        let span = self.line()?;
        let inner = text::quoted(self.bytes(span))?;
        if !inner.contains(&b'\\') {
            let span = Span { start: span.start + 1, len: narrow(inner.len())? };
            return self.make(Node::Octets(Octets::Str2, span));
        }
        let plain = text::string_escape(inner)?;
        self.made(&plain, Node::MadeStr2)
    }
}
