"""The last report of each dataset's check, kept while the App runs."""

from collections import OrderedDict
from typing import Any

from yolov1_fo.datasets import fiftyone_private
from yolov1_fo.datasets.inspection_report import InspectionReport

MAX_REPORTS = 8
"""Number of datasets whose reports are kept; the oldest are dropped."""
_reports: OrderedDict[str, InspectionReport] = OrderedDict()


def keep(dataset: Any, report: InspectionReport) -> None:
    """Keeps the report of a dataset."""
    key = str(fiftyone_private.dataset_id(dataset))
    _reports.pop(key, None)
    _reports[key] = report
    while len(_reports) > MAX_REPORTS:
        _reports.popitem(last=False)


def get(dataset: Any) -> InspectionReport | None:
    """Returns the last report of a dataset; None without one."""
    return _reports.get(str(fiftyone_private.dataset_id(dataset)))
