//! Small pickles of models that name the same part any number of times, nest, and give large numbers: within a second, within the
//! memory of their size, and without a deep stack.

mod attack;

use mi::{Result, Status};

/// Opcodes that leave one object on the stack.
type Ops = Vec<u8>;

fn text(text: &str) -> Ops {
    [b"X", u32::try_from(text.len()).unwrap().to_le_bytes().as_slice(), text.as_bytes()].concat()
}

fn int(number: i32) -> Ops {
    [b"J".as_slice(), &number.to_le_bytes()].concat()
}

fn float(number: f64) -> Ops {
    [b"G".as_slice(), &number.to_be_bytes()].concat()
}

fn list(items: &[Ops]) -> Ops {
    [b"](".as_slice(), &items.concat(), b"e"].concat()
}

fn tuple(items: &[Ops]) -> Ops {
    [b"(".as_slice(), &items.concat(), b"t"].concat()
}

fn dict(pairs: &[(&str, Ops)]) -> Ops {
    let pairs: Vec<Ops> = pairs.iter().map(|(name, value)| [text(name), value.clone()].concat()).collect();
    [b"}(".as_slice(), &pairs.concat(), b"u"].concat()
}

fn object(module: &str, name: &str, attributes: &[(&str, Ops)]) -> Ops {
    [format!("c{module}\n{name}\n)").as_bytes(), b"\x81", &dict(attributes), b"b"].concat()
}

/// An array of these axes, whose elements of 8 bytes have this code.
fn array(code: &str, shape: &[i32], data: &[u8]) -> Ops {
    let bytes = [b"B".as_slice(), &u32::try_from(data.len()).unwrap().to_le_bytes(), data].concat();
    let dtype =
        [b"cnumpy\ndtype\n".as_slice(), &tuple(&[text(code), b"\x89".to_vec(), b"\x88".to_vec()]), b"R"].concat();
    let shape = tuple(&shape.iter().map(|&axis| int(axis)).collect::<Vec<_>>());
    [b"cnumpy.core.numeric\n_frombuffer\n".as_slice(), &tuple(&[bytes, dtype, shape, text("C")]), b"R"].concat()
}

fn numbers(numbers: &[f64]) -> Ops {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    array("f8", &[i32::try_from(numbers.len()).unwrap()], &bytes)
}

/// Puts the object on top of the stack into the memo.
fn put(ops: &[u8], place: u8) -> Ops {
    [ops, b"q", &[place]].concat()
}

/// References to an object of the memo.
fn again(place: u8, count: usize) -> Ops {
    [b'h', place].repeat(count)
}

/// `first`, which is put into the memo, and many references to it.
fn many(first: &[u8], count: usize) -> Ops {
    [b"](".as_slice(), &put(first, 1), &again(1, count), b"e"].concat()
}

fn pickle(ops: &[u8]) -> Vec<u8> {
    [b"\x80\x02", ops, b"."].concat()
}

const COLUMNS: i32 = 1 << 20;

/// A regressor of this width that costs a few bytes.
fn dummy(columns: i32) -> Ops {
    let constant = array("f8", &[1, 1], &0.5f64.to_le_bytes());
    let attributes =
        [("constant_", constant), ("n_outputs_", int(1)), ("strategy", text("mean")), ("n_features_in_", int(columns))];
    object("sklearn.dummy", "DummyRegressor", &attributes)
}

fn scaler(columns: i32) -> Ops {
    let off = || b"\x89".to_vec();
    let attributes =
        [("with_mean", off()), ("with_std", off()), ("n_features_in_", int(columns)), ("mean_", b"N".to_vec())];
    object("sklearn.preprocessing._data", "StandardScaler", &attributes)
}

fn ridge() -> Ops {
    object("sklearn.linear_model._ridge", "Ridge", &[("coef_", numbers(&[1.0, -2.0])), ("intercept_", float(0.5))])
}

fn voting(members: Ops) -> Ops {
    object("sklearn.ensemble._voting", "VotingRegressor", &[("estimators_", members), ("weights", b"N".to_vec())])
}

fn pipeline(steps: Ops) -> Ops {
    object("sklearn.pipeline", "Pipeline", &[("steps", steps)])
}

fn union(parts: Ops) -> Ops {
    let attributes = [("transformer_list", parts), ("transformer_weights", b"N".to_vec())];
    object("sklearn.pipeline", "FeatureUnion", &attributes)
}

fn named(step: Ops) -> Ops {
    tuple(&[text("a"), step])
}

fn run(what: &str, ops: &[u8]) -> Result<()> {
    let bytes = pickle(ops);
    let (result, cost) = attack::model(&what, &bytes);
    println!("{what}: {} bytes, {:?}, {} KiB, {:?}", bytes.len(), cost.time, cost.memory / 1024, result.as_ref().err());
    result
}

