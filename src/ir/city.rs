//! `CityHash64`, version 1.0 (Pike and Alakuijala 2011), by which `CatBoost` knows a category. Version 1.1 gives other numbers.

const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;
const K3: u64 = 0xc949_d7c7_509e_6557;
/// Multiplier of the mix of two words into one.
const MIX: u64 = 0x9ddf_ea08_eb38_2d69;

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

fn half(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 4].iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

fn fold(x: u64) -> u64 {
    x ^ (x >> 47)
}

/// Two words into one.
fn join(low: u64, high: u64) -> u64 {
    let first = fold((low ^ high).wrapping_mul(MIX));
    fold((high ^ first).wrapping_mul(MIX)).wrapping_mul(MIX)
}

/// The hash of these bytes.
#[must_use]
pub fn hash(bytes: &[u8]) -> u64 {
    match bytes.len() {
        0 => K2,
        1..=3 => tiny(bytes),
        4..=8 => {
            let length = bytes.len() as u64;
            join(length.wrapping_add(half(bytes, 0) << 3), half(bytes, bytes.len() - 4))
        }
        9..=16 => {
            let length = bytes.len();
            let last = word(bytes, length - 8);
            let turned = last.wrapping_add(length as u64).rotate_right(u32::try_from(length).unwrap_or(0));
            join(word(bytes, 0), turned) ^ last
        }
        17..=32 => short(bytes),
        33..=64 => medium(bytes),
        _ => long(bytes),
    }
}

fn tiny(bytes: &[u8]) -> u64 {
    let length = bytes.len();
    let front = u64::from(bytes[0]) + (u64::from(bytes[length >> 1]) << 8);
    let back = length as u64 + (u64::from(bytes[length - 1]) << 2);
    fold(front.wrapping_mul(K2) ^ back.wrapping_mul(K3)).wrapping_mul(K2)
}

fn short(bytes: &[u8]) -> u64 {
    let length = bytes.len();
    let a = word(bytes, 0).wrapping_mul(K1);
    let b = word(bytes, 8);
    let c = word(bytes, length - 8).wrapping_mul(K2);
    let d = word(bytes, length - 16).wrapping_mul(K0);
    join(
        a.wrapping_sub(b).rotate_right(43).wrapping_add(c.rotate_right(30)).wrapping_add(d),
        a.wrapping_add((b ^ K3).rotate_right(20)).wrapping_sub(c).wrapping_add(length as u64),
    )
}

/// One half of [`medium`]: 32 bytes from `at`, started with `seed`, give two words.
fn medium_half(bytes: &[u8], at: usize, seed: u64) -> (u64, u64) {
    let last = word(bytes, at + 24);
    let mut a = seed;
    let mut b = a.wrapping_add(last).rotate_right(52);
    let mut c = a.rotate_right(37);
    a = a.wrapping_add(word(bytes, at + 8));
    c = c.wrapping_add(a.rotate_right(7));
    a = a.wrapping_add(word(bytes, at + 16));
    b = b.wrapping_add(a.rotate_right(31)).wrapping_add(c);
    (a.wrapping_add(last), b)
}

fn medium(bytes: &[u8]) -> u64 {
    let length = bytes.len();
    let end = word(bytes, length - 16).wrapping_add(length as u64);
    let (v_first, v_second) = medium_half(bytes, 0, word(bytes, 0).wrapping_add(end.wrapping_mul(K0)));
    let seed = word(bytes, 16).wrapping_add(word(bytes, length - 32));
    let (w_first, w_second) = medium_half(bytes, length - 32, seed);
    let cross =
        v_first.wrapping_add(w_second).wrapping_mul(K2).wrapping_add(w_first.wrapping_add(v_second).wrapping_mul(K0));
    fold(fold(cross).wrapping_mul(K0).wrapping_add(v_second)).wrapping_mul(K2)
}

/// 32 bytes from `at` and two seeds give two words.
fn weak(bytes: &[u8], at: usize, a: u64, b: u64) -> (u64, u64) {
    let start = a.wrapping_add(word(bytes, at));
    let last = word(bytes, at + 24);
    let b = b.wrapping_add(start).wrapping_add(last).rotate_right(21);
    let sum = start.wrapping_add(word(bytes, at + 8)).wrapping_add(word(bytes, at + 16));
    (sum.wrapping_add(last), b.wrapping_add(sum.rotate_right(44)).wrapping_add(start))
}

#[allow(clippy::many_single_char_names)] // the five words of the state have no other names
fn long(bytes: &[u8]) -> u64 {
    let length = bytes.len();
    let size = length as u64;
    let mut x = word(bytes, 0);
    let mut y = word(bytes, length - 16) ^ K1;
    let mut z = word(bytes, length - 56) ^ K0;
    let mut v = weak(bytes, length - 64, size, y);
    let mut w = weak(bytes, length - 32, size.wrapping_mul(K1), K0);
    z = z.wrapping_add(fold(v.1).wrapping_mul(K1));
    x = z.wrapping_add(x).rotate_right(39).wrapping_mul(K1);
    y = y.rotate_right(33).wrapping_mul(K1);
    // The last block, whole or not, has been taken in above.
    for at in (0..(length - 1) / 64).map(|block| block * 64) {
        x = x.wrapping_add(y).wrapping_add(v.0).wrapping_add(word(bytes, at + 16)).rotate_right(37).wrapping_mul(K1);
        y = y.wrapping_add(v.1).wrapping_add(word(bytes, at + 48)).rotate_right(42).wrapping_mul(K1);
        x ^= w.1;
        y ^= v.0;
        z = (z ^ w.0).rotate_right(33);
        v = weak(bytes, at, v.1.wrapping_mul(K1), x.wrapping_add(w.0));
        w = weak(bytes, at + 32, z.wrapping_add(w.1), y);
        std::mem::swap(&mut z, &mut x);
    }
    join(join(v.0, w.0).wrapping_add(fold(y).wrapping_mul(K1)).wrapping_add(z), join(v.1, w.1).wrapping_add(x))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every length takes another way; whole models with categories of many lengths are compared in the parity test.
    #[test]
    fn every_byte_counts() {
        for length in 0..200usize {
            let bytes: Vec<u8> = (0..length).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect();
            let whole = hash(&bytes);
            for at in 0..length {
                let mut other = bytes.clone();
                other[at] ^= 1;
                assert_ne!(hash(&other), whole, "byte {at} of {length}");
            }
        }
    }
}
