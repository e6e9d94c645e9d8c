import os
from pathlib import Path

import numpy as np

from yolov1_fo import images
from yolov1_fo.pipeline import image_loading


def test_unreadable_files_are_found_with_their_faults(listing, tmp_path):
    truncated = tmp_path / "truncated.png"
    truncated.write_bytes(Path(listing.filepaths[0]).read_bytes()[:-20])
    missing = str(tmp_path / "missing.png")
    empty, pipe = tmp_path / "empty.png", tmp_path / "pipe.jpg"
    empty.touch()
    os.mkfifo(pipe)
    more = [str(path) for path in (truncated, missing, empty, pipe)]
    assert image_loading.find_unreadable([*listing.filepaths, *more]) == {
        str(truncated): "is truncated or damaged",
        missing: "does not exist",
        str(empty): "is empty",
        str(pipe): "is a named pipe, not a file",
    }


def test_read_all_keeps_the_order(listing):
    paths = listing.filepaths * 3
    for ahead in (1, 4, 100):
        results = list(image_loading.read_all(paths, 16, num_workers=3, ahead=ahead))
        assert len(results) == len(paths)
        for path, result in zip(paths, results, strict=True):
            np.testing.assert_array_equal(result.image, images.read(path, 16))
