//! What the versions before 2.0.12 did differently. Their files have no `version=`.
//!
//! They dropped numbers near zero from a row within a wider band than [`ZERO_BAND`]; the difference is put into the thresholds, so
//! that a forest needs one rule for zero. Up to 2.0.4 they dropped NaN as well, split off one category at a time, and from 2.0.1
//! had a value per node that stood in for zero.
//!
//! Sources: `LightGBM` at v2.0, v2.0.3 and v2.0.5: `include/LightGBM/tree.h`, `meta.h`, `src/c_api.cpp`.
//!
//! [`ZERO_BAND`]: crate::ir::forest::ZERO_BAND

use crate::error::{Error, Result};
use crate::ir::forest::{CategorySet, Missing, Side, Test};
use crate::limits;

/// Which dialect a tree is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    /// From 2.0.12 on.
    Versioned,
    /// 2.0.5 to 2.0.11: today's trees, a wider zero.
    Unversioned,
    /// Up to 2.0.4: no `num_cat`, categorical splits on one category.
    OneCategory,
}

/// The band of zero up to 2.0.4.
const ZERO_DOUBLE: f64 = 1e-15;
/// The band of zero from 2.0.5 to 2.0.11.
pub(super) const ZERO_SINGLE: f64 = 1e-15_f32 as f64;

/// The threshold that sends the whole band around zero where the library sends 0.
///
/// A node that treats zero as missing and sends it against the order of its threshold keeps its own: there a number that is
/// not 0 and below 1e-15 may take the other side than in the library.
pub(super) fn widen(threshold: f64, missing: Missing, band: f64) -> f64 {
    if missing == Missing::ZeroOrNan(Side::left_if(threshold < 0.0)) {
        threshold
    } else if (0.0..band).contains(&threshold) {
        band
    } else if (-band..0.0).contains(&threshold) {
        (-band).next_down()
    } else {
        threshold
    }
}

/// The test of a number up to 2.0.4; `default` is what 0 and NaN count as.
pub(super) fn threshold(threshold: f64, default: Option<f64>) -> (Test, Missing) {
    let missing = match default {
        Some(default) if (default <= threshold) != (0.0 <= threshold) => {
            Missing::ZeroOrNan(Side::left_if(default <= threshold))
        }
        _ => Missing::AsZero,
    };
    (Test::Threshold(widen(threshold, missing, ZERO_DOUBLE)), missing)
}

/// The test of a category up to 2.0.4: the one category of the threshold goes left.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn category(split: usize, threshold: f64, default: Option<f64>) -> Result<(CategorySet, Missing)> {
    let one = threshold as i32;
    let category = u32::try_from(one)
        .map_err(|_| Error::unsupported(format!("split {split} is on the negative category {one}")))?;
    limits::check("categories", category as usize + 1, limits::CATEGORIES)?;
    let missing = match default {
        Some(default) => Missing::ZeroOrNan(Side::left_if(default as i32 == one)),
        None => Missing::AsZero,
    };
    Ok((CategorySet::from_categories([category])?, missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_band_goes_where_zero_goes() {
        let band = ZERO_DOUBLE;
        let inputs =
            [-1.0, -2e-15, (-band).next_down(), -band, -1e-16, -0.0, 0.0, 1e-16, band, band.next_up(), 2e-15, 1.0];
        for threshold in [-1.0, -2e-15, -band, -1e-16, -5e-324, -0.0, 0.0, 1e-16, band, 2e-15, 1.0] {
            for missing in [Missing::AsZero, Missing::Nan(Side::Left)] {
                let widened = widen(threshold, missing, band);
                for x in inputs {
                    let snapped = if f64::abs(x) > band { x } else { 0.0 };
                    assert_eq!(x <= widened, snapped <= threshold, "{x:e} at {threshold:e}, widened {widened:e}");
                }
            }
        }
    }

    #[test]
    fn a_default_that_agrees_with_zero_is_no_rule() {
        assert_eq!(threshold(0.5, Some(-3.0)), (Test::Threshold(0.5), Missing::AsZero));
        assert_eq!(threshold(0.5, None), (Test::Threshold(0.5), Missing::AsZero));
        assert_eq!(threshold(0.5, Some(0.75)), (Test::Threshold(0.5), Missing::ZeroOrNan(Side::Right)));
        assert_eq!(threshold(-0.5, Some(-1.0)), (Test::Threshold(-0.5), Missing::ZeroOrNan(Side::Left)));
    }

    #[test]
    fn one_category_goes_left() {
        let (set, missing) = category(0, 3.0, Some(3.7)).unwrap();
        assert!(set.contains(3) && !set.contains(2));
        assert_eq!(missing, Missing::ZeroOrNan(Side::Left));
        assert!(category(0, -1.0, None).is_err());
        assert!(category(0, 1e9, None).is_err());
    }
}
