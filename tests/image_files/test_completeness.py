import io
import struct
import zlib

import numpy as np
import PIL.Image
import pytest

from yolov1_fo import images


@pytest.fixture(scope="module")
def picture():
    """Returns an image with so much detail that half of its data is not enough."""
    small = np.random.default_rng(5).integers(0, 256, (30, 40, 3), np.uint8)
    return PIL.Image.fromarray(small.repeat(3, 0).repeat(3, 1))


def encoded(picture, format, **options):
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def chunk(name, data):
    check = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)


JPEG = {"format": "jpeg", "quality": 95}
PROGRESSIVE = {**JPEG, "progressive": True}
RESTARTS = {**JPEG, "restart_marker_rows": 1}
END = b"\xff\xd9"
JUNK = b"appended by a web form\r\n"

COMPLETE = {
    "no end marker": (JPEG, lambda d: d[:-2]),
    "half an end marker": (JPEG, lambda d: d[:-1]),
    "no end marker, progressive": (PROGRESSIVE, lambda d: d[:-2]),
    "no end marker, restarts": (RESTARTS, lambda d: d[:-2]),
    "no end marker, gray": ({**JPEG, "mode": "L"}, lambda d: d[:-2]),
    "no end marker, CMYK": ({**JPEG, "mode": "CMYK"}, lambda d: d[:-2]),
    "zeros instead of the end marker": (JPEG, lambda d: d[:-2] + bytes(500)),
    "junk instead of the end marker": (JPEG, lambda d: d[:-2] + JUNK),
    "zeros before the end marker": (JPEG, lambda d: d[:-2] + bytes(500) + END),
    "junk at the end": (JPEG, lambda d: d + JUNK),
    "junk at the end, progressive": (PROGRESSIVE, lambda d: d + JUNK),
    "no trailer": ({"format": "gif"}, lambda d: d[:-1]),
    "junk instead of the trailer": ({"format": "gif"}, lambda d: d[:-1] + JUNK),
    "junk after a GIF": ({"format": "gif"}, lambda d: d + JUNK),
    "no end chunk": ({"format": "png"}, lambda d: d[:-12]),
    "half an end chunk": ({"format": "png"}, lambda d: d[:-5]),
    "zeros after a PNG": ({"format": "png"}, lambda d: d + bytes(100)),
    "length 0": ({"format": "bmp"}, lambda d: d[:2] + bytes(4) + d[6:]),
    "length too large": ({"format": "bmp"}, lambda d: d[:2] + b"\xff" * 4 + d[6:]),
    "zeros after a BMP": ({"format": "bmp"}, lambda d: d + bytes(99)),
    "RIFF too long": (
        {"format": "webp", "quality": 90},
        lambda d: d[:4] + struct.pack("<I", len(d) - 7) + d[8:],
    ),
    "RIFF of length 0": (
        {"format": "webp", "lossless": True},
        lambda d: d[:4] + bytes(4) + d[8:],
    ),
    "zeros after a WebP": ({"format": "webp"}, lambda d: d + bytes(7)),
    "junk after a TIFF": ({"format": "tiff"}, lambda d: d + JUNK),
    "junk after an AVIF": ({"format": "avif"}, lambda d: d + JUNK),
    "junk after a PPM": ({"format": "ppm"}, lambda d: d + JUNK),
}


def written(picture, path, options, change):
    options = dict(options)
    picture = picture.convert(options.pop("mode", "RGB"))
    data = encoded(picture, **options)
    path.write_bytes(data)
    expected = images.read(path)
    path.write_bytes(change(data))
    return path, expected


@pytest.mark.parametrize("name", COMPLETE)
def test_complete_files(picture, tmp_path, name):
    path, expected = written(picture, tmp_path / "a", *COMPLETE[name])
    assert images.find_fault(path) is None
    assert images.is_whole(path)
    image, fault, _ = images.decode(path)
    assert fault is None
    np.testing.assert_array_equal(image, expected)


