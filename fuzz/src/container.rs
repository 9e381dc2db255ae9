//! Changes inside of a compressed file: unpacked, changed, packed again.

use crate::{Random, opcodes};
use libfuzzer_sys::fuzzer_mutate;
use mi::codec::inflate::Container;
use std::io::Write;

/// The most that is unpacked.
const CONTENT: usize = 1 << 18;

/// The file with other content; `None` when it is no compressed file.
pub fn mutate(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let container = Container::sniff(bytes)?;
    let mut content = container.inflate(bytes, CONTENT).ok()?;
    let size = content.len();
    if random.below(2) == 0 {
        content = opcodes::mutate(&content, random);
    } else {
        content.resize(2 * size + 64, 0);
        let room = content.len();
        let size = fuzzer_mutate(&mut content, size, room);
        content.truncate(size);
    }
    pack(container, bytes, &content).ok()
}

fn pack(container: Container, before: &[u8], content: &[u8]) -> std::io::Result<Vec<u8>> {
    let level = flate2::Compression::fast();
    let zlib = |mut packed: Vec<u8>| {
        let mut encoder = flate2::write::ZlibEncoder::new(&mut packed, level);
        encoder.write_all(content)?;
        encoder.finish()?;
        Ok(packed)
    };
    match container {
        Container::Zlib => zlib(Vec::new()),
        Container::ZFile => zlib(before[..before.len().min(21)].to_vec()),
        Container::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(content)?;
            encoder.finish()
        }
        Container::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(content)?;
            encoder.finish()
        }
        Container::Lz4 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(content)?;
            Ok(encoder.finish()?)
        }
        Container::Xz => {
            let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0))?;
            encoder.write_all(content)?;
            encoder.finish()
        }
        Container::Lzma => {
            let options = lzma_rust2::LzmaOptions::with_preset(0);
            let mut encoder = lzma_rust2::LzmaWriter::new_use_header(Vec::new(), &options, None)?;
            encoder.write_all(content)?;
            encoder.finish()
        }
    }
}
