"""Whether an image file contains every pixel; repairs its end where it does.

Missing or extra bytes after the last pixel are harmless, but OpenCV refuses some such
files. They are repaired in memory.
"""

import io
import struct
import zlib

from PIL import GifImagePlugin

from yolov1_fo.image_files import header_parsers, isobmff, jpeg, tiff
from yolov1_fo.image_files.image_header import ImageHeader

MAX_INFLATION, MAX_GIF_EXPANSION = 1032, 4096
"""Most bytes that zlib makes of one byte; most pixels that GIF makes of one byte."""
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_ENDLESS = 2**63


def repaired(header: ImageHeader, data: bytes, thorough: bool = False) -> bytes | None:
    """Returns a file that OpenCV decodes completely; None if pixels are missing.

    Args:
        header: of the file
        data: content of the file
        thorough (False): decodes the image where only decoding shows that pixels are
            missing; unnecessary if the caller decodes it
    """
    check = _CHECKS.get(header.format)
    try:
        return data if check is None else check(header, data, thorough)
    except (ValueError, IndexError, struct.error):  # an offset beyond the end
        return None


def _check_jpeg(header: ImageHeader, data: bytes, thorough: bool) -> bytes | None:
    return with_end_marker(data) if jpeg.is_complete(data, thorough) else None


def with_end_marker(data: bytes) -> bytes:
    """Returns a JPEG file with an end marker; without it, OpenCV omits pixels."""
    return data if data.endswith(jpeg.END) else data + jpeg.END


