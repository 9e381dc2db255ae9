//! Vectors in registers, for the one kernel that cannot do without: products of matrices. All other kernels are loops that the
//! compiler turns into vector instructions by itself.

use super::real::Real;

/// Instructions of a level. A value of such a type is the proof that the processor has them: only [`super::level`] makes one.
pub(super) trait Isa: Simd<f32> + Simd<f64> {}

impl<I: Simd<f32> + Simd<f64>> Isa for I {}

/// Vectors of one type of number.
pub(super) trait Simd<T>: Copy {
    /// A vector.
    type Vector: Copy;
    /// Numbers in it.
    const LANES: usize;
    /// Vectors in a panel: so many that a tile of six rows stays in registers.
    const PANEL: usize;

    /// The same number in every lane.
    fn splat(self, value: T) -> Self::Vector;
    /// The first numbers of a slice that has at least [`Simd::LANES`].
    fn load(self, from: &[T]) -> Self::Vector;
    /// Writes the first numbers of a slice that has at least [`Simd::LANES`].
    fn store(self, vector: Self::Vector, to: &mut [T]);
    /// The numbers of a slice that has fewer than [`Simd::LANES`], zeros behind them.
    fn load_some(self, from: &[T]) -> Self::Vector;
    /// Fills a slice that has fewer than [`Simd::LANES`].
    fn store_some(self, vector: Self::Vector, to: &mut [T]);
    /// `sum + left * right`, rounded once where the processor can.
    fn fma(self, left: Self::Vector, right: Self::Vector, sum: Self::Vector) -> Self::Vector;
    /// `left + right`.
    fn add(self, left: Self::Vector, right: Self::Vector) -> Self::Vector;
}

/// What every processor of the target has. Pairs of products and sums are rounded once where that is fast everywhere.
#[derive(Clone, Copy)]
pub(super) struct Plain;

impl<T: Real> Simd<T> for Plain {
    type Vector = [T; 4];
    const LANES: usize = 4;
    const PANEL: usize = 2;

    #[inline(always)]
    fn splat(self, value: T) -> [T; 4] {
        [value; 4]
    }

    #[inline(always)]
    fn load(self, from: &[T]) -> [T; 4] {
        [from[0], from[1], from[2], from[3]]
    }

    #[inline(always)]
    fn store(self, vector: [T; 4], to: &mut [T]) {
        to[..4].copy_from_slice(&vector);
    }

    #[inline(always)]
    fn load_some(self, from: &[T]) -> [T; 4] {
        let mut vector = [T::default(); 4];
        vector.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        vector
    }

    #[inline(always)]
    fn store_some(self, vector: [T; 4], to: &mut [T]) {
        to.iter_mut().zip(vector).for_each(|(to, from)| *to = from);
    }

    #[inline(always)]
    fn fma(self, left: [T; 4], right: [T; 4], sum: [T; 4]) -> [T; 4] {
        const FUSED: bool = cfg!(target_arch = "aarch64");
        let lane = |l: usize| left[l].fma::<FUSED>(right[l], sum[l]);
        [lane(0), lane(1), lane(2), lane(3)]
    }

