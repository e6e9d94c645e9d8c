"""A file to the bytes the network eats, for training and prediction alike."""

import io
import os
import stat
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import PngImagePlugin

from yolov1_fo import files
from yolov1_fo.boxes import Array
from yolov1_fo.config import MAX_IMAGE_PIXELS
from yolov1_fo.image_files import completeness, headers, jpeg
from yolov1_fo.image_files.headers import Header

MISSING = "does not exist"
CUT = "is cut short or damaged"
BACKGROUND = 255
"""What transparent pixels lie on: white."""
SPARE = 2**26
"""Bytes that a file may take for what is no pixel."""
_KINDS_OF_FILES = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Read(NamedTuple):
    """An image that was read, and what is wrong with its file.

    Attributes:
        image: pixels; None if there are none; those of a cut JPEG end in grey
        fault: what is wrong, to be said behind the file's name; None if nothing is
    """

    image: Array | None
    fault: str | None


def read(
    path: str | os.PathLike[str],
    image_size: int | None = None,
    *,
    align_corners: bool = False,
    max_pixels: int = MAX_IMAGE_PIXELS,
) -> Array:
    """Returns the pixels of an image file as a person sees them.

    EXIF orientation is applied; grey, palette and CMYK images come as RGB; transparent
    pixels lie on white. Of several frames or pages it is the first.

    Args:
        path: a file of one of `headers.KINDS`, by its content
        image_size (as stored): resizes to side x side, in pixels
        align_corners (False): with Darknet's `resize_aligned`, to float32 in [0, 1]
        max_pixels (200 million): an image of more is refused before it is decoded

    Returns:
        (H, W, 3) uint8 RGB

    Raises:
        FileNotFoundError: if there is no such file
        ValueError: if it is not an image
    """
    image, fault = decode(
        path, image_size, align_corners=align_corners, max_pixels=max_pixels
    )
    if image is None:
        kind = FileNotFoundError if fault == MISSING else ValueError
        raise kind(told(path, fault))
    return image


def told(path: str | os.PathLike[str], fault: str | None) -> str:
    """Returns what is wrong with an image file in one line, whatever its name.

    Example:
        >>> told("a.jpg", "does not exist")
        "image 'a.jpg' does not exist"
    """
    name = os.fspath(path)
    said = f"'{name}'" if name.isprintable() else repr(name)
    return f"image {said} {fault}"


def decode(
    path: str | os.PathLike[str],
    image_size: int | None = None,
    *,
    align_corners: bool = False,
    max_pixels: int = MAX_IMAGE_PIXELS,
) -> Read:
    """Returns what `read` does, or what is wrong; a cut file can have pixels too.

    Args:
        path: an image file
        image_size (as stored): as in `read`
        align_corners (False): as in `read`
        max_pixels (200 million): as in `read`
    """
    file = _load(path, max_pixels)
    if file.header is None:
        return Read(None, file.fault)
    header, data = file.header, file.data
    whole = completeness.mended(header, data)
    if whole is None and header.kind != "JPEG":
        return Read(None, CUT)
    bgr = _pixels(header, completeness.with_end(data) if whole is None else whole)
    if bgr is None:
        return Read(None, "can't be decoded")
    fault = None if whole is not None and _holds_all(header, data, bgr) else CUT
    if image_size is not None:
        bgr = (
            resize_aligned(bgr, image_size)
            if align_corners
            else resize(bgr, image_size)
        )
    return Read(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), fault)


def fault_of(
    path: str | os.PathLike[str], max_pixels: int = MAX_IMAGE_PIXELS
) -> str | None:
    """Returns what is wrong with an image file, None if every pixel is there.

    It decodes no more than it must; what only decoding tells, `decode` tells.

    Args:
        path: an image file
        max_pixels (200 million): an image of more is refused
    """
    file = _load(path, max_pixels)
    if file.header is None:
        return file.fault
    whole = completeness.mended(file.header, file.data, thorough=True)
    return CUT if whole is None else None


