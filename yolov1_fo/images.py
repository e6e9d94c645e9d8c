"""Reads image files to pixels, in the same way for training and prediction."""

import io
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2

from yolov1_fo import files
from yolov1_fo.boxes import Array
from yolov1_fo.config import MAX_IMAGE_PIXELS
from yolov1_fo.image_files import (
    completeness,
    decoding,
    header_parsers,
    jpeg,
    remote,
    resizing,
)
from yolov1_fo.image_files.image_header import IMAGE_FORMATS, ImageHeader

MISSING = "does not exist"
TRUNCATED = "is truncated or damaged"
MAX_OVERHEAD = 2**26
"""Bytes that are read of a file, in addition to 16 bytes per pixel."""
_FILE_TYPES = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class ReadResult(NamedTuple):
    """The pixels of an image file, and what is wrong with it.

    Attributes:
        image: (H, W, 3) RGB; None if the file can't be decoded; the missing part of a
            truncated JPEG is gray
        fault: what is wrong, see `error_message`; None for a complete image
        size: height and width before it was resized, in pixels; 0 without an image
    """

    image: Array | None
    fault: str | None
    size: tuple[int, int] = (0, 0)


def read(
    path: str | os.PathLike[str],
    image_size: int | None = None,
    *,
    align_corners: bool = False,
    letterbox: bool = False,
    max_pixels: int = MAX_IMAGE_PIXELS,
) -> Array:
    """Returns the pixels of an image file.

    EXIF orientation is applied; gray, palette and CMYK images are converted to RGB;
    transparent pixels are blended with white. Only the first frame or page is read.

    Args:
        path: a file in one of `image_header.IMAGE_FORMATS`, whatever its suffix; or
            a URL, see `image_files.remote`
        image_size (as stored): resizes to (image_size, image_size), in pixels
        align_corners (False): resizes as Darknet does, to float32 in [0, 1]
        letterbox (False): keeps the aspect ratio and fills the rest with gray, as
            `resizing.resize_letterboxed` does
        max_pixels (200 million): larger images are refused before they are decoded

    Returns:
        (H, W, 3) uint8 RGB

    Raises:
        FileNotFoundError: if the file does not exist
        ValueError: if it is not an image, or is to be resized in two ways
        StorageError: if it is a URL whose server does not answer
    """
    image, fault, _ = decode(
        path,
        image_size,
        align_corners=align_corners,
        letterbox=letterbox,
        max_pixels=max_pixels,
    )
    if image is None:
        kind = FileNotFoundError if fault == MISSING else ValueError
        raise kind(error_message(path, fault))
    return image


def error_message(path: str | os.PathLike[str], fault: str | None) -> str:
    """Returns what is wrong with an image file, in one line.

    Example:
        >>> error_message("a.jpg", "does not exist")
        "image 'a.jpg' does not exist"
    """
    name = os.fspath(path)
    quoted = f"'{name}'" if name.isprintable() else repr(name)
    return f"image {quoted} {fault}"


def decode(
    path: str | os.PathLike[str],
    image_size: int | None = None,
    *,
    align_corners: bool = False,
    letterbox: bool = False,
    max_pixels: int = MAX_IMAGE_PIXELS,
) -> ReadResult:
    """Returns the pixels of an image file, and what is wrong with it.

    Args:
        path: an image file
        image_size (as stored): as in `read`
        align_corners (False): as in `read`
        letterbox (False): as in `read`
        max_pixels (200 million): as in `read`
    """
    return decode_parts(
        path,
        (None,),
        image_size,
        align_corners=align_corners,
        letterbox=letterbox,
        max_pixels=max_pixels,
    )[0]


def decode_parts(
    path: str | os.PathLike[str],
    windows: Sequence[Array | None],
    image_size: int | None = None,
    *,
    align_corners: bool = False,
    letterbox: bool = False,
    max_pixels: int = MAX_IMAGE_PIXELS,
) -> list[ReadResult]:
    """Returns the pixels of parts of an image file, which is decoded once.

    Args:
        path: an image file
        windows: (4,) xyxy of each part, relative to the image; None is the whole image
        image_size (as stored): as in `read`, of each part
        align_corners (False): as in `read`
        letterbox (False): as in `read`
        max_pixels (200 million): as in `read`, of the whole image
    """
    bgr, fault = _decode_bgr(path, max_pixels)
    if bgr is None:
        return [ReadResult(None, fault)] * len(windows)
    results = []
    for window in windows:
        part = bgr if window is None else resizing.crop(bgr, window)
        height, width = part.shape[:2]
        if image_size is not None:
            part = resizing.to_square(
                part, image_size, align_corners=align_corners, letterbox=letterbox
            )
        rgb = cv2.cvtColor(part, cv2.COLOR_BGR2RGB)
        results.append(ReadResult(rgb, fault, (height, width)))
    return results


def _decode_bgr(
    path: str | os.PathLike[str], max_pixels: int
) -> tuple[Array | None, str | None]:
    """Returns the pixels (H, W, 3) of a file, and what is wrong with it."""
    file = _load(path, max_pixels)
    if file.header is None:
        return None, file.fault
    header, data = file.header, file.data
    complete = completeness.repaired(header, data)
    if complete is None and header.format != "JPEG":
        return None, TRUNCATED
    bgr = decoding.decode_bgr(header, complete or completeness.with_end_marker(data))
    if bgr is None:
        return None, "can't be decoded"
    is_ok = complete is not None and _has_all_pixels(header, data, bgr)
    return bgr, None if is_ok else TRUNCATED


