"""GPUs found without Keras, by a stand-in for nvidia-smi."""

import pytest

from yolov1_fo.runs import gpus

SMI = """#!/bin/sh
echo "NVIDIA H100"
echo "NVIDIA L4"
"""


@pytest.fixture
def smi(tmp_path, monkeypatch):
    file = tmp_path / "nvidia-smi"
    file.write_text(SMI)
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    gpus.names.cache_clear()
    yield file
    gpus.names.cache_clear()


def test_gpus_have_the_numbers_of_the_driver(smi):
    assert gpus.names() == ["NVIDIA H100", "NVIDIA L4"]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("", []),
        ("-1", []),
        ("-1,0", []),
        ("1", ["NVIDIA L4"]),
        ("1,0", ["NVIDIA L4", "NVIDIA H100"]),
        ("0,7,1", ["NVIDIA H100"]),
        ("GPU-0a1b,1", ["", "NVIDIA L4"]),
    ],
)
def test_hidden_gpus_are_left_out(smi, monkeypatch, visible, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus.names() == expected


def test_a_driver_that_fails_has_no_gpus(smi):
    smi.write_text("#!/bin/sh\nexit 9\n")
    assert gpus.names() == []