    #[inline(always)]
    fn add(self, left: [T; 4], right: [T; 4]) -> [T; 4] {
        [left[0] + right[0], left[1] + right[1], left[2] + right[2], left[3] + right[3]]
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod x86 {
    use super::Simd;
    use std::arch::x86_64 as arch;

    /// AVX-512 F, VL, DQ and BW.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx512(());

    /// AVX2 and FMA.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx2(());

    impl Avx512 {
        /// # Safety
        /// The processor has these instructions.
        #[inline(always)]
        pub(in super::super) unsafe fn new() -> Self {
            Self(())
        }
    }

    impl Avx2 {
        /// # Safety
        /// The processor has these instructions.
        #[inline(always)]
        pub(in super::super) unsafe fn new() -> Self {
            Self(())
        }
    }

    /// A mask of the first `count` of 16 lanes.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // a count of lanes
    fn first_16(count: usize) -> arch::__mmask16 {
        u16::MAX.checked_shr(16 - count as u32).unwrap_or(0)
    }

    /// A mask of the first `count` of 8 lanes.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // a count of lanes
    fn first_8(count: usize) -> arch::__mmask8 {
        u8::MAX.checked_shr(8 - count as u32).unwrap_or(0)
    }

    /// A mask of the first `count` of 8 lanes.
    ///
    /// # Safety
    /// The processor has AVX2.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // a count of lanes
    unsafe fn lanes_8(count: usize) -> arch::__m256i {
        // SAFETY: as promised.
        unsafe {
            let lanes = arch::_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            arch::_mm256_cmpgt_epi32(arch::_mm256_set1_epi32(count as i32), lanes)
        }
    }

    /// A mask of the first `count` of 4 lanes.
    ///
    /// # Safety
    /// The processor has AVX2.
    #[inline(always)]
    #[allow(clippy::cast_possible_wrap)] // a count of lanes
    unsafe fn lanes_4(count: usize) -> arch::__m256i {
        // SAFETY: as promised.
        unsafe {
            let lanes = arch::_mm256_setr_epi64x(0, 1, 2, 3);
            arch::_mm256_cmpgt_epi64(arch::_mm256_set1_epi64x(count as i64), lanes)
        }
    }

    macro_rules! simd {
        ($isa:ident, $number:ty, $vector:ident, $lanes:literal, $panel:literal,
         $splat:ident, $load:ident, $store:ident, $fma:ident, $add:ident,
         |$from:ident, $there:ident| $load_some:expr, |$to:ident, $all:ident, $room:ident| $store_some:expr) => {
            impl Simd<$number> for $isa {
                type Vector = arch::$vector;
                const LANES: usize = $lanes;
                const PANEL: usize = $panel;

                #[inline(always)]
                fn splat(self, value: $number) -> Self::Vector {
                    // SAFETY: `self` is the proof that the processor has the instruction.
                    unsafe { arch::$splat(value) }
                }

                #[inline(always)]
                fn load(self, from: &[$number]) -> Self::Vector {
                    let from = &from[..$lanes];
                    // SAFETY: as above; the slice has as many numbers as are read, which need no alignment.
                    unsafe { arch::$load(from.as_ptr()) }
                }

                #[inline(always)]
                fn store(self, vector: Self::Vector, to: &mut [$number]) {
                    let to = &mut to[..$lanes];
                    // SAFETY: as above; the slice has as many numbers as are written, which need no alignment.
                    unsafe { arch::$store(to.as_mut_ptr(), vector) }
                }

                #[inline(always)]
                fn load_some(self, from: &[$number]) -> Self::Vector {
                    let ($from, $there) = (from.as_ptr(), from.len().min($lanes));
                    // SAFETY: as above; lanes beyond the slice are masked, so that nothing is read for them.
                    unsafe { $load_some }
                }

                #[inline(always)]
                fn store_some(self, vector: Self::Vector, to: &mut [$number]) {
                    let ($to, $all, $room) = (to.as_mut_ptr(), vector, to.len().min($lanes));
                    // SAFETY: as above; lanes beyond the slice are masked, so that nothing is written for them.
                    unsafe { $store_some }
                }

                #[inline(always)]
                fn fma(self, left: Self::Vector, right: Self::Vector, sum: Self::Vector) -> Self::Vector {
                    // SAFETY: as above.
                    unsafe { arch::$fma(left, right, sum) }
                }

                #[inline(always)]
                fn add(self, left: Self::Vector, right: Self::Vector) -> Self::Vector {
                    // SAFETY: as above.
                    unsafe { arch::$add(left, right) }
                }
            }
        };
    }

    simd!(
        Avx512,
        f32,
        __m512,
        16,
        4,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        |from, count| arch::_mm512_maskz_loadu_ps(first_16(count), from),
        |to, vector, count| arch::_mm512_mask_storeu_ps(to, first_16(count), vector)
    );
    simd!(
        Avx512,
        f64,
        __m512d,
        8,
        4,
        _mm512_set1_pd,
        _mm512_loadu_pd,
        _mm512_storeu_pd,
        _mm512_fmadd_pd,
        _mm512_add_pd,
        |from, count| arch::_mm512_maskz_loadu_pd(first_8(count), from),
        |to, vector, count| arch::_mm512_mask_storeu_pd(to, first_8(count), vector)
    );
    simd!(
        Avx2,
        f32,
        __m256,
        8,
        2,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        |from, count| arch::_mm256_maskload_ps(from, lanes_8(count)),
        |to, vector, count| arch::_mm256_maskstore_ps(to, lanes_8(count), vector)
    );
    simd!(
        Avx2,
        f64,
        __m256d,
        4,
        2,
        _mm256_set1_pd,
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        _mm256_fmadd_pd,
        _mm256_add_pd,
        |from, count| arch::_mm256_maskload_pd(from, lanes_4(count)),
        |to, vector, count| arch::_mm256_maskstore_pd(to, lanes_4(count), vector)
    );
}
