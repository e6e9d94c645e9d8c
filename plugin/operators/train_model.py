"""Trains a detector in a child process."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
import humanize
import psutil

from yolov1_fo import architectures
from yolov1_fo.config import TrainConfig, recipes
from yolov1_fo.config.train import (
    DATA_MODES,
    MONITORS,
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
)
from yolov1_fo.datasets import checks, fiftyone_private
from yolov1_fo.jobs import launch, monitor
from yolov1_fo.runs import folders, gpus, registry

from .. import dataset_values, form_widgets, job_progress, splits

GT_FIELD = "ground_truth"
BASIC = ("max_minutes", "epochs", "image_size", "batch_size")
ADVANCED = (
    *("recipe", "S", "batch_norm", "optimizer", "learning_rate", "schedule"),
    *("scale_noobj", "head_filters", "dropout", "jitter", "flip", "letterbox"),
    *("monitor", "patience", "sample_weights", "negative_fraction"),
    *("gradient_accumulation_steps", "precision", "data", "seed"),
)
LABELS = {
    "max_minutes": "Time limit (minutes)",
    "S": "Grid size (S)",
    "batch_norm": "Batch normalization",
    "flip": "Horizontal flip",
    "schedule": "Learning rate schedule",
    "patience": "Early stopping patience",
    "data": "Data mode",
    "scale_noobj": "Scale lambda_noobj to the grid",
    "monitor": "Metric of the best checkpoint",
    "negative_fraction": "Share of images without objects",
    "seed": "Random seed",
}
"""Labels of settings that are not simply their names."""
CHOICES: dict[str, tuple[str, ...]] = {
    "recipe": tuple(recipes.RECIPES),
    "monitor": MONITORS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "precision": PRECISIONS,
    "data": DATA_MODES,
}
BOOLS = {"yes": True, "no": False}
NEW = "new"
"""The choice of no weights to start from."""
AUTO_DEVICE = "auto"


class TrainModel(foo.Operator):
    """Trains a YOLOv1 on a dataset or view."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="train_model",
            label="Train YOLOv1",
            description="Train a detector on the current view",
            icon="model_training",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: field, split, run name, and settings."""
        form = types.Object()
        samples = form_widgets.add_target(ctx, form, "Train on")
        fields = samples and form_widgets.detection_fields(samples, form)
        if fields:
            self._add_inputs(ctx, form, samples, fields)
        return types.Property(form, view=types.View(label="Train YOLOv1"))

    def _add_inputs(
        self, ctx: Any, form: types.Object, samples: Any, fields: list[str]
    ) -> None:
        # 1. Data.
        field = form_widgets.add_dropdown(
            form, "gt_field", fields, label="Ground truth field", default=GT_FIELD
        )
        params = {"gt_field": field, **splits.add_inputs(form, samples, ctx.params)}

        # 2. Run and settings.
        key = registry.new_key(ctx.dataset, "yolov1")
        form.str("run_key", label="Run name", default=key)
        form_widgets.add_dropdown(
            form,
            "network",
            {name: f"{name}: {one.description}" for name, one in _networks().items()},
            label="Network",
            default=recipes.DEFAULT_NETWORK,
        )
        config = _recipe(ctx.params)
        for name in BASIC:
            _add_setting(form, name, config)
        form.bool("advanced", label="Advanced settings", default=False)
        if ctx.params.get("advanced"):
            for name in ADVANCED:
                _add_setting(form, name, config)
        _add_devices(form)

        # 3. Checks and summary.
        form_widgets.check(form, lambda: _add_summary(form, samples, params))

    def execute(self, ctx: Any) -> Any:
        """Starts the training and reports its progress."""
        samples = ctx.target_view(require_flat=True)
        params = dict(ctx.params)

        def start() -> Any:
            train, val = splits.split(samples, params)
            return launch.train(
                train,
                params.get("gt_field", GT_FIELD),
                val,
                params.get("run_key"),
                _settings(params),
                device=_device(params),
            )

        return job_progress.run_job(ctx, start)

    def __call__(
        self,
        samples: Any,
        gt_field: str = GT_FIELD,
        *,
        run_key: str | None = None,
        split: str = "auto",
        delegate: bool = False,
        **settings: Any,
    ) -> Any:
        """Starts a training from Python; returns the operator's result.

        Args:
            samples: a FiftyOne dataset or view
            gt_field ("ground_truth"): field of Detections
            run_key (None): name of the run; generated if None
            split ("auto"): tags, views, auto, percent or none; its other inputs have
                the same names as in the form
            delegate (False): whether to queue a delegated operation
            **settings: other inputs of the form
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


