"""VOC's and COCO's mAP as custom metrics of FiftyOne's evaluation."""

from typing import Any

import fiftyone.operators as foo

from yolov1_fo.config import metric_names
from yolov1_fo.evaluation import metrics


class _Metric(foo.EvaluationMetric):
    """One of the metrics of an `EvaluationReport`."""

    key = ""

    @property
    def config(self) -> foo.EvaluationMetricConfig:
        """The operator's name, label and options."""
        label = metric_names.label(self.key)
        return foo.EvaluationMetricConfig(
            name=self.key,
            label=label,
            description=f"{label} over all classes that have objects",
            eval_types=["detection"],
            aggregate_key=self.key,
            lower_is_better=False,
            unlisted=True,
        )

    def compute(self, samples: Any, results: Any) -> float | None:
        """Returns the metric; None if no class has objects."""
        return metrics.compute(samples, results)[self.key]


class Voc07(_Metric):
    """Mean of the interpolated precision at 11 recall levels."""

    key = "voc07"


class Voc10(_Metric):
    """Area under the interpolated precision-recall curve."""

    key = "voc10"


class Ap50(_Metric):
    """Mean of the interpolated precision at 101 recall levels, at IoU 0.5."""

    key = "ap50"
