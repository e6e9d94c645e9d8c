"""The whole circle in the App, on photographs.

Train, stop, resume, apply, look, evaluate, report, publish; then find label mistakes,
suggest labels, accept them, and see what has changed since the run.
"""

import re

import pytest

from tests.app.app_page import EVALUATION, LABELS, MODAL, PREDICTIONS, RUNS, AppPage
from tests.app.waiting import ended, epochs_of, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


TRAIN, LABELED, UNLABELED = 96, 85, 10
"""Photographs for training; those with labels; those without, which the circle labels.
One more has no objects, and no labels until some are suggested."""
SPLITS = f"{LABELED} training images, 24 validation images, 5 classes"


@pytest.fixture
def partly_labeled(highway):
    """The photographs, ten of them new: without tags and labels."""
    new = highway.match_tags("train").limit(UNLABELED)
    new.set_values("ground_truth", [None] * UNLABELED)
    new.untag_samples("train")
    return highway


def test_the_whole_circle(
    partly_labeled, app, chromium, screenshots, keeps_screenshots
):
    page = AppPage(chromium, app.url, screenshots)
    train(page, partly_labeled, keeps_screenshots)
    apply(page, partly_labeled)
    evaluate(page, partly_labeled)
    read_report(page)
    publish(page)
    mend_labels(page, partly_labeled)
    train_again(page, partly_labeled)
    assert app.libraries() == set()  # the App has not loaded TensorFlow
    page.close()


def train(page, dataset, is_good):
    """Trains, stops and resumes."""
    epochs, image_size = (40, "256") if is_good else (30, "96")

    # 1. Without runs, the panel explains how to start.
    page.open_panel(RUNS)
    page.wait_for_text("No training runs yet")
    page.screenshot("1-empty")

    # 2. Empty inputs have the recipe's values; an error is shown as one line.
    page.open_operator("Train YOLOv1")
    summary = page.wait_for_text(SPLITS)
    page.screenshot("2-form-begin")
    summary.scroll_into_view_if_needed()
    page.window.wait_for_timeout(1000)
    page.screenshot("form")
    assert page.value("Epochs") == ""
    page.fill("Time limit (minutes)", "20")
    page.wait_for_text("as many epochs as fit; ends after about 20 minutes")
    page.screenshot("2-form-limit")
    page.fill("Time limit (minutes)", "-5")
    page.wait_for_text(r"Time limit \(minutes\) must be in \[0, 525600\], got -5")
    page.screenshot("3-error-limit")
    page.fill("Time limit (minutes)", "")
    page.wait_for_text("epochs; about .* on this CPU")
    page.check("Advanced settings")
    for label in ("Recipe", "Dropout", "Random seed"):
        page.scroll_to(label)
        page.screenshot(f"2-form-{label.split()[0].lower()}")
    assert page.value("Run name") == "yolov1_1"
    page.fill("Run name", "../escape")
    page.wait_for_text("Run name must be letters, digits and underscores")
    page.screenshot("3-error")
    page.fill("Run name", "trucks")
    page.fill("Epochs", str(epochs))
    page.fill("Image size", image_size)
    page.wait_for_text(r"on this CPU \(estimated\)")
    page.watch()
    page.execute()

    # 3. Progress bar, pictures and curves are updated.
    wait_for(lambda: page.epoch("trucks") >= 2)
    first = wait_for(page.count_points)
    wait_for(lambda: page.count_points() > first)
    page.wait_for_text("trucks: validation images")
    picture = page.picture("trucks: validation images")
    wait_for(lambda: page.epoch("trucks") >= (20 if is_good else 3))
    page.screenshot("live")
    wait_for(lambda: page.picture("trucks: validation images") != picture)

    # 4. Stop it well before its end, and resume it.
    page.click("Stop")
    page.wait_for_text("trucks: stopped")
    assert ended(dataset, "trucks").progress.state == "stopped"
    before = epochs_of(dataset, "trucks")
    assert 1 <= before < epochs
    page.screenshot("5-stopped")
    page.click("Resume")
    page.window.locator(MODAL).wait_for()
    page.execute()
    assert wait_for(lambda: page.epoch("trucks")) > before
    page.wait_for_text("trucks: finished", 900)
    page.screenshot("6-finished")
    assert ended(dataset, "trucks").progress.state == "finished"
    assert page.watched().fewest > 0  # the grid was never blank

    # 5. The next training can start from it.
    page.click("Train")
    page.wait_for_text(SPLITS)
    page.choose("Start from", re.compile(r"Run trucks \(VOC07 mAP@0.5 0\.\d+\)"))
    page.input("Network").wait_for(state="hidden")
    page.wait_for_text(f"Side of the square input, in pixels. Empty: {image_size}")
    page.screenshot("6-start-from")
    page.close_form()


