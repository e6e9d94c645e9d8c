import sys
from types import SimpleNamespace

import keras
import pytest

from yolov1_fo import hardware
from yolov1_fo.datasets import error_lines


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


def test_free_memory_is_asked_of_accelerators_only(monkeypatch):
    monkeypatch.setattr(hardware, "has_accelerator", lambda: False)
    assert hardware.free_memory() is None


@pytest.fixture
def gpus(monkeypatch):
    """Lets TensorFlow see GPUs with these numbers and details."""
    tf = pytest.importorskip("tensorflow")
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    monkeypatch.setattr(hardware, "has_accelerator", lambda: True)

    def show(details, *numbers):
        seen = [
            SimpleNamespace(name=f"/physical_device:GPU:{number}") for number in numbers
        ]
        monkeypatch.setattr(
            tf.config,
            "get_visible_devices",
            lambda kind=None: seen if kind == "GPU" else [],
        )
        monkeypatch.setattr(
            tf.config.experimental, "get_device_details", lambda gpu: details
        )

    return show


@pytest.mark.parametrize(
    ("details", "precision"),
    [
        ({"compute_capability": (7, 5)}, "float32"),  # T4
        ({"compute_capability": (8, 0)}, "bfloat16"),  # A100
        ({"compute_capability": (12, 0)}, "bfloat16"),
        ({"device_name": "METAL"}, "float32"),
        ({}, "float32"),
    ],
)
def test_auto_takes_bfloat16_of_gpus_that_have_it(gpus, details, precision):
    gpus(details, 0)
    assert hardware.fastest_precision() == precision


@pytest.mark.parametrize(
    ("platform", "capability", "precision"),
    [
        ("gpu", "7.5", "float32"),
        ("gpu", "9.0", "bfloat16"),
        ("gpu", "gfx90a", "float32"),
        ("tpu", None, "bfloat16"),
    ],
)
def test_auto_asks_jax_too(monkeypatch, platform, capability, precision):
    device = SimpleNamespace(platform=platform, compute_capability=capability)
    jax = SimpleNamespace(local_devices=lambda: [device])
    monkeypatch.setitem(sys.modules, "jax", jax)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(hardware, "has_accelerator", lambda: True)
    assert hardware.fastest_precision() == precision


class Driver:
    """CUDA's driver, with two GPUs that it shows this process."""

    FREE = (39000 * 2**20, 7000 * 2**20)

    def __init__(self, failing=""):
        self.failing, self.held = failing, 0

    def __getattr__(self, name):
        return lambda *arguments: int(name == self.failing)

    def cuDeviceGet(self, device, number):  # its name
        device._obj.value = number
        return 0 if number < len(self.FREE) else 101

    def cuDevicePrimaryCtxRetain(self, context, device):  # its name
        self.held += 1
        self.device = device.value
        return 0

    def cuDevicePrimaryCtxRelease_v2(self, device):  # its name
        self.held -= 1
        return 0

    def cuMemGetInfo_v2(self, free, total):  # its name
        free._obj.value = self.FREE[self.device]
        return int(self.failing == "cuMemGetInfo_v2")


@pytest.mark.parametrize(
    ("numbers", "failing", "free"),
    [
        ((0, 1), "", 39000 * 2**20),
        ((1,), "", 7000 * 2**20),  # the other one is hidden
        ((2,), "", None),
        ((), "", None),
        ((0,), "cuInit", None),
        ((0,), "cuCtxPushCurrent_v2", None),
        ((0,), "cuMemGetInfo_v2", None),
    ],
)
def test_free_memory_is_of_the_first_gpu_that_is_seen(
    monkeypatch, gpus, numbers, failing, free
):
    driver = Driver(failing)
    monkeypatch.setattr(hardware.ctypes, "CDLL", lambda name: driver)
    gpus({}, *numbers)
    assert hardware.free_memory() == free
    assert driver.held == 0


def test_free_memory_is_unknown_without_cudas_driver(monkeypatch, gpus):
    def absent(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(hardware.ctypes, "CDLL", absent)
    gpus({}, 0)
    assert hardware.free_memory() is None


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
    assert error_lines.is_out_of_memory(error) is is_so
