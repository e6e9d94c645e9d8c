import fiftyone as fo
import pytest

import yolov1_fo
from yolov1_fo.curation import whole_samples


@pytest.fixture
def film():
    dataset = fo.Dataset()
    sample = fo.Sample("film.mp4")
    for number in (1, 2):
        sample.frames[number] = fo.Frame(filepath=f"{number}.jpg")
    dataset.add_sample(sample)
    yield dataset
    dataset.delete()


CALLS = {
    "find_mistakes": (),
    "suggest": ("predictions",),
    "accept": (),
    "undo_accept": (),
}


@pytest.mark.parametrize("call", CALLS)
def test_frames_of_videos_are_refused_in_one_line(film, call):
    frames = film.to_frames(sample_frames=False)
    line = "a view on dataset .* shows frames of videos, whose labels can't be mended"
    with pytest.raises(ValueError, match=line) as caught:
        getattr(yolov1_fo, call)(frames, *CALLS[call])
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="holds videos; turn them into images"):
        getattr(yolov1_fo, call)(film, *CALLS[call])


def test_whole_samples_have_all_fields_and_labels(painted):
    view = painted.match_tags("val").select_fields()
    whole = whole_samples.whole(view)
    assert whole.values("id") == view.values("id")
    assert whole.count("ground_truth.detections") > 0
    assert whole_samples.whole(painted) is painted
    assert whole_samples.dataset_of(view) is painted
