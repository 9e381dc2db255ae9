//! Pushes, reads and the life of a symbol.

use super::counting::allocations;
use super::{NOON, SECOND, buffer, buffer_with, refused, sequence};
use mi::Status;
use mi::buffer::{Buffer, Normalization, Options, Standing};
use std::time::Duration;

#[test]
fn the_last_rows_come_oldest_first() {
    let buffer = buffer(3, 2);
    for step in 0..7_i16 {
        let value = f32::from(step);
        buffer.push("A", &[value, -value], NOON + i64::from(step)).unwrap();
    }
    assert_eq!(sequence(&buffer, "A", NOON).unwrap(), [4.0, -4.0, 5.0, -5.0, 6.0, -6.0]);
    assert_eq!((buffer.sequence_length(), buffer.feature_count()), (3, 2));
}

#[test]
fn missing_rows_are_zeros_at_the_old_end() {
    let buffer = buffer_with(4, 1, |options| options.warmup_rows = 2);
    buffer.push("A", &[1.0], NOON).unwrap();
    assert!(!buffer.ready("A", NOON).unwrap());
    refused(sequence(&buffer, "A", NOON), Status::NotReady, &["A: ", "1 of the 2 rows"]);
    buffer.push("A", &[2.0], NOON).unwrap();
    assert_eq!(sequence(&buffer, "A", NOON).unwrap(), [0.0, 0.0, 1.0, 2.0]);
    refused(sequence(&buffer, "B", NOON), Status::NotReady, &["B: ", "0 of the 2 rows"]);
}

#[test]
fn a_row_that_is_refused_changes_nothing() {
    let buffer = buffer_with(2, 3, |options| {
        options.channels = vec![Some("open".into()), None, Some("volume".into())];
    });
    refused(buffer.push("A", &[1.0, 2.0], NOON), Status::ShapeMismatch, &["A: ", "2 columns", "3"]);
    refused(buffer.push("A", &[], NOON), Status::ShapeMismatch, &["0 columns"]);
    refused(buffer.push("A", &[1.0, f32::NAN, 3.0], NOON), Status::InvalidArgument, &["A: ", "column 1 is NaN"]);
    let infinite = [1.0, 2.0, f32::NEG_INFINITY];
    refused(buffer.push("A", &infinite, NOON), Status::InvalidArgument, &["column 2 (volume) is -inf"]);
    assert_eq!(buffer.symbol_count(), 0, "a refused row made a window");
    buffer.push("A", &[1.0, 2.0, 3.0], NOON).unwrap();
    buffer.push("A", &[4.0, 5.0, 6.0], NOON).unwrap();
    let before = sequence(&buffer, "A", NOON).unwrap();
    refused(buffer.push("A", &[f32::NAN, 0.0, 0.0], NOON), Status::InvalidArgument, &["column 0 (open)"]);
    refused(buffer.push("A", &[7.0, 8.0, 9.0], NOON - 1), Status::InvalidArgument, &["A: ", "1 ns before", "order"]);
    refused(buffer.push("A", &[7.0; 4], NOON), Status::ShapeMismatch, &[]);
    assert_eq!(sequence(&buffer, "A", NOON).unwrap(), before);
    assert_eq!(buffer.standing("A", NOON).unwrap().newest_ns, NOON);
}

#[test]
fn a_window_is_stale_when_its_newest_row_is_older_than_the_time_to_live() {
    let with_ttl = |ttl| {
        let buffer = buffer_with(2, 1, |options| options.ttl = ttl);
        buffer.push("A", &[1.0], NOON).unwrap();
        buffer.push("A", &[2.0], NOON).unwrap();
        buffer
    };
    let buffer = with_ttl(Options::default().ttl);
    for (now, ready) in [(NOON, true), (NOON + 300 * SECOND, true), (NOON + 300 * SECOND + 1, false), (i64::MIN, true)]
    {
        assert_eq!(buffer.ready("A", now).unwrap(), ready, "{now}");
        let standing = Standing { rows: 2, newest_ns: NOON, ready, stale: !ready };
        assert_eq!(buffer.standing("A", now).unwrap(), standing);
        assert_eq!(buffer.ready_symbols(now).len(), usize::from(ready));
    }
    refused(sequence(&buffer, "A", NOON + 301 * SECOND), Status::Stale, &["A: ", "301.000 s old", "300.000 s"]);
    let never = with_ttl(Duration::ZERO);
    assert!(never.ready("A", i64::MAX).unwrap());
    assert!(with_ttl(Duration::MAX).ready("A", i64::MAX).unwrap());
    assert!(!with_ttl(Duration::from_nanos(1)).ready("A", NOON + 2).unwrap());
}

