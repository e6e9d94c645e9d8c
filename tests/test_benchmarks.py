"""The benchmarks run with small inputs; their targets are not tested."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import (
    apply_stages,
    applying,
    checkpoints,
    int8,
    measuring,
    outside,
    scaling,
    soak,
    step_parts,
    tiles,
    trainings,
)
from benchmarks.measuring import Figure

ROOT = Path(__file__).parent.parent


def run(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_figures_are_printed_and_written(photographs, tmp_path):
    path = tmp_path / "speed.json"
    parts = ["reading", "transfer_forwarding", "applying", "tutorial", "evaluating"]
    common = ["benchmarks", "--photographs", photographs, "--quick", "--json", path]
    printed = run(*common, "--only", *parts)
    written = json.loads(path.read_text())
    assert list(written["parts"]) == parts
    assert {"date", "device", "versions"} <= set(written)
    for rows in written["parts"].values():
        for row in rows:
            value = row.pop("value")
            assert value > 0 if value is not None else "is missing" in row["note"]
            assert row["what"] in printed


@pytest.mark.parametrize("benchmark", [int8, tiles])
def test_tables_of_the_page_are_those_of_the_results(benchmark):
    name = benchmark.__name__.removeprefix("benchmarks.")
    results = measuring.read(ROOT / "benchmarks" / "results" / f"{name}.json")
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert benchmark.table(results["runs"]) in page


def test_more_tables_of_the_page_are_those_of_the_results():
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    results = ROOT / "benchmarks" / "results"
    assert outside.table(measuring.read(results / "outside.json")) in page
    rows = measuring.read(results / "step_parts.json")["rows"]
    assert step_parts.table(rows) in page


def test_the_table_of_the_plan_is_that_of_the_results():
    results = measuring.read(ROOT / "benchmarks" / "results" / "scaling.json")
    page = (ROOT / "docs" / "scale.md").read_text()
    assert scaling.table(results["rows"]) in page


def test_the_stages_of_the_page_are_those_of_the_results():
    results = measuring.read(ROOT / "benchmarks" / "results" / "speed.json")
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    table = apply_stages.table(applying.INCLUDED, results["parts"]["applying"])
    assert table in page
    assert table.count("%") == len(apply_stages.STAGES) + 2  # each one was measured


def test_stages_are_shares_of_the_time_of_apply():
    times = [one + 0.5 for one in range(len(apply_stages.STAGES))]
    rows = [
        {"what": f"net, time of one image: {stage}", "value": value}
        for stage, value in zip(apply_stages.STAGES, times, strict=True)
    ]
    rows.append({"what": "net, time of one image: apply", "value": 10.0})
    lines = apply_stages.table("net", rows).splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert cells[3] == ["reading and resizing", "1.50", "15%"]
    assert cells[-2:] == [["sum of the stages", "", ""], ["apply", "10.00", "100%"]]


@pytest.mark.slow
def test_gpu_benchmark_runs_without_tensorflow_and_fiftyone(photographs, tmp_path):
    pytest.importorskip("jax", reason="needs the extra jax")
    for name in ("tensorflow", "fiftyone"):
        (tmp_path / f"{name}.py").write_text("raise ImportError")
    path = tmp_path / "gpu.json"
    small = "--networks fast-yolov1 --batches 2 --image-size 64 --matrix 64 --repeats 1"
    few = "--epochs 1 --images 32 --photographs"
    run(
        *("benchmarks.gpu", *small.split(), *few.split(), photographs / "highway"),
        *("--json", path),
        PYTHONPATH=str(tmp_path),
        KERAS_BACKEND="jax",
        JAX_PLATFORMS="cpu",
    )
    written = json.loads(path.read_text())
    kinds = {row["what"] for row in written["rows"]}
    assert kinds == {
        *("matrix product", "inference", "training"),
        *("fed from the device", "fed from the host"),
    }
    assert len(written["training"]["loss"]) == 1


@pytest.mark.parametrize(
    ("figure", "line"),
    [
        (Figure("speed", 12.34, "images/s", 0.04), "speed: 12.3 images/s (+-2 %)"),
        (Figure("ratio", 0.95, target=0.9), "ratio: 0.95; at least 0.9: yes"),
        (
            Figure("cost", 1.2, target=1.1, at_most=True),
            "cost: 1.2; at most 1.1: NO",
        ),
        (Figure("peer", 1.0, note="1 GB"), "peer: 1; 1 GB"),
    ],
)
def test_figures_are_one_line(figure, line):
    assert str(figure) == line


def usage(minutes, megabytes, files=()):
    return soak.Usage(minutes, megabytes, list(files), [])


@pytest.mark.parametrize(
    ("levels", "holds"),
    [
        ([900, 950, 1000, 1000, 1020], True),  # +2 % after the third
        ([900, 950, 1000, 1020, 1040], False),
    ],
)
def test_memory_does_not_grow_after_the_third_training(levels, holds):
    trained = [usage(minute, level) for minute, level in enumerate(levels)]
    assert [one.holds for one in soak.figures(trained, [])] == [holds, True]


@pytest.mark.parametrize(("last", "holds"), [(1040, True), (1060, False)])
def test_memory_does_not_grow_after_the_second_quarter(last, holds):
    levels = {5: 700, 15: 1000, 25: 1300, 35: last, 40: last}
    used = [usage(minute, level) for minute, level in levels.items()]
    assert [one.holds for one in soak.figures([], used)] == [holds, True]


def test_open_files_exceed_the_limit():
    used = [usage(minute, 1000, ["pixels.bin"]) for minute in (1, 2, 3, 4)]
    assert [one.holds for one in soak.figures([], used)] == [True, False]


def test_trainings_that_the_file_has_are_not_repeated():
    settings = {"max_minutes": 5, "seed": 0}
    wanted = [
        {"dataset": "fruit", "seed": 0, "settings": settings},
        {"dataset": "fruit", "seed": 1, "settings": settings | {"seed": 1}},
    ]
    longer = {**wanted[1], "settings": settings | {"seed": 1, "max_minutes": 12}}
    rows = [{**wanted[0], "voc07": 0.9}, {**longer, "voc07": 0.9}]
    assert measuring.missing(wanted, rows) == wanted[1:]
    assert measuring.missing([longer], rows) == []


def test_the_checkpoint_of_each_epoch_is_evaluated(painted, micro):
    del micro["progress"]
    train, val = painted.match_tags("train"), painted.match_tags("val")
    row = checkpoints.run(train, val, painted, **micro, epochs=3)
    assert len(row["test_curve"]) == len(row["val_curve"]) == 3
    chosen, best = row["test_curve"][row["epoch"] - 1], max(row["test_curve"])
    assert (row["test_voc07"], row["best_test_voc07"]) == (chosen, best)
    assert row["difference"] == best - chosen


def test_small_validation_splits_have_no_image_in_common(painted):
    found = [*checkpoints.splits(painted, images=2)]
    ids = [set(val.values("id")) for _, val in found]
    assert [*map(len, ids)] == [2, 2, 2]
    assert len(set.union(*ids)) == 6
    for (train, _), val in zip(found, ids, strict=True):
        assert set(train.values("id")) == set(painted.values("id")) - val


def test_a_training_is_measured_on_its_test_split(painted, micro):
    del micro["progress"]
    train, val = painted.match_tags("train"), painted.match_tags("val")
    row = measuring.train(train, val, painted, **micro, epochs=1)
    assert (row["epochs"], row["S"]) == (1, 2)
    assert 0 < row["recall_ceiling"] <= 1
    tables = [
        made([{"dataset": "fruit", **row}])
        for made in (trainings.accuracy_table, trainings.reliability_table)
    ]
    assert all(len(one.splitlines()) == 3 for one in tables)


def test_the_tables_of_trainings_have_a_row_for_each_dataset():
    bins = [(0, 0.0)] * 4 + [(2, 0.5), (6, 1.0)] + [(0, 0.0)] * 4
    common = {"ap50": 0.8, "coco_map": 0.5, "recommended_thresh": 0.3, "minutes": 8}
    common |= {"highest_score": 0.9, "reliability": bins}
    rows = [
        {"dataset": "bccd", "voc07": 0.7, **common},
        {"dataset": "fruit", "voc07": 0.8, **common},
        {"dataset": "fruit", "voc07": 0.9, **common},
    ]
    *_, fruit, bccd = trainings.accuracy_table(rows).splitlines()
    cells = [one.strip() for one in fruit.split("|")]
    assert cells[1:5] == ["fruit", "8", "2", "0.850 (0.800 to 0.900)"]
    assert [one.strip() for one in bccd.split("|")][3:5] == ["1", "0.700"]
    *_, fruit, bccd = trainings.reliability_table(rows).splitlines()
    assert "| none" in fruit
    assert "88 % of 16" in fruit
    assert "88 % of 8" in bccd
