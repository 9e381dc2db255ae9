//! `XGBoost`'s formats.
use super::ReadOptions;
use crate::error::{Error, Result};
use crate::ir::Model;

pub fn is_binary(_bytes: &[u8]) -> bool {
    false
}

pub fn read_json(_bytes: &[u8], _options: &ReadOptions) -> Result<Model> {
    Err(Error::unsupported("in progress"))
}

pub fn read_ubjson(_bytes: &[u8], _options: &ReadOptions) -> Result<Model> {
    Err(Error::unsupported("in progress"))
}

pub fn read_binary(_bytes: &[u8], _options: &ReadOptions) -> Result<Model> {
    Err(Error::unsupported("in progress"))
}
