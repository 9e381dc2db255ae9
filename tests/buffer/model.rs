//! A million random operations: a buffer does what a list of rows for each symbol does.

use super::{NOON, Random, SECOND, buffer_with, sequence};
use mi::Status;
use mi::buffer::{Buffer, Standing};
use std::collections::BTreeMap;
use std::time::Duration;

const OPERATIONS: usize = 1_000_000;
const STEPS: usize = 7;
const WIDTH: usize = 3;
const WARMUP: usize = 4;
const TTL: i64 = 60 * SECOND;
const SYMBOLS: usize = 9;
/// One less than there are names: the last one is refused now and then.
const CAP: usize = SYMBOLS - 1;

type Row = [f32; WIDTH];

/// What a buffer is, said plainly: all rows that a symbol ever had.
type Plain = BTreeMap<String, Vec<(Row, i64)>>;

fn last(rows: &[(Row, i64)]) -> &[(Row, i64)] {
    &rows[rows.len().saturating_sub(STEPS)..]
}

fn standing(plain: &Plain, symbol: &str, now: i64) -> Standing {
    let Some((_, newest_ns)) = plain.get(symbol).and_then(|rows| rows.last()).copied() else {
        return Standing::default();
    };
    let rows = last(&plain[symbol]).len();
    let old = i128::from(now) - i128::from(newest_ns) > i128::from(TTL);
    Standing { rows, newest_ns, ready: rows >= WARMUP && !old, stale: rows >= WARMUP && old }
}

fn compare_sequence(buffer: &Buffer, plain: &Plain, symbol: &str, now: i64) {
    let expected = standing(plain, symbol, now);
    match sequence(buffer, symbol, now) {
        Ok(got) => {
            assert!(expected.ready, "{symbol}");
            let rows = last(&plain[symbol]);
            let zeros = std::iter::repeat_n(0.0_f32, (STEPS - rows.len()) * WIDTH);
            let all = zeros.chain(rows.iter().flat_map(|(row, _)| row.iter().copied()));
            assert!(got.iter().map(|value| value.to_bits()).eq(all.map(f32::to_bits)), "{symbol}");
        }
        Err(error) if expected.stale => assert_eq!(error.status(), Status::Stale),
        Err(error) => {
            assert!(!expected.ready);
            assert_eq!(error.status(), Status::NotReady);
        }
    }
}

/// Appends to the plain rows, where that is right; whether it was.
fn append(plain: &mut Plain, symbol: &str, row: Row, time: i64) -> Result<(), Status> {
    if row.iter().any(|value| !value.is_finite()) {
        return Err(Status::InvalidArgument);
    }
    if !plain.contains_key(symbol) && plain.len() == CAP {
        return Err(Status::LimitExceeded);
    }
    let rows = plain.entry(symbol.to_owned()).or_default();
    if rows.last().is_some_and(|(_, newest)| time < *newest) {
        return Err(Status::InvalidArgument);
    }
    if rows.len() == 100 * STEPS {
        rows.drain(..rows.len() - STEPS);
    }
    rows.push((row, time));
    Ok(())
}

/// A push and a read in one: what the two say one after the other, at the time of the row.
fn push_and_compare(buffer: &Buffer, plain: &mut Plain, symbol: &str, row: Row, time: i64) {
    let mut out = [7.0; STEPS * WIDTH];
    let got = buffer.push_sequence(symbol, &row, time, &mut out).map_err(|error| error.status());
    let pushed = append(plain, symbol, row, time);
    let expected = pushed.and_then(|()| sequence(buffer, symbol, time).map_err(|error| error.status()));
    assert_eq!(got, expected.as_ref().map(|_| ()).map_err(|status| *status));
    compare_sequence(buffer, plain, symbol, time);
    let whole = expected.unwrap_or_else(|_| vec![7.0; STEPS * WIDTH]);
    assert!(out.iter().zip(&whole).all(|(a, b)| a.to_bits() == b.to_bits()), "{symbol}");
}

fn random_row(random: &mut Random) -> Row {
    let mut row = [random.float(), random.float(), random.float()];
    if random.below(20) == 0 {
        row[random.below(WIDTH)] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][random.below(3)];
    }
    row
}

