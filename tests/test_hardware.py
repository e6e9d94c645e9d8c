import sys
from types import SimpleNamespace

import keras
import psutil
import pytest

from yolov1_fo import hardware
from yolov1_fo.datasets import error_lines

GIB = 2**30


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ("fpu sse2 avx512_bf16", "bfloat16"),
        ("amx_bf16", "bfloat16"),
        ("avx512f", "float32"),
    ],
)
def test_auto_is_bfloat16_on_cpus_that_support_it(
    tmp_path, monkeypatch, flags, precision
):
    info = tmp_path / "cpuinfo"
    info.write_text(f"flags : {flags}\n")
    monkeypatch.setattr(hardware, "CPU_INFO", info)
    monkeypatch.setattr(hardware, "has_accelerator", lambda: False)
    assert hardware.fastest_precision() == precision
    info.unlink()
    assert hardware.fastest_precision() == "float32"


def test_free_device_memory_is_unknown_without_accelerator(monkeypatch):
    monkeypatch.setattr(hardware, "has_accelerator", lambda: False)
    assert hardware.free_device_memory() is None


def test_peak_memory_is_in_bytes():
    now = psutil.Process().memory_info().rss
    assert 0.9 * now < hardware.peak_memory() < psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("names", "peak"),
    [
        (["/device:CPU:0", "/device:GPU:0", "/device:GPU:1"], 5),
        (["/device:CPU:0", "/device:XPU:0"], None),
    ],
)
def test_peak_memory_of_the_first_accelerator(monkeypatch, names, peak):
    tf = pytest.importorskip("tensorflow")
    assert hardware.peak_device_memory() is None  # there is none
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    monkeypatch.setattr(hardware, "has_accelerator", lambda: True)
    devices = [SimpleNamespace(name=name) for name in names]
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda: devices)
    known = {"GPU:0": {"current": 1, "peak": 5}}
    monkeypatch.setattr(
        tf.config.experimental, "get_memory_info", lambda name: known[name]
    )
    assert hardware.peak_device_memory() == peak


@pytest.fixture
def gpus(monkeypatch):
    """Makes TensorFlow report GPUs with these numbers and details."""
    tf = pytest.importorskip("tensorflow")
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    monkeypatch.setattr(hardware, "has_accelerator", lambda: True)

    def show(details, *numbers):
        devices = [
            SimpleNamespace(name=f"/physical_device:GPU:{number}") for number in numbers
        ]
        monkeypatch.setattr(
            tf.config,
            "get_visible_devices",
            lambda kind=None: devices if kind == "GPU" else [],
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
def test_auto_is_bfloat16_on_gpus_that_support_it(gpus, details, precision):
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
def test_auto_on_jax(monkeypatch, platform, capability, precision):
    device = SimpleNamespace(platform=platform, compute_capability=capability)
    jax = SimpleNamespace(local_devices=lambda: [device])
    monkeypatch.setitem(sys.modules, "jax", jax)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(hardware, "has_accelerator", lambda: True)
    assert hardware.fastest_precision() == precision


class FakeNVML:
    """The module of nvidia-ml-py, on a machine with some GPUs."""

    class NVMLError(Exception):
        """Raised by every function that fails."""

    def __init__(self, free=(39 * GIB, 7 * GIB), names=("A100", "A100"), failing=""):
        self.free, self.names, self.failing = free, names, failing
        self.is_open = False

    def nvmlInit(self):  # NVML's name
        self._call("nvmlInit")
        self.is_open = True

    def nvmlShutdown(self):  # NVML's name
        self.is_open = False

    def nvmlDeviceGetCount(self):  # NVML's name
        return len(self.free)

    def nvmlDeviceGetHandleByIndex(self, index):  # NVML's name
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid):  # NVML's name
        if uuid != "MIG-1":
            raise self.NVMLError("Not Found")
        return 1

    def nvmlDeviceGetUUID(self, handle):  # NVML's name
        return f"GPU-{handle}abc"

    def nvmlDeviceGetName(self, handle):  # NVML's name
        return self.names[handle]

    def nvmlDeviceGetMemoryInfo(self, handle):  # NVML's name
        self._call("nvmlDeviceGetMemoryInfo")
        return SimpleNamespace(free=self.free[handle])

    def _call(self, name):
        if self.failing == name:
            raise self.NVMLError(name)


@pytest.mark.parametrize(
    ("numbers", "environment", "options", "free"),
    [
        ((0, 1), {}, {}, 39),
        ((1,), {}, {}, 7),  # TensorFlow was set to use only the second
        ((2,), {}, {}, None),
        ((), {}, {}, None),
        ((0,), {"CUDA_VISIBLE_DEVICES": "1,0"}, {}, 7),
        ((1,), {"CUDA_VISIBLE_DEVICES": "1, 0"}, {}, 39),
        ((0,), {"CUDA_VISIBLE_DEVICES": "5"}, {}, None),
        ((0,), {"CUDA_VISIBLE_DEVICES": "GPU-1a"}, {}, 7),  # any unique beginning
        ((0,), {"CUDA_VISIBLE_DEVICES": "MIG-1"}, {}, 7),
        ((0,), {"CUDA_VISIBLE_DEVICES": "MIG-2"}, {}, None),
        ((0,), {}, {"names": ("A100", "T4")}, 7),  # CUDA's order is unknown
        (
            (0,),
            {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
            {"names": ("A100", "T4")},
            39,
        ),
        ((0,), {}, {"failing": "nvmlInit"}, None),
        ((0,), {}, {"failing": "nvmlDeviceGetMemoryInfo"}, None),
    ],
)
def test_free_memory_is_that_of_the_first_visible_gpu(
    monkeypatch, gpus, numbers, environment, options, free
):
    nvml = FakeNVML(**options)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    gpus({}, *numbers)
    assert hardware.free_device_memory() == (free and free * GIB)
    assert not nvml.is_open


def test_free_memory_is_unknown_without_nvidia_ml_py(monkeypatch, gpus):
    monkeypatch.setitem(sys.modules, "pynvml", None)  # import fails
    gpus({}, 0)
    assert hardware.free_device_memory() is None


def test_the_fake_has_the_names_of_nvidia_ml_py():
    pynvml = pytest.importorskip("pynvml")
    names = [name for name in vars(FakeNVML) if not name.startswith("_")]
    assert not [name for name in names if not hasattr(pynvml, name)]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes"), True),
        (type("ResourceExhaustedError", (Exception,), {})("OOM"), True),
        (ValueError("no room for argument"), False),
    ],
)
def test_out_of_memory_errors_are_recognized(error, expected):
    assert error_lines.is_out_of_memory(error) is expected
