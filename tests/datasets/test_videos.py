import os
import shutil
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

import yolov1_fo
from tests import painting
from tests.same import assert_same

FRAMES = 5


@pytest.fixture
def film(painted_files, tmp_path):
    """A dataset of one short video, made of painted images."""
    path = painting.film(tmp_path / "film.mp4", painted_files[:FRAMES])
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


@pytest.mark.slow
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


@pytest.mark.slow
@needs_ffmpeg
def test_apply_equals_apply_model_and_replaces_all(film, model, caplog):
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


@pytest.mark.slow
@needs_ffmpeg
def test_apply_model_keeps_old_detections_where_fewer_are_found(film, model):
    """FiftyOne merges; `apply` replaces."""
    options = {"confidence_thresh": 0.5, "progress": False}
    film.apply_model(model, label_field="found", progress=False)
    before = film.count("frames.found.detections")
    film.apply_model(model, label_field="found", **options)
    film.apply_model(model, label_field="fresh", **options)
    kept = film.count("frames.found.detections")
    assert film.count("frames.fresh.detections") < kept <= before


@needs_ffmpeg
def test_a_frame_field_of_another_type_raises_one_clear_line(film, model):
    film.add_frame_field("other", fo.StringField)
    with pytest.raises(ValueError, match=r"'frames.other' on .* got String"):
        yolov1_fo.apply(film, model, "other", progress=False)


@needs_ffmpeg
def test_a_broken_video_does_not_affect_others(film, model, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film at all")
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)  # opening it would block
    for path in (broken, pipe):
        film.add_sample(fo.Sample(filepath=str(path)))
    faults = yolov1_fo.apply(film, model, "ours", progress=False)
    assert list(faults) == [str(broken), str(pipe)]
    assert faults[str(pipe)] == "is a named pipe, not a file"
    assert film.first().frames[1].ours is not None


def test_unsupported_calls_on_videos_raise_one_clear_line(film, model, monkeypatch):
    with pytest.raises(ValueError, match="skip_existing is for images"):
        yolov1_fo.apply(film, model, "ours", skip_existing=True)
    with pytest.raises(ValueError, match="holds videos; turn them into images"):
        yolov1_fo.train(film)
    monkeypatch.setattr(shutil, "which", lambda tool: None)
    with pytest.raises(OSError, match="videos need ffmpeg and ffprobe, not installed"):
        yolov1_fo.apply(film, model, "ours")


def test_only_frames_have_stable_ids(painted, model):
    ids = []
    for _ in range(2):
        painted.apply_model(model, label_field="found", progress=False)
        ids.append(painted.values("found.detections.id", unwind=True))
    assert not set(ids[0]) & set(ids[1])


@pytest.fixture
def frames(film):
    """The film's frames as images, each with one square."""
    frames = film.to_frames(sample_frames=True)
    box = fo.Detection(label="red", bounding_box=[0.2, 0.2, 0.4, 0.4])
    truth = [fo.Detections(detections=[box.copy()]) for _ in range(FRAMES)]
    frames.set_values("ground_truth", truth)
    return frames


@needs_ffmpeg
@pytest.mark.parametrize(
    ("how", "field"),
    [
        ("apply", "predictions"),
        ("write_objectness", "objectness"),
        ("write_losses", "loss"),
    ],
)
def test_results_of_frames_are_written_to_the_video(film, frames, model, how, field):
    write = getattr(yolov1_fo, how)
    assert not write(frames.skip(1).select_fields("ground_truth"), model)
    assert not film.has_sample_field(field)
    assert film.has_frame_field(field)
    assert frames.count(field) == film.count(f"frames.{field}") == FRAMES - 1
    again = film.to_frames(sample_frames=True)
    assert again.count(field) == FRAMES - 1
    assert again.values("id") == frames.values("id")
    write(again, model)
    assert film.count(f"frames.{field}") == FRAMES


@needs_ffmpeg
def test_frames_get_the_same_as_from_apply_model(film, frames, model):
    frames.apply_model(model, label_field="slow", progress=False)
    yolov1_fo.apply(frames, model, "fast", progress=False)
    for fast, slow in zip(frames.values("fast"), frames.values("slow"), strict=True):
        assert_same(fast, slow)
    assert film.get_field("frames.fast").document_type is fo.Detections


@needs_ffmpeg
def test_existing_predictions_of_frames_are_skipped(film, frames, model):
    yolov1_fo.apply(frames.limit(2), model, "ours", progress=False)
    before = film.values("frames.ours.detections.id", unwind=True)
    late = film.to_frames(sample_frames=True)
    yolov1_fo.apply(late, model, "ours", skip_existing=True, progress=False)
    assert film.count("frames.ours") == FRAMES
    assert film.values("frames.ours.detections.id", unwind=True)[: len(before)] == (
        before
    )


@needs_ffmpeg
@pytest.mark.parametrize("field", ["ground_truth", "kind", "frame_number"])
def test_other_fields_of_frames_are_kept(film, frames, model, field):
    film.set_values("frames.kind", [["by hand"] * FRAMES])
    before = film.values("frames.kind"), film.values("frames.ground_truth")
    line = "(must hold Detections, got|that were not written by Apply)"
    for samples in (frames, film.to_frames(sample_frames=True), film):
        with pytest.raises(ValueError, match=line):
            yolov1_fo.apply(samples, model, field, progress=False)
    assert (film.values("frames.kind"), film.values("frames.ground_truth")) == before


