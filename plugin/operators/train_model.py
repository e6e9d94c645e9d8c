"""Trains a network on the view, in a process of its own."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
import psutil

from yolov1_fo import architectures
from yolov1_fo.config import RECOMMENDED, TrainConfig, units
from yolov1_fo.config.train import DATA_MODES, OPTIMIZERS, PRECISIONS, SCHEDULES
from yolov1_fo.datasets import checks
from yolov1_fo.jobs import control, launch
from yolov1_fo.runs import registry

from .. import facts, following, forms, splits

TRUTH = "ground_truth"
FIRST = ("network", "epochs", "image_size", "batch_size")
ADVANCED = (
    *("S", "batch_norm", "optimizer", "learning_rate", "schedule", "head_filters"),
    *("dropout", "jitter", "flip", "patience", "precision", "data", "seed"),
)


class TrainModel(foo.Operator):
    """Trains a YOLOv1 on a dataset or view."""

    @property
    def config(self) -> foo.OperatorConfig:
        """What the App shows of it."""
        return foo.OperatorConfig(
            name="train_model",
            label="Train YOLOv1",
            description="Train a detector on the view in front of you",
            icon="model_training",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Asks what to learn, from what, and how."""
        form = types.Object()
        samples = forms.target(ctx, form, "Train on")
        fields = samples and forms.detection_fields(samples, form)
        if fields:
            self._ask(ctx, form, samples, fields)
        return types.Property(form, view=types.View(label="Train YOLOv1"))

    def _ask(
        self, ctx: Any, form: types.Object, samples: Any, fields: list[str]
    ) -> None:
        # 1. What to learn from.
        field = forms.dropdown(
            form, "gt_field", fields, label="Ground truth", default=TRUTH
        )
        params = {"gt_field": field, **splits.add(form, samples, ctx.params)}

        # 2. How.
        key = registry.new_key(ctx.dataset, "yolov1")
        form.str("run_key", label="Name of the run", default=key)
        chosen = _settings(ctx.params)
        forms.dropdown(
            form,
            "network",
            {name: f"{name}: {one.description}" for name, one in _networks().items()},
            label="Network",
            default=RECOMMENDED["network"],
        )
        said = TrainConfig.describe()
        for name in FIRST[1:]:
            _add(form, name, said[name], chosen)
        form.bool("advanced", label="More settings", default=False)
        if ctx.params.get("advanced"):
            for name in ADVANCED:
                _add(form, name, said[name], chosen)

        # 3. Whether it can be done, and what it will do.
        forms.check(form, lambda: _tell(form, samples, params))

    def execute(self, ctx: Any) -> Any:
        """Starts the training, and follows it."""
        samples = ctx.target_view(require_flat=True)
        params = dict(ctx.params)

        def start() -> Any:
            train, val = splits.of(samples, params)
            return launch.train(
                train,
                params.get("gt_field", TRUTH),
                val,
                params.get("run_key"),
                _settings(params),
            )

        return following.follow(ctx, start)

    def __call__(
        self,
        samples: Any,
        gt_field: str = TRUTH,
        *,
        run_key: str | None = None,
        split: str = "none",
        delegate: bool = False,
        **settings: Any,
    ) -> Any:
        """Starts a training from Python; returns the operator's result.

        Args:
            samples: a FiftyOne dataset or view
            gt_field ("ground_truth"): its field of Detections
            run_key (None): the run's name; made up if None
            split ("none"): tags, views, percent or none; its other inputs are named as
                in the form
            delegate (False): queues it for a delegated process
            **settings: of the form
        """
        return foo.execute_operator(
            self.uri,
            ctx={"view": samples.view()},
            params={
                "gt_field": gt_field,
                "run_key": run_key,
                "split": split,
                **settings,
            },
            request_delegation=delegate,
        )


def _networks() -> dict[str, architectures.Architecture]:
    """Returns the networks, the one that serves a newcomer first."""
    first = RECOMMENDED["network"]
    return {first: architectures.NETWORKS[first], **architectures.NETWORKS}


def _settings(params: dict[str, Any]) -> dict[str, Any]:
    """Returns what was chosen, on top of what is recommended for the network."""
    names = (*FIRST, *ADVANCED)
    given = {name: params[name] for name in names if params.get(name) is not None}
    network = given.get("network", RECOMMENDED["network"])
    if not architectures.NETWORKS.get(network, architectures.Architecture()).backbone:
        return {"network": network, **given}
    image_size = given.get("image_size", RECOMMENDED["image_size"])
    return {**RECOMMENDED, "S": max(image_size // 16, 1), **given}


def _add(form: types.Object, name: str, text: str, chosen: dict[str, Any]) -> None:
    """Adds a setting, with what it will be if nothing is said."""
    default = chosen.get(name, getattr(TrainConfig, name))
    label = name.replace("_", " ").capitalize()
    options = {"label": label, "description": text, "default": default}
    choices = {
        "optimizer": OPTIMIZERS,
        "schedule": SCHEDULES,
        "precision": PRECISIONS,
        "data": DATA_MODES,
    }
    if name in choices:
        forms.dropdown(form, name, list(choices[name]), **options)
    elif isinstance(default, bool):
        form.bool(name, **options)
    elif isinstance(default, int):
        form.int(name, **options)
    else:
        form.float(name, **options)


def _tell(form: types.Object, samples: Any, params: dict[str, Any]) -> None:
    """Says what will happen.

    Raises:
        ValueError: if something is missing or does not fit
    """
    dataset, field = samples._root_dataset, params["gt_field"]
    checks.check_detections(samples, field, "gt_field")
    train, val, images, measured = splits.foresee(samples, params)
    classes = facts.classes(train, field)
    config = launch.check(train, field, val, _settings(params), classes)
    launch.check_batch(config, images)
    if key := params.get("run_key"):
        registry.check_key(dataset, key, registry.folder(dataset, key))
    ahead = launch.foresee(dataset, config, images, measured)
    forms.say(
        form,
        "what",
        f"{images} images to learn from, {measured or 'none'} to measure on, "
        f"{config.C} classes, {images // config.batch_size} steps an epoch; {ahead}",
    )
    free = psutil.virtual_memory().available
    if ahead.memory > free:
        needed = units.of_bytes(ahead.memory)
        line = f"it may need {needed}; {units.of_bytes(free)} are free"
        forms.say(form, "memory", line, warns=True)
    others = ", ".join(f"'{job.target}'" for job in control.active())
    if others:
        line = f"{others} goes on; this training goes beside it, and both are slower"
        forms.say(form, "beside", line, warns=True)