#[test]
fn a_million_random_operations() {
    let folder = tempfile::tempdir().unwrap();
    let new = || {
        buffer_with(STEPS, WIDTH, |options| {
            options.ttl = Duration::from_mins(1);
            options.warmup_rows = WARMUP;
            options.max_symbols = CAP;
        })
    };
    let mut buffer = new();
    let mut plain = Plain::new();
    let mut saved: Option<Plain> = None;
    let path = folder.path().join("state");
    let mut random = Random(20_261_021);
    let names: Vec<String> = (0..SYMBOLS).map(|number| format!("SYM{number}")).collect();
    let mut clock = NOON;
    let mut counts = [0_usize; 9];
    for _ in 0..OPERATIONS {
        let symbol = &names[random.below(SYMBOLS)];
        // Time mostly goes on, at times not at all, at times a step back.
        clock += [0, 1, SECOND, -SECOND][random.below(4)] * i64::try_from(random.below(3)).unwrap();
        let now = clock + [0, SECOND, TTL, TTL + 1, -TTL][random.below(5)];
        let kind = match random.below(20_000) {
            0 => 8,
            1 => 7,
            2..=5 => 6,
            6..=50 => 5,
            51..=200 => 4,
            201..=600 => 3,
            601..=1600 => 2,
            1601..=8000 => 1,
            _ => 0,
        };
        counts[kind] += 1;
        match kind {
            0 => {
                let row = random_row(&mut random);
                if random.below(4) == 0 {
                    push_and_compare(&buffer, &mut plain, symbol, row, clock);
                    continue;
                }
                let got = buffer.push(symbol, &row, clock).map_err(|error| error.status());
                assert_eq!(got, append(&mut plain, symbol, row, clock), "{symbol} {row:?}");
            }
            1 => compare_sequence(&buffer, &plain, symbol, now),
            2 => {
                let width = [0, 1, WIDTH - 1, WIDTH + 1][random.below(4)];
                let refused = buffer.push(symbol, &vec![1.0; width], clock).unwrap_err();
                assert_eq!(refused.status(), Status::ShapeMismatch);
            }
            3 => {
                assert_eq!(buffer.standing(symbol, now).unwrap(), standing(&plain, symbol, now));
                assert_eq!(buffer.ready(symbol, now).unwrap(), standing(&plain, symbol, now).ready);
            }
            4 => {
                let rows: Vec<Row> = (0..random.below(2 * STEPS)).map(|_| random_row(&mut random)).collect();
                let times: Vec<i64> = rows.iter().map(|_| clock + [0, 1, -SECOND, SECOND][random.below(4)]).collect();
                let got = buffer.push_rows(symbol, rows.as_flattened(), Some(&times)).map_err(|error| error.status());
                let outcomes: Vec<_> =
                    rows.iter().zip(&times).map(|(row, time)| append(&mut plain, symbol, *row, *time)).collect();
                let full = outcomes.contains(&Err(Status::LimitExceeded));
                let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
                assert_eq!(got, if full { Err(Status::LimitExceeded) } else { Ok(accepted) });
            }
            5 => {
                let all = plain.keys().cloned().collect::<Vec<_>>();
                assert_eq!((buffer.symbol_count(), buffer.symbols()), (all.len(), all));
                let ready: Vec<_> =
                    plain.keys().filter(|symbol| standing(&plain, symbol, now).ready).cloned().collect();
                assert_eq!(buffer.ready_symbols(now), ready);
            }
            6 => match random.below(8) {
                0 => {
                    buffer.reset_all();
                    plain.values_mut().for_each(Vec::clear);
                }
                1..5 => {
                    buffer.reset(symbol).unwrap();
                    plain.entry(symbol.clone()).and_modify(Vec::clear);
                }
                _ => {
                    buffer.remove(symbol).unwrap();
                    plain.remove(symbol);
                }
            },
            7 => {
                buffer.save(&path).unwrap();
                saved = Some(plain.clone());
            }
            _ => {
                let Some(saved) = &saved else { continue };
                if random.below(2) == 0 {
                    buffer = new();
                }
                buffer.restore(&path).unwrap();
                plain.clone_from(saved);
                names.iter().for_each(|symbol| compare_sequence(&buffer, &plain, symbol, NOON));
            }
        }
    }
    println!("pushes, reads, wrong widths, standings, histories, listings, resets, saves, restores: {counts:?}");
    assert!(counts.iter().all(|&count| count > 20), "{counts:?}");
}
