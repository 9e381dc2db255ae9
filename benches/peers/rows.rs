//! The rows that every library is asked about, in each type that one of them wants.

use std::path::Path;

/// Rows of a batch at most.
pub const LARGEST: usize = 10_000;

/// A matrix, repeated until it has [`LARGEST`] rows.
pub struct Rows {
    /// Rows that differ.
    pub distinct: usize,
    /// Columns of a row.
    pub columns: usize,
    /// Whether the training library rounds rows to float32.
    pub single: bool,
    /// All rows in float64.
    pub wide: Vec<f64>,
    /// All rows in float32.
    pub narrow: Vec<f32>,
    /// Margins by the training library, for the distinct rows.
    pub expected: Vec<f64>,
    /// Margins of a row.
    pub outputs: usize,
}

impl Rows {
    /// Reads `rows.npy` and `expected.npy` of a model.
    pub fn read(folder: &Path) -> Self {
        let (rows, expected) = (matrix(&folder.join("rows.npy")), matrix(&folder.join("expected.npy")));
        let shape = std::fs::read(folder.join("shape.json")).expect("shape.json");
        let shape: serde_json::Value = serde_json::from_slice(&shape).expect("shape.json");
        let single = shape["input"] == "f32";
        let (distinct, columns) = (rows.shape[0], rows.shape[1]);
        let wide: Vec<f64> = rows.data.iter().copied().cycle().take(LARGEST * columns).collect();
        #[allow(clippy::cast_possible_truncation)]
        let narrow = wide.iter().map(|&value| value as f32).collect();
        Self { distinct, columns, single, wide, narrow, outputs: expected.shape[1], expected: expected.data }
    }

    /// A row in float64.
    pub fn wide(&self, index: usize) -> &[f64] {
        &self.wide[index * self.columns..][..self.columns]
    }

    /// A row in float32.
    pub fn narrow(&self, index: usize) -> &[f32] {
        &self.narrow[index * self.columns..][..self.columns]
    }

    /// Margins of the first `count` rows by the training library.
    pub fn expected(&self, count: usize) -> Vec<f64> {
        self.expected.iter().copied().cycle().take(count * self.outputs).collect()
    }
}

struct Matrix {
    shape: Vec<usize>,
    data: Vec<f64>,
}

/// A `.npy` file of float64 with two axes.
fn matrix(path: &Path) -> Matrix {
    let bytes = std::fs::read(path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()));
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..end]).expect("a header in ASCII");
    assert!(header.contains("'fortran_order': False") && header.contains("'<f8'"), "{}: {header}", path.display());
    let shape = &header[header.find('(').expect("a shape") + 1..header.find(')').expect("a shape")];
    let shape: Vec<usize> = shape.split(',').filter_map(|size| size.trim().parse().ok()).collect();
    let data = bytes[end..].chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
    Matrix { shape, data }
}
