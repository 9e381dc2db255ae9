"""Trains the models that speed is measured on, with the real libraries.

    python3 -m venv venv && venv/bin/pip install -r benches/peers/requirements.txt
    venv/bin/python benches/peers/train.py OUT [NAME...]

Writes OUT/<name>/model.*, OUT/<name>/rows.npy (rows to ask about), OUT/<name>/expected.npy (the margins that the library gives for
them, or the values of a random forest) and OUT/<name>/shape.json, whose `input` is the type that the library itself takes. Arrays are
float64. What exists already is not trained again. Training is seeded and on one
thread, so that a second machine gets the same models.

The targets are noisy on purpose: trees of real, noisy data never run out of splits, and every tree gets the leaves that it may have.
"""

import json
import pathlib
import sys
import time

import numpy as np

ROWS = 4096
CASES = {}


def case(name, **shape):
    def register(train):
        CASES[name] = (train, shape)
        return train

    return register


def data(features, rows, seed, outputs=1):
    """Rows of mixed kinds: normal, heavy-tailed, rounded and one-sided columns; a target of a few of them and much noise."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows + ROWS, features))
    x[:, 1::4] = np.exp(x[:, 1::4])
    x[:, 2::4] = np.round(x[:, 2::4], 2)
    x[:, 3::4] = rng.standard_t(3, x[:, 3::4].shape)
    weights = rng.standard_normal((features, outputs)) * (rng.random((features, outputs)) < 0.5)
    y = np.tanh(x @ weights / np.sqrt(features)) + 0.3 * np.sin(3 * x[:, :1]) * x[:, -1:] + rng.standard_normal((len(x), outputs))
    return x[:rows], (y[:rows, 0] if outputs == 1 else y[:rows]), x[rows:], rng


def lightgbm(out, x, y, asked, rounds, categorical="auto", **parameters):
    import lightgbm as lgb

    parameters = {"verbosity": -1, "seed": 7, "num_threads": 1, "deterministic": True, "force_row_wise": True, **parameters}
    booster = lgb.train(parameters, lgb.Dataset(x, y, categorical_feature=categorical, free_raw_data=False), rounds)
    booster.save_model(out / "model.txt")
    booster = lgb.Booster(model_file=out / "model.txt")
    return asked, booster.predict(asked, raw_score=True, num_threads=1)


def xgboost(out, x, y, asked, rounds, **parameters):
    import xgboost as xgb

    parameters = {"seed": 7, "nthread": 1, "verbosity": 0, **parameters}
    booster = xgb.train(parameters, xgb.DMatrix(x.astype(np.float32), y), rounds)
    booster.save_model(out / "model.json")
    booster.save_model(out / "model.ubj")
    booster = xgb.Booster({"nthread": 1}, model_file=out / "model.ubj")
    asked = asked.astype(np.float32)
    return asked, booster.predict(xgb.DMatrix(asked), output_margin=True)


@case("lightgbm_10x31", trees=10, leaves=31, features=28)
def lightgbm_10(out):
    x, y, asked, _ = data(28, 20000, 11)
    return lightgbm(out, x, y, asked, 10, objective="regression", num_leaves=31, learning_rate=0.1)


@case("lightgbm_100x31", trees=100, leaves=31, features=28)
def lightgbm_100(out):
    x, y, asked, _ = data(28, 20000, 1)
    return lightgbm(out, x, y, asked, 100, objective="regression", num_leaves=31, learning_rate=0.1)


@case("lightgbm_500x63", trees=500, leaves=63, features=200)
def lightgbm_500(out):
    x, y, asked, _ = data(200, 20000, 2)
    return lightgbm(out, x, y, asked, 500, objective="regression", num_leaves=63, learning_rate=0.05)


@case("lightgbm_2000x255", trees=2000, leaves=255, features=200)
def lightgbm_2000(out):
    x, y, asked, _ = data(200, 40000, 3)
    return lightgbm(out, x, y, asked, 2000, objective="regression", num_leaves=255, learning_rate=0.02)


@case("xgboost_500_depth6", trees=500, depth=6, features=200)
def xgboost_500(out):
    x, y, asked, _ = data(200, 20000, 4)
    return xgboost(out, x, y, asked, 500, objective="reg:squarederror", max_depth=6, eta=0.05, tree_method="hist")


@case("xgboost_1000_depth8", trees=1000, depth=8, features=200)
def xgboost_1000(out):
    x, y, asked, _ = data(200, 20000, 5)
    return xgboost(out, x, y, asked, 1000, objective="reg:squarederror", max_depth=8, eta=0.03, tree_method="hist")


@case("xgboost_1000_depth8_exact", trees=1000, depth=8, features=200)
def xgboost_1000_exact(out):
    x, y, asked, _ = data(200, 8000, 6)
    return xgboost(out, x, y, asked, 1000, objective="reg:squarederror", max_depth=8, eta=0.03, tree_method="exact")


@case("xgboost_7x100_depth6", trees=700, depth=6, features=50, classes=7)
def xgboost_classes(out):
    x, y, asked, _ = data(50, 20000, 12, outputs=7)
    return xgboost(out, x, y.argmax(1), asked, 100, objective="multi:softprob", num_class=7, max_depth=6, eta=0.1)


@case("catboost_500_depth6", trees=500, depth=6, features=200)
def catboost_500(out):
    import catboost

    x, y, asked, _ = data(200, 20000, 7)
    model = catboost.CatBoostRegressor(
        iterations=500, depth=6, learning_rate=0.05, random_seed=7, thread_count=1, verbose=False, allow_writing_files=False
    )
    model.fit(x, y)
    model.save_model(str(out / "model.cbm"))
    model = catboost.CatBoost().load_model(str(out / "model.cbm"))
    return asked, model.predict(asked, prediction_type="RawFormulaVal", thread_count=1)


@case("forest_200x2000", trees=200, leaves=2000, features=50)
def random_forest(out):
    import joblib
    from sklearn.ensemble import RandomForestRegressor

    x, y, asked, _ = data(50, 20000, 8)
    model = RandomForestRegressor(n_estimators=200, max_leaf_nodes=2000, max_features=0.5, random_state=7, n_jobs=1)
    model.fit(x.astype(np.float32), y)
    joblib.dump(model, out / "model.joblib")
    model = joblib.load(out / "model.joblib")
    asked = asked.astype(np.float32)
    return asked, model.predict(asked)


@case("lightgbm_5x200x31", trees=1000, leaves=31, features=100, classes=5)
def lightgbm_classes(out):
    x, y, asked, _ = data(100, 20000, 9, outputs=5)
    return lightgbm(out, x, y.argmax(1), asked, 200, objective="multiclass", num_class=5, num_leaves=31, learning_rate=0.05)


@case("lightgbm_categorical", trees=300, leaves=63, features=40, categorical=10)
def lightgbm_categorical(out):
    x, y, asked, rng = data(40, 20000, 10)
    effects = rng.standard_normal((10, 50))
    for rows in (x, asked):
        rows[:, :10] = rng.integers(0, 50, (len(rows), 10))
    y = y + sum(effects[column, x[:, column].astype(int)] for column in range(10))
    asked[::50, :10] = 77  # a category that training never saw
    return lightgbm(
        out, x, y, asked, 300, categorical=list(range(10)), objective="regression", num_leaves=63, learning_rate=0.05,
        min_data_per_group=50, cat_smooth=5,
    )


@case("lightgbm_linear", trees=100, leaves=31, features=28)
def lightgbm_linear(out):
    x, y, asked, _ = data(28, 20000, 13)
    return lightgbm(out, x, y, asked, 100, objective="regression", num_leaves=31, linear_tree=True, learning_rate=0.1)


@case("lightgbm_missing_500x63", trees=500, leaves=63, features=200)
def lightgbm_missing(out):
    x, y, asked, rng = data(200, 20000, 14)
    for rows in (x, asked):
        rows[rng.random(rows.shape) < 0.1] = np.nan
    return lightgbm(out, x, y, asked, 500, objective="regression", num_leaves=63, learning_rate=0.05)


def main():
    folder = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or CASES:
        train, shape = CASES[name]
        out = folder / name
        if (out / "shape.json").exists():
            continue
        out.mkdir(parents=True, exist_ok=True)
        start = time.time()
        asked, expected = train(out)
        np.save(out / "rows.npy", np.asarray(asked, np.float64))
        shape["input"] = "f32" if asked.dtype == np.float32 else "f64"
        np.save(out / "expected.npy", np.asarray(expected, np.float64).reshape(len(asked), -1))
        (out / "shape.json").write_text(json.dumps(shape) + "\n")
        print(f"{name}: {time.time() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