def find_fault(
    path: str | os.PathLike[str], max_pixels: int = MAX_IMAGE_PIXELS
) -> str | None:
    """Returns what is wrong with an image file, None if every pixel is there.

    It is faster than `decode`, which finds some more faults.

    Args:
        path: an image file
        max_pixels (200 million): a larger image is a fault
    """
    file = _load(path, max_pixels)
    if file.header is None:
        return file.fault
    complete = completeness.repaired(file.header, file.data, thorough=True)
    return TRUNCATED if complete is None else None


def is_whole(path: str | os.PathLike[str]) -> bool:
    """Returns whether `find_fault` finds nothing wrong with an image file.

    Args:
        path: an image file

    Raises:
        FileNotFoundError: if the file does not exist
    """
    fault = find_fault(path)
    if fault == MISSING or not (remote.is_remote(path) or files.is_file(path)):
        raise FileNotFoundError(error_message(path, fault))
    return fault is None


class _File(NamedTuple):
    header: ImageHeader | None
    data: bytes
    fault: str | None


def path_fault(path: str | os.PathLike[str]) -> str | None:
    """Returns why a path can't be opened as a file, None if it can; does not open it.

    A URL is not checked.

    Opening a named pipe would block; opening a device could have side effects.
    """
    if remote.is_remote(path):
        return None
    try:
        status = os.stat(path)  # noqa: PTH116  # a Path would cost as much as reading
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return MISSING
    except OSError as error:
        return f"can't be opened: {error.strerror}"
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        return f"is {_FILE_TYPES.get(kind, 'something else')}, not a file"
    return None if status.st_size else "is empty"


def _load(path: str | os.PathLike[str], max_pixels: int) -> _File:
    """Returns header and content of a file, or why it is not an image."""
    try:
        fault = path_fault(path)
        if fault is not None:
            return _File(None, b"", fault)
        if remote.is_remote(path):
            return _load_remote(os.fspath(path), max_pixels)
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # as above
            size = os.fstat(file.fileno()).st_size
            data = file.readall() if size <= MAX_OVERHEAD else b""
            source = io.BytesIO(data) if data else io.BufferedReader(file)
            header = header_parsers.read(source)
            fault = _header_fault(header, max_pixels)
            if header is None or fault:
                return _File(None, b"", fault)
            if not data:
                source.seek(0)
                data = source.read(min(size, _largest_size(header)))
            return _File(header, data, None)
    except remote.StorageError:
        raise
    except FileNotFoundError:
        return _File(None, b"", MISSING)
    except OSError as error:
        return _File(None, b"", f"can't be opened: {error.strerror}")
    except MemoryError:
        return _File(None, b"", "does not fit in memory")
    except ValueError:  # an invalid header
        return _File(None, b"", TRUNCATED)


def _load_remote(url: str, max_pixels: int) -> _File:
    data = remote.read(url, MAX_OVERHEAD)
    if not data:
        return _File(None, b"", "is empty")
    header = header_parsers.read(io.BytesIO(data))
    fault = _header_fault(header, max_pixels)
    if header is None or fault:
        return _File(None, b"", fault)
    if len(data) == MAX_OVERHEAD:
        data = remote.read(url, _largest_size(header))
    return _File(header, data, None)


def _largest_size(header: ImageHeader) -> int:
    """Returns how many bytes of a file are read."""
    return 16 * header.width * header.height + MAX_OVERHEAD


def _header_fault(header: ImageHeader | None, max_pixels: int) -> str | None:
    if header is None:
        return f"is not an image in a supported format ({', '.join(IMAGE_FORMATS)})"
    if header.width * header.height <= max_pixels:
        return None
    size = f"{header.width} x {header.height} pixels"
    return f"has {size}, more than max_image_pixels {max_pixels}"


def _has_all_pixels(header: ImageHeader, data: bytes, bgr: Array) -> bool:
    """Returns whether a JPEG is complete; parses it only if a corner is gray."""
    if header.format != "JPEG":
        return True
    corners = (bgr[row, column].tolist() for row in (0, -1) for column in (0, -1))
    is_gray = [jpeg.GRAY] * 3 in corners
    return not is_gray or jpeg.is_complete(data, thorough=True)


def corrected(path: str | os.PathLike[str], image: Array) -> Array:
    """Returns an image that plain OpenCV has read as `read` returns it.

    OpenCV alone ignores transparency, and the orientation of AVIF files.

    Args:
        path: the file that it was read from
        image: (H, W, 3) uint8 RGB
    """
    if path_fault(path) is not None:
        return image
    try:
        with Path(path).open("rb") as file:
            header = header_parsers.read(file)
    except (OSError, ValueError):
        return image
    if header is None:
        return image
    is_rotated = header.format in decoding.ROTATED_HERE and header.orientation != 1
    stored = header.height, header.width
    is_unchanged = image.shape[:2] in (stored, stored[::-1])
    if not is_unchanged or not (header.has_alpha or is_rotated):
        return image
    found = decode(path).image
    return image if found is None else found
