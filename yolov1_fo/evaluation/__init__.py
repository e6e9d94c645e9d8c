"""Evaluation of detections: metrics of VOC and COCO, error analysis, reports.

Never imports Keras.
"""

import importlib
from typing import Any

_HOMES = {
    "EvaluationConfig": "coco_method",
    "Evaluation": "coco_method",
    "EvaluationResults": "evaluation_results",
}
"""Classes whose full names are stored in databases and files."""

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    return getattr(module, name)
