//! Hostile and damaged pickles cost an error or inert data, within a second and the memory that their size grants.

mod attack;
mod pickle;

use attack::cost::peak;
use mi::codec::pickle::decode;
use mi::{Result, Status};

#[test]
fn attacks_stay_inert() {
    let mut attacks = 0;
    for file in pickle::files().iter().filter(|file| file.name.starts_with("hostile/")) {
        let graph = attack::graph(&file.name, &file.bytes);
        if let Some(refuse) = file.entry.get("refuse") {
            let error = graph.expect_err(&file.name);
            assert_eq!(
                error.status().c_name().to_str(),
                Ok(refuse["status"].as_str().unwrap()),
                "{}: {error}",
                file.name
            );
            assert!(error.message().contains(refuse["contains"].as_str().unwrap()), "{}: {error}", file.name);
        } else {
            let graph = graph.unwrap_or_else(|error| panic!("{}: {error}", file.name));
            let expected: Vec<_> = file.entry["globals"].as_array().unwrap().iter().collect();
            let found: Vec<_> =
                graph.globals().iter().map(|(module, name)| serde_json::json!([module, name])).collect();
            assert!(found.iter().eq(expected), "{}: {found:?}", file.name);
            attack::pickle(&file.name, &file.bytes, 500);
        }
        attacks += 1;
    }
    assert!(attacks > 50, "only {attacks} attacks");
    assert!(!std::path::Path::new("/tmp/owned").exists(), "a pickle was executed");
}

#[test]
fn a_trojan_in_front_leaves_the_model_as_it_is() {
    for name in ["trojan.pkl", "trojan_marked.pkl", "trojan_behind.pkl", "trojan_inside.pkl"] {
        let bytes = std::fs::read(pickle::folder().join("hostile").join(name)).unwrap();
        let graph = decode(&bytes).unwrap();
        assert!(graph.root().is("shop.models", "Model"), "{name}");
        assert_eq!(graph.root().attr("coef_").unwrap().array_f64().unwrap().data, [1.5, -2.5], "{name}");
    }
}

#[test]
fn cycles_end_with_an_error() {
    let bytes = std::fs::read(pickle::folder().join("hostile/cycle_state.pkl")).unwrap();
    let graph = decode(&bytes).unwrap();
    let mut object = graph.root();
    assert!(object == object.attr("steps").unwrap());
    let error = loop {
        match object.attr("steps") {
            Ok(inner) => object = inner,
            Err(error) => break error,
        }
    };
    assert_eq!(error.status(), Status::LimitExceeded);
    assert!(error.message().contains("within itself"), "{error}");
}

#[test]
fn a_walk_over_doubled_references_ends() {
    fn leaves(object: mi::codec::pickle::Ref<'_>) -> Result<usize> {
        object.list()?.into_iter().map(leaves).sum()
    }
    for name in ["doubling.pkl", "doubling_tuple.pkl"] {
        let bytes = std::fs::read(pickle::folder().join("hostile").join(name)).unwrap();
        let graph = decode(&bytes).unwrap();
        let (result, memory) = peak(|| leaves(graph.root()));
        let error = result.unwrap_err();
        assert_eq!(error.status(), Status::LimitExceeded, "{error}");
        assert!(memory < 100 << 20, "{memory} bytes");
    }
    let bytes = std::fs::read(pickle::folder().join("hostile/doubling_dtype.pkl")).unwrap();
    let graph = decode(&bytes).unwrap();
    assert_eq!(graph.root().structured().unwrap_err().status(), Status::LimitExceeded);
}

/// Opcodes between PROTO and STOP.
fn program(parts: &[&[u8]]) -> Vec<u8> {
    [&[b"\x80\x04".as_slice()], parts, &[b".".as_slice()]].concat().concat()
}

