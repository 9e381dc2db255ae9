//! How a command ends when it does not succeed.

use mi::{Error, Status};
use std::fmt::Write as _;

/// Why a command stopped.
#[derive(Debug)]
pub enum Failure {
    /// The reader of our output has gone.
    BrokenPipe,
    /// The arguments do not fit each other: exit code 2.
    Usage(String),
    /// Everything else: exit code 1.
    Error(Error),
}

/// Result of a command.
pub type Result<T> = std::result::Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Error(error)
    }
}

impl Failure {
    /// A failed write to `place`.
    pub fn write(place: &str, cause: &std::io::Error) -> Self {
        if cause.kind() == std::io::ErrorKind::BrokenPipe {
            return Failure::BrokenPipe;
        }
        Failure::Error(Error::new(Status::Io, format!("cannot write {place}: {cause}")))
    }
}

/// The text with control characters escaped: names come out of files, and a terminal obeys what it is sent.
pub fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            let _ = write!(safe, "{}", character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}
