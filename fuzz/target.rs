//! Every fuzz target; which one it is, the name of the program tells.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target};

const NAME: &str = env!("CARGO_BIN_NAME");

fuzz_target!(|bytes: &[u8]| -> Corpus { if mi_fuzz::run(NAME, bytes) { Corpus::Keep } else { Corpus::Reject } });

fuzz_mutator!(|bytes: &mut [u8], size: usize, room: usize, seed: u32| {
    mi_fuzz::mutate(NAME, bytes, size, room, seed)
});
