//! Models without a rule for missing values refuse them and name the column.

mod common;

use common::subjects;
use mi::exec::Rows;
use mi::ir::Output;
use mi::{Model, Status};

#[test]
fn the_first_missing_column_is_named() {
    let lists = [subjects::BAYES, subjects::UNSUPERVISED, subjects::SIMILARITY, subjects::KERNELS, subjects::NEIGHBORS];
    let mut asked = 0;
    for list in lists {
        for case in common::cases_of("sklearn", list) {
            if case.json["refuse"].is_object() {
                continue;
            }
            let model = Model::open(&case.model(), &case.options()).unwrap();
            let rows = case.matrix(&case.json["input"]);
            let mut row = rows.data[..rows.columns].to_vec();
            let column = 1.min(rows.columns - 1);
            row[column..].fill(f64::NAN);
            for output in Output::ALL {
                let Ok(columns) = model.columns(output) else { continue };
                let mut out = vec![7.0; columns];
                let error = model.predict(output, Rows::new(&row, 1, row.len()).unwrap(), &mut out).unwrap_err();
                let name = format!("{} {}: {error}", case.name(), output.name());
                assert!(error.status() == Status::InvalidArgument, "{name}");
                assert!(error.message().contains(&format!("column {column} ")), "{name}");
                assert!(out.iter().all(|number| *number == 7.0), "{name}");
                asked += 1;
            }
        }
    }
    assert!(asked > 800, "only {asked} questions were asked");
}
