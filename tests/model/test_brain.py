"""Embeddings in FiftyOne Brain's visualization and similarity, without torch."""

import sys

import fiftyone.brain as fob
import keras
import numpy as np
import pytest

from benchmarks.photographs import fruit
from yolov1_fo.model.yolov1_model import YOLOv1Model, YOLOv1ModelConfig


class _NoTorch:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("torch is not installed", name=name)


@pytest.mark.slow
def test_photographs_of_the_same_fruit_are_close(photographs, monkeypatch):
    if "torch" not in sys.modules:
        monkeypatch.setattr(sys, "meta_path", [_NoTorch(), *sys.meta_path])
    dataset = fruit(photographs / "fruit")
    try:
        keras.utils.set_random_seed(0)
        settings = {"network": "yolov1-efficientnet-lite0", "image_size": 224, "S": 7}
        model = YOLOv1Model(YOLOv1ModelConfig({"settings": settings}))
        view = dataset.take(200, seed=1)
        view.compute_embeddings(
            model, embeddings_field="embedding", batch_size=16, progress=False
        )
        assert np.shape(view.values("embedding")) == (200, 256)

        # 1. A visualization whose two axes separate the fruits.
        options = {"embeddings": "embedding", "progress": False}
        plane = fob.compute_visualization(
            view, method="pca", brain_key="plane", seed=1, **options
        )
        kinds = [labels[0] for labels in view.values("ground_truth.detections.label")]
        assert plane.points.shape == (200, 2)
        means = {
            kind: plane.points[[one == kind for one in kinds]].mean(0)
            for kind in ("apple", "banana", "orange")
        }
        spread = np.std(plane.points, axis=0).max()
        assert np.linalg.norm(means["banana"] - means["orange"]) > spread / 2

        # 2. Similar images mostly show the same fruit; by chance a third would.
        fob.compute_similarity(view, brain_key="near", backend="sklearn", **options)
        of = dict(zip(view.values("id"), kinds, strict=True))
        same = [
            of[near] == of[one]
            for one in list(of)[:40]
            for near in view.sort_by_similarity(one, brain_key="near", k=6).values(
                "id"
            )[1:]
        ]
        assert np.mean(same) > 0.55
    finally:
        dataset.delete()