/// The parts themselves are sound: otherwise no attack would reach a reader.
#[test]
fn a_few_of_everything_are_models() {
    let parts = [
        ("dummy", dummy(3)),
        ("ridge", ridge()),
        ("voting", voting(many(&ridge(), 3))),
        ("scalers", pipeline(many(&named(scaler(3)), 3))),
        ("scalers and a dummy", pipeline(list(&[named(scaler(3)), named(dummy(3))]))),
        ("union", union(many(&named(scaler(3)), 3))),
        ("columns", columns(10, named_columns(3, &slice()))),
    ];
    for (what, ops) in parts {
        run(what, &ops).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

fn slice() -> Ops {
    b"cbuiltins\nslice\n(NNNtR".to_vec()
}

fn named_columns(count: usize, columns: &[u8]) -> Ops {
    let part = tuple(&[text("a"), text("passthrough"), columns.to_vec()]);
    many(&part, count)
}

fn columns(width: i32, parts: Ops) -> Ops {
    let attributes = [("_n_features", int(width)), ("transformers_", parts), ("transformer_weights", b"N".to_vec())];
    object("sklearn.compose._column_transformer", "ColumnTransformer", &attributes)
}

#[test]
fn many_steps_need_no_deep_stack() {
    let count = 40_000;
    for (what, ops) in [
        ("many scalers", pipeline(many(&named(scaler(2)), count))),
        ("many scalers in a union", union(list(&[named(pipeline(many(&named(scaler(2)), count)))]))),
        ("many scalers before a ridge", {
            let steps =
                [b"](".as_slice(), &put(&named(scaler(2)), 1), &again(1, count), &named(ridge()), b"e"].concat();
            pipeline(steps)
        }),
    ] {
        run(what, &ops).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

#[test]
fn many_references_to_a_part_are_counted() {
    let count = 300_000;
    let word = |len: usize| text(&"x".repeat(len));
    let attacks = [
        ("many ridges", voting(many(&ridge(), count))),
        ("many dummies", voting(many(&dummy(2), count))),
        ("many wide dummies", voting(many(&dummy(COLUMNS), count))),
        ("many steps", pipeline(many(&named(scaler(2)), count))),
        ("many wide steps", pipeline(many(&named(scaler(COLUMNS)), count))),
        ("many parts", union(many(&named(scaler(2)), count))),
        ("many wide parts", union(many(&named(scaler(COLUMNS)), count))),
        ("many parts that pass", union(many(&named(text("passthrough")), count))),
        ("many slices", columns(COLUMNS, named_columns(count, &slice()))),
        ("many parts of no columns", columns(2, named_columns(count, &list(&[])))),
        ("many long names", union(many(&tuple(&[word(1 << 20), scaler(2)]), count))),
        ("many polynomials", {
            let on = || b"\x88".to_vec();
            let attributes = [
                ("n_features_in_", int(200_000)),
                ("degree", int(1)),
                ("interaction_only", on()),
                ("include_bias", on()),
            ];
            union(many(&named(object("sklearn.preprocessing._polynomial", "PolynomialFeatures", &attributes)), count))
        }),
        ("many lists of names", {
            let names = [b"](".as_slice(), &put(&word(1 << 16), 2), &again(2, 10_000), b"e"].concat();
            let attributes = [("coef_", numbers(&[1.0])), ("intercept_", float(0.5)), ("feature_names_in_", names)];
            voting(many(&object("sklearn.linear_model._ridge", "Ridge", &attributes), count))
        }),
    ];
    for (what, ops) in attacks {
        let error = run(what, &ops).expect_err(what);
        assert_eq!(error.status(), Status::LimitExceeded, "{what}: {error}");
    }
}

/// One object around another one.
type Around<'a> = &'a dyn Fn(Ops) -> Ops;

#[test]
fn nested_parts_are_bounded() {
    let nest = |depth: usize, inner: Ops, around: Around| (0..depth).fold(inner, |ops, _| around(ops));
    for depth in [10, 30, 60, 1000] {
        for width in [2, COLUMNS] {
            let one = |ops: Ops| voting(list(&[ops]));
            let two = |ops: Ops| voting(many(&ops, 2));
            let piped = |ops: Ops| pipeline(list(&[named(ops)]));
            let pass = |ops: Ops| union(list(&[named(ops), named(text("passthrough"))]));
            let twice = |ops: Ops| union(many(&named(ops), 2));
            let sliced = |ops: Ops| columns(width, list(&[tuple(&[text("a"), ops, slice()])]));
            let all: [(&str, Ops, Around); 6] = [
                ("voting", dummy(width), &one),
                ("voting twice", dummy(width), &two),
                ("pipelines", dummy(width), &piped),
                ("unions that pass", scaler(width), &pass),
                ("unions twice", scaler(width), &twice),
                ("columns", scaler(width), &sliced),
            ];
            for (what, inner, around) in all {
                let _ = run(&format!("{what}, {depth} deep, {width} wide"), &nest(depth, inner, around));
            }
        }
    }
}

#[test]
fn arrays_without_elements_are_not_wide() {
    for (what, shape) in [("rows", [i32::MAX, 0]), ("columns", [0, i32::MAX])] {
        let attributes = [("coef_", array("f8", &shape, &[])), ("intercept_", float(0.5))];
        let error = run(what, &object("sklearn.linear_model._ridge", "Ridge", &attributes)).unwrap_err();
        assert_eq!(error.status(), Status::LimitExceeded, "{what}: {error}");
    }
}

#[test]
fn names_are_found_without_a_search_each() {
    let count = 200_000;
    let names = [b"](".as_slice(), &put(&text("a"), 2), &again(2, count), &text("b"), b"e"].concat();
    let wanted = [b"](".as_slice(), &put(&text("b"), 3), &again(3, count), b"e"].concat();
    let part = tuple(&[text("a"), text("passthrough"), wanted]);
    let width = i32::try_from(count).unwrap() + 2; // the first "a", its copies, and "b"
    let attributes = [
        ("_n_features", int(width)),
        ("transformers_", list(&[part])),
        ("transformer_weights", b"N".to_vec()),
        ("feature_names_in_", names),
    ];
    let chosen = object("sklearn.compose._column_transformer", "ColumnTransformer", &attributes);
    run("names", &pipeline(list(&[named(chosen), named(dummy(width - 1))]))).unwrap();
}
