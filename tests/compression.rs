//! Compressed files that hold more than they should, or far more streams than bytes.

mod attack;

use mi::Status;
use mi::codec::pickle;
use std::io::Write;

fn zlib(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// joblib's container of old: a length in hexadecimal, which is not believed, and zlib.
fn zfile(content: &[u8]) -> Vec<u8> {
    [b"ZF0x10               ".as_slice(), &zlib(content)].concat()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn lz4(content: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// An encoder and its name. Those of xz and lzma are Python's; their bombs are among the hostile fixtures.
type Encoder = (&'static str, fn(&[u8]) -> Vec<u8>);

const ENCODERS: [Encoder; 5] = [("zlib", zlib), ("ZF", zfile), ("gzip", gzip), ("bzip2", bzip2), ("lz4", lz4)];

/// A pickle of so many bytes that are 0.
fn zeros(count: u32) -> Vec<u8> {
    let mut pickle = [b"\x80\x04B".as_slice(), &count.to_le_bytes()].concat();
    pickle.resize(pickle.len() + count as usize, 0);
    pickle.push(b'.');
    pickle
}

#[test]
fn bombs_are_cut_short() {
    let content = zeros(200 << 20);
    for (name, encode) in ENCODERS {
        let bomb = encode(&content);
        let error = attack::graph(name, &bomb).unwrap_err();
        assert_eq!(error.status(), Status::LimitExceeded, "{name}: {error}");
        assert!(error.message().contains("granted"), "{name}: {error}");
        assert!(pickle::looks_like(&bomb), "{name}");
    }
}

#[test]
fn what_real_files_reach_is_let_through() {
    let content = zeros(40 << 20);
    for (name, encode) in ENCODERS {
        let sound = encode(&content);
        assert_eq!(attack::graph(name, &sound).unwrap().root().bytes().unwrap().len(), 40 << 20, "{name}");
    }
}

#[test]
fn streams_of_little_or_nothing_end() {
    for (name, encode) in ENCODERS {
        for content in [b"".as_slice(), b"N", &[b'N'; 300]] {
            let stream = encode(content);
            let bytes = stream.repeat((2 << 20) / stream.len());
            attack::pickle(&format!("{name} of {} bytes", content.len()), &bytes, 10);
        }
    }
}

/// A small file whose content is large must not be read over and over: arrays of it are charged for like those of a larger file.
#[test]
fn content_counts_as_far_as_files_are_compressed() {
    let head = b"\x80\x02cnumpy.core.numeric\n_frombuffer\n(B\x00\x00\x80\x02";
    let tail = b"cnumpy\ndtype\n(X\x02\x00\x00\x00u1\x89\x88tRJ\x00\x00\x80\x02\x85X\x01\x00\x00\x00CtR.";
    let small = zlib(&[head.as_slice(), &vec![0; 40 << 20], tail].concat());
    let graph = attack::graph("zeros", &small).unwrap();
    let (error, _) = attack::bounded(&"zeros as numbers", &small, || graph.root().array_f64().unwrap_err());
    assert_eq!(error.status(), Status::LimitExceeded, "{error}");
}
