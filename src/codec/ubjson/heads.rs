//! Bytes on the way: markers, lengths, and what heads an array or an object says of its elements.

use super::{Failure, Outcome, Reader};
use crate::limits;

/// Bytes of a value of this type, for types of a fixed size that is not 0: only those may fill a typed array.
pub(super) fn width(marker: u8) -> Option<usize> {
    match marker {
        b'i' | b'U' | b'C' => Some(1),
        b'I' => Some(2),
        b'l' | b'd' => Some(4),
        b'L' | b'D' => Some(8),
        _ => None,
    }
}

fn spelled(marker: u8) -> String {
    format!("'{}'", std::ascii::escape_default(marker))
}

#[cold]
pub(super) fn no_value(marker: u8) -> Failure {
    Failure(format!("a value was expected, found {}", spelled(marker)))
}

/// What is known of the elements of an array.
pub(super) enum Items {
    /// All elements have this type; the count is checked against the bytes that are left.
    Typed { marker: u8, left: usize },
    /// Elements each with its type: so many, of which nothing is checked yet, or until a closing bracket.
    Plain { left: Option<usize> },
}

impl<'de> Reader<'de> {
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn take(&mut self, count: usize) -> Outcome<&'de [u8]> {
        let Some(taken) = self.bytes[self.at..].get(..count) else { return Err(self.cut_off(count)) };
        self.at += count;
        Ok(taken)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        let Some(array) = self.bytes[self.at..].first_chunk() else { return Err(self.cut_off(N)) };
        self.at += N;
        Ok(*array)
    }

    #[cold]
    fn cut_off(&self, count: usize) -> Failure {
        Failure(format!("{count} bytes were expected, {} are left; the file is cut off, copy it again", self.left()))
    }

    pub(super) fn byte(&mut self) -> Outcome<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The type of the next value; no-ops are skipped.
    pub(super) fn marker(&mut self) -> Outcome<u8> {
        loop {
            match self.byte()? {
                b'N' => {}
                marker => return Ok(marker),
            }
        }
    }

    pub(super) fn length(&mut self) -> Outcome<usize> {
        let marker = self.byte()?;
        let length = match marker {
            b'i' => i64::from(i8::from_be_bytes(self.array()?)),
            b'U' => i64::from(self.byte()?),
            b'I' => i64::from(i16::from_be_bytes(self.array()?)),
            b'l' => i64::from(i32::from_be_bytes(self.array()?)),
            b'L' => i64::from_be_bytes(self.array()?),
            _ => return Err(Failure(format!("a length was expected, found {}", spelled(marker)))),
        };
        usize::try_from(length).map_err(|_| Failure(format!("a length is {length}")))
    }

    pub(super) fn text(&mut self) -> Outcome<&'de str> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Failure("a string is not UTF-8".to_owned()))
    }

    pub(super) fn deeper(&mut self) -> Outcome<()> {
        self.depth += 1;
        if self.depth > limits::DEPTH {
            return Err(Failure(format!("arrays and objects are nested deeper than {}", limits::DEPTH)));
        }
        Ok(())
    }

    /// What follows the opening bracket of an array.
    pub(super) fn items(&mut self) -> Outcome<Items> {
        match self.peek() {
            Some(b'$') => {
                self.at += 1;
                let marker = self.byte()?;
                let Some(width) = width(marker) else {
                    return Err(Failure(format!("typed arrays of {} are not read", spelled(marker))));
                };
                if self.byte()? != b'#' {
                    return Err(Failure("a typed array has no count".to_owned()));
                }
                let left = self.length()?;
                if left.checked_mul(width).is_none_or(|bytes| bytes > self.left()) {
                    return Err(Failure(format!(
                        "an array of {left} numbers of {width} bytes does not fit the {} bytes that are left; the file is cut off, copy it again",
                        self.left()
                    )));
                }
                Ok(Items::Typed { marker, left })
            }
            Some(b'#') => {
                self.at += 1;
                Ok(Items::Plain { left: Some(self.length()?) })
            }
            _ => Ok(Items::Plain { left: None }),
        }
    }

    /// How many entries an object has, when it tells.
    pub(super) fn entries(&mut self) -> Outcome<Option<usize>> {
        match self.peek() {
            Some(b'$') => Err(Failure("typed objects are not read".to_owned())),
            Some(b'#') => {
                self.at += 1;
                self.length().map(Some)
            }
            _ => Ok(None),
        }
    }
}
