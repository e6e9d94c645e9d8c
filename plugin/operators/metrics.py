"""VOC's and COCO's numbers as metrics that FiftyOne's own evaluation may ask for."""

from typing import Any

import fiftyone.operators as foo

from yolov1_fo.evaluation import evaluator


class _Metric(foo.EvaluationMetric):
    """One of the numbers of an `EvaluationReport`."""

    key = label = ""

    @property
    def config(self) -> foo.EvaluationMetricConfig:
        """What the App shows of it."""
        return foo.EvaluationMetricConfig(
            name=self.key,
            label=self.label,
            description=f"{self.label} over the classes with objects",
            eval_types=["detection"],
            aggregate_key=self.key,
            lower_is_better=False,
            unlisted=True,
        )

    def compute(self, samples: Any, results: Any) -> float | None:
        """Returns the number; None if no class has an object."""
        return evaluator.metrics(samples, results)[self.key]


class Voc07(_Metric):
    """Mean of the best precision at 11 levels of recall."""

    key, label = "voc07", "VOC07 mAP"


class Voc10(_Metric):
    """Area under the curve."""

    key, label = "voc10", "VOC10 mAP"


class Ap50(_Metric):
    """Mean precision at 101 levels of recall, at IoU 0.5."""

    key, label = "ap50", "COCO AP@0.5"
