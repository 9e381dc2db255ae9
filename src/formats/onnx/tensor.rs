//! Tensors inside of a model: whether they hold as many numbers as their shape says, here or in a file beside the model.

use crate::codec::protobuf::{Field, Reader};
use crate::error::{Error, Result, Within};
use crate::limits;

/// A tensor as its fields describe it.
#[derive(Debug, Default)]
pub struct Tensor<'a> {
    pub name: &'a str,
    /// The number of its type in `TensorProto.DataType`.
    pub kind: i64,
    pub dims: Vec<i64>,
    /// Texts, or integers, of a tensor that is small enough to be a list of classes.
    pub texts: Vec<&'a [u8]>,
    pub ints: Vec<i64>,
    /// Where its numbers are, when they are not here.
    pub external: Option<External<'a>>,
}

/// A range of a file beside the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct External<'a> {
    /// The file, relative to the model.
    pub location: &'a str,
    offset: u64,
    /// Bytes that the shape asks for.
    needed: u64,
}

/// Bits of one element; `None` for text.
fn bits(kind: i64) -> Result<Option<u64>> {
    Ok(Some(match kind {
        2 | 3 | 9 | 17..=20 | 24 => 8,
        4 | 5 | 10 | 16 => 16,
        1 | 6 | 12 => 32,
        7 | 11 | 13 | 14 => 64,
        15 => 128,
        21..=23 => 4,
        25 | 26 => 2,
        8 => return Ok(None),
        other => return Err(Error::malformed(format!("elements of type {other} do not exist"))),
    }))
}

/// The product of sizes.
fn product(dims: &[i64]) -> Result<u64> {
    dims.iter().try_fold(1u64, |product, &size| {
        let size = u64::try_from(size).map_err(|_| Error::malformed(format!("a size is {size}")))?;
        let product = product.checked_mul(size).filter(|&product| product <= limits::TENSOR_BYTES);
        product.ok_or_else(|| {
            Error::limit(format!("the shape {dims:?} passes the cap of {} numbers", limits::TENSOR_BYTES))
        })
    })
}

/// The number behind a key of `external_data`.
fn number(key: &str, text: &str) -> Result<u64> {
    text.parse().map_err(|_| Error::malformed(format!("`{key}` of the external data is '{}'", text.escape_default())))
}

/// Integers kept for [`Tensor::ints`]: lists of classes are not longer.
const KEPT: usize = limits::OUTPUTS;

impl<'a> Tensor<'a> {
    /// Reads a `TensorProto` and checks its sizes.
    ///
    /// # Errors
    /// `MI_MALFORMED` when data and shape disagree, `MI_LIMIT_EXCEEDED` for a shape beyond all caps.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut tensor = Self::default();
        let mut data = Data::default();
        let mut reader = Reader::new(bytes);
        while let Some(field) = reader.next()? {
            match field.number {
                1 => field.ints(|size| tensor.dims.push(size))?,
                2 => tensor.kind = field.int()?,
                8 => tensor.name = field.text()?,
                _ => data.field(&field, &mut tensor)?,
            }
            limits::check("axes of a tensor", tensor.dims.len(), limits::ARRAY_AXES)?;
        }
        tensor.check(&data).within(|| format!("tensor '{}'", tensor.name.escape_default()))?;
        tensor.external = data.external(&tensor).within(|| format!("tensor '{}'", tensor.name.escape_default()))?;
        Ok(tensor)
    }

    fn needed(&self) -> Result<Option<u64>> {
        let count = product(&self.dims)?;
        Ok(bits(self.kind)?.map(|bits| (count * bits).div_ceil(8)))
    }

    fn check(&mut self, data: &Data<'a>) -> Result<()> {
        let (count, needed) = (product(&self.dims)?, self.needed()?);
        if data.is_external {
            return Ok(());
        }
        let wrong = |found: u64, unit: &str, expected: u64| {
            Err(Error::malformed(format!("it holds {found} {unit}, its shape {:?} asks for {expected}", self.dims)))
        };
        if let Some(raw) = data.raw {
            let raw_bytes = raw.len() as u64;
            return match needed {
                Some(needed) if needed == raw_bytes => {
                    if self.kind == 7 && raw.len() / 8 <= KEPT {
                        let each = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().unwrap_or_default());
                        self.ints = raw.chunks_exact(8).map(each).collect();
                    }
                    Ok(())
                }
                Some(needed) => wrong(raw_bytes, "bytes", needed),
                None => Err(Error::malformed("text as raw data")),
            };
        }
        // Complex numbers are two reals each; integers of 4 and 2 bits may lie together in one of 32.
        let (factor, per) = match self.kind {
            14 | 15 => (2, 1),
            21..=23 => (1, 2),
            25 | 26 => (1, 4),
            _ => (1, 1),
        };
        let (least, most) = ((count * factor).div_ceil(per), count * factor);
        if (least..=most).contains(&data.numbers) { Ok(()) } else { wrong(data.numbers, "numbers", most) }
    }
}

