import os
import socket
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest

from yolov1_fo import images
from yolov1_fo.image_files import resizing


@pytest.fixture
def picture(rng):
    """Returns a smooth image, which JPEG changes little."""
    small = rng.integers(0, 256, (5, 7, 3)).astype(np.uint8)
    return cv2.resize(small, (70, 50), interpolation=cv2.INTER_CUBIC)


FORMATS = ["jpg", "png", "gif", "webp", "bmp"]


def damaged(path):
    """Writes a PNG that only decoding shows to be damaged."""
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in (
        (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\x63" * 200)),  # filter 99 does not exist
        (b"IEND", b""),
    ):
        check = struct.pack(">I", zlib.crc32(name + data))
        content += struct.pack(">I", len(data)) + name + data + check
    path.write_bytes(content)
    return path


def saved(picture, path, **options):
    PIL.Image.fromarray(picture).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_read_equals_fiftyones_reader(picture, tmp_path, suffix):
    import fiftyone.utils.image as foui

    path = saved(picture, tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(images.read(path), foui.read(str(path)))


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "CMYK"])
def test_read_returns_rgb_for_every_mode(picture, tmp_path, mode):
    suffix = "jpg" if mode == "CMYK" else "png"
    PIL.Image.fromarray(picture).convert(mode).save(tmp_path / f"a.{suffix}")
    pixels = images.read(tmp_path / f"a.{suffix}")
    assert pixels.shape == (50, 70, 3)
    assert pixels.dtype == np.uint8


