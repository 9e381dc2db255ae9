"""Draws what the benchmark wrote.

    venv/bin/python benches/peers/chart.py REPORT.json CHART.svg

Left: nanoseconds for one row (p50); right: rows per second in batches of 1,000 by one thread. One group of bars for each model, both axes
logarithmic, so that a length is a ratio.
"""

import json
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "libmi", "svg.fonttype": "none", "font.size": 9})
import matplotlib.pyplot as plt


def panel(axes, report, title, number):
    libraries = list(dict.fromkeys(line["library"] for model in report["models"] for line in model["libraries"]))
    colours = dict(zip(libraries, plt.get_cmap("tab10").colors))
    place, marks, named = 0.0, [], set()
    for model in report["models"]:
        first = place
        for line in model["libraries"]:
            value = number(line)
            if value:
                library = line["library"]
                axes.barh(place, value, 0.85, color=colours[library], label=None if library in named else library)
                named.add(library)
                place += 1
        marks.append(((first + place - 1) / 2, model["model"]))
        place += 1
    axes.set_xscale("log")
    axes.set_yticks([mark for mark, _ in marks], [name for _, name in marks])
    axes.invert_yaxis()
    axes.set_title(title)
    axes.grid(axis="x", alpha=0.3)


def main():
    report = json.load(open(sys.argv[1]))
    batch = report["batches"].index(1000)
    bars = sum(len(model["libraries"]) + 1 for model in report["models"])
    figure, (row, rate) = plt.subplots(1, 2, figsize=(13, 2 + 0.16 * bars), sharey=False, layout="constrained")
    panel(row, report, "one row, p50, nanoseconds (shorter is faster)", lambda line: line["row_p50_ns"])
    panel(rate, report, "1,000 rows, one thread, rows per second (longer is faster)", lambda line: line["rows_per_second"][0][batch])
    rate.set_yticklabels([])
    row.legend(loc="lower right", fontsize=8)
    figure.suptitle(report["machine"])
    figure.savefig(sys.argv[2], metadata={"Date": None})


if __name__ == "__main__":
    main()