/// Where the numbers of a tensor are.
#[derive(Debug, Default)]
struct Data<'a> {
    raw: Option<&'a [u8]>,
    numbers: u64,
    is_external: bool,
    entries: Vec<(&'a str, &'a str)>,
}

impl<'a> Data<'a> {
    fn field(&mut self, field: &Field<'a>, tensor: &mut Tensor<'a>) -> Result<()> {
        match field.number {
            4 => self.numbers += field.fixed_count(4)? as u64,
            10 => self.numbers += field.fixed_count(8)? as u64,
            5 | 7 | 11 => field.ints(|value| {
                self.numbers += 1;
                if tensor.ints.len() < KEPT {
                    tensor.ints.push(value);
                }
            })?,
            6 => {
                self.numbers += 1;
                if tensor.texts.len() < KEPT {
                    tensor.texts.push(field.bytes()?);
                }
            }
            9 => self.raw = Some(field.bytes()?),
            13 => {
                self.entries.push(entry(field.bytes()?)?);
                limits::check("entries of external data", self.entries.len(), limits::ATTRIBUTES)?;
            }
            14 => {
                self.is_external = match field.int()? {
                    0 => false,
                    1 => true,
                    other => return Err(Error::malformed(format!("data in a place of kind {other}"))),
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn external(&self, tensor: &Tensor<'a>) -> Result<Option<External<'a>>> {
        if !self.is_external {
            return Ok(None);
        }
        let get = |key: &str| self.entries.iter().find(|(known, _)| *known == key).map(|(_, value)| *value);
        let location = get("location").ok_or_else(|| Error::malformed("its data is in a file that is not named"))?;
        // What the runtime writes where data is at an address of its own process; a file never needs it.
        if location.contains("_ORT_MEM_ADDR_") {
            return Err(Error::malformed("its data is said to be at an address in memory"));
        }
        let needed = tensor.needed()?.ok_or_else(|| Error::malformed("text in a file beside the model"))?;
        let offset = get("offset").map_or(Ok(0), |text| number("offset", text))?;
        if let Some(length) = get("length").map(|text| number("length", text)).transpose()?
            && length != needed
        {
            return Err(Error::malformed(format!(
                "{length} bytes in a file, its shape {:?} asks for {needed}",
                tensor.dims
            )));
        }
        Ok(Some(External { location, offset, needed }))
    }
}

impl External<'_> {
    /// Checks that the file holds the range.
    ///
    /// # Errors
    /// `MI_MALFORMED` when it ends before.
    pub fn check(&self, bytes: &[u8]) -> Result<()> {
        match self.offset.checked_add(self.needed) {
            Some(end) if end <= bytes.len() as u64 => Ok(()),
            _ => Err(Error::malformed(format!(
                "{} has {} bytes, {} from byte {} on are needed",
                self.location,
                bytes.len(),
                self.needed,
                self.offset
            ))),
        }
    }
}

/// A `StringStringEntryProto`.
///
/// # Errors
/// `MI_MALFORMED` for bytes that are none.
pub fn entry(bytes: &[u8]) -> Result<(&str, &str)> {
    let (mut key, mut value) = ("", "");
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => key = field.text()?,
            2 => value = field.text()?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// Checks a `SparseTensorProto`, which the runtime makes dense.
///
/// # Errors
/// As [`Tensor::read`].
pub fn check_sparse(bytes: &[u8]) -> Result<()> {
    let mut dims = Vec::new();
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.next()? {
        match field.number {
            1 | 2 => {
                let part = Tensor::read(field.bytes()?)?;
                if part.external.is_some() {
                    return Err(Error::unsupported(
                        "a sparse tensor in a file beside the model; save it inside of the model",
                    ));
                }
            }
            3 => field.ints(|size| dims.push(size))?,
            _ => {}
        }
    }
    product(&dims).map(|_| ())
}
