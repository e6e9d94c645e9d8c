"""The packages that a task needs; all of them are on PyPI."""

import importlib.util
import sys
from collections.abc import Iterable

_CPU = "tensorflow" if sys.platform == "darwin" else "tensorflow-cpu"
TENSORFLOW = f"pip install {_CPU}, or 'tensorflow[and-cuda]' for a GPU"
NO_TENSORFLOW = f"TensorFlow is not installed, which yolov1_fo needs: {TENSORFLOW}"
OF_RUNTIMES = {
    "openvino": ("onnx", "openvino", "tf2onnx"),
    "onnxruntime": ("onnx", "onnxruntime", "tf2onnx"),
}
"""What each runtime of predictions needs, beside TensorFlow."""
_NAMES = {"ai_edge_litert": "ai-edge-litert"}
"""Packages whose modules are called differently."""


def install(*modules: str) -> str:
    """Returns the command that installs the packages of some modules.

    Example:
        >>> install("onnx", "ai_edge_litert")
        'pip install onnx ai-edge-litert'
    """
    return f"pip install {' '.join(_NAMES.get(name, name) for name in modules)}"


def is_installed(module: str) -> bool:
    """Returns whether a module can be imported; does not import it."""
    return importlib.util.find_spec(module) is not None


def require(what: str, modules: Iterable[str]) -> None:
    """Raises an ImportError unless some modules can be imported.

    Args:
        what: needs them
        modules: their names
    """
    missing = [name for name in modules if not is_installed(name)]
    if missing:
        *others, last = missing
        names = f"{', '.join(others)} and {last}" if others else last
        raise ImportError(f"{what} needs {names}: {install(*missing)}")


def require_runtime(runtime: str) -> None:
    """Raises an ImportError unless a runtime of predictions is installed.

    Args:
        runtime: one of `config.RUNTIMES`; keras and auto need nothing
    """
    require(f"runtime={runtime!r}", OF_RUNTIMES.get(runtime, ()))


def first_line(error: Exception) -> str:
    """Returns an error of a package in one line."""
    return (str(error).strip() or repr(error)).splitlines()[0]
