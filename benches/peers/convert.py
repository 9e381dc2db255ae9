"""Gives the models of `train.py` to every library that can run a model it did not train itself.

    venv/bin/python benches/peers/convert.py OUT [NAME...]

Reads OUT/<name>/, writes OUT/<name>/peers/: `lleaves.so`, `lleaves_row.so` and `tl2cgen.so` (compiled trees), `catboost.so` (CatBoost's own export to C++),
`model.onnx` (for ONNX Runtime), `model.tl` (for Treelite's interpreter), and `convert.json`: seconds that each took, or why there is none. What
exists already is not made again. A conversion that needs more than MI_BENCH_PATIENCE seconds (default 240) is given up, and so is
another one by the same compiler.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

PATIENCE = float(os.environ.get("MI_BENCH_PATIENCE", "240"))


def library(name):
    return name.split("_")[0]


def treelite_model(folder):
    import joblib
    import treelite

    if library(folder.name) == "lightgbm":
        return treelite.frontend.load_lightgbm_model(folder / "model.txt")
    if library(folder.name) == "xgboost":
        return treelite.frontend.load_xgboost_model(folder / "model.json", format_choice="inspect")
    return treelite.sklearn.import_model(joblib.load(folder / "model.joblib"))


def features(folder):
    return json.loads((folder / "shape.json").read_text())["features"]


def make_lleaves(folder, out):
    import lleaves

    # Blocks of trees are for batches; its documentation says that one row is fastest without them.
    model = lleaves.Model(model_file=str(folder / "model.txt"))
    blocks = {"fblocksize": model.num_trees()} if "row" in out.name else {}
    model.compile(cache=str(out.with_suffix(".o")), raw_score=True, **blocks)
    subprocess.run(["cc", "-shared", "-o", out, out.with_suffix(".o"), "-lm"], check=True)
    out.with_suffix(".o").unlink()


def make_tl2cgen(folder, out):
    import tl2cgen

    model = treelite_model(folder)
    tl2cgen.export_lib(model, toolchain="gcc", libpath=str(out), params={"parallel_comp": 64}, options=["-O3", "-march=native"], nthread=1)


def make_treelite(folder, out):
    treelite_model(folder).serialize(str(out))


def make_catboost(folder, out):
    import catboost

    source = out.with_suffix(".cpp")
    catboost.CatBoost().load_model(str(folder / "model.cbm")).save_model(str(source), format="cpp")
    with open(source, "a") as text:
        text.write('\nextern "C" double predict_row(const float* row, unsigned count) { return ApplyCatboostModel(std::vector<float>(row, row + count)); }\n')
    subprocess.run(["c++", "-std=c++17", "-O3", "-march=native", "-shared", "-fPIC", "-o", out, source], check=True)


def make_onnx(folder, out):
    kind = library(folder.name)
    if kind == "catboost":
        import catboost

        catboost.CatBoost().load_model(str(folder / "model.cbm")).save_model(str(out), format="onnx")
        return
    # Each converter knows its own type alone, though they are twins.
    if kind == "forest":
        from skl2onnx.common.data_types import FloatTensorType
    else:
        from onnxmltools.convert.common.data_types import FloatTensorType

    inputs = [("x", FloatTensorType([None, features(folder)]))]
    if kind == "lightgbm":
        import lightgbm
        import onnxmltools

        model = onnxmltools.convert_lightgbm(lightgbm.Booster(model_file=folder / "model.txt"), initial_types=inputs, zipmap=False)
    elif kind == "xgboost":
        import onnxmltools
        import xgboost

        model = onnxmltools.convert_xgboost(xgboost.Booster(model_file=folder / "model.json"), initial_types=inputs)
    else:
        import joblib
        import skl2onnx

        model = skl2onnx.to_onnx(joblib.load(folder / "model.joblib"), initial_types=inputs)
    out.write_bytes(model.SerializeToString())


PEERS = {
    "lleaves_row.so": (make_lleaves, ["lightgbm"]),
    "lleaves.so": (make_lleaves, ["lightgbm"]),
    "tl2cgen.so": (make_tl2cgen, ["lightgbm", "xgboost", "forest"]),
    "model.tl": (make_treelite, ["lightgbm", "xgboost", "forest"]),
    "catboost.so": (make_catboost, ["catboost"]),
    "model.onnx": (make_onnx, ["lightgbm", "xgboost", "forest", "catboost"]),
}


def convert(folder):
    peers = folder / "peers"
    peers.mkdir(exist_ok=True)
    notes_file = peers / "convert.json"
    notes = json.loads(notes_file.read_text()) if notes_file.exists() else {}
    for file, (make, kinds) in PEERS.items():
        if library(folder.name) not in kinds or file in notes:
            continue
        twins = [notes[other]["why"] for other in notes if PEERS[other][0] is make and "not finished" in notes[other].get("why", "")]
        if twins:
            notes[file] = {"why": twins[0]}
            notes_file.write_text(json.dumps(notes, indent=1) + "\n")
            continue
        start = time.time()
        # A session of its own, so that the compilers it starts end with it.
        command = [sys.executable, __file__, "--one", folder, file]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            lines = [line for line in child.communicate(timeout=PATIENCE)[1].splitlines() if line.strip()]
            why = None if child.returncode == 0 else (lines[-1] if lines else f"exit status {child.returncode}")
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            why = f"not finished after {PATIENCE:.0f} s"
        notes[file] = {"seconds": round(time.time() - start, 1)} if why is None else {"why": why}
        if why is not None and (peers / file).exists():
            (peers / file).unlink()
        notes_file.write_text(json.dumps(notes, indent=1) + "\n")
        print(f"{folder.name} {file}: {notes[file]}", flush=True)


def main():
    if sys.argv[1] == "--one":
        folder, file = pathlib.Path(sys.argv[2]), sys.argv[3]
        PEERS[file][0](folder, folder / "peers" / file)
        return
    out = pathlib.Path(sys.argv[1])
    for folder in sorted(out.iterdir()):
        if (folder / "shape.json").exists() and (not sys.argv[2:] or folder.name in sys.argv[2:]):
            convert(folder)


if __name__ == "__main__":
    main()
