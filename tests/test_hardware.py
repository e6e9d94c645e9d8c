import keras
import pytest

from yolov1_fo import hardware


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ("fpu sse2 avx512_bf16", "bfloat16"),
        ("amx_bf16", "bfloat16"),
        ("avx512f", "float32"),
    ],
)
def test_auto_takes_what_the_processor_has(tmp_path, monkeypatch, flags, precision):
    info = tmp_path / "cpuinfo"
    info.write_text(f"flags : {flags}\n")
    monkeypatch.setattr(hardware, "CPU_INFO", info)
    monkeypatch.setattr(hardware, "has_accelerator", lambda: False)
    assert hardware.fastest_precision() == precision
    info.unlink()
    assert hardware.fastest_precision() == "float32"
    monkeypatch.setattr(hardware, "has_accelerator", lambda: True)
    assert hardware.fastest_precision() == "bfloat16"


def test_free_memory_is_asked_of_accelerators_only(monkeypatch):
    monkeypatch.setattr(hardware, "has_accelerator", lambda: False)
    assert hardware.free_memory() is None


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow")
@pytest.mark.parametrize(
    ("said", "free"), [("40000\n39000\n", 40000 * 2**20), ("", None), ("[N/A]", None)]
)
def test_free_memory_is_what_the_driver_says(tmp_path, monkeypatch, said, free):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '{said}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(hardware, "has_accelerator", lambda: True)
    assert hardware.free_memory() == free


@pytest.mark.parametrize(
    ("error", "is_so"),
    [
        (MemoryError(), True),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes"), True),
        (type("ResourceExhaustedError", (Exception,), {})("OOM"), True),
        (ValueError("no room for argument"), False),
    ],
)
def test_out_of_memory_is_known_by_its_name(error, is_so):
    assert hardware.is_out_of_memory(error) is is_so
