"""Commands that install what a task needs; all of these packages are on PyPI."""

import sys

_CPU = "tensorflow" if sys.platform == "darwin" else "tensorflow-cpu"
TENSORFLOW = f"pip install {_CPU}, or 'tensorflow[and-cuda]' for a GPU"
NO_TENSORFLOW = f"TensorFlow is not installed, which yolov1_fo needs: {TENSORFLOW}"
_NAMES = {"ai_edge_litert": "ai-edge-litert"}
"""Packages whose modules are called differently."""


def install(*modules: str) -> str:
    """Returns the command that installs the packages of some modules.

    Example:
        >>> install("onnx", "ai_edge_litert")
        'pip install onnx ai-edge-litert'
    """
    return f"pip install {' '.join(_NAMES.get(name, name) for name in modules)}"
