"""Reads the header of an image file before any of its pixels are decoded.

The format is recognized by the first bytes of the file, never by its name.
"""

import io
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from yolov1_fo.image_files import tiff
from yolov1_fo.image_files.image_header import (
    MAX_PARTS,
    NO_IMAGE,
    NO_SIZE,
    ImageHeader,
    unpack,
)
from yolov1_fo.image_files.isobmff_headers import parse_avif, parse_jpeg2000

_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of JPEG segments that state the size."""
_JPEG_WITHOUT_LENGTH = frozenset([0x01, *range(0xD0, 0xDA)])
"""Markers of JPEG that no length follows."""


def read(file: BinaryIO) -> ImageHeader | None:
    """Returns the header of an image file; None if its format is unknown.

    Raises:
        ValueError: if the header ends early or contradicts itself
    """
    file.seek(0)
    start = file.read(32)
    for matches, format, parse in _PARSERS:
        if matches(start):
            try:
                header = parse(file)._replace(format=format)
            except (struct.error, LookupError, UnicodeDecodeError) as error:
                raise ValueError("the header is truncated") from error
            if min(header.width, header.height) < 1:
                raise ValueError(NO_SIZE)
            return header
    return None


def _parse_jpeg(file: BinaryIO) -> ImageHeader:
    position = 2
    for _ in range(MAX_PARTS):
        file.seek(position)
        segment = file.read(9)
        if len(segment) < 9 or segment[0] != 0xFF:
            break
        marker = segment[1]
        if marker == 0xFF:
            position += 1
        elif marker in _JPEG_WITHOUT_LENGTH:
            position += 2
        elif marker in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", segment[5:])
            return ImageHeader(width, height)
        else:
            position += 2 + int.from_bytes(segment[2:4])
    raise ValueError(NO_SIZE)


def _parse_png(file: BinaryIO) -> ImageHeader:
    width, height, _, color_type = unpack(file, ">IIBB", 16)
    has_alpha, orientation, position = color_type in (4, 6), 1, 33
    for _ in range(MAX_PARTS):
        file.seek(position)
        chunk = file.read(8)
        if len(chunk) < 8 or chunk[4:] in (b"IDAT", b"IEND"):
            break
        (length,) = struct.unpack(">I", chunk[:4])
        has_alpha |= chunk[4:] == b"tRNS"
        if chunk[4:] == b"eXIf":
            orientation = _exif_orientation(file.read(length))
        position += 12 + length
    return ImageHeader(width, height, has_alpha, orientation)


def _parse_gif(file: BinaryIO) -> ImageHeader:
    """Returns the larger of canvas and first frame: decoders allocate both."""
    width, height, flags = unpack(file, "<HHB", 6)
    has_alpha, position = False, 13 + palette_size(flags)
    for _ in range(MAX_PARTS):
        (block,) = unpack(file, "B", position)
        if block == 0x2C:
            left, top, wide, high = unpack(file, "<HHHH", position + 1)
            has_alpha |= left > 0 or top > 0 or wide < width or high < height
            return ImageHeader(
                max(width, left + wide), max(height, top + high), has_alpha
            )
        if block != 0x21:
            break
        label, size, flags = unpack(file, "BBB", position + 1)
        has_alpha |= label == 0xF9 and size >= 4 and bool(flags & 1)
        position += 2
        while length := unpack(file, "B", position)[0]:
            position += 1 + length
        position += 1
    raise ValueError(NO_IMAGE)


def palette_size(flags: int) -> int:
    """Returns the length of a GIF's palette in bytes, from the flags before it."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _parse_bmp(file: BinaryIO) -> ImageHeader:
    if unpack(file, "<I", 14)[0] == 12:
        width, height = unpack(file, "<HH", 18)
    else:
        width, height = unpack(file, "<ii", 18)
    return ImageHeader(width, abs(height))


