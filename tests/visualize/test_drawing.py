import numpy as np
import PIL.Image
import PIL.ImageColor

from yolov1_fo.visualize import drawing

SIDE = 200
BLACK = np.zeros((SIDE, SIDE, 3), np.uint8)
ORANGE = PIL.ImageColor.getrgb(drawing.COLORS[0])
NONE = np.zeros((0, 4), np.float32)


def where(picture, color):
    """Returns (left, top, right, bottom) of a color, in pixels."""
    rows, columns = np.nonzero((np.asarray(picture) == color).all(axis=-1))
    return columns.min(), rows.min(), columns.max(), rows.max()


def test_a_box_is_drawn_at_its_corners():
    picture = drawing.with_boxes(BLACK, np.array([[0.25, 0.5, 0.75, 0.8]]))
    assert where(picture, ORANGE) == (50, 100, 150, 160)  # of 200 pixels


def test_a_box_is_clipped_to_the_image():
    picture = drawing.with_boxes(BLACK, np.array([[-0.5, 0.25, 0.5, 1.5]]))
    assert where(picture, ORANGE) == (0, 50, 100, 199)


def test_names_are_within_the_image():
    corners = np.array([[0.9, 0.0, 1.0, 0.1], [0.0, 0.5, 0.3, 0.9]])
    without = np.asarray(drawing.with_boxes(BLACK, corners))
    names = ["pedestrian", "2"]
    picture = np.asarray(drawing.with_boxes(BLACK, corners, names=names))
    assert picture.shape == BLACK.shape
    written = (picture != without).any(axis=-1)
    assert written[:25, 100:].any()  # inside the box, without space above
    assert written[75:100, :25].any()  # above
    assert not written[110:].any()


def test_grid_lines_are_between_cells():
    picture = np.asarray(drawing.with_grid(BLACK, 4))
    bright = picture[10, :, 0] > 100
    assert np.flatnonzero(bright).tolist() == [50, 100, 150]


def test_dots_are_on_centers():
    picture = np.asarray(drawing.with_centers(BLACK, [[0.2, 0.4, 0.6, 1.0]]))
    left, top, right, bottom = where(picture, ORANGE)
    assert abs((left + right) / 2 - 80) <= 0.5
    assert abs((top + bottom) / 2 - 140) <= 0.5


def test_only_the_given_cell_is_shaded():
    strengths = np.zeros((4, 4))
    strengths[1, 2] = 1
    picture = np.asarray(drawing.with_cells(BLACK, strengths))
    rows, columns = np.nonzero(picture.any(axis=-1))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (50, 99, 100, 149)


def test_nothing_is_drawn_without_objects():
    for picture in (
        drawing.with_boxes(BLACK, NONE),
        drawing.with_strong_boxes(BLACK, NONE, np.zeros(0)),
        drawing.with_centers(BLACK, NONE),
        drawing.with_cells(BLACK, np.zeros((3, 3))),
        drawing.with_grid(BLACK, 1),
    ):
        assert np.array_equal(picture, BLACK)


def test_the_input_image_is_not_changed():
    image = BLACK.copy()
    image.setflags(write=False)
    first = drawing.with_cells(image, np.ones((2, 2)))
    before = np.array(first)
    drawing.with_boxes(first, np.array([[0.1, 0.1, 0.9, 0.9]]))
    assert not image.any()
    assert np.array_equal(first, before)


def test_pictures_are_tiled_row_by_row():
    colors = [np.full((10, 20, 3), value, np.uint8) for value in (1, 2, 3)]
    sheet = np.asarray(drawing.tile(colors, columns=2, gap=4))
    assert sheet.shape == (24, 44, 3)
    assert (sheet[0, 0, 0], sheet[0, 24, 0], sheet[14, 0, 0]) == (1, 2, 3)
    assert sheet[12, 0, 0] == sheet[20, 30, 0] == 255
    assert drawing.tile(colors, gap=0).size == (60, 10)


def test_a_saved_picture_is_smaller_but_looks_the_same(tmp_path, rng):
    noise = rng.integers(0, 255, (50, 50, 1))
    picture = drawing.with_boxes(
        np.repeat(noise, 3, axis=-1), np.array([[0.1, 0.1, 0.9, 0.9]])
    )
    drawing.save(picture, tmp_path / "small.png")
    picture.save(tmp_path / "large.png")
    sizes = [(tmp_path / name).stat().st_size for name in ("small.png", "large.png")]
    assert sizes[0] < 0.8 * sizes[1]
    with PIL.Image.open(tmp_path / "small.png") as small:
        apart = np.abs(np.asarray(small.convert("RGB"), int) - np.asarray(picture, int))
    assert apart.mean() < 4


def test_the_strongest_box_is_drawn_last():
    corners = np.array([[0.1, 0.1, 0.9, 0.9]] * 2)
    picture = drawing.with_strong_boxes(BLACK, corners, [1.0, 0.2])
    assert tuple(np.asarray(picture)[100, 20]) == ORANGE


def test_dashes_leave_gaps():
    picture = drawing.with_boxes(BLACK, [[0.25, 0.5, 0.75, 0.8]], dashed=True)
    assert where(picture, ORANGE)[:2] == (49, 99)  # lines of 3 pixels around 50, 100
    top = (np.asarray(picture)[100, 50:150] == ORANGE).all(axis=-1)
    assert 0.4 < top.mean() < 0.7
    changes = np.count_nonzero(np.diff(top.astype(int)))
    assert changes >= 2 * (100 // (2 * drawing.DASH)) - 2


def test_an_empty_name_is_not_written():
    box = np.array([[0.25, 0.5, 0.75, 0.8]])
    np.testing.assert_array_equal(
        drawing.with_boxes(BLACK, box, names=[""]), drawing.with_boxes(BLACK, box)
    )
