import shutil

import cv2
import fiftyone as fo
import numpy as np
import pytest

import yolov1_fo
from tests.same import assert_same
from yolov1_fo import images

FRAMES = 5


@pytest.fixture
def film(painted_files, tmp_path):
    """A dataset of one short video, made from the painted pictures."""
    path = tmp_path / "film.mp4"
    film = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 5, (96, 96))
    for one in painted_files[:FRAMES]:
        film.write(images.read(one["path"], 96)[..., ::-1])
    film.release()
    dataset = fo.Dataset()
    dataset.add_sample(fo.Sample(filepath=str(path)))
    yield dataset
    dataset.delete()


@pytest.fixture
def model(checkpoint_dir):
    return yolov1_fo.load_model(checkpoint_dir)


needs_ffmpeg = pytest.mark.skipif(
    not shutil.which("ffmpeg"), reason="FiftyOne reads videos with ffmpeg"
)


@needs_ffmpeg
@pytest.mark.parametrize("batch_size", [None, 2])
def test_frames_applied_again_are_replaced(film, model, batch_size):
    counts = []
    for _ in range(2):
        film.apply_model(
            model, label_field="found", batch_size=batch_size, progress=False
        )
        counts.append(film.count("frames.found.detections"))
    assert counts[0] == counts[1] > FRAMES
    assert len(film.first().frames) == FRAMES


@needs_ffmpeg
def test_apply_gives_frames_the_same_and_replaces_all(film, model, caplog):
    film.apply_model(model, label_field="found", progress=False)
    for field in ("ours", "frames.ours"):
        assert not yolov1_fo.apply(film, model, field, progress=False)
    frames = film.first().frames
    for number in range(1, FRAMES + 1):
        assert_same(frames[number].ours, frames[number].found)
    few = model.config.confidence_thresh = 0.5
    yolov1_fo.apply(film, model, "ours", progress=False)
    left = film.values("frames.ours.detections.confidence", unwind=True)
    assert np.min(left) >= few


@needs_ffmpeg
def test_apply_model_keeps_the_rest_where_fewer_are_found(film, model):
    """FiftyOne merges; `apply` replaces."""
    options = {"confidence_thresh": 0.5, "progress": False}
    film.apply_model(model, label_field="found", progress=False)
    before = film.count("frames.found.detections")
    film.apply_model(model, label_field="found", **options)
    film.apply_model(model, label_field="fresh", **options)
    kept = film.count("frames.found.detections")
    assert film.count("frames.fresh.detections") < kept <= before


@needs_ffmpeg
def test_a_frame_field_of_another_kind_is_one_clear_line(film, model):
    film.add_frame_field("other", fo.StringField)
    with pytest.raises(ValueError, match=r"'frames.other' on .* got String"):
        yolov1_fo.apply(film, model, "other", progress=False)


@needs_ffmpeg
def test_a_broken_video_costs_only_itself(film, model, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film at all")
    film.add_sample(fo.Sample(filepath=str(broken)))
    faults = yolov1_fo.apply(film, model, "ours", progress=False)
    assert list(faults) == [str(broken)]
    assert film.first().frames[1].ours is not None


def test_what_videos_cannot_have_is_one_clear_line(film, model, monkeypatch):
    with pytest.raises(ValueError, match="skip_existing is for images"):
        yolov1_fo.apply(film, model, "ours", skip_existing=True)
    with pytest.raises(ValueError, match="holds videos; turn them into images"):
        yolov1_fo.train(film)
    monkeypatch.setattr(shutil, "which", lambda tool: None)
    with pytest.raises(OSError, match="videos need ffmpeg and ffprobe, not installed"):
        yolov1_fo.apply(film, model, "ours")


def test_ids_are_only_for_frames(painted, model):
    ids = []
    for _ in range(2):
        painted.apply_model(model, label_field="found", progress=False)
        ids.append(painted.values("found.detections.id", unwind=True))
    assert not set(ids[0]) & set(ids[1])