def apply(page, dataset):
    """Applies; the App shows the predictions that count."""
    page.click("Apply")
    page.wait_for_text('Will add "predictions" to 120 images')
    page.screenshot("7-apply")
    page.execute()
    page.window.locator(f"[data-cy=panel-content-{PREDICTIONS}]").wait_for()
    shown, total = shown_predictions(page)
    page.wait_for_text("predictions shown: .* the best F1")
    assert ended(dataset, "predictions").progress.state == "finished"
    page.window.locator("[data-cy=sidebar-field-predictions]").wait_for()
    page.window.wait_for_timeout(3000)
    page.screenshot("predictions")
    dataset.reload()
    assert len(dataset.exists("predictions")) == 120
    assert total == dataset.count("predictions.detections")
    assert 0 < shown < total

    # The slider moves what is shown.
    page.click("Show all")
    page.wait_for_text(f"All {total:,} predictions shown")
    page.window.wait_for_timeout(2000)
    page.screenshot("8-predictions-all")
    slider = page.window.locator(
        f"[data-cy=panel-content-{PREDICTIONS}] input[type=range]"
    )
    slider.focus()
    for _ in range(5):
        page.window.keyboard.press("PageUp")
    page.window.wait_for_timeout(2000)  # the panel gets where it is
    text = page.wait_for_text("At a confidence of at least").inner_text()
    thresh = float(re.search(r"[\d.]+", text)[0].rstrip("."))  # rounded to 3 digits
    page.click("Apply filter")
    fewer, _ = shown_predictions(page)
    scores = dataset.values("predictions.detections.confidence", unwind=True)
    counts = [sum(score >= thresh + by for score in scores) for by in (6e-4, -6e-4)]
    assert counts[0] <= fewer <= counts[1] < shown
    panel = page.window.locator(f"[data-cy=panel-content-{PREDICTIONS}]")
    panel.get_by_role("textbox").last.fill("confident trucks")
    page.window.wait_for_timeout(1000)  # the panel gets what was entered
    page.click("Save as view")
    page.wait_for_text("Saved view 'confident trucks'")
    dataset.reload()
    view = dataset.load_saved_view("confident trucks")
    assert view.count("predictions.detections") == fewer


def shown_predictions(page):
    """Returns how many predictions are shown, and of how many."""
    pattern = r"([\d,]+) of ([\d,]+) predictions shown"
    text = page.wait_for_text(pattern).inner_text()
    found = re.search(pattern, text)
    return tuple(int(one.replace(",", "")) for one in found.groups())


def evaluate(page, dataset):
    """Evaluates the validation split; the evaluation opens."""
    page.click("Evaluate")
    page.window.locator(MODAL).wait_for()
    page.wait_for_text(r"Validation split of run .trucks. \(24 samples\)")
    page.screenshot("9-evaluate")
    page.execute()
    page.window.locator(f"[data-cy=panel-content-{EVALUATION}]").wait_for()
    assert ended(dataset, "predictions_eval_1").progress.state == "finished"
    for name in ("VOC10 mAP@0.5", "AP@0.5", "VOC07 mAP@0.5"):
        page.wait_for_text(name).scroll_into_view_if_needed()
    page.window.wait_for_timeout(2000)
    page.screenshot("evaluation")
    page.wait_for_text(
        "count predictions with a confidence"
    ).scroll_into_view_if_needed()
    page.open_panel(PREDICTIONS)
    page.wait_for_text("are those of evaluation")
    page.window.wait_for_timeout(2000)
    page.screenshot("10-confidence")


