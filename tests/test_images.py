import zlib

import cv2
import numpy as np
import PIL.Image
import pytest

from yolov1_fo import images


@pytest.fixture
def picture(rng):
    """Smooth, so that JPEG keeps it."""
    small = rng.integers(0, 256, (5, 7, 3)).astype(np.uint8)
    return cv2.resize(small, (70, 50), interpolation=cv2.INTER_CUBIC)


FORMATS = ["jpg", "png", "gif", "webp", "bmp"]


def saved(picture, path, **options):
    PIL.Image.fromarray(picture).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_read_equals_fiftyones_reader(picture, tmp_path, suffix):
    import fiftyone.utils.image as foui

    path = saved(picture, tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(images.read(path), foui.read(str(path)))


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "CMYK"])
def test_read_gives_rgb_of_every_kind(picture, tmp_path, mode):
    suffix = "jpg" if mode == "CMYK" else "png"
    PIL.Image.fromarray(picture).convert(mode).save(tmp_path / f"a.{suffix}")
    pixels = images.read(tmp_path / f"a.{suffix}")
    assert pixels.shape == (50, 70, 3)
    assert pixels.dtype == np.uint8


def test_a_header_that_promises_too_much_is_one_clear_line(picture, tmp_path):
    path = saved(picture, tmp_path / "a.png")
    content = bytearray(path.read_bytes())
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)
    with pytest.raises(ValueError, match="can't be decoded"):
        images.read(path)


def turned(picture, path, orientation, **options):
    """Writes a picture that is seen upright though it is stored turned."""
    stored = {
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.swapaxes(0, 1),
        6: lambda x: np.rot90(x, 1),
        7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
        8: lambda x: np.rot90(x, -1),
    }[orientation](picture)
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    return saved(np.ascontiguousarray(stored), path, exif=exif, **options)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_read_turns_a_picture_upright(picture, tmp_path, orientation):
    path = turned(picture, tmp_path / "a.png", orientation)
    np.testing.assert_array_equal(images.read(path), picture)


def test_read_and_resize_agree(picture, tmp_path):
    path = saved(picture, tmp_path / "a.png")
    np.testing.assert_array_equal(images.read(path, 32), images.resize(picture, 32))


def test_resize_leaves_the_right_size_alone(picture):
    square = picture[:50, :50]
    assert images.resize(square, 50) is square


def test_read_names_the_file_that_fails(tmp_path):
    (tmp_path / "text.jpg").write_text("not a picture, though it is called one")
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(FileNotFoundError, match=r"missing\.jpg' does not exist"):
        images.read(tmp_path / "missing.jpg")
    for name in ("text.jpg", "empty.jpg"):
        with pytest.raises(ValueError, match=f"{name}' can't be decoded"):
            images.read(tmp_path / name)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_cut_file_is_not_whole(picture, tmp_path, suffix):
    path = saved(picture, tmp_path / f"a.{suffix}")
    assert images.is_whole(path)
    content = path.read_bytes()
    for part in (0.3, 0.6, 0.95):
        path.write_bytes(content[: int(len(content) * part)])
        assert not images.is_whole(path)
    path.write_bytes(b"")
    assert not images.is_whole(path)


def test_a_progressive_jpeg_with_a_tail_is_whole(picture, tmp_path):
    path = saved(picture, tmp_path / "a.jpg", progressive=True)
    path.write_bytes(path.read_bytes() + b"\0" * 500)
    assert images.is_whole(path)


def test_the_end_of_a_thumbnail_is_not_the_end(picture, tmp_path):
    content = saved(picture, tmp_path / "a.jpg").read_bytes()
    thumbnail = b"Exif\0\0" + content
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    whole = content[:2] + segment + content[2:]
    path = tmp_path / "b.jpg"
    path.write_bytes(whole)
    assert images.is_whole(path)
    path.write_bytes(whole[: len(segment) + len(content) // 2])
    assert not images.is_whole(path)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        images.is_whole(tmp_path / "missing.jpg")
