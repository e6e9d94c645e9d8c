"""Some trials of benchmarks/kills.py; tests/training/test_resume.py kills trainings."""

import json

import pytest

from tests.test_benchmarks import run


@pytest.mark.slow
def test_no_data_is_lost_or_incomplete_after_a_kill(tmp_path):
    path = tmp_path / "kills.json"
    scenes = ("apply, new field", "evaluate", "publish")
    options = ("--deeds", "SIGKILL", "--part", "0.2", "--json", path)
    run("benchmarks.kills", "--only", *scenes, *options)
    trials = json.loads(path.read_text())["trials"]
    assert {one["call"] for one in trials} == set(scenes)
    assert {one["ended"] for one in trials} >= {"killed by SIGKILL"}
    assert not any(one["faults"] for one in trials)
