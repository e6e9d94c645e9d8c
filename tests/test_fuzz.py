"""A share of the bad inputs of benchmarks/fuzz.py."""

import pytest

from benchmarks import attempts, fuzz, sandbox

SHARE = 20


@pytest.fixture
def sandboxed(tmp_path, monkeypatch, zoo_dir, micro):
    monkeypatch.setenv(sandbox.HOME, str(tmp_path))


@pytest.mark.parametrize("kind", fuzz.COUNTS)
def test_bad_input_ends_in_success_or_one_clear_line(kind, sandboxed):
    counted = fuzz.count(kind, list(range(SHARE)))
    assert counted["inputs"] == SHARE
    assert counted["faults"] == []


def raised(call):
    return attempts.attempt(call).outcome


def test_only_our_own_line_counts_as_a_refusal():
    import numpy as np

    from yolov1_fo.config import GridConfig

    assert raised(lambda: GridConfig(S=7)) == attempts.TAKEN
    assert raised(lambda: GridConfig(S=0)) == attempts.REFUSED
    assert raised(lambda: np.zeros(2).reshape(3)) == attempts.FOREIGN
    assert raised(lambda: {}["a"]) == attempts.CRASH


def test_what_hangs_is_ended(monkeypatch):
    monkeypatch.setattr(attempts, "SECONDS", 1)

    def hang():
        while True:
            continue

    assert raised(hang) == attempts.SLOW