#[test]
fn a_time_of_zero_is_now() {
    let buffer = buffer(1, 1);
    buffer.push("A", &[1.0], 0).unwrap();
    buffer.push("A", &[2.0], 0).unwrap();
    let standing = buffer.standing("A", 0).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let age = i64::try_from(now.as_nanos()).unwrap() - standing.newest_ns;
    assert!((0..60 * SECOND).contains(&age), "{age}");
    assert!(standing.ready && !standing.stale);
    refused(buffer.push("A", &[3.0], 1), Status::InvalidArgument, &["before"]);
    buffer.push("B", &[1.0], standing.newest_ns - 400 * SECOND).unwrap();
    refused(sequence(&buffer, "B", 0), Status::Stale, &["B: ", "400."]);
    refused(sequence(&buffer, "A", standing.newest_ns + 301 * SECOND), Status::Stale, &[]);
}

#[test]
fn history_is_appended_and_counted() {
    let buffer = buffer(3, 2);
    let rows = [1.0, 1.0, f32::NAN, 2.0, 3.0, 3.0, 4.0, 4.0, 5.0, 5.0];
    let times = [NOON, NOON + 1, NOON + 2, NOON + 1, NOON + 3];
    assert_eq!(buffer.push_rows("A", &rows, Some(&times)).unwrap(), 3);
    assert_eq!(sequence(&buffer, "A", NOON).unwrap(), [1.0, 1.0, 3.0, 3.0, 5.0, 5.0]);
    assert_eq!(buffer.push_rows("A", &[9.0, 9.0], Some(&[NOON])).unwrap(), 0, "it is older than what is there");
    assert_eq!(buffer.push_rows("A", &[], Some(&[])).unwrap(), 0);
    assert_eq!(buffer.push_rows("B", &[f32::NAN, 0.0], None).unwrap(), 0);
    assert_eq!(buffer.symbols(), ["A"], "a row that is refused makes no window");
    assert_eq!(buffer.push_rows("B", &[1.0; 8], None).unwrap(), 4);
    assert!(buffer.ready("B", 0).unwrap());
    refused(buffer.push_rows("A", &rows[..3], None), Status::ShapeMismatch, &["3 numbers", "2 columns"]);
    refused(buffer.push_rows("A", &rows, Some(&times[..4])), Status::ShapeMismatch, &["4 time stamps", "5 rows"]);
    refused(buffer.push_rows("", &rows, None), Status::InvalidArgument, &["name"]);
}

#[test]
fn symbols_are_reset_and_removed() {
    let buffer = buffer_with(2, 1, |options| options.max_symbols = 3);
    for symbol in ["C", "A", "B"] {
        buffer.push_rows(symbol, &[1.0, 2.0], Some(&[NOON, NOON])).unwrap();
    }
    refused(buffer.push("D", &[1.0], NOON), Status::LimitExceeded, &["D: ", "3 symbols", "max_symbols"]);
    assert_eq!(buffer.symbols(), ["A", "B", "C"]);
    buffer.reset("B").unwrap();
    buffer.reset("nobody").unwrap();
    assert_eq!(buffer.ready_symbols(NOON), ["A", "C"]);
    assert_eq!(buffer.standing("B", NOON).unwrap(), Standing::default());
    buffer.push("B", &[3.0], NOON - 5).unwrap();
    assert_eq!(buffer.standing("B", NOON).unwrap().rows, 1);
    buffer.remove("C").unwrap();
    buffer.remove("C").unwrap();
    assert_eq!((buffer.symbol_count(), buffer.symbols()), (2, vec!["A".to_owned(), "B".to_owned()]));
    refused(sequence(&buffer, "C", NOON), Status::NotReady, &["0 of the 2"]);
    buffer.push("D", &[1.0], NOON).unwrap();
    buffer.reset_all();
    assert!(buffer.ready_symbols(NOON).is_empty());
    assert_eq!(buffer.symbol_count(), 3);
}