@needs_ffmpeg
def test_old_predictions_are_kept_when_a_video_breaks(film, model):
    yolov1_fo.apply(film, model, "ours", progress=False)
    before = film.values("frames.ours.detections.id")
    path = film.first().filepath
    Path(path).write_bytes(Path(path).read_bytes()[:40])
    assert list(yolov1_fo.apply(film, model, "ours", progress=False)) == [path]
    assert film.values("frames.ours.detections.id") == before


@needs_ffmpeg
def test_frames_that_a_video_no_longer_has_lose_their_predictions(film, model):
    yolov1_fo.apply(film, model, "ours", progress=False)
    sample = film.first()
    sample.frames[FRAMES + 2] = fo.Frame(
        ours=fo.Detections(
            detections=[
                fo.Detection(label="red", bounding_box=[0, 0, 1, 1], confidence=0.5)
            ]
        )
    )
    sample.save()
    yolov1_fo.apply(film, model, "ours", progress=False)
    assert [one is None for one in film.values("frames.ours")[0]] == (
        [False] * FRAMES + [True]
    )


@needs_ffmpeg
def test_an_error_of_the_model_is_not_reported_as_a_broken_video(
    film, model, monkeypatch
):
    monkeypatch.setattr(model, "forward", lambda pixels: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        yolov1_fo.apply(film, model, "ours", progress=False)


@needs_ffmpeg
def test_findings_in_frames_are_tags_and_views_of_the_video(film, frames):
    report = yolov1_fo.inspect(frames, S=2, tiny_px=500)
    assert report.images == FRAMES
    assert report.tag() == report.save_views() == ["inspect:tiny"]
    assert film.count_values("frames.tags") == {"inspect:tiny": FRAMES}
    again = film.to_frames(sample_frames=True)
    assert again.count_sample_tags() == {"inspect:tiny": FRAMES}
    assert film.load_saved_view("inspect:tiny").values("id") == frames.values("id")
    yolov1_fo.inspect(again, S=2, tiny_px=0).tag()
    assert film.to_frames(sample_frames=True).count_sample_tags() == {}


@needs_ffmpeg
def test_frames_without_files_raise_one_clear_line(film, model):
    dynamic = film.to_frames(sample_frames="dynamic")
    calls = (
        lambda samples: yolov1_fo.apply(samples, model),
        lambda samples: yolov1_fo.write_losses(samples, model),
        yolov1_fo.train,
        yolov1_fo.inspect,
        yolov1_fo.to_tf_dataset,
    )
    for view, what in (
        (dynamic, "whose files are the videos"),
        (film.to_frames(), "that are not sampled"),
    ):
        for call in calls:
            with pytest.raises(
                ValueError, match=rf"shows frames {what}; sample them: .*_frames=True"
            ):
                call(view)
    assert not film.has_frame_field("predictions")


@needs_ffmpeg
def test_clips_raise_one_clear_line(film, model):
    clips = film.to_clips([[[1, 3]]])
    with pytest.raises(ValueError, match="shows clips; pass the videos"):
        yolov1_fo.apply(clips, model)
    with pytest.raises(ValueError, match=r"turn them into images: .*to_frames"):
        yolov1_fo.train(clips)
    frames = clips.to_frames(sample_frames=True)
    yolov1_fo.apply(frames, model, "ours", progress=False)
    assert film.count("frames.ours") == 3


def stored(film):
    """Returns schemas and contents of a film's frames and samples."""
    hidden = {"last_modified_at": False}
    return [
        *(film.get_frame_field_schema(flat=True), film.get_field_schema(flat=True)),
        list(film._frame_collection.find({}, hidden)),
        list(film._sample_collection.find({}, hidden)),
    ]


@pytest.mark.slow
@needs_ffmpeg
def test_an_evaluation_of_frames_belongs_to_the_film(film, monkeypatch):
    from yolov1_fo.datasets import sample_updates

    square = {"label": "red", "bounding_box": [0.1, 0.1, 0.4, 0.4]}
    sample = film.first()
    for number in range(1, FRAMES + 1):
        frame = sample.frames[number]
        frame["ground_truth"] = fo.Detections(detections=[fo.Detection(**square)])
        found = fo.Detection(**square, confidence=0.04)
        frame["found"] = fo.Detections(detections=[found])
    sample.save()
    view = film.to_frames(sample_frames=True)
    before = [*map(str, stored(film))]
    with pytest.raises(
        ValueError, match="would write 'found', which samples on a view"
    ):
        yolov1_fo.evaluate(view, "found", eval_key="found")
    with monkeypatch.context() as patch:
        patch.setattr(sample_updates, "_operation", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            yolov1_fo.evaluate(view, "found", eval_key="one")
    assert [*map(str, stored(film))] == before
    for some in (view, view.limit(2)):
        report = yolov1_fo.evaluate(some, "found", eval_key="one")
        assert report.voc07 == report.coco_map == 1
        marks = film.count_values("frames.found.detections.one")
        assert marks["tp"] == len(some)
        assert film.has_frame_field("found.detections.one_error")
        assert film.list_evaluations() == view.list_evaluations() == ["one"]
        assert "100.0 %" in str(yolov1_fo.compare(film, "one"))
        film.rename_evaluation("one", "two")
        assert film.count_values("frames.found.detections.two") == marks
        film.delete_evaluation("two")
        assert [*map(str, stored(film))] == before
