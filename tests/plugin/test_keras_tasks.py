"""Models of KerasHub through the App's operator."""

import fiftyone as fo
import pytest

import yolov1_fo
from tests.hub import hub_classifier, hub_detector
from tests.plugin.conftest import call, ended, error
from yolov1_fo.publishing import local_zoo

NAMES = ["cat", "dog", "owl"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "label"),
    [(hub_classifier, fo.Classification), (hub_detector, fo.Detections)],
)
def test_a_task_is_applied_in_the_app(
    hub,
    backbone,
    dataset,
    form,
    tmp_path,
    make,
    label,
):
    model = yolov1_fo.from_keras(make(hub, backbone), NAMES)
    model.save(tmp_path / "task")
    yolov1_fo.publish(tmp_path / "task", "of-others")
    try:
        given = {"model": "of-others", "label_field": "found"}
        asked = form("apply_model", dataset, **given)
        choices = [one["value"] for one in asked["model"]["view"]["choices"]]
        assert "of-others" in choices
        assert error(asked) is None
        assert "iou_thresh" not in asked
        call("apply_model", dataset, **given)
        job = ended(dataset, "found")
        assert job.progress.state == "finished", job.progress.label
        assert all(isinstance(one, label) for one in dataset.values("found"))
        asked = form("apply_model", dataset, **given, skip_existing=True)
        assert error(asked).startswith("Predictions field 'found' on dataset")
        assert "iou_thresh" not in asked
    finally:
        local_zoo.unpublish("of-others")


def test_apply_writes_a_new_field_or_none(dataset, tmp_path):
    from tests.model.test_keras_tasks import classifier

    model = yolov1_fo.from_keras(classifier(), NAMES)

    def stopped(bar):
        if bar.iteration:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        yolov1_fo.apply(dataset, model, "kind", batch_size=2, progress=stopped)
    assert not dataset.has_field("kind")
    (tmp_path / "no.png").write_text("no image")
    dataset.add_sample(fo.Sample(tmp_path / "no.png"))
    faults = yolov1_fo.apply(dataset, model, "kind", batch_size=9, progress=False)
    assert [*faults] == [str(tmp_path / "no.png")]
    assert dataset.count("kind") == len(dataset) - 1
    dataset.exists("kind").apply_model(model, "theirs")
    ours, theirs = dataset.exists("kind").values(["kind.label", "theirs.label"])
    assert ours == theirs
    for settings, line in (
        ({}, "label_field 'kind' on dataset '.*' exists"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"tiles": 2}, "tiles is not for a KerasTaskModel; use apply_model"),
    ):
        with pytest.raises(ValueError, match=line):
            yolov1_fo.apply(dataset, model, "kind", **settings)
