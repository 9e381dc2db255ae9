//! The least of linear algebra: matrices that a library inverts each time it transforms are inverted once, when a model is read.

use crate::error::{Error, Result};
use crate::limits;

/// `X` with `A X = B`, for `A` of shape (count, count) and `B` of shape (count, columns), by elimination with row pivots.
///
/// # Errors
/// `MI_MALFORMED` for a singular matrix or shapes that disagree, `MI_LIMIT_EXCEEDED` when it would take too long.
pub(super) fn solve(count: usize, mut a: Vec<f64>, mut b: Vec<f64>) -> Result<Vec<f64>> {
    if count == 0 || count.checked_mul(count) != Some(a.len()) || !b.len().is_multiple_of(count) {
        return Err(Error::malformed(format!("{} numbers for a matrix of {count} rows", a.len())));
    }
    let columns = b.len() / count;
    let work = count.saturating_mul(count).saturating_mul(count.saturating_add(columns));
    limits::check("multiplications", work, limits::SOLVING)?;
    for at in 0..count {
        let size = |row: usize| a[row * count + at].abs();
        let pivot = (at..count).max_by(|&x, &y| size(x).total_cmp(&size(y))).unwrap_or(at);
        if !size(pivot).is_normal() {
            return Err(Error::malformed("a matrix that cannot be inverted"));
        }
        for column in 0..count {
            a.swap(at * count + column, pivot * count + column);
        }
        for column in 0..columns {
            b.swap(at * columns + column, pivot * columns + column);
        }
        for row in 0..count {
            if row == at {
                continue;
            }
            let factor = a[row * count + at] / a[at * count + at];
            if factor == 0.0 {
                continue;
            }
            for column in at..count {
                a[row * count + column] -= factor * a[at * count + column];
            }
            for column in 0..columns {
                b[row * columns + column] -= factor * b[at * columns + column];
            }
        }
    }
    for (row, solved) in b.chunks_exact_mut(columns.max(1)).enumerate() {
        let diagonal = a[row * count + row];
        solved.iter_mut().for_each(|x| *x /= diagonal);
    }
    Ok(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_are_solved() {
        // Without pivots the first step would divide by 0.
        let solved = solve(2, vec![0.0, 2.0, 4.0, 1.0], vec![2.0, 6.0, 9.0, 7.0]).unwrap();
        assert_eq!(solved, [2.0, 1.0, 1.0, 3.0]);
        assert!(solve(2, vec![1.0, 2.0, 2.0, 4.0], vec![1.0, 1.0]).is_err());
        assert!(solve(2, vec![f64::NAN; 4], vec![1.0, 1.0]).is_err());
    }
}
