//! The least of a `.npy` reader that fixtures need: float64, C order, two dimensions.

use std::path::Path;

/// A row-major matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    pub rows: usize,
    pub columns: usize,
    pub data: Vec<f64>,
}

/// Reads a file that numpy wrote.
pub fn read(path: &Path) -> Matrix {
    let bytes = std::fs::read(path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()));
    assert!(bytes.starts_with(b"\x93NUMPY\x01\x00"), "{} is not .npy version 1", path.display());
    let header_end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..header_end]).unwrap();
    assert!(header.contains("'<f8'") && header.contains("'fortran_order': False"), "{}: {header}", path.display());
    let shape = &header[header.find('(').unwrap() + 1..header.find(')').unwrap()];
    let shape: Vec<usize> =
        shape.split(',').map(str::trim).filter(|n| !n.is_empty()).map(|n| n.parse().unwrap()).collect();
    let (rows, columns) = match shape[..] {
        [rows, columns] => (rows, columns),
        [columns] => (1, columns),
        _ => panic!("{}: shape {shape:?}", path.display()),
    };
    let data: Vec<f64> =
        bytes[header_end..].chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(data.len(), rows * columns, "{}", path.display());
    Matrix { rows, columns, data }
}