TRUNCATED_FILES = {
    **{
        f"{part} of a {format}": (
            {"format": format},
            lambda d, p=part: d[: int(len(d) * p)],
        )
        for format in ("jpeg", "png", "gif", "bmp", "webp", "tiff", "avif", "jpeg2000")
        for part in (0.1, 0.5, 0.95)
    },
    "half, then the end": (JPEG, lambda d: d[: len(d) // 2] + END),
    "half, then the end, gray": (
        {**JPEG, "mode": "L"},
        lambda d: d[: len(d) // 2] + END,
    ),
    "half, then the end, progressive": (
        PROGRESSIVE,
        lambda d: d[: len(d) // 2] + END,
    ),
    "half, progressive": (PROGRESSIVE, lambda d: d[: len(d) // 2]),
    "half, restarts": (RESTARTS, lambda d: d[: len(d) // 2] + END),
    "half, CMYK": ({**JPEG, "mode": "CMYK"}, lambda d: d[: len(d) // 2] + END),
    "last quarter zeros": (
        JPEG,
        lambda d: d[: len(d) * 3 // 4] + bytes(len(d) // 4),
    ),
    "a hole": (
        JPEG,
        lambda d: d[: len(d) // 2] + bytes(len(d) // 4) + d[len(d) * 3 // 4 :],
    ),
    "half, then the trailer": ({"format": "gif"}, lambda d: d[: len(d) // 2] + b"\0;"),
    "GIF, last quarter zeros": (
        {"format": "gif"},
        lambda d: d[: len(d) * 3 // 4] + bytes(len(d) // 4),
    ),
    "PNG, last quarter zeros": (
        {"format": "png"},
        lambda d: d[: len(d) * 3 // 4] + bytes(len(d) // 4),
    ),
    "half, then the end chunk": (
        {"format": "png"},
        lambda d: d[: len(d) // 2] + chunk(b"IEND", b""),
    ),
}


@pytest.mark.parametrize("name", TRUNCATED_FILES)
def test_truncated_files(picture, tmp_path, name):
    path, _ = written(picture, tmp_path / "a", *TRUNCATED_FILES[name])
    assert images.find_fault(path) == images.TRUNCATED
    assert not images.is_whole(path)
    assert images.decode(path).fault in (images.TRUNCATED, "can't be decoded")


def test_first_pixels_of_a_truncated_jpeg_are_read(picture, tmp_path):
    path, expected = written(picture, tmp_path / "a", JPEG, lambda d: d[: len(d) // 2])
    image, fault, _ = images.decode(path)
    assert fault == images.TRUNCATED
    np.testing.assert_array_equal(image[:20], expected[:20])
    np.testing.assert_array_equal(images.read(path), image)


def test_end_marker_of_a_thumbnail_is_ignored(picture, tmp_path):
    content = encoded(picture, **JPEG)
    thumbnail = b"Exif\0\0" + encoded(picture.reduce(4), **JPEG)
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    complete = content[:2] + segment + content[2:]
    path = tmp_path / "b.jpg"
    path.write_bytes(complete)
    assert images.find_fault(path) is None
    path.write_bytes(complete[: len(segment) + len(content) // 2])
    assert images.find_fault(path) == images.TRUNCATED


@pytest.mark.parametrize("color", [(255, 255, 255), (128, 128, 128), (0, 0, 0)])
@pytest.mark.parametrize(
    "options", [{"optimize": True}, {"quality": 95}, {"progressive": True}]
)
def test_images_of_one_color_are_complete(tmp_path, color, options):
    path = tmp_path / "a.jpg"  # long rows of zeros, and the decoder's gray
    PIL.Image.new("RGB", (900, 700), color).save(path, **options)
    assert images.find_fault(path) is None
    assert images.decode(path).fault is None


def test_images_with_a_gray_border_are_complete(picture, tmp_path):
    path = tmp_path / "a.jpg"
    boxed = PIL.Image.new("RGB", (400, 400), (128, 128, 128))
    boxed.paste(picture, (20, 20))
    boxed.save(path)
    assert images.find_fault(path) is None
    assert images.decode(path).fault is None


def test_later_frames_are_ignored(picture, tmp_path):
    path = tmp_path / "a.gif"
    other = picture.transpose(PIL.Image.Transpose.ROTATE_180)
    picture.save(path, save_all=True, append_images=[other])
    expected, content = images.read(path), path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    assert images.find_fault(path) is None
    np.testing.assert_array_equal(images.read(path), expected)


def test_is_complete_raises_for_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"image '.*a\.jpg' does not exist"):
        images.is_whole(tmp_path / "a.jpg")


@pytest.mark.parametrize("content", [b"", b"0123456789"])
def test_files_that_are_not_images_are_not_complete(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    assert not images.is_whole(tmp_path / "a.jpg")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        images.is_whole(tmp_path)
