"""The circle of labels in the App, on photographs with predictions made by hand."""

import re
from dataclasses import asdict

import numpy as np
import pytest

from tests.app.app_page import LABELS, MODAL, AppPage
from tests.app.waiting import wait_for

pytestmark = pytest.mark.slow

UNLABELED = 10


@pytest.fixture
def predicted(highway):
    """The photographs: ten without labels, three labels broken, all predicted."""
    import fiftyone as fo

    from tests.runs.made_runs import make_run
    from yolov1_fo.config import NetworkConfig
    from yolov1_fo.runs import training_labels, training_samples

    rng = np.random.default_rng(0)
    for sample in highway:
        found = []
        for one in sample.ground_truth.detections if sample.ground_truth else ():
            score, box = rng.uniform(0.6, 0.9), np.array(one.bounding_box)
            near = (box * rng.uniform(0.98, 1.02, 4)).tolist()
            found.append(
                fo.Detection(label=one.label, bounding_box=near, confidence=score)
            )
        sample["predictions"] = fo.Detections(detections=found)
        sample.save()
    ids = highway.values("id")
    values = dict.fromkeys(ids[:UNLABELED])
    highway.set_values("ground_truth", values, key_field="id")
    train, val = highway.match_tags("train"), highway.match_tags("val")
    folder = make_run(
        *(highway, "first"),
        classes=highway.distinct("ground_truth.detections.label"),
        settings=asdict(NetworkConfig(network="yolov1-efficientnet-lite0", C=5)),
        gt_field="ground_truth",
        val_images=len(val),
        best={"val_voc07": 0.5},
    )
    given = (train.values("id"), val.values("id"))
    training_labels.write(folder, highway, "ground_truth", *given)
    training_samples.write(folder, given[0])
    for number, sample in enumerate(highway.exists("ground_truth").limit(3)):
        objects = sample.ground_truth.detections
        if number == 0:
            objects[0].label = next(
                one
                for one in highway.distinct("ground_truth.detections.label")
                if one != objects[0].label
            )
        elif number == 1:
            objects.pop()
        else:
            objects.append(
                fo.Detection(label="car", bounding_box=[0.02, 0.02, 0.1, 0.1])
            )
        sample.save()
    return highway


def test_the_circle_of_labels(predicted, app, chromium, screenshots):
    page = AppPage(chromium, app.url, screenshots)
    panel = page.open_panel(LABELS)
    page.wait_for_text(r"1\. Find mistakes")
    page.screenshot("labels-empty")

    # 1. Mistakes: the view of all opens when the search has ended.
    page.click("1. Find mistakes")
    page.wait_for_text(r"labels of \d+ labeled samples with 'predictions'")
    page.screenshot("labels-find-form")
    page.execute()
    page.wait_for_text("possible mistakes in 'ground_truth'")
    page.wait_for_text(r"Wrong class")
    page.window.wait_for_timeout(4000)
    page.screenshot("labels-mistakes")
    found = {name: count for name, count in counts(panel).items() if count}
    assert found.keys() >= {"Missing object", "Wrong class"}
    panel.locator("tr", has_text="Wrong class").locator("button").click()
    wait_for(lambda: shown(page) == found["Wrong class"])
    page.screenshot("labels-wrong-class")

    # 2. Suggestions, accepted and taken back.
    before = predicted.count("ground_truth.detections")
    page.click("2. Suggest labels")
    page.window.locator(MODAL).wait_for()
    page.choose("Method", "From predictions in a field")
    page.screenshot("labels-suggest-form")
    page.fill("Minimum confidence", "0.5")
    page.wait_for_text(r"Will add .* suggestions to .* samples")
    page.screenshot("labels-suggest-form-2")
    page.execute()
    page.wait_for_text("to accept or delete")
    page.window.wait_for_timeout(4000)
    page.screenshot("labels-suggestions")
    page.click("3. Accept")
    page.wait_for_text(r"Will add .* labels to .* samples")
    page.screenshot("labels-accept-form")
    page.execute()
    wait_for(lambda: predicted.count("ground_truth.detections") > before)
    page.screenshot("labels-accepted")
    page.click("Undo")
    page.wait_for_text("Takes back .* labels accepted at")
    page.screenshot("labels-undo-form")
    page.execute()
    wait_for(lambda: predicted.count("ground_truth.detections") == before)

    # 3. Train again: the form of Train is filled in.
    page.click("5. Train again")
    page.wait_for_text(r"new objects?, .* changed and .* deleted since run 'first'")
    page.wait_for_text("training images")
    page.screenshot("labels-again-form")
    assert "first" in page.input("Start from").inner_text()
    page.close_form()
    page.close()


def counts(panel):
    """Returns the number of mistakes of each kind in the table."""
    rows = [row.inner_text().split("\t") for row in panel.locator("tbody tr").all()]
    return {cells[0].strip(): int(cells[1]) for cells in rows if len(cells) > 1}


def shown(page):
    """Returns how many samples the grid has."""
    text = page.window.locator("[data-cy=entry-counts]").first.inner_text()
    return int(re.sub(r"\D", "", text.partition("of")[0]) or 0)