#[test]
fn depth_and_size_cost_no_more_than_their_bytes() {
    let deep = 1_000_000;
    let much = if cfg!(debug_assertions) { deep } else { 4 * deep };
    let new = b"cA\nB\n)\x81".repeat(deep / 10);
    let attacks: Vec<(&str, Vec<u8>)> = vec![
        ("lists in lists", program(&[&b"]".repeat(deep), &b"a".repeat(deep - 1)])),
        ("tuples in tuples", program(&[b")", &b"\x85".repeat(deep)])),
        ("dicts in dicts", program(&[&b"}K\x01".repeat(deep), b"N", &b"s".repeat(deep)])),
        ("marked lists", program(&[&b"(".repeat(deep), &b"l".repeat(deep)])),
        ("frozen sets", program(&[&b"(".repeat(deep), &b"\x91".repeat(deep)])),
        ("states in states", program(&[&new, b"N", &b"b".repeat(deep / 10)])),
        ("calls of calls", program(&[b"cos\nsystem\n", &b")R".repeat(deep)])),
        ("arguments of calls", program(&[&b"cos\nsystem\n".repeat(deep / 10), b"N", &b"\x85R".repeat(deep / 10)])),
        ("persistent ids of ids", program(&[b"N", &b"Q".repeat(deep)])),
        ("bytes of bytes", program(&[&b"cbuiltins\nbytes\n".repeat(deep / 10), b"C\x00", &b"\x85R".repeat(deep / 10)])),
        ("open marks", b"(".repeat(deep)),
        ("many nothings", program(&[&b"N".repeat(2 * much)])),
        ("many lists", program(&[&b"]".repeat(2 * much)])),
        ("many copies", program(&[b"]", &b"2".repeat(2 * much)])),
        ("many memos", program(&[b"]", &b"\x94".repeat(2 * much)])),
        ("many sparse memos", program(&[b"]", &b"r\xff\xff\x0f\x00r\x00\x00\x00\x00".repeat(deep / 2)])),
        ("much ado", program(&[&b"N0".repeat(2 * much), b"N"])),
        ("many globals", program(&[&b"c\n\n".repeat(much)])),
        ("many tuples", program(&[&b"N\x85".repeat(much)])),
        ("many lists of one", program(&[&b"]Na".repeat(much)])),
        ("lists in turns", program(&[b"]q\x00]q\x01", &b"h\x00Na0h\x01Na0".repeat(deep / 2)])),
        ("many dict keys", program(&[b"}", &b"NNs".repeat(much)])),
        ("no line break", [b"\x80\x04V".as_slice(), &b"x".repeat(deep)].concat()),
        ("many lines", program(&[&b"V\\u20ac\n0".repeat(deep), b"N"])),
        ("many strings", program(&[&b"U\x00".repeat(much)])),
        ("many digits", program(&[&b"I1234567\n0".repeat(deep / 2), b"N"])),
    ];
    let mut decoded = 0;
    for (name, bytes) in &attacks {
        decoded += usize::from(attack::pickle(name, bytes, 300));
    }
    assert!(decoded > 15, "only {decoded} of these are pickles");
}

#[test]
fn one_long_string_in_many_places_costs_its_bytes() {
    let many = 200_000;
    // A megabyte of text and a list of references to it, in the memo as 0.
    let text = [b"X\x00\x00\x10\x00".as_slice(), &b"x".repeat(1 << 20), b"q\x000"].concat();
    let name = [b"X\x00\x04\x00\x00".as_slice(), &b"x".repeat(1 << 10), b"q\x010"].concat();
    let dtype = b"cnumpy\ndtype\n(X\x02\x00\x00\x00u1\x89\x88tRq\x020";
    let latin = b"c_codecs\nencode\n(h\x00X\x06\x00\x00\x00latin1tRq\x030";
    let encoded = b"cnumpy.core.multiarray\nscalar\n(h\x02h\x03tRq\x040";
    let long_code = |code: &str| {
        let code = [b"X".as_slice(), &u32::try_from(code.len()).unwrap().to_le_bytes(), code.as_bytes()].concat();
        let dtype = [b"cnumpy\ndtype\n(".as_slice(), &code, b"\x89\x88tR"].concat();
        [b"cnumpy.core.multiarray\nscalar\n(".as_slice(), &dtype, b"C\x01\x07tRq\x040"].concat()
    };
    let keys = [b"}(".as_slice(), &b"h\x00N".repeat(many), b"uq\x040](", &b"h\x04".repeat(many), b"e"].concat();
    let attacks = [
        ("names of classes", program(&[&text, &name, &b"h\x01h\x01\x930".repeat(many), b"N"])),
        ("names that are too long", program(&[&text, &b"h\x00h\x00\x930".repeat(many), b"N"])),
        ("keys", program(&[&text, &keys])),
        ("elements", program(&[&text, b"](", &b"h\x00".repeat(many), b"e"])),
        ("encoded data", program(&[&text, dtype, latin, encoded, b"](", &b"h\x04".repeat(many), b"e"])),
        ("codes of dtypes", program(&[&long_code(&format!("u{:060000}", 1)), b"](", &b"h\x04".repeat(many), b"e"])),
        (
            "units of times",
            program(&[&long_code(&format!("M8[{}]", "s".repeat(1 << 20))), b"](", &b"h\x04".repeat(many), b"e"]),
        ),
    ];
    for (what, bytes) in attacks {
        attack::pickle(what, &bytes, 300);
    }
}

