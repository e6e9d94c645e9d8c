"""The Python of docs/labels.md runs in its order."""

import re
from pathlib import Path
from types import SimpleNamespace

import fiftyone as fo
import pytest

import yolov1_fo

PAGE = Path(__file__).parents[2] / "docs" / "labels.md"


@pytest.mark.slow
def test_the_page_runs(painted, micro, monkeypatch):
    from yolov1_fo.curation import out_of_fold

    train, folds = yolov1_fo.train, out_of_fold.train
    brief = {**micro, "epochs": 1}
    starts = []

    def train_briefly(samples, *, run_key, weights=None):
        starts.append(weights)
        return train(samples, run_key=run_key, **brief)

    monkeypatch.setattr(yolov1_fo, "train", train_briefly)
    monkeypatch.setattr(
        out_of_fold,
        "train",
        lambda *some, max_minutes, **options: folds(*some, **{**options, **brief}),
    )
    load = yolov1_fo.load_model
    monkeypatch.setattr(
        yolov1_fo, "load_model", lambda path: load(path, confidence_thresh=0.0)
    )
    suggest = yolov1_fo.suggest
    monkeypatch.setattr(yolov1_fo, "suggest", lambda *some: suggest(*some, thresh=0.01))
    session = SimpleNamespace(view=None, selected=[], selected_labels=[])
    monkeypatch.setattr(fo, "launch_app", lambda _: session)
    sent = []
    for kind in (fo.Dataset, fo.DatasetView):
        monkeypatch.setattr(
            kind, "annotate", lambda _, key, **options: sent.append(key)
        )
        monkeypatch.setattr(kind, "load_annotations", lambda *_, **__: None)
    ids = painted.limit(2).values("id")
    painted.set_values("ground_truth", dict.fromkeys(ids), key_field="id")
    space = {"dataset": painted}
    for code in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.S | re.M):
        session.selected = painted.limit(1).values("id")
        exec(code, space)  # the page is ours
    assert sent == ["mend", "next"]
    assert painted.list_runs(method="yolov1/train") == ["first", "second"]
    assert starts == [None, "first"]
    assert painted.count_sample_tags()["next_to_label"] >= 1
