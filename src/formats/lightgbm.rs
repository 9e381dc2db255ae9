//! `LightGBM`'s text format.
use super::ReadOptions;
use crate::error::{Error, Result};
use crate::ir::Model;

pub fn read(_bytes: &[u8], _options: &ReadOptions) -> Result<Model> {
    Err(Error::unsupported("in progress"))
}
