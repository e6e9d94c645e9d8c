"""Some of the bad inputs of benchmarks/fuzz.py."""

import pytest

from benchmarks import attempts, fuzz, sandbox

COUNT = 20


@pytest.fixture
def sandboxed(tmp_path, monkeypatch, zoo_dir, micro):
    monkeypatch.setenv(sandbox.HOME, str(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("kind", fuzz.COUNTS)
def test_bad_input_ends_in_success_or_a_one_line_error(kind, sandboxed):
    counted = fuzz.count(kind, list(range(COUNT)))
    assert counted["inputs"] == COUNT
    assert counted["faults"] == []


def outcome(call):
    return attempts.attempt(call).outcome


def test_only_the_librarys_own_errors_are_refusals():
    import numpy as np

    from yolov1_fo.config import GridConfig

    assert outcome(lambda: GridConfig(S=7)) == attempts.ACCEPTED
    assert outcome(lambda: GridConfig(S=0)) == attempts.REFUSED
    assert outcome(lambda: np.zeros(2).reshape(3)) == attempts.FOREIGN
    assert outcome(lambda: {}["a"]) == attempts.CRASH


@pytest.mark.slow
def test_hanging_calls_are_ended(monkeypatch):
    monkeypatch.setattr(attempts, "MAX_SECONDS", 1)

    def hang():
        while True:
            continue

    assert outcome(hang) == attempts.SLOW
