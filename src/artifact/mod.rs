//! Disk layouts and integrity: where the files of a model lie, whether they are the right ones, what is said about them.
//!
//! A [`Layout`] answers names with a [`Place`]; [`open`] turns a place into a verified model.

mod catalogue;
pub mod checksum;
pub mod family;
mod layout;
mod metadata;
mod name;
mod older;
mod open;
mod root;
mod run;

pub use checksum::Policy;
pub use layout::{Found, Layout, Place, Reach, layout, view_of};
pub use metadata::Metadata;
pub use name::{DEFAULT_VIEW, Entry, Name, SYMBOL_VIEW, Selector, target_directory};
pub use open::{Rules, open};
pub use root::Root;