def test_images_with_too_many_pixels_are_not_decoded(picture, tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    content = bytearray(saved(picture, tmp_path / "a.png").read_bytes())
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    gif = b"GIF89a" + struct.pack("<HH", 20_000, 20_000) + bytes(3)
    frame = b"," + struct.pack("<HHHH", 0, 0, 9, 9) + b"\0\x02\x02\x44\x01\0;"
    small = gif.replace(struct.pack("<H", 20_000), struct.pack("<H", 9))
    large = b"," + struct.pack("<HHHH", 0, 0, 30_000, 30_000) + frame[9:]
    for name, data, size in (
        ("a.png", bytes(content), "60000 x 60000"),
        ("canvas.gif", gif + frame, "20000 x 20000"),
        ("frame.gif", small + large, "30000 x 30000"),
    ):
        (tmp_path / name).write_bytes(data)
        line = f"{name}' has {size} pixels, more than max_image_pixels 200000000"
        with pytest.raises(ValueError, match=line):
            images.read(tmp_path / name)
    saved(picture, tmp_path / "b.png")
    fault = images.find_fault(tmp_path / "b.png", max_pixels=70 * 50 - 1)
    assert fault == "has 70 x 50 pixels, more than max_image_pixels 3499"


@pytest.mark.parametrize("suffix", ["gif", "png", "jpg"])
def test_files_too_small_for_their_size_are_truncated(picture, tmp_path, suffix):
    path = saved(picture, tmp_path / f"a.{suffix}")
    content = bytearray(path.read_bytes())
    large = 12_000
    if suffix == "gif":
        frame = content.index(b",\0\0\0\0")
        for at in (6, frame + 5):
            content[at : at + 4] = struct.pack("<HH", large, large)
    elif suffix == "png":
        content[16:24] = struct.pack(">II", large, large)
        content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    else:
        at = content.index(b"\xff\xc0") + 5
        content[at : at + 4] = struct.pack(">HH", large, large)
    path.write_bytes(content)
    assert images.find_fault(path) == images.TRUNCATED


def turned(picture, path, orientation, **options):
    """Writes an image rotated, with the EXIF orientation that makes it upright."""
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


@pytest.mark.parametrize("suffix", ["png", "tiff", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_read_applies_the_orientation(picture, tmp_path, orientation, suffix):
    path = turned(picture, tmp_path / f"a.{suffix}", orientation)
    difference = np.abs(images.read(path).astype(int) - picture)
    assert difference.mean() < (4 if suffix == "avif" else 1e-9)  # AVIF is lossy


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff", "gif", "avif", "jp2"])
def test_transparent_pixels_are_white(picture, tmp_path, suffix):
    alpha = np.zeros((50, 70, 1), np.uint8)
    alpha[:, :30] = 255
    rgba = np.concatenate([picture, alpha], axis=-1)
    path = saved(rgba, tmp_path / f"a.{suffix}")
    pixels = images.read(path)
    assert (pixels[:, 40:] > 250).all()
    difference = np.abs(pixels[:, :20].astype(int) - picture[:, :20])
    assert difference.mean() < 15  # GIF has 256 colors
    assert images.find_fault(path) is None


def test_half_transparent_pixels_are_blended_with_white(tmp_path):
    path = tmp_path / "a.png"
    PIL.Image.new("RGBA", (4, 4), (200, 100, 0, 51)).save(path)
    assert images.read(path)[0, 0].tolist() == [244, 224, 204]  # 0.2 x + 0.8 255
    PIL.Image.new("LA", (4, 4), (100, 51)).save(path)
    assert images.read(path)[0, 0].tolist() == [224] * 3
    gray = PIL.Image.new("L", (4, 4), 7)
    gray.save(path, transparency=7)
    assert images.read(path)[0, 0].tolist() == [255] * 3


def test_orientation_is_applied_to_transparent_images(picture, tmp_path):
    opaque = np.concatenate([picture, np.full((50, 70, 1), 255, np.uint8)], axis=-1)
    path = turned(opaque, tmp_path / "a.png", 6)
    np.testing.assert_array_equal(images.read(path), picture)


def test_read_and_resize_agree(picture, tmp_path):
    path = saved(picture, tmp_path / "a.png")
    np.testing.assert_array_equal(images.read(path, 32), resizing.resize(picture, 32))


def test_resize_returns_an_image_of_the_right_size_itself(picture):
    square = picture[:50, :50]
    assert resizing.resize(square, 50) is square


@pytest.mark.parametrize("is_wide", [True, False])
def test_thin_objects_remain_if_only_one_side_shrinks(is_wide):
    image = np.zeros((40, 800, 3), np.uint8)
    image[:, 5::50] = 255  # 16 lines, 1 px wide; 25 px become one
    small = resizing.resize(image if is_wide else image.swapaxes(0, 1), 32)
    line = small[..., 0].mean(axis=0 if is_wide else 1)
    assert (line > 3).sum() >= 16
    assert small.mean() == pytest.approx(image.mean(), rel=0.1)


def test_errors_name_the_file(tmp_path):
    (tmp_path / "text.jpg").write_text("not an image, despite its name")
    (tmp_path / "photo.jpg").write_bytes(b"v/1\x01" + bytes(300))  # OpenEXR's start
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(FileNotFoundError, match=r"/two\\nlines' does not exist"):
        images.read(tmp_path / "two\nlines")
    with pytest.raises(FileNotFoundError, match=r"missing\.jpg' does not exist"):
        images.read(tmp_path / "missing.jpg")
    for name, fault in (
        ("text.jpg", r"is not an image in a supported format \(JPEG, PNG, "),
        ("photo.jpg", "is not an image in a supported format"),
        ("empty.jpg", "is empty"),
    ):
        with pytest.raises(ValueError, match=f"{name}' {fault}"):
            images.read(tmp_path / name)


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "link.jpg").symlink_to(tmp_path / "pipe.jpg")
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "nowhere.jpg")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(tmp_path / "socket.jpg"))
    faults = {
        tmp_path / "pipe.jpg": "is a named pipe, not a file",
        tmp_path / "link.jpg": "is a named pipe, not a file",
        tmp_path / "folder.jpg": "is a folder, not a file",
        tmp_path / "socket.jpg": "is a socket, not a file",
        Path("/dev/zero"): "is a device, not a file",
        tmp_path / "broken.jpg": "does not exist",
        tmp_path / "broken.jpg" / "a.jpg": "does not exist",
        Path("/proc/self/status"): "is empty",
        tmp_path / ("x" * 300): "can't be opened: File name too long",
        "a\0b": "does not exist",
    }
    for path, fault in faults.items():
        assert images.find_fault(path) == fault
        assert images.decode(path)[:2] == (None, fault)


@pytest.mark.parametrize("suffix", [*FORMATS, "tiff", "avif", "jp2", "ppm"])
def test_damaged_files_give_pixels_or_a_fault(picture, tmp_path, suffix, rng):
    content = saved(picture[:20, :30], tmp_path / f"a.{suffix}").read_bytes()
    path = tmp_path / f"b.{suffix}"
    for _ in range(40):
        damaged = bytearray(content[: rng.integers(1, len(content) + 1)])
        for at in rng.integers(0, len(damaged), rng.integers(0, 9)):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        images.find_fault(path, max_pixels=10**6)
        image, fault, _ = images.decode(path, 16, max_pixels=10**6)
        assert image is not None or fault
        assert fault is None or "\n" not in fault