def is_whole(path: str | os.PathLike[str]) -> bool:
    """Returns whether `fault_of` finds nothing wrong with an image file.

    Args:
        path: an image file

    Raises:
        FileNotFoundError: if there is no such file
    """
    fault = fault_of(path)
    if not files.is_file(path):
        raise FileNotFoundError(told(path, fault))
    return fault is None


class _File(NamedTuple):
    header: Header | None
    data: bytes
    fault: str | None


def not_a_file(path: str | os.PathLike[str]) -> str | None:
    """Returns what a path is if it can't be opened as a file, without opening it.

    To open a named pipe or a device would wait for it, or do what it does.
    """
    try:
        status = os.stat(path)  # noqa: PTH116  # a Path would cost as much as reading
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return MISSING
    except OSError as error:
        return f"can't be opened: {error.strerror}"
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        return f"is {_KINDS_OF_FILES.get(kind, 'no file')}, not a file"
    return None if status.st_size else "is empty"


def _load(path: str | os.PathLike[str], max_pixels: int) -> _File:
    """Returns what is in an image file, if it is one; opens nothing else."""
    try:
        fault = not_a_file(path)
        if fault is not None:
            return _File(None, b"", fault)
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # as above
            size = os.fstat(file.fileno()).st_size
            whole = file.readall() if size <= SPARE else b""
            source = io.BytesIO(whole) if whole else io.BufferedReader(file)
            header = headers.read(source)
            fault = _refused(header, max_pixels)
            if header is None or fault:
                return _File(None, b"", fault)
            if not whole:
                source.seek(0)
                most = 16 * header.width * header.height + SPARE
                whole = source.read(min(size, most))
            return _File(header, whole, None)
    except OSError as error:
        return _File(None, b"", f"can't be opened: {error.strerror}")
    except MemoryError:
        return _File(None, b"", "does not fit in memory")
    except ValueError:  # its header makes no sense
        return _File(None, b"", CUT)


def _refused(header: Header | None, max_pixels: int) -> str | None:
    if header is None:
        return f"is no image of a known kind ({', '.join(headers.KINDS)})"
    if header.width * header.height <= max_pixels:
        return None
    size = f"{header.width} x {header.height} pixels"
    return f"has {size}, more than max_image_pixels {max_pixels}"


def _holds_all(header: Header, data: bytes, bgr: Array) -> bool:
    """Returns whether no pixel of a JPEG is a decoder's grey; looks at its corners."""
    if header.kind != "JPEG":
        return True
    corners = (bgr[row, column].tolist() for row in (0, -1) for column in (0, -1))
    is_grey = [jpeg.GREY] * 3 in corners
    return not is_grey or jpeg.is_complete(data, thorough=True)


