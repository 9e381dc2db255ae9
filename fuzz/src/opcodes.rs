//! Changes of a pickle by whole opcodes, so that most of what comes out is a pickle again.

use crate::Random;

/// Objects that a reader does not expect.
const OBJECTS: [&[u8]; 24] = [
    b"N",
    b"\x88",
    b"\x89",
    b"K\x00",
    b"K\x01",
    b"K\xff",
    b"M\xff\xff",
    b"J\xff\xff\xff\xff",
    b"J\xff\xff\xff\x7f",
    b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x00",
    b"G\x7f\xf8\x00\x00\x00\x00\x00\x00",
    b"G\x7f\xf0\x00\x00\x00\x00\x00\x00",
    b"G\x80\x00\x00\x00\x00\x00\x00\x00",
    b"G\x43\xf0\x00\x00\x00\x00\x00\x00",
    b"G\x3f\xe0\x00\x00\x00\x00\x00\x00",
    b"]",
    b"}",
    b")",
    b"\x8f",
    b"\x8c\x00",
    b"C\x00",
    b"K\x02K\x03\x86",
    b"]K\x05a",
];

/// Numbers that arrays are spoilt with, as they lie in memory.
const NUMBERS: [[u8; 8]; 10] = [
    [0; 8],
    [255; 8],
    [255, 255, 255, 255, 255, 255, 255, 127],
    [0, 0, 0, 0, 0, 0, 0, 128],
    [1, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 128, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 248, 127],
    [0, 0, 0, 0, 0, 0, 240, 127],
    [0, 0, 0, 0, 0, 0, 224, 67],
    [255, 0, 0, 0, 0, 0, 0, 0],
];

/// The pickle with one to four changes. Frames go first: their lengths would no longer be true.
pub fn mutate(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut ops = split(bytes);
    if random.below(16) > 0 {
        ops.retain(|op| op[0] != 0x95);
    }
    for _ in 0..=random.below(4) {
        change(&mut ops, random);
    }
    ops.concat()
}

fn change(ops: &mut Vec<Vec<u8>>, random: &mut Random) {
    if ops.is_empty() {
        return;
    }
    let at = random.below(ops.len());
    let to = random.below(ops.len());
    let few = (at + 1 + random.below(4)).min(ops.len());
    match random.below(10) {
        0 => drop(ops.drain(at..few)),
        1 => {
            let copy = ops[at..few].to_vec();
            ops.splice(to..to, copy);
        }
        2 => ops.swap(at, to),
        // One object for another.
        3 | 4 => {
            if let Some(place) = find(ops, at, pushes) {
                ops[place] = object(random);
            }
        }
        // One object for an earlier one.
        5 => {
            if let Some(place) = find(ops, at, pushes) {
                ops[place] = vec![b'h', random.below(64) as u8];
            }
        }
        // One word for another one of the same pickle, or for the name of a class.
        6 => {
            let words: Vec<Vec<u8>> = ops.iter().filter(|op| op[0] == 0x8c).cloned().collect();
            if let (Some(place), Some(word)) = (find(ops, at, |op| op[0] == 0x8c), random.one(&words)) {
                ops[place].clone_from(word);
            }
        }
        7 => {
            let classes = mi::formats::sklearn_classes();
            if let (Some(place), Some((class, _, _))) = (find(ops, at, |op| op[0] == 0x93), random.one(&classes)) {
                let name = class.rsplit('.').next().unwrap_or(class);
                if let Some(before) = (0..place).rev().find(|&before| ops[before][0] == 0x8c) {
                    ops[before] = word(name);
                }
            }
        }
        // One more attribute, which hides an earlier one of the same name.
        8 => {
            let names: Vec<Vec<u8>> = ops.iter().filter(|op| op[0] == 0x8c).cloned().collect();
            if let (Some(place), Some(name)) = (find(ops, at, |op| op[0] == b'u'), random.one(&names)) {
                let pair = [name.clone(), object(random)];
                ops.splice(place..place, pair);
            }
        }
        // Another number in an array.
        _ => {
            if let (Some(place), Some(number)) = (find(ops, at, |op| op.len() > 12), random.one(&NUMBERS)) {
                let op = &mut ops[place];
                let head = op.len() - operand(op);
                let width = [1, 4, 8][random.below(3)];
                let from = head + random.below(operand(op)) / width * width;
                let len = width.min(op.len() - from);
                op[from..from + len].copy_from_slice(&number[..len]);
            }
        }
    }
}

fn object(random: &mut Random) -> Vec<u8> {
    random.one(&OBJECTS).map_or_else(Vec::new, |object| object.to_vec())
}

fn word(text: &str) -> Vec<u8> {
    [&[0x8c, u8::try_from(text.len()).unwrap_or(0)], text.as_bytes()].concat()
}

/// The first opcode from `at` on, round the end, that is of this kind.
fn find(ops: &[Vec<u8>], at: usize, kind: impl Fn(&[u8]) -> bool) -> Option<usize> {
    (at..ops.len()).chain(0..at).find(|&place| kind(&ops[place]))
}

/// Pushes one object and takes none.
fn pushes(op: &[u8]) -> bool {
    b"NKMJGIFLXVCBUTS])}hjg\x88\x89\x8a\x8b\x8c\x8d\x8e\x96\x8f".contains(&op[0])
}

/// Bytes of text or data at the end of an opcode with a length.
fn operand(op: &[u8]) -> usize {
    match op[0] {
        b'C' | b'U' | 0x8a | 0x8c => op.len() - 2,
        b'B' | b'X' | b'T' | 0x8b => op.len() - 5,
        0x8d | 0x8e | 0x96 => op.len() - 9,
        _ => op.len() - 1,
    }
}

/// The opcodes with their operands; what follows the first one that is unknown or cut short is one piece.
fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut ops = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let len = length(rest).filter(|&len| len <= rest.len()).unwrap_or(rest.len());
        let (op, behind) = rest.split_at(len);
        ops.push(op.to_vec());
        rest = behind;
    }
    ops
}

/// Bytes of the first opcode and its operands.
fn length(bytes: &[u8]) -> Option<usize> {
    let line = |from: usize| Some(from + bytes.get(from..)?.iter().position(|&byte| byte == b'\n')? + 1);
    let counted = |width: usize| {
        let mut wide = [0; 8];
        wide[..width].copy_from_slice(bytes.get(1..1 + width)?);
        usize::try_from(u64::from_le_bytes(wide)).ok()?.checked_add(1 + width)
    };
    match bytes[0] {
        b'K' | b'h' | b'q' | 0x80 | 0x82 => Some(2),
        b'M' | 0x83 => Some(3),
        b'J' | b'r' | b'j' | 0x84 => Some(5),
        b'G' | 0x95 => Some(9),
        b'C' | b'U' | 0x8a | 0x8c => counted(1),
        b'B' | b'X' | b'T' | 0x8b => counted(4),
        0x8d | 0x8e | 0x96 => counted(8),
        b'I' | b'L' | b'F' | b'V' | b'S' | b'P' | b'p' | b'g' => line(1),
        b'c' | b'i' => line(line(1)?),
        b'.' | b'(' | b'0' | b'1' | b'2' | b'N' | b')' | b't' | b']' | b'l' | b'}' | b'd' | b'a' | b'e' | b's'
        | b'u' => Some(1),
        b'R' | b'o' | b'b' | b'Q' | 0x81 | 0x85..=0x89 | 0x8f..=0x94 | 0x97 | 0x98 => Some(1),
        _ => None,
    }
}