#[test]
fn names_and_sizes_are_checked() {
    let buffer = buffer(1, 1);
    let long = "x".repeat(257);
    for symbol in ["", &long, "a\0b"] {
        refused(buffer.push(symbol, &[1.0], NOON), Status::InvalidArgument, &["a symbol is a name", "256"]);
        refused(buffer.ready(symbol, NOON), Status::InvalidArgument, &[]);
        refused(buffer.standing(symbol, NOON), Status::InvalidArgument, &[]);
        refused(sequence(&buffer, symbol, NOON), Status::InvalidArgument, &[]);
        refused(buffer.reset(symbol), Status::InvalidArgument, &[]);
        refused(buffer.remove(symbol), Status::InvalidArgument, &[]);
    }
    buffer.push(&long[..256], &[1.0], NOON).unwrap();
    buffer.push("BRK.B/ünïcode €", &[1.0], NOON).unwrap();
    refused(buffer.sequence("A", NOON, &mut []), Status::ShapeMismatch, &["0 numbers", "1 x 1"]);
    let new = |steps, width, change: fn(&mut Options)| {
        let mut options = Options::default();
        change(&mut options);
        Buffer::new(steps, width, &options)
    };
    refused(new(0, 1, |_| {}), Status::InvalidArgument, &["sequence_length is 0"]);
    refused(new(1, 0, |_| {}), Status::InvalidArgument, &["feature_count is 0"]);
    refused(new(usize::MAX, 1, |_| {}), Status::LimitExceeded, &["rows of a window"]);
    refused(new(1, usize::MAX, |_| {}), Status::LimitExceeded, &["columns of a row"]);
    refused(new(1 << 20, 1 << 20, |_| {}), Status::LimitExceeded, &["numbers of a window"]);
    refused(new(4, 1, |options| options.warmup_rows = 5), Status::InvalidArgument, &["warmup_rows is 5", "4"]);
    let names = |options: &mut Options| options.channels = vec![Some("a".into()), Some("A".into())];
    refused(new(1, 2, names), Status::InvalidArgument, &["two channels are called 'A'"]);
    refused(new(1, 3, names), Status::InvalidArgument, &["2 channels", "3 columns"]);
    refused(new(1, 1, |options| options.channels = vec![Some(String::new())]), Status::InvalidArgument, &["channel 0"]);
    refused(Normalization::from_number(4), Status::InvalidArgument, &["normalization is 4"]);
    refused(Normalization::from_name("zscore"), Status::Unsupported, &["zscore", "log_returns"]);
}

#[test]
fn warm_pushes_and_reads_allocate_nothing() {
    for normalization in [Normalization::None, Normalization::LogReturns, Normalization::MinMax] {
        let buffer = buffer_with(8, 5, |options| options.normalization = normalization);
        let mut out = [0.0; 40];
        let first = allocations(|| buffer.push("A", &[1.0; 5], NOON).unwrap());
        assert!(first > 0, "the counter counts");
        buffer.push_rows("A", &[2.0; 40], Some(&[NOON; 8])).unwrap();
        buffer.sequence("A", NOON, &mut out).unwrap();
        let counted = allocations(|| {
            for step in 0..20 {
                buffer.push("A", &[3.0; 5], NOON + step).unwrap();
                buffer.push_rows("A", &[4.0; 10], Some(&[NOON + step; 2])).unwrap();
                buffer.sequence("A", NOON, &mut out).unwrap();
                assert!(buffer.ready("A", NOON).unwrap());
            }
            buffer.reset("A").unwrap();
            buffer.push("A", &[5.0; 5], 0).unwrap();
        });
        assert_eq!(counted, 0, "{normalization:?}");
    }
}
