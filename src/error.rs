//! The one error type of the crate: a stable status and one sentence that teaches.

use crate::limits;
use std::fmt;
use std::path::Path;

/// Result of everything that can fail in this crate.
pub type Result<T> = std::result::Result<T, Error>;

macro_rules! statuses {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal;)*) => {
        /// What kind of failure it was. The numbers are those of the C API and never change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum Status { $($(#[$doc])* $variant = $number,)* }

        impl Status {
            /// Every status, in the order of its number.
            pub const ALL: &'static [Status] = &[$(Status::$variant),*];

            /// The name in the C API, for example `MI_MALFORMED`, with a NUL at its end.
            #[must_use]
            pub const fn c_name(self) -> &'static std::ffi::CStr {
                match self { $(Status::$variant => $name),* }
            }
        }
    };
}

statuses! {
    /// An argument cannot be used: a NULL, a NaN where the family has no rule for it, a bad name.
    InvalidArgument = 1, c"MI_INVALID_ARGUMENT";
    /// The file, target, family or symbol does not exist.
    NotFound = 2, c"MI_NOT_FOUND";
    /// The operating system refused to read or write.
    Io = 3, c"MI_IO";
    /// The bytes are not what their format promises.
    Malformed = 4, c"MI_MALFORMED";
    /// Understood, but not served; the message says what to do instead.
    Unsupported = 5, c"MI_UNSUPPORTED";
    /// A size in the file passes a cap of [`crate::limits`].
    LimitExceeded = 6, c"MI_LIMIT_EXCEEDED";
    /// The SHA-256 of the file is not the one in its metadata.
    ChecksumMismatch = 10, c"MI_CHECKSUM_MISMATCH";
    /// The metadata holds no checksum and the loader was not told to accept that.
    Unsigned = 11, c"MI_UNSIGNED";
    /// The model was trained on bars of another interval.
    IntervalMismatch = 12, c"MI_INTERVAL_MISMATCH";
    /// Rows, columns or the output buffer have the wrong size.
    ShapeMismatch = 20, c"MI_SHAPE_MISMATCH";
    /// A sequence model was asked with a single row.
    SequenceRequired = 21, c"MI_SEQUENCE_REQUIRED";
    /// The window of this symbol is not filled yet.
    NotReady = 22, c"MI_NOT_READY";
    /// The newest row of this symbol is too old.
    Stale = 23, c"MI_STALE";
    /// A foreign runtime failed.
    Backend = 30, c"MI_BACKEND";
    /// A foreign runtime is not installed.
    BackendMissing = 31, c"MI_BACKEND_MISSING";
    /// A defect of this library.
    Internal = 99, c"MI_INTERNAL";
}

/// A failure: its kind and one line that says what failed, on what, and what to do about it.
///
/// One word, so that results that may be failures are returned in registers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.message)]
pub struct Error(Box<Failure>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    status: Status,
    message: String,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $status:ident;)*) => {
        impl Error {
            $($(#[$doc])*
            #[cold]
            pub fn $name(message: impl Into<String>) -> Self {
                Self::new(Status::$status, message)
            })*
        }
    };
}

constructors! {
    /// [`Status::InvalidArgument`] with this sentence.
    invalid => InvalidArgument;
    /// [`Status::NotFound`] with this sentence.
    not_found => NotFound;
    /// [`Status::Malformed`] with this sentence.
    malformed => Malformed;
    /// [`Status::Unsupported`] with this sentence.
    unsupported => Unsupported;
    /// [`Status::LimitExceeded`] with this sentence.
    limit => LimitExceeded;
    /// [`Status::ShapeMismatch`] with this sentence.
    shape => ShapeMismatch;
    /// [`Status::Internal`] with this sentence.
    internal => Internal;
}

