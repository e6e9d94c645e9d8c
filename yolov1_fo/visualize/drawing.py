"""Draws boxes, class names and grid cells, visible on any photograph.

Each function accepts pixels, (H, W, 3) uint8 RGB, or a picture returned by another of
them, and returns a new picture of the same size.
"""

import os
from collections.abc import Iterable, Sequence

import numpy as np
import PIL.Image
import PIL.ImageColor
import PIL.ImageDraw
from PIL.Image import Image

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array

COLORS = (
    "#E69F00",  # orange
    "#56B4E9",  # sky blue
    "#009E73",  # green
    "#F0E442",  # yellow
    "#CC79A7",  # pink
    "#D55E00",  # red
    "#FFFFFF",
)
"""Colors of classes, repeated for more classes; distinguishable with color blindness.

Source: Okabe and Ito, Color Universal Design, 2008; white replaces blue, which is hard
to see on a dark photograph
"""

FONT_SIZE = 15
"""Height of names, in pixels."""
LINE_WIDTH = 3
"""Width of a box's edge, in pixels."""
DASH = 7
"""Length of a dash, and of the gap after it, in pixels."""
DOT_RADIUS = 5
"""Radius of a center, in pixels."""
MAX_LINE_WIDTH, MIN_OPACITY = 8, 0.08
"""Width of an edge at strength 1, in pixels; its opacity at strength 0."""
CELL_OPACITY = 0.75
"""Opacity of a cell at strength 1."""
GAP = 8
"""Gap between pictures, in pixels."""
PALETTE_SIZE = 256
"""Number of colors of a saved picture."""


def color_of(class_id: int) -> str:
    """Returns the color of a class, as `#RRGGBB`."""
    return COLORS[int(class_id) % len(COLORS)]


def with_grid(image: Array | Image, S: int) -> Image:
    """Returns the image with the lines between its S x S cells."""
    picture = _copy(image)
    draw = PIL.ImageDraw.Draw(picture, "RGBA")
    width, height = picture.size
    for number in range(1, S):
        x, y = round(number * width / S), round(number * height / S)
        for line in ((x, 0, x, height), (0, y, width, y)):
            draw.line(line, fill=(0, 0, 0, 70), width=3)
            draw.line(line, fill=(255, 255, 255, 150), width=1)
    return picture


def with_cells(
    image: Array | Image, strengths: Array, colors: Sequence[str] = COLORS[:1]
) -> Image:
    """Returns the image with shaded grid cells.

    Args:
        image: pixels or picture
        strengths: (S, S) in [0, 1]; at 1 the opacity is `CELL_OPACITY`
        colors (orange): colors of the cells, row by row, or one for all
    """
    picture = _copy(image)
    draw = PIL.ImageDraw.Draw(picture, "RGBA")
    strengths = np.clip(strengths, 0, 1)
    S = len(strengths)
    edges = [[round(n * side / S) for n in range(S + 1)] for side in picture.size]
    for row, column in zip(*np.nonzero(strengths), strict=True):
        color = colors[(row * S + column) % len(colors)]
        alpha = round(255 * CELL_OPACITY * float(strengths[row, column]))
        low = edges[0][column], edges[1][row]
        high = edges[0][column + 1] - 1, edges[1][row + 1] - 1
        draw.rectangle((low, high), fill=(*PIL.ImageColor.getrgb(color), alpha))
    return picture


def with_boxes(
    image: Array | Image,
    boxes: Array,
    colors: Sequence[str] = COLORS,
    names: Iterable[str] = (),
    *,
    dashed: bool = False,
) -> Image:
    """Returns the image with boxes, and names if given.

    Args:
        image: pixels or picture
        boxes: (K, 4) xyxy, relative; they are clipped to the image
        colors (`COLORS`): colors of the boxes, repeated for more boxes
        names (none): names of the boxes; an empty one is not drawn
        dashed (False): the edges are dashed
    """
    picture = _copy(image)
    draw = PIL.ImageDraw.Draw(picture)
    pixel_boxes = _to_pixels(boxes, picture)
    for number, corners in enumerate(pixel_boxes):
        color = colors[number % len(colors)]
        if dashed:
            _draw_dashes(draw, corners.tolist(), color)
            continue
        outline = corners + np.array([-1, -1, 1, 1])  # visible on any background
        draw.rectangle(outline.tolist(), outline="black", width=LINE_WIDTH + 2)
        draw.rectangle(corners.tolist(), outline=color, width=LINE_WIDTH)
    for number, (corners, name) in enumerate(zip(pixel_boxes, names, strict=False)):
        if name:
            _write_name(draw, picture, corners, name, colors[number % len(colors)])
    return picture


def _draw_dashes(draw: PIL.ImageDraw.ImageDraw, box: list[int], color: str) -> None:
    left, top, right, bottom = box
    for width, fill in ((LINE_WIDTH + 2, "black"), (LINE_WIDTH, color)):
        for x in range(left, right, 2 * DASH):
            end = min(x + DASH, right)
            draw.line((x, top, end, top), fill, width)
            draw.line((x, bottom, end, bottom), fill, width)
        for y in range(top, bottom, 2 * DASH):
            end = min(y + DASH, bottom)
            draw.line((left, y, left, end), fill, width)
            draw.line((right, y, right, end), fill, width)


