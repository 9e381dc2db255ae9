//! What the fuzz targets share: what they do with bytes, and how bytes change from one run to the next.

#[path = "../../tests/attack/mod.rs"]
mod attack;
mod container;
mod opcodes;

use libfuzzer_sys::fuzzer_mutate;

/// Hands bytes to the target of this name. False: it has no use for them.
pub fn run(target: &str, bytes: &[u8]) -> bool {
    let known = attack::TARGETS.iter().find(|(name, _)| *name == target);
    let (_, work) = known.unwrap_or_else(|| panic!("TARGETS in tests/attack/mod.rs has no line for '{target}'"));
    work(bytes)
}

/// Changes the first `size` of `bytes`, which has `room` for so many; their new number. Bytes alone cannot keep the checksums of a
/// compressed file, and seldom make a pickle of a pickle.
pub fn mutate(target: &str, bytes: &mut [u8], size: usize, room: usize, seed: u32) -> usize {
    let mut random = Random(u64::from(seed));
    let changed = match target {
        _ if random.below(3) == 0 => None,
        "pickle" | "pickled_model" => Some(opcodes::mutate(&bytes[..size], &mut random)),
        "joblib" => container::mutate(&bytes[..size], &mut random),
        _ => None,
    };
    match changed {
        Some(changed) if changed.len() <= room => {
            bytes[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        _ => fuzzer_mutate(bytes, size, room),
    }
}

/// A small generator of random numbers (SplitMix64): a seed gives the same changes in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }

    fn one<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }
}