impl Error {
    /// A failure of this kind. Control characters in the message become spaces, and what passes [`limits::MESSAGE_BYTES`] is cut
    /// off: it is one line of C text, whatever a file says.
    #[cold]
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self(Box::new(Failure { status, message: one_line(message.into()) }))
    }

    /// A failed system call on a path: `NotFound` when nothing is there, and then how much of the path is; else `Io`.
    pub fn io(doing: &str, path: &Path, cause: &std::io::Error) -> Self {
        let what = format!("cannot {doing} {}: {cause}", path.display());
        match cause.kind() {
            std::io::ErrorKind::NotFound => Self::new(Status::NotFound, what + &absent(path)),
            _ => Self::new(Status::Io, what),
        }
    }

    /// The kind of failure.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.status
    }

    /// The sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The same failure, its sentence led by where it happened: `"model.txt: line 7: ..."`.
    #[must_use]
    pub fn within(self, place: impl fmt::Display) -> Self {
        Self::new(self.0.status, format!("{place}: {}", self.0.message))
    }
}

/// Where a path ends that leads to nothing, as the end of a sentence; empty when nobody can say.
fn absent(path: &Path) -> String {
    if let Ok(target) = std::fs::read_link(path) {
        return format!("; it is a link to {}, which is not there", target.display());
    }
    let folder = path.ancestors().skip(1).find(|folder| folder.as_os_str().is_empty() || folder.is_dir());
    let next = folder.and_then(|folder| path.strip_prefix(folder).ok()?.components().next());
    match (folder, next) {
        (Some(folder), Some(next)) => {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            format!(
                "; there is the folder {}, but nothing in it is called {}",
                folder.display(),
                next.as_os_str().display()
            )
        }
        _ => String::new(),
    }
}

/// Names in messages come from files; a terminal or a log must not obey them.
fn one_line(mut message: String) -> String {
    const CUT: &str = "...";
    if message.contains(char::is_control) {
        message = message.replace(char::is_control, " ");
    }
    if message.len() > limits::MESSAGE_BYTES {
        message.truncate(message.floor_char_boundary(limits::MESSAGE_BYTES - CUT.len()));
        message.push_str(CUT);
    }
    message
}

/// Adds the place of a failure on its way up.
pub trait Within<T> {
    /// Leads the sentence of a failure by the place that `place` returns.
    ///
    /// # Errors
    /// The same failure, with a longer sentence.
    fn within<D: fmt::Display>(self, place: impl FnOnce() -> D) -> Result<T>;
}

impl<T> Within<T> for Result<T> {
    fn within<D: fmt::Display>(self, place: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| error.within(place()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line() {
        assert_eq!(Error::malformed("a\nb\0c").message(), "a b c");
        assert_eq!(Error::malformed("a").within("\u{1b}[2J\r").message(), " [2J : a");
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is() {
        let folder = tempfile::tempdir().unwrap();
        let said = |path: &Path| {
            let error = Error::io("open", path, &std::fs::File::open(path).unwrap_err());
            assert_eq!(error.status(), Status::NotFound);
            error.message().to_owned()
        };
        let there = folder.path().display();
        assert!(
            said(&folder.path().join("a"))
                .ends_with(&format!("; there is the folder {there}, but nothing in it is called a"))
        );
        assert!(
            said(&folder.path().join("a/b/c"))
                .ends_with(&format!("; there is the folder {there}, but nothing in it is called a"))
        );
        assert!(
            said(Path::new("nowhere/model.txt"))
                .ends_with("; there is the folder ., but nothing in it is called nowhere")
        );
        #[cfg(unix)]
        {
            let link = folder.path().join("link");
            std::os::unix::fs::symlink("gone.txt", &link).unwrap();
            assert!(said(&link).ends_with("; it is a link to gone.txt, which is not there"));
        }
    }

    #[test]
    fn messages_are_cut_between_characters() {
        for start in ["", "a", "ab"] {
            let message = format!("{start}{}", "€".repeat(limits::MESSAGE_BYTES));
            let error = Error::malformed(message).within("here");
            let len = error.message().len();
            assert!(len <= limits::MESSAGE_BYTES && len > limits::MESSAGE_BYTES - 3, "{len}");
            assert!(error.message().starts_with(&format!("here: {start}€")) && error.message().ends_with("€..."));
        }
    }

    #[test]
    fn places_lead_the_sentence() {
        let failed: Result<()> = Err(Error::malformed("a number was expected"));
        let error = failed.within(|| "model.txt").unwrap_err();
        assert_eq!(error.status(), Status::Malformed);
        assert_eq!(error.message(), "model.txt: a number was expected");
    }
}