def read_report(page):
    """Opens the page of the run, and its report in a new tab."""
    panel = page.open_panel(RUNS)
    panel.get_by_role("cell", name="trucks", exact=True).click()
    link = page.window.get_by_role("link", name="Open report")
    link.wait_for()
    page.window.wait_for_timeout(2000)
    page.screenshot("11-run")
    with page.window.expect_popup() as opened:
        link.click()
    opened.value.get_by_role("heading").first.wait_for()
    assert opened.value.locator("svg").count() >= 4
    opened.value.screenshot(path=page.screenshots / "11-report.jpg", quality=85)
    opened.value.close()
    page.click("Back")


def publish(page):
    """Publishes the model; any process can load it."""
    import fiftyone.zoo as foz

    from yolov1_fo.publishing import local_zoo

    page.open_operator("Publish YOLOv1 model")
    page.fill("Model name", "trucks")
    page.execute()
    page.wait_for_text("foz.load_zoo_model")
    page.screenshot("12-published")
    model = foz.load_zoo_model("trucks", cache=False)
    assert model.classes == ["bus", "car", "motorbike", "person", "truck"]
    local_zoo.unpublish("trucks")
    page.click("Close")


def mend_labels(page, dataset):
    """Finds label mistakes, chooses what to label next, and accepts suggestions."""
    page.open_panel(LABELS)
    page.click("1. Find mistakes")
    page.wait_for_text(r"labels of \d+ labeled samples with 'predictions'")
    page.screenshot("13-find-mistakes")
    page.execute()
    page.wait_for_text("possible mistakes in 'ground_truth'")
    page.window.wait_for_timeout(4000)
    page.screenshot("14-mistakes")

    page.click("4. Choose next")
    page.fill("Number of samples", "8")
    page.wait_for_text(r"Will tag 8 of \d+ samples without labels")
    page.screenshot("15-choose-next")
    page.execute()
    page.wait_for_text("8 samples have the tag 'next_to_label'")
    assert len(dataset.match_tags("next_to_label")) == 8

    before = dataset.count("ground_truth.detections")
    page.click("2. Suggest labels")
    page.window.locator(MODAL).wait_for()
    page.choose("Method", "From predictions in a field")
    page.fill("Minimum confidence", "0.05")
    page.wait_for_text(r"Will add .* suggestions to .* samples")
    page.execute()
    page.wait_for_text("to accept or delete")
    page.window.wait_for_timeout(4000)
    page.screenshot("labels")
    page.click("3. Accept")
    page.wait_for_text(r"Will add .* labels to .* samples")
    page.execute()
    wait_for(lambda: dataset.count("ground_truth.detections") > before)
    page.window.wait_for_timeout(2000)
    page.screenshot("16-accepted")


def train_again(page, dataset):
    """Trains on all labels from the run; both runs are in the panel."""
    page.click("5. Train again")
    page.wait_for_text(r"new objects?, .* changed and .* deleted since run 'trucks'")
    pattern = r"(\d+) training images, 24 validation images, 5 classes"
    found = re.search(pattern, page.wait_for_text(pattern).inner_text())
    assert LABELED < int(found[1]) <= TRAIN
    page.screenshot("train_again")
    page.fill("Run name", "trucks_2")
    page.fill("Epochs", "1")
    page.wait_for_text("per epoch, 1 epoch;")
    page.execute()
    assert ended(dataset, "trucks_2").progress.state == "finished"
    panel = page.open_panel(RUNS)
    panel.get_by_role("cell", name="trucks_2", exact=True).wait_for()
    panel.get_by_role("cell", name="trucks", exact=True).wait_for()
    page.window.wait_for_timeout(3000)
    page.screenshot("18-both-runs")
