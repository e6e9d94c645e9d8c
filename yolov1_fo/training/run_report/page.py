"""write_report(source) -> path: the report of a run as one HTML file in its folder."""

import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.core.odm as foo
import jinja2
from bson import ObjectId
from markupsafe import Markup

from yolov1_fo import __version__, files
from yolov1_fo.config import arguments
from yolov1_fo.datasets import connection, database_uri, error_lines
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.runs import folders, ownership, records, registry
from yolov1_fo.training import next_steps
from yolov1_fo.training.run_report import figures, pictures, summary, tables
from yolov1_fo.training.run_report.contents import Contents

logger = logging.getLogger(__name__)

TEMPLATE, CSS = "report.html.jinja", "report.css"


@connection.one_line_errors()
def write_report(
    source: str | os.PathLike[str], dataset: fo.Dataset | None = None
) -> Path:
    """Writes the report of a run as one HTML file that needs nothing else.

    A training writes it when it ends. It is made from the run's folder and its record
    on the dataset, without the network: headline figures, curves, confusion matrix,
    validation images, training batch, classes, settings, and what to type next.

    Args:
        source: key or folder of a run
        dataset (None): where to look up a run key; a folder names its dataset

    Returns:
        the path of `report.html` in the run's folder; an existing one is replaced

    Raises:
        FileNotFoundError: if there is no such run, or it has no checkpoint and no
            record
        ValueError: if the folder belongs to another run, or the run can't be read
        TypeError: if an argument has the wrong type
        OSError: if it can't be written
    """
    folder, dataset, run_key = _find(source, dataset)
    try:
        html = render(Contents(folder, dataset, run_key))
    except (AttributeError, LookupError, TypeError, ArithmeticError) as error:
        # The record, or a file, came from elsewhere.
        raise ValueError(
            f"run '{run_key or folder.name}' can't be read: {type(error).__name__} "
            f"{error}"
        ) from error
    path = folder / folders.REPORT
    files.write_text(path, html.encode("utf-8", "replace").decode())
    return path


def write_after_training(dataset: fo.Dataset, run_key: str) -> str:
    """Writes the report; returns its path, empty if it can't be written.

    That is logged as a warning: a finished training must not fail because of it.
    """
    try:
        return str(write_report(run_key, dataset))
    except Exception as error:
        line = error_lines.describe(error) or database_uri.one_line(error)
        logger.warning("run '%s' has no %s: %s", run_key, folders.REPORT, line)
        return ""


def _find(
    source: str | os.PathLike[str], dataset: fo.Dataset | None
) -> tuple[Path, fo.Dataset | None, str | None]:
    """Returns the folder of a run, and its dataset and key if they are known."""
    name = arguments.check_path_or_name("source", source)
    if dataset is None:
        if not files.is_folder(name):
            raise FileNotFoundError(
                f"run folder {name!r} does not exist; to report on a run by its key, "
                "pass dataset="
            )
        folder = Path(name).absolute()
        dataset = _dataset_of(folder)
        if dataset is None:
            return folder, None, None
    fo_samples.check(dataset, "dataset")
    run_key = registry.find(dataset, name)
    if error := records.ownership_error(dataset, run_key):
        raise ValueError(f"the report of run '{run_key}' can't be written: {error}")
    return Path(registry.existing_folder(dataset, run_key)), dataset, run_key


def _dataset_of(folder: Path) -> fo.Dataset | None:
    """Returns the dataset with the run of a folder; None if it was deleted."""
    owner = ownership.read_owner(folder) or {}
    dataset_id = owner.get("dataset_id")
    if not ObjectId.is_valid(dataset_id):
        return None
    query = {"_id": ObjectId(dataset_id)}
    document = foo.get_db_conn().datasets.find_one(query, {"name": 1})
    if document is None or not fo.dataset_exists(document["name"]):
        return None
    dataset = fo.load_dataset(document["name"])
    try:
        registry.find(dataset, folder)
    except ValueError:
        return None
    return dataset


def render(contents: Contents) -> str:
    """Returns the HTML of a report."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts = _parts(contents)
    css = Markup((Path(__file__).parent / CSS).read_text(encoding="utf-8"))
    return environment.get_template(TEMPLATE).render(css=css, **parts)


def _parts(contents: Contents) -> dict[str, Any]:
    """Returns the variables of the template; those that note something come first."""
    made = {
        "batch": pictures.train_batch(contents),
        "groups": pictures.validation(contents),
        "charts": [*figures.of_epochs(contents), *figures.of_validation(contents)],
        "sizes": figures.object_sizes(contents),
        "class_rows": tables.class_rows(contents),
        "confusion": tables.confusion(contents),
        "splits": tables.split_rows(contents),
        "left_out": tables.left_out(contents),
        "settings": tables.setting_rows(contents),
        "headline": summary.headline(contents),
        "subtitle": summary.subtitle(contents),
        "status": summary.status(contents),
        "origin": summary.origin(contents),
    }
    return {
        **made,
        "contents": contents,
        "is_detector": contents.task == "detect",
        "noun": "objects" if contents.task == "detect" else "labels",
        "steps": contents.commands,
        "code": next_steps.code(contents.run_key, contents.task),
        "written": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "version": __version__,
    }