def _pixels(header: Header, data: bytes) -> Array | None:
    """Returns (H, W, 3) uint8 BGR, upright and opaque; None if it can't be decoded."""
    buffer = np.frombuffer(data, np.uint8)
    try:
        if header.has_alpha:
            image = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
            if image is not None and image.ndim == 2 and header.kind == "PNG":
                image = _grey_with_alpha(data)
            if image is not None and image.ndim == 3 and image.shape[-1] == 4:
                opaque = _opaque(image, header.kind)
                return _turned(opaque, header.orientation)
        image = cv2.imdecode(buffer, cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    if image is None or header.kind not in TURNED_HERE:
        return image
    return _turned(image, header.orientation)


TURNED_HERE = ("TIFF", "AVIF")
"""Kinds whose orientation OpenCV fails on, or does not know."""


def _grey_with_alpha(data: bytes) -> Array | None:
    """Returns BGRA of a grey PNG of which one shade is transparent; OpenCV can't."""
    try:
        with PngImagePlugin.PngImageFile(io.BytesIO(data)) as picture:
            return np.asarray(picture.convert("RGBA"))  # grey has no order
    except Exception:  # Pillow raises many kinds
        return None


def _opaque(image: Array, kind: str) -> Array:
    """Returns BGR on `BACKGROUND` of BGRA."""
    is_premultiplied = kind == "TIFF" and image.dtype == np.uint8  # by libtiff
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    alpha = image[..., 3:].astype(np.uint16)
    colours = image[..., :3].astype(np.uint16)
    if not is_premultiplied:
        colours = (colours * alpha + 127) // 255
    behind = (BACKGROUND * (255 - alpha) + 127) // 255
    return np.minimum(colours + behind, 255).astype(np.uint8)


def _turned(image: Array, orientation: int) -> Array:
    """Returns an image upright that is stored as EXIF's `orientation` says."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def shown(path: str | os.PathLike[str], image: Array) -> Array:
    """Returns an image as `read` gives it that a plain OpenCV has read.

    That one drops what makes pixels transparent, and does not turn an AVIF.

    Args:
        path: the file that it was read from
        image: (H, W, 3) uint8 RGB
    """
    if not_a_file(path) is not None:
        return image
    try:
        with Path(path).open("rb") as file:
            header = headers.read(file)
    except (OSError, ValueError):
        return image
    if header is None:
        return image
    is_turned = header.kind in TURNED_HERE and header.orientation != 1
    stored = header.height, header.width
    if not (header.has_alpha or is_turned) or image.shape[:2] not in (
        stored,
        stored[::-1],
    ):
        return image
    found = decode(path).image
    return image if found is None else found


def resize(image: Array, image_size: int) -> Array:
    """Returns the image squashed to a square; proportions are not kept, as in Darknet.

    An axis that shrinks to less than half averages areas, so that small things do not
    vanish; else bilinear.

    Args:
        image: (H, W, 3) uint8
        image_size: in pixels

    Returns:
        (H, W, 3) uint8
    """
    height, width = image.shape[:2]
    if (height, width) == (image_size, image_size):
        return image
    image = np.ascontiguousarray(image)
    if min(height, width) >= 2 * image_size:
        return cv2.resize(image, (image_size, image_size), interpolation=cv2.INTER_AREA)
    longer, is_wide = max(height, width), width > height
    if longer >= 4 * image_size:
        size = (image_size, height) if is_wide else (width, image_size)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    elif (
        longer > 2 * image_size
    ):  # of twice the size, bilinear is the mean; and it is fast
        size = (2 * image_size, image_size) if is_wide else (image_size, 2 * image_size)
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return cv2.resize(image, (image_size, image_size), interpolation=cv2.INTER_LINEAR)


def resize_aligned(image: Array, image_size: int) -> Array:
    """Returns the image squashed to a square as Darknet does it.

    Bilinear at any scale, in floats; the corner pixels stay the corner pixels.

    Args:
        image: (H, W, 3) uint8
        image_size: in pixels

    Returns:
        (H, W, 3) float32 in [0, 1]

    Source: Darknet image.c
    """
    height, width = image.shape[:2]
    top, bottom, down = _neighbours(height, image_size)
    left, right, across = _neighbours(width, image_size)
    above, below = (image[rows].astype(np.float32) / 255 for rows in (top, bottom))
    above = (1 - across) * above[:, left] + across * above[:, right]
    below = (1 - across) * below[:, left] + across * below[:, right]
    return (1 - down[:, None]) * above + down[:, None] * below


def _neighbours(size: int, image_size: int) -> tuple[Array, Array, Array]:
    """Returns between which two old pixels each new one lies, and how far on."""
    scale = np.float32((size - 1) / max(image_size - 1, 1))
    places = np.arange(image_size, dtype=np.float32) * scale
    first = np.minimum(places.astype(int), size - 1)
    second = np.minimum(first + 1, size - 1)
    return first, second, (places - first)[:, None].astype(np.float32)