def _parse_webp(file: BinaryIO) -> ImageHeader:
    file.seek(12)
    chunk = file.read(4)
    if chunk == b"VP8 ":
        width, height = unpack(file, "<HH", 26)
        return ImageHeader(width & 0x3FFF, height & 0x3FFF)
    if chunk == b"VP8L":
        (bits,) = unpack(file, "<I", 21)
        has_alpha = bool(bits >> 28 & 1)
        return ImageHeader((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, has_alpha)
    if chunk != b"VP8X":
        raise ValueError(NO_IMAGE)
    flags, *sizes = unpack(file, "<B3xHBHB", 20)
    width, height = (low + (high << 16) + 1 for low, high in (sizes[:2], sizes[2:]))
    orientation = 1
    for name, start, end in iter_riff_chunks(file, 30):
        if name == b"EXIF" and flags & 8:
            file.seek(start)
            exif = file.read(end - start).removeprefix(b"Exif\0\0")
            orientation = _exif_orientation(exif)
    return ImageHeader(width, height, bool(flags & 0x10), orientation)


def iter_riff_chunks(file: BinaryIO, position: int) -> Iterator[tuple[bytes, int, int]]:
    """Yields the chunks of a RIFF file from a position on: name, start and end."""
    for _ in range(MAX_PARTS):
        file.seek(position)
        chunk = file.read(8)
        if len(chunk) < 8:
            return
        length = int.from_bytes(chunk[4:], "little")
        yield chunk[:4], position + 8, position + 8 + length
        position += 8 + length + length % 2


def _parse_tiff(file: BinaryIO) -> ImageHeader:
    tags = tiff.read_tags(file)
    width, height = tags[tiff.WIDTH].value, tags[tiff.HEIGHT].value
    tile_pixels = 0
    if tiff.TILE_WIDTH in tags and tiff.TILE_HEIGHT in tags:
        tile_pixels = tags[tiff.TILE_WIDTH].value * tags[tiff.TILE_HEIGHT].value
    height = max(height, -(-tile_pixels // max(width, 1)))  # decoders allocate a tile
    has_alpha = tiff.EXTRA_SAMPLES in tags and tags[tiff.EXTRA_SAMPLES].value in (1, 2)
    orientation = tags[tiff.ORIENTATION].value if tiff.ORIENTATION in tags else 1
    return ImageHeader(width, height, has_alpha, _valid_orientation(orientation))


def _exif_orientation(exif: bytes) -> int:
    """Returns the orientation in EXIF metadata, 1 if there is none."""
    try:
        tags = tiff.read_tags(io.BytesIO(exif))
        return _valid_orientation(tags[tiff.ORIENTATION].value)
    except (ValueError, KeyError, struct.error):
        return 1


def _valid_orientation(orientation: int) -> int:
    return orientation if 1 <= orientation <= 8 else 1


def _parse_pnm(file: BinaryIO) -> ImageHeader:
    file.seek(0)
    if file.read(2) == b"P7":
        words = file.read(4096).partition(b"ENDHDR")[0].split()
        fields = dict(zip(words[::2], words[1::2], strict=False))
        return ImageHeader(
            _to_size(fields.get(b"WIDTH", b"")), _to_size(fields.get(b"HEIGHT", b""))
        )
    lines = [line.partition(b"#")[0] for line in file.read(4096).split(b"\n")]
    words = [*b" ".join(lines).split(), b"", b""]
    return ImageHeader(_to_size(words[0]), _to_size(words[1]))


def _to_size(word: bytes) -> int:
    """Returns a number of pixels; 0 if it is missing, not a number, or too large."""
    try:
        return int(word) if len(word) < 10 else 0
    except ValueError:
        return 0


def _parse_radiance(file: BinaryIO) -> ImageHeader:
    file.seek(0)
    for line in file.read(4096).split(b"\n"):
        words = line.split()
        if len(words) == 4 and words[0][1:] in (b"X", b"Y"):
            return ImageHeader(_to_size(words[3]), _to_size(words[1]))
    raise ValueError(NO_SIZE)


def _parse_sun(file: BinaryIO) -> ImageHeader:
    width, height = unpack(file, ">II", 4)
    return ImageHeader(width, height)


def _starts_with(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda start: start.startswith(signatures)


_PARSERS: tuple[
    tuple[Callable[[bytes], bool], str, Callable[[BinaryIO], ImageHeader]], ...
] = (
    (_starts_with(b"\xff\xd8\xff"), "JPEG", _parse_jpeg),
    (_starts_with(b"\x89PNG\r\n\x1a\n"), "PNG", _parse_png),
    (_starts_with(b"GIF87a", b"GIF89a"), "GIF", _parse_gif),
    (_starts_with(b"BM"), "BMP", _parse_bmp),
    (lambda start: start[:4] + start[8:12] == b"RIFFWEBP", "WebP", _parse_webp),
    (_starts_with(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "TIFF", _parse_tiff),
    (lambda start: start[4:12] in (b"ftypavif", b"ftypavis"), "AVIF", parse_avif),
    (
        _starts_with(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"),
        "JPEG 2000",
        parse_jpeg2000,
    ),
    (
        lambda s: s[:1] == b"P" and s[1:2] in b"1234567" and s[2:3].isspace(),
        "PNM",
        _parse_pnm,
    ),
    (lambda s: s[:2] in (b"PF", b"Pf") and s[2:3].isspace(), "PFM", _parse_pnm),
    (_starts_with(b"#?RADIANCE", b"#?RGBE"), "Radiance HDR", _parse_radiance),
    (_starts_with(b"\x59\xa6\x6a\x95"), "Sun raster", _parse_sun),
)
