"""Chooses the samples to label next, in a child process."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.config import arguments
from yolov1_fo.config.plurals import counted
from yolov1_fo.curation import candidates
from yolov1_fo.jobs import label_launch

from .. import job_progress
from ..forms import form_widgets, label_inputs
from ..names import GT_FIELD

COUNT = 20
NEEDED = {
    "count": form_widgets.ENTER_NUMBER,
    "tag": form_widgets.ENTER_NAME,
}
"""Inputs that must not be empty, and what to do with them."""


class NextToLabel(foo.Operator):
    """Tags the samples whose labels would help a model most."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="next_to_label",
            label="Choose samples to label next with YOLOv1",
            description="Tag the samples whose labels would help the model most",
            icon="playlist_add_check",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: field, model, number and tag."""
        form = types.Object()
        samples = form_widgets.add_target(ctx, form, "Choose among")
        if samples:
            field = label_inputs.add_gt_field(form, samples, ctx.params, exists=False)
            if field and (
                model := label_inputs.add_model(form, ctx.dataset, ctx.params)
            ):
                self._add_inputs(ctx, form, samples, model, field)
        view = types.View(label="Choose samples to label next")
        return types.Property(form, view=view)

    def _add_inputs(
        self, ctx: Any, form: types.Object, samples: Any, model: str, gt_field: str
    ) -> None:
        form.int("count", label="Number of samples", default=COUNT, min=1)
        form.str("tag", label="Tag", default=candidates.TAG)
        number = ctx.params.get("count", COUNT)
        tag = ctx.params.get("tag", candidates.TAG)

        def add_summary() -> None:
            form_widgets.check_filled(ctx.params, NEEDED)
            text = _summary(samples, model, gt_field, number, tag)
            form_widgets.add_notice(form, "what", text)

        form_widgets.check(form, add_summary)

    def execute(self, ctx: Any) -> Any:
        """Starts the choice and reports its progress."""
        samples, params = ctx.target_view(require_flat=True), dict(ctx.params)
        return job_progress.run_job(
            ctx,
            lambda: label_launch.next_to_label(
                samples,
                params.get("model", ""),
                params.get("count", COUNT),
                params.get("gt_field") or GT_FIELD,
                params.get("tag") or candidates.TAG,
            ),
            job_progress.LABELS_PANEL,
        )

    def __call__(
        self,
        samples: Any,
        model: str,
        count: int = COUNT,
        gt_field: str = GT_FIELD,
        *,
        tag: str = candidates.TAG,
        delegate: bool = False,
    ) -> Any:
        """Starts the choice from Python; returns the operator's result.

        Args:
            samples: a FiftyOne dataset or view, labeled samples included
            model: run key, or name of a published model
            count (20): number of samples
            gt_field ("ground_truth"): the labels
            tag ("next_to_label"): of the chosen samples
            delegate (False): whether to queue a delegated operation
        """
        return foo.execute_operator(
            self.uri,
            ctx={"view": samples.view()},
            params={"model": model, "count": count, "gt_field": gt_field, "tag": tag},
            request_delegation=delegate,
        )


def _summary(samples: Any, model: str, gt_field: str, number: int, tag: str) -> str:
    """Returns what will be tagged.

    Raises:
        ValueError: if an input is not valid, or all samples are labeled
    """
    arguments.check_integer("count", number, 1)
    there, before = label_launch.check_next(samples, model, gt_field, tag)
    text = (
        f"Will tag {min(number, there):,} of {counted(there, 'sample')} without labels "
        f"with '{tag}'"
    )
    if before:
        text += f". The tag is first removed from {counted(before, 'sample')}"
    return text