def with_strong_boxes(
    image: Array | Image,
    boxes: Array,
    strengths: Array,
    colors: Sequence[str] = COLORS,
) -> Image:
    """Returns the image with boxes whose width and opacity show their strengths.

    Args:
        image: pixels or picture
        boxes: (K, 4) xyxy, relative
        strengths: (K,) in [0, 1]; the strongest box is drawn last
        colors (`COLORS`): colors of the boxes, repeated for more boxes
    """
    picture = _copy(image)
    draw = PIL.ImageDraw.Draw(picture, "RGBA")
    strengths = np.clip(strengths, 0, 1)
    pixel_boxes = _to_pixels(boxes, picture)
    for number in np.argsort(strengths, kind="stable"):
        strength = float(strengths[number])
        alpha = round(255 * (MIN_OPACITY + (1 - MIN_OPACITY) * strength))
        color = PIL.ImageColor.getrgb(colors[number % len(colors)])
        draw.rectangle(
            pixel_boxes[number].tolist(),
            outline=(*color, alpha),
            width=max(round(MAX_LINE_WIDTH * strength), 1),
        )
    return picture


def with_centers(
    image: Array | Image, boxes: Array, colors: Sequence[str] = COLORS
) -> Image:
    """Returns the image with a dot on the center of each box.

    Args:
        image: pixels or picture
        boxes: (K, 4) xyxy, relative
        colors (`COLORS`): colors of the dots, repeated for more dots
    """
    picture = _copy(image)
    draw = PIL.ImageDraw.Draw(picture)
    centers = _boxes.xyxy_to_cxcywh(np.asarray(boxes, np.float32).reshape(-1, 4))
    for number, center in enumerate(np.round(centers[:, :2] * picture.size)):
        for radius, fill in (
            (DOT_RADIUS + 2, "black"),
            (DOT_RADIUS + 1, "white"),
            (DOT_RADIUS - 1, colors[number % len(colors)]),
        ):
            draw.circle(tuple(center.tolist()), radius, fill=fill)
    return picture


def tile(pictures: Sequence[Array | Image], columns: int = 0, gap: int = GAP) -> Image:
    """Returns one picture with several pictures of the same size in rows.

    Args:
        pictures: pixels or pictures, row by row
        columns (all): number of pictures per row
        gap (`GAP`): gap between pictures, in pixels
    """
    tiles = [_copy(one) for one in pictures]
    columns = columns or len(tiles)
    rows = -(-len(tiles) // columns)
    width, height = (side + gap for side in tiles[0].size)
    sheet = PIL.Image.new("RGB", (columns * width - gap, rows * height - gap), "white")
    for number, one in enumerate(tiles):
        sheet.paste(one, (number % columns * width, number // columns * height))
    return sheet


def save(picture: Image, path: str | os.PathLike[str]) -> None:
    """Saves a picture as a PNG with `PALETTE_SIZE` colors, which makes it smaller."""
    quantized = picture.quantize(
        PALETTE_SIZE,
        method=PIL.Image.Quantize.MAXCOVERAGE,
        kmeans=2,
        dither=PIL.Image.Dither.NONE,
    )
    quantized.save(path, "PNG", optimize=True)


def _copy(image: Array | Image) -> Image:
    return PIL.Image.fromarray(np.array(image, np.uint8))


def _to_pixels(boxes: Array, picture: Image) -> Array:
    """Returns boxes in pixels: (K, 4) xyxy, with swapped corners put in order."""
    corners = np.asarray(boxes, np.float64).reshape(-1, 4) * (picture.size * 2)
    corners = np.round(corners).astype(int)
    return np.hstack(
        [
            np.minimum(corners[:, :2], corners[:, 2:]),
            np.maximum(corners[:, :2], corners[:, 2:]),
        ]
    )


def _write_name(
    draw: PIL.ImageDraw.ImageDraw, picture: Image, box: Array, name: str, color: str
) -> None:
    """Writes a name above a box; if there is no space, below it, or else inside."""
    left, _, right, _ = draw.textbbox((0, 0), name, font_size=FONT_SIZE)
    width, height = right - left + 6, FONT_SIZE + 5
    x = min(max(int(box[0]) - 1, 0), max(picture.width - width, 0))
    top, bottom = int(box[1]), int(box[3])
    below = bottom if bottom + height <= picture.height else max(top, 0)
    y = top - height if top >= height else below
    draw.rectangle((x, y, x + width, y + height), fill=color, outline="black")
    gray = np.dot(PIL.ImageColor.getrgb(color), (0.299, 0.587, 0.114))
    ink = "black" if gray > 110 else "white"
    draw.text((x + 3 - left, y + 2), name, fill=ink, font_size=FONT_SIZE)