def _device(params: dict[str, Any]) -> str | None:
    """Returns the chosen device; None is the backend's choice."""
    device = params.get("device", AUTO_DEVICE)
    return None if device in (None, AUTO_DEVICE) else str(device)


def _networks() -> dict[str, architectures.Architecture]:
    """Returns the networks, the recommended one first."""
    first = recipes.DEFAULT_NETWORK
    return {first: architectures.NETWORKS[first], **architectures.NETWORKS}


def _settings(params: dict[str, Any]) -> dict[str, Any]:
    """Returns the settings that were edited; the recipe has the others."""
    names = ("network", *BASIC, *ADVANCED)
    chosen = {
        name: BOOLS.get(params[name], params[name])
        for name in names
        if params.get(name) not in (None, "")
    }
    if params.get("split") == "none":
        chosen["val_fraction"] = 0.0
    return chosen


def _recipe(params: dict[str, Any]) -> TrainConfig:
    """Returns the recipe that the form shows."""
    network, recipe = params.get("network"), params.get("recipe") or None
    if network not in architectures.NETWORKS:
        network = recipes.DEFAULT_NETWORK
    return TrainConfig.for_network(
        network, recipe if recipe in recipes.RECIPES else None
    )


def _add_setting(form: types.Object, name: str, config: TrainConfig) -> None:
    """Adds the input of a field of `TrainConfig`; empty, the recipe's value applies."""
    value = getattr(config, name)
    choice = recipes.choices(config.recipe, config.network).get(name)
    is_automatic = name == "recipe" or (choice is not None and choice.is_automatic)
    text = TrainConfig.describe()[name]
    shown = "automatic" if is_automatic else _text(value)
    # The help text of a choice begins with a value.
    text = text if name in CHOICES else f"{text[0].upper()}{text[1:]}"
    options = {
        "label": LABELS.get(name, name.replace("_", " ").capitalize()),
        "description": f"{text}. Empty: {shown}" if shown else text,
    }
    if name in CHOICES:
        form_widgets.add_optional_dropdown(form, name, CHOICES[name], shown, **options)
    elif isinstance(value, bool):
        form_widgets.add_optional_dropdown(form, name, tuple(BOOLS), shown, **options)
    elif isinstance(value, int):
        form.int(name, **options)
    elif isinstance(value, float):
        form.float(name, **options)
    else:
        form.str(name, **options)


def _text(value: Any) -> str:
    """Returns a setting's value as the form shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value in ("", 0.0) else str(value)


def _add_devices(form: types.Object) -> None:
    """Adds the choice of a GPU, if there is one."""
    names = gpus.names()
    if not names:
        return
    numbered = {str(n): f"GPU {n} {name}".strip() for n, name in enumerate(names)}
    choices = {AUTO_DEVICE: "automatic", **numbered, "cpu": "CPU"}
    form_widgets.add_dropdown(form, "device", choices, label="Device")


def _add_summary(form: types.Object, samples: Any, params: dict[str, Any]) -> None:
    """Checks the inputs; adds a summary of the training, and warnings.

    Raises:
        ValueError: if an input is missing or invalid
    """
    dataset, field = fiftyone_private.root_dataset(samples), params["gt_field"]
    checks.check_detections(samples, field, "gt_field")
    train, val, images, val_images = splits.preview(samples, params)
    classes = dataset_values.classes(train, field)
    config = launch.check_train(
        *(train, field, val, _settings(params), classes), images=images
    )
    if key := params.get("run_key"):
        registry.check_key(dataset, key, folders.run_folder(dataset, key))
    estimate = launch.estimate_training(dataset, config, images, val_images)
    form_widgets.add_notice(
        form,
        "what",
        f"{images} training images, {val_images or 'no'} validation images, "
        f"{config.C} classes, {images // config.batch_size} steps per epoch; "
        f"{estimate}",
    )
    free = psutil.virtual_memory().available
    if estimate.memory > free:
        needed, there = map(humanize.naturalsize, (estimate.memory, free))
        text = f"Training may need {needed} of memory, but only {there} is free"
        form_widgets.add_notice(form, "memory", text, is_warning=True)
    if jobs := ", ".join(f"'{job.target}'" for job in monitor.active_jobs()):
        text = f"Other jobs are running, which slows down both: {jobs}"
        form_widgets.add_notice(form, "jobs", text, is_warning=True)
