"""Checks that this machine has what YOLOv1 needs, and suggests remedies."""

from collections.abc import Callable, Iterable

from tabulate import tabulate

from yolov1_fo.cli import fiftyone_checks, machine_checks
from yolov1_fo.cli.machine_checks import ERROR, Check
from yolov1_fo.datasets import database_uri


def run_checks() -> list[Check]:
    """Returns the results of all checks; one that fails is reported as an error.

    Without FiftyOne only the machine is checked.
    """
    first = {
        "Python": machine_checks.check_packages,
        "system": machine_checks.check_system,
        "weights": machine_checks.check_weights,
    }
    with_fiftyone = {
        "TensorFlow": machine_checks.check_tensorflow,
        "database": fiftyone_checks.check_database,
        "datasets": fiftyone_checks.check_datasets_folder,
        "model zoo": fiftyone_checks.check_model_zoo,
        "runs": fiftyone_checks.check_runs,
        "caches": fiftyone_checks.check_caches,
        "App plugin": fiftyone_checks.check_plugin,
    }
    broken = run_check("FiftyOne", machine_checks.import_fiftyone)
    checks = first | ({} if broken else with_fiftyone)
    checks["videos"] = machine_checks.check_ffmpeg
    results = [one for name, check in checks.items() for one in run_check(name, check)]
    return results + broken


def run_check(subject: str, check: Callable[[], Iterable[Check]]) -> list[Check]:
    """Returns the results of a check; if it raises an exception, that is the last."""
    results = []
    try:
        for result in check():
            results.append(result)  # noqa: PERF402  # keeps those before an exception
    except Exception as error:  # whatever fails here, the other checks are run
        found = f"check failed: {database_uri.one_line(error)}"
        remedy = f"fix this first; it is a {type(error).__name__}"
        results.append(Check(ERROR, subject, found, remedy))
    return results


def table(checks: list[Check]) -> str:
    """Returns a table of checks with their remedies."""
    rows = [
        (
            check.state,
            check.subject,
            f"{check.found}\n-> {check.remedy}" if check.remedy else check.found,
        )
        for check in checks
    ]
    return tabulate(rows, tablefmt="plain", disable_numparse=True)
