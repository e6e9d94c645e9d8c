import numpy as np
import PIL.Image
import pytest

from yolov1_fo.visualize import sheets


def tiles(count):
    size = (sheets.SIDE, sheets.SIDE)
    return [PIL.Image.new("RGB", size, (30 * n, 255 - 30 * n, 7)) for n in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8])
def test_taking_apart_gives_the_pictures(count):
    apart = sheets.take_apart(sheets.make(tiles(count)))
    assert len(apart) == count
    for ours, theirs in zip(apart, tiles(count), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_jpeg_is_read_again(tmp_path):
    sheet = sheets.make(tiles(8))
    path = tmp_path / "sheet.jpg"
    path.write_bytes(sheets.to_jpeg(sheet))
    again = sheets.read(path)
    assert again.size == sheet.size == (4 * 320 + 3 * 8, 2 * 320 + 8)
    difference = np.abs(np.asarray(again, int) - np.asarray(sheet, int))
    assert difference.mean() < 2


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "sheet.jpg"
    path.write_bytes(sheets.to_jpeg(tiles(1)[0])[:300])
    with pytest.raises(OSError, match=r"(?i)truncated"):
        sheets.read(path)
    tiles(1)[0].save(path, "PNG")
    with pytest.raises(OSError, match="cannot identify"):
        sheets.read(path)