def _check_png(header: ImageHeader, data: bytes, thorough: bool) -> bytes | None:
    position, parts, is_damaged = 8, [], False
    while position + 12 <= len(data):
        name = data[position + 4 : position + 8]
        end = position + 12 + int.from_bytes(data[position : position + 4])
        if name == b"IEND" or end > len(data):
            break
        if name == b"IDAT":
            parts.append(data[position + 8 : end - 4])
            checksum = zlib.crc32(data[position + 4 : end - 4])
            is_damaged |= checksum != int.from_bytes(data[end - 4 : end])
        position = end
    depth, color_type = data[24], data[25]
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(color_type, 1)
    needed = header.height * (header.width * bits // 8)
    if is_damaged or sum(map(len, parts)) * MAX_INFLATION < needed:
        return None
    if data[position + 4 : position + 8] == b"IEND":
        return data
    return data[:position] + PNG_END if _zlib_ends(parts) else None


def _zlib_ends(parts: list[bytes]) -> bool:
    """Returns whether a zlib stream is complete."""
    stream = zlib.decompressobj()
    try:
        for part in parts:
            while part:
                stream.decompress(part, 2**20)
                part = stream.unconsumed_tail
    except zlib.error:
        return False
    return stream.eof


def _check_gif(header: ImageHeader, data: bytes, thorough: bool) -> bytes | None:
    """Only the first frame must be complete."""
    frame = _first_frame(data)
    if frame is None:
        return None
    start, end = frame
    width, height = struct.unpack("<HH", data[start + 5 : start + 9])
    if width * height > MAX_GIF_EXPANSION * (end - start):
        return None
    first = data[:end] + b";"
    if thorough and not _gif_decodes(first):
        return None
    return data if _gif_ends(data, end) else first


def _first_frame(data: bytes) -> tuple[int, int] | None:
    """Returns start and end of a GIF's first frame; None if it is incomplete."""
    position = 13 + header_parsers.palette_size(data[10])
    while position < len(data):
        if data[position] == 0x2C and position + 10 < len(data):
            body = position + 11 + header_parsers.palette_size(data[position + 9])
            end = _end_of_blocks(data, body)
            return None if end is None else (position, end)
        if data[position] != 0x21:
            return None
        extension_end = _end_of_blocks(data, position + 2)
        if extension_end is None:
            return None
        position = extension_end
    return None


def _end_of_blocks(data: bytes, position: int) -> int | None:
    """Returns the position after a sequence of GIF's sub-blocks."""
    while position < len(data):
        if not data[position]:
            return position + 1
        position += 1 + data[position]
    return None


def _gif_ends(data: bytes, position: int) -> bool:
    """Returns whether everything after the first frame is complete."""
    while position < len(data) and data[position] in b"!,":
        body = position + 2
        if data[position] == 0x2C:
            if position + 10 >= len(data):
                return False
            body = position + 11 + header_parsers.palette_size(data[position + 9])
        end = _end_of_blocks(data, body)
        if end is None:
            return False
        position = end
    return data[position : position + 1] == b";"


def _gif_decodes(data: bytes) -> bool:
    try:
        with GifImagePlugin.GifImageFile(io.BytesIO(data)) as image:
            image.load()
    except Exception:  # Pillow raises many types
        return False
    return True


def _check_bmp(header: ImageHeader, data: bytes, thorough: bool) -> bytes | None:
    start, size = (int.from_bytes(data[n : n + 4], "little") for n in (10, 14))
    bits = int.from_bytes(data[24 if size == 12 else 28 :][:2], "little")
    is_packed = size > 12 and int.from_bytes(data[30:34], "little") not in (0, 3, 6)
    row = -(-header.width * bits // 32) * 4
    return data if is_packed or start + row * header.height <= len(data) else None


def _check_webp(header: ImageHeader, data: bytes, thorough: bool) -> bytes | None:
    end, has_image = 12, False
    for name, _, stop in header_parsers.iter_riff_chunks(io.BytesIO(data), 12):
        if stop > len(data):
            break
        has_image |= name in (b"VP8 ", b"VP8L", b"ANMF")
        end = stop
        if name in (b"VP8 ", b"VP8L") and data[12:16] != b"VP8X":
            break
    if not has_image:
        return None
    declared = int.from_bytes(data[4:8], "little") + 8
    if end <= declared <= len(data):
        return data
    content = data[:end] + b"\0" * (end % 2)
    return data[:4] + (len(content) - 8).to_bytes(4, "little") + content[8:]


def _check_tiff(header: ImageHeader, data: bytes, thorough: bool) -> bytes | None:
    """Also resets the orientation, which OpenCV fails to apply."""
    file = io.BytesIO(data)
    tags = tiff.read_tags(file)
    for offsets, sizes in (
        (tiff.STRIP_OFFSETS, tiff.STRIP_SIZES),
        (tiff.TILE_OFFSETS, tiff.TILE_SIZES),
    ):
        if offsets in tags and sizes in tags:
            pair = tags[offsets].read_all(file), tags[sizes].read_all(file)
            parts = zip(*pair, strict=False)
            if any(offset + size > len(data) for offset, size in parts):
                return None
    orientation = tags.get(tiff.ORIENTATION)
    if orientation is None or orientation.value == 1:
        return data
    upright = bytearray(data)
    size = struct.calcsize(orientation.format)
    upright[orientation.offset : orientation.offset + size] = struct.pack(
        orientation.format, 1
    )
    return bytes(upright)


def _check_isobmff(header: ImageHeader, data: bytes, thorough: bool) -> bytes | None:
    """The boxes with pixels must end within the file: AVIF and JPEG 2000."""
    for name, _, stop in isobmff.iter_boxes(io.BytesIO(data), 0, _ENDLESS):
        if name in (b"meta", b"mdat", b"jp2h", b"jp2c") and len(data) < stop < _ENDLESS:
            return None
        if stop >= len(data):
            break
    return data


_CHECKS = {
    "JPEG": _check_jpeg,
    "PNG": _check_png,
    "GIF": _check_gif,
    "BMP": _check_bmp,
    "WebP": _check_webp,
    "TIFF": _check_tiff,
    "AVIF": _check_isobmff,
    "JPEG 2000": _check_isobmff,
}
