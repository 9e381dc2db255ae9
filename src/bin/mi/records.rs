//! Records of a CSV, one at a time: bounded memory, and the line that each of them begins on.

use csv_core::ReadRecordResult;
use mi::{Error, Result};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Bytes of one record: a million columns of full precision. A quote that is never closed would make the rest of the file a record.
const RECORD_BYTES: usize = 64 << 20;

/// A CSV and its current record.
pub struct Records {
    input: BufReader<Box<dyn Read>>,
    name: String,
    syntax: csv_core::Reader,
    /// The cells of the record, one behind the other.
    bytes: Vec<u8>,
    /// Where each cell ends.
    ends: Vec<usize>,
    cells: usize,
    line: u64,
    newlines: u64,
}

impl Records {
    /// A CSV; `name` is what errors call it.
    pub fn new(input: Box<dyn Read>, name: String) -> Self {
        Self {
            input: BufReader::with_capacity(1 << 16, input),
            name,
            syntax: csv_core::Reader::new(),
            bytes: vec![0; 1 << 10],
            ends: vec![0; 1 << 5],
            cells: 0,
            line: 1,
            newlines: 0,
        }
    }

    /// What errors call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The line, from 1, that the current record begins on.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Cells of the current record.
    pub fn len(&self) -> usize {
        self.cells
    }

    /// A cell of the current record.
    pub fn cell(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    /// The cells of the current record.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.cells).map(|index| self.cell(index))
    }

    /// Goes to the next record; false at the end. Empty lines are no records.
    ///
    /// # Errors
    /// `MI_IO` when it cannot be read, `MI_LIMIT_EXCEEDED` for a record past the cap.
    pub fn advance(&mut self) -> Result<bool> {
        self.cells = 0;
        self.skip_empty_lines()?;
        self.line = self.newlines + 1;
        let mut filled = 0;
        loop {
            let input = self.input.fill_buf().map_err(|cause| unreadable(&self.name, &cause))?;
            let (result, read, written, ended) =
                self.syntax.read_record(input, &mut self.bytes[filled..], &mut self.ends[self.cells..]);
            self.newlines += newlines(&input[..read]);
            self.input.consume(read);
            filled += written;
            self.cells += ended;
            match result {
                ReadRecordResult::Record => return Ok(true),
                ReadRecordResult::End => return Ok(false),
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::OutputFull if self.bytes.len() < RECORD_BYTES => {
                    self.bytes.resize(2 * self.bytes.len(), 0);
                }
                ReadRecordResult::OutputFull => {
                    return Err(Error::limit(format!(
                        "{}: line {}: a record is longer than {RECORD_BYTES} bytes; is a quote not closed?",
                        self.name, self.line
                    )));
                }
            }
        }
    }

    fn skip_empty_lines(&mut self) -> Result<()> {
        loop {
            let input = self.input.fill_buf().map_err(|cause| unreadable(&self.name, &cause))?;
            let empty = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let all = empty == input.len();
            self.newlines += newlines(&input[..empty]);
            self.input.consume(empty);
            if !all || empty == 0 {
                return Ok(());
            }
        }
    }
}

fn unreadable(name: &str, cause: &std::io::Error) -> Error {
    Error::io("read", Path::new(name), cause)
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line and cells of every record, the input given out `step` bytes at a time.
    fn records(text: &str, step: usize) -> Vec<(u64, Vec<String>)> {
        struct Slow(Vec<u8>, usize);
        impl Read for Slow {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let count = self.1.min(self.0.len()).min(buffer.len());
                buffer[..count].copy_from_slice(&self.0[..count]);
                self.0.drain(..count);
                Ok(count)
            }
        }
        let mut csv = Records::new(Box::new(Slow(text.as_bytes().to_vec(), step)), "test".to_owned());
        let mut found = Vec::new();
        while csv.advance().unwrap() {
            found.push((csv.line(), csv.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect()));
        }
        found
    }

    #[test]
    fn lines_are_those_of_an_editor() {
        for text in ["a,b\n1,2\n\n\n3,4\n", "a,b\r\n1,2\r\n\r\n\r\n3,4", "a,b\n1,\"2\"\n\r\n\n3,4\n\n"] {
            for step in [1, 2, 3, 1000] {
                let found = records(text, step);
                let lines: Vec<u64> = found.iter().map(|record| record.0).collect();
                assert_eq!(lines, [1, 2, 5], "{text:?} {step}");
                assert_eq!(found[2].1, ["3", "4"], "{text:?} {step}");
            }
        }
        let found = records("\u{feff}a,\"x\ny\"\n\"q\"\"q\",\n5,6", 1000);
        let cells = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        assert_eq!(found, [(1, cells("a", "x\ny")), (3, cells("q\"q", "")), (4, cells("5", "6"))]);
        assert_eq!(records("", 1), []);
        assert_eq!(records("\n\n", 1), []);
    }

    #[test]
    fn wide_records_grow_and_endless_ones_are_refused() {
        let wide = vec!["0.12345678901234567"; 5000].join(",");
        assert_eq!(records(&wide, 4096)[0].1.len(), 5000);
        let endless = Box::new(std::io::Cursor::new(b"a\n\"").chain(std::io::repeat(b'x')));
        let mut csv = Records::new(endless, "test".to_owned());
        assert!(csv.advance().unwrap());
        let error = csv.advance().unwrap_err();
        assert!(error.message().contains("test: line 2") && error.message().contains("quote"), "{error}");
    }
}