/// The opcodes of joblib's wrapper of an object array, behind which a pickle of its own stands; its state is 1 in the memo.
fn wrapper(extra: usize) -> Vec<u8> {
    let attributes = b"X\x05\x00\x00\x00shapeK\x01\x85X\x05\x00\x00\x00orderX\x01\x00\x00\x00CX\x05\x00\x00\x00dtypecnumpy\ndtype\n(X\x02\x00\x00\x00O8\x89\x88tR";
    let class = b"cjoblib.numpy_pickle\nNumpyArrayWrapper\nq\x000";
    [class.as_slice(), b"}(", attributes, &b"NN".repeat(extra), b"uq\x010"].concat()
}

#[test]
fn many_arrays_of_joblib_cost_their_bytes() {
    let many = 100_000;
    let each = |nested: &[u8]| [b"h\x00)\x81h\x01b".as_slice(), nested, b"0"].concat().repeat(many);
    let attacks = [
        ("object arrays", program(&[&wrapper(0), &each(b"]."), b"N"]), true),
        ("far memos", program(&[&wrapper(0), &each(b"]r\xff\xff\x0f\x00."), b"N"]), false),
        ("wrappers of many attributes", program(&[&wrapper(many), &each(b"]."), b"N"]), false),
        ("marks", program(&[&wrapper(0), &each(b"((((1111N."), b"N"]), true),
        ("arrays in arrays", program(&[&wrapper(0), &b"h\x00)\x81h\x01b".repeat(many), b"N"]), false),
    ];
    for (what, bytes, sound) in attacks {
        assert_eq!(attack::pickle(what, &bytes, 100), sound, "{what}");
    }
}

#[test]
fn a_shared_array_cannot_be_read_without_end() {
    // A list of 100000 references to one array of a million bytes.
    let head = b"cnumpy.core.numeric\n_frombuffer\n(B\x40\x42\x0f\x00";
    let tail = b"cnumpy\ndtype\n(X\x02\x00\x00\x00u1\x89\x88tRJ\x40\x42\x0f\x00\x85X\x01\x00\x00\x00CtRq\x000](";
    let bytes = program(&[head, &vec![1; 1_000_000], tail, &b"h\x00".repeat(100_000), b"e"]);
    let graph = attack::graph("shared array", &bytes).unwrap();
    let arrays = graph.root().list().unwrap();
    assert_eq!(arrays.len(), 100_000);
    assert_eq!(arrays[7].array_f64().unwrap().data.len(), 1_000_000);
    let error = arrays.iter().map(|array| array.array_f64()).find_map(mi::Result::err).unwrap();
    assert_eq!(error.status(), Status::LimitExceeded, "{error}");
}

/// A generator of small numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % count
    }
}

/// Files cut at 200 places and with 500 single bits flipped. Every file when `MI_ALL_DAMAGE` is set: minutes of an optimized
/// build; otherwise some of every folder.
#[test]
fn damage_costs_an_error_or_inert_data() {
    let mut dice = Dice(1);
    let (mut tried, mut decoded) = (0, 0);
    let all = std::env::var_os("MI_ALL_DAMAGE").is_some();
    for (index, file) in pickle::files().iter().enumerate() {
        if !all && index % 32 != 3 {
            continue;
        }
        let places: Vec<usize> = if file.bytes.len() <= 200 {
            (0..file.bytes.len()).collect()
        } else {
            (0..200).map(|_| dice.below(file.bytes.len())).collect()
        };
        for place in places {
            attack::pickle(&format!("{} cut at {place}", file.name), &file.bytes[..place], 20);
            tried += 1;
        }
        for _ in 0..500 {
            let mut bytes = file.bytes.clone();
            let (place, bit) = (dice.below(bytes.len()), dice.below(8));
            bytes[place] ^= 1 << bit;
            decoded += usize::from(attack::pickle(
                &format!("{} with bit {bit} of byte {place} flipped", file.name),
                &bytes,
                20,
            ));
            tried += 1;
        }
    }
    assert!(tried > 5_000 && decoded > 1_000, "{tried} tried, {decoded} decoded");
}
