"""yolov1-fo labels: find mistakes, suggest, accept, choose what to label next."""

import argparse
from typing import Any

from yolov1_fo.cli.commands import add_command
from yolov1_fo.cli.commands.dataset_options import (
    add_collection,
    add_gt_field,
    collection,
)
from yolov1_fo.networks.tensorflow_startup import load_tensorflow


def add(commands: Any) -> None:
    """Adds the commands `labels mistakes`, `suggest`, `accept`, `undo` and `next`."""
    parser = add_command(
        commands,
        "labels",
        None,
        "Find mistakes in labels, suggest labels, accept them, choose what to label.",
        example="yolov1-fo labels mistakes my-dataset predictions",
    )
    of_labels = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND"
    )
    _add_mistakes(of_labels)
    _add_suggest(of_labels)
    _add_accept(of_labels)
    one = _add(
        *(of_labels, "next", _next),
        "Tag the samples whose labels would help a model most.",
        "yolov1-fo labels next my-dataset my_run --count 50",
    )
    one.add_argument("model", metavar="MODEL", help="run, checkpoint or zoo model")
    one.add_argument(
        "--count", type=int, metavar="N", default=20, help="samples (%(default)s)"
    )


def _add(
    commands: Any, name: str, run: Any, text: str, example: str
) -> argparse.ArgumentParser:
    parser = add_command(commands, name, run, text, example=example)
    add_collection(parser)
    add_gt_field(parser)
    return parser


def _add_mistakes(commands: Any) -> None:
    parser = _add(
        *(commands, "mistakes", _mistakes),
        "Find labels that a model's predictions contradict, as fields and saved views.",
        "yolov1-fo labels mistakes my-dataset --folds 3 --max-minutes 10",
    )
    parser.add_argument(
        "pred_field",
        metavar="PRED_FIELD",
        nargs="?",
        help="predictions field (predictions; with --folds it is written: out_of_fold)",
    )
    parser.add_argument(
        "--folds",
        type=int,
        metavar="N",
        help="train N models, and predict each sample with one that has not seen it",
    )
    parser.add_argument(
        "--max-minutes", type=float, metavar="X", help="of each training"
    )
    parser.add_argument(
        "--clear", action="store_true", help="delete the fields and views instead"
    )


def _add_suggest(commands: Any) -> None:
    parser = _add(
        *(commands, "suggest", _suggest),
        "Suggest labels for samples without, from a model or its predictions.",
        "yolov1-fo labels suggest my-dataset my_run",
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="predictions field, run of the dataset, checkpoint folder, or name of a "
        "zoo model",
    )
    parser.add_argument(
        "--thresh", type=float, metavar="X", help="lowest confidence (that of best F1)"
    )
    parser.add_argument(
        "--include-labeled",
        action="store_true",
        help="also suggest what samples with labels lack",
    )


def _add_accept(commands: Any) -> None:
    parser = _add(
        *(commands, "accept", _accept),
        "Move suggestions into the ground truth.",
        "yolov1-fo labels accept my-dataset --tag checked",
    )
    parser.add_argument(
        "--min-confidence", type=float, metavar="X", help="minimum confidence to accept"
    )
    _add(
        *(commands, "undo", _undo),
        "Take back what the last `accept` has accepted.",
        "yolov1-fo labels undo my-dataset",
    )


def _mistakes(arguments: argparse.Namespace) -> int:
    import yolov1_fo

    samples = collection(arguments, arguments.tag)
    if arguments.clear:
        yolov1_fo.clear_mistakes(samples)
        return 0
    settings = {}
    if arguments.max_minutes is not None:
        settings["max_minutes"] = arguments.max_minutes
    if arguments.folds is not None:
        load_tensorflow()
    elif settings:
        raise ValueError(
            "--max-minutes is of the trainings of --folds, which is missing"
        )
    print(
        yolov1_fo.find_mistakes(
            samples,
            arguments.pred_field,
            arguments.gt_field,
            folds=arguments.folds,
            **settings,
        )
    )
    return 0


def _suggest(arguments: argparse.Namespace) -> int:
    import yolov1_fo

    samples = collection(arguments, arguments.tag)
    source = arguments.source
    if not samples.has_field(source):
        source = _model(samples, source)
    print(
        yolov1_fo.suggest(
            samples,
            source,
            arguments.gt_field,
            thresh=arguments.thresh,
            include_labeled=arguments.include_labeled,
        )
    )
    return 0


def _accept(arguments: argparse.Namespace) -> int:
    from fiftyone import ViewField as F

    import yolov1_fo
    from yolov1_fo.curation import suggestion_field

    samples = collection(arguments, arguments.tag)
    if arguments.min_confidence is not None:
        field = suggestion_field.name_of(arguments.gt_field)
        is_shown = F("confidence") >= arguments.min_confidence
        samples = samples.filter_labels(field, is_shown, only_matches=False)
    print(yolov1_fo.accept(samples, arguments.gt_field))
    return 0


def _undo(arguments: argparse.Namespace) -> int:
    import yolov1_fo

    samples = collection(arguments, arguments.tag)
    print(yolov1_fo.undo_accept(samples, arguments.gt_field))
    return 0


def _next(arguments: argparse.Namespace) -> int:
    import yolov1_fo
    from yolov1_fo.curation.candidates import TAG

    samples = collection(arguments, arguments.tag)
    model = _model(samples, arguments.model)
    chosen = yolov1_fo.next_to_label(
        samples, model, arguments.count, arguments.gt_field
    )
    print(f"{len(chosen)} samples have the tag '{TAG}'")
    return 0


def _model(samples: Any, source: str) -> Any:
    import yolov1_fo
    from yolov1_fo.datasets import fiftyone_private

    load_tensorflow()
    return yolov1_fo.load_model(source, fiftyone_private.root_dataset(samples))
