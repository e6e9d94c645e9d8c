import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import filelock
import numpy as np
import pytest

from yolov1_fo import disk_cache, images
from yolov1_fo.disk_cache import DiskCache
from yolov1_fo.image_files import remote, resizing
from yolov1_fo.pipeline import image_cache, image_loading, tiling

SIDE = 8
LIMIT = 1e6


@pytest.fixture
def files(tmp_path, rng):
    paths = []
    for number in range(5):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), rng.integers(0, 256, (12, 10, 3), np.uint8))
        paths.append(str(path))
    return paths


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "kept"


@pytest.fixture
def decoded(monkeypatch):
    """Counts the files that are decoded."""
    paths, decode_parts = [], images.decode_parts

    def counting(path, *given, **settings):
        paths.append(path)
        return decode_parts(path, *given, **settings)

    monkeypatch.setattr(images, "decode_parts", counting)
    return paths


def load(paths, folder, limit=LIMIT):
    return image_cache.load(paths, SIDE, folder, limit=limit)[:2]


def test_cached_pixels_are_those_of_the_files(files, folder):
    expected = image_loading.read_into_memory(files, SIDE).pixels
    for _ in range(2):
        kept, bad = load(files, folder)
        assert isinstance(kept, np.memmap)
        np.testing.assert_array_equal(kept, expected)
        assert not bad


def test_second_load_decodes_nothing(files, folder, decoded):
    load(files, folder)
    assert sorted(decoded) == files
    load(files, folder)
    assert len(decoded) == 5


def test_other_content_order_or_size_is_decoded_again(files, folder, decoded):
    load(files, folder)
    times = Path(files[0]).stat().st_atime_ns, Path(files[0]).stat().st_mtime_ns
    Path(files[0]).write_bytes(Path(files[1]).read_bytes())
    os.utime(files[0], ns=times)  # times are ignored
    kept, _ = load(files, folder)
    np.testing.assert_array_equal(kept[0], kept[1])
    backwards, _ = load(files[::-1], folder)
    np.testing.assert_array_equal(backwards, kept[::-1])
    image_cache.load(files, 2 * SIDE, folder, limit=LIMIT)
    assert len(decoded) == 20


def test_moved_files_are_recognized(files, folder, decoded, tmp_path):
    load(files, folder)
    moved = [
        str(Path(path).rename(tmp_path / f"new{Path(path).name}")) for path in files
    ]
    load(moved, folder)
    assert len(decoded) == 5


@pytest.mark.parametrize("limit", [LIMIT, 0])
def test_unreadable_files_are_left_out_and_returned(files, folder, limit):
    Path(files[1]).write_bytes(b"no image, but long enough")
    paths = [*files, "/nowhere.png"]
    for _ in range(2):
        kept, bad = load(paths, folder, limit)
        assert kept.shape == (4, SIDE, SIDE, 3)
        assert list(bad) == [files[1], "/nowhere.png"]
        assert "is not an image in a supported format" in bad[files[1]]
    none, bad = load(paths[-1:], folder, limit)
    assert none.shape == (0, SIDE, SIDE, 3)
    assert len(bad) == 1


def test_images_stay_in_memory_without_a_folder_or_beyond_the_limit(files, folder):
    for place, limit in ((None, LIMIT), (folder, 100)):
        kept, _ = load(files, place, limit)
        assert not isinstance(kept, np.memmap)
        assert kept.shape == (5, SIDE, SIDE, 3)
    assert not folder.exists()


def test_least_recently_used_entries_are_deleted_first(files, folder, decoded):
    one = 3 * SIDE**2
    limit = 3.6 * one  # three images and their metadata
    first, second, third = files[:1], files[1:2], files[2:4]
    load(first, folder, limit)
    load(second, folder, limit)
    entries = sorted(
        folder.glob("*/metadata.json"), key=lambda path: path.stat().st_mtime_ns
    )
    for time, path in zip((200, 100), entries, strict=True):
        os.utime(path, (time, time))
    load(first, folder, limit)  # used again
    load(third, folder, limit)
    decoded.clear()
    load(first, folder, limit)
    load(third, folder, limit)
    assert not decoded
    load(second, folder, limit)
    assert decoded == second


def test_images_stay_in_memory_if_the_disk_is_full(files, folder, monkeypatch, caplog):
    monkeypatch.setattr(disk_cache, "MIN_FREE_BYTES", 1e18)
    kept, _ = load(files, folder)
    assert not isinstance(kept, np.memmap)
    assert "images stay in memory" in caplog.text
    assert DiskCache(folder, LIMIT).disk_usage() == 0


def test_a_server_that_does_not_answer_is_no_fault_of_the_cache(
    files, folder, monkeypatch, caplog
):
    decode = images.decode_parts

    def lose_the_last(path, *given, **named):
        if path == files[-1]:
            raise remote.StorageError(f"'{path}' can't be read: no answer")
        return decode(path, *given, **named)

    monkeypatch.setattr(images, "decode_parts", lose_the_last)
    with pytest.raises(remote.StorageError, match=r"4\.png' can't be read: no answer$"):
        load(files, folder)
    assert not caplog.messages
    assert not [one for one in folder.iterdir() if one.is_dir()]


def test_nothing_is_left_after_a_write_error(files, folder, monkeypatch):
    def fail(*arguments, **options):
        yield image_loading.ReadResult(np.zeros((SIDE, SIDE, 3), np.uint8), None)
        raise OSError("no space left on device")

    monkeypatch.setattr(image_loading, "read_all", fail)
    monkeypatch.setattr(image_cache, "_load_into_memory", lambda *a: ("in memory", {}))
    assert load(files, folder) == ("in memory", {})
    assert not list(folder.glob("*/*"))


def test_leftovers_and_older_formats_are_deleted_first(files, folder):
    load(files[:2], folder)
    (kept,) = (metadata.parent for metadata in folder.glob("*/metadata.json"))
    leftovers = [
        folder / f".{'0' * 32}.{'1' * 16}.unfinished",
        folder / ("2" * 32),  # half deleted
        folder / ("3" * 32 + ".unfinished"),  # from earlier versions
        folder / ("6" * 32),  # complete, in format 2
    ]
    for leftover in leftovers:
        leftover.mkdir()
        (leftover / "pixels.bin").write_bytes(bytes(1000))
    (leftovers[-1] / "card.json").write_text('{"bad": {}}')
    busy = folder / f".{'4' * 32}.{'5' * 16}.unfinished"
    busy.mkdir()
    (busy / "pixels.bin").write_bytes(bytes(500))
    with filelock.FileLock(folder / f"{'4' * 32}.lock"):
        before = DiskCache(folder, LIMIT).disk_usage()
        load(files[2:3], folder, limit=before)  # enough without the leftovers
        assert kept.is_dir()
        assert busy.is_dir()
        assert not any(leftover.exists() for leftover in leftovers)
        load(files[3:4], folder, limit=500 + 3 * SIDE**2)  # includes the busy entry
        assert not kept.exists()
        assert busy.is_dir()
    DiskCache(folder, LIMIT).clear()
    assert DiskCache(folder, LIMIT).disk_usage() == 0
    assert not busy.exists()


def test_links_are_not_followed(files, folder, tmp_path):
    load(files, folder)
    (kept,) = (metadata.parent for metadata in folder.glob("*/metadata.json"))
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "a.txt").write_text("mine")
    DiskCache(folder, LIMIT).clear()
    (folder / f"{kept.name}.unfinished").symlink_to(precious)
    load(files, folder)
    DiskCache(folder, LIMIT).clear()
    assert [path.name for path in precious.iterdir()] == ["a.txt"]


def test_a_pipe_among_the_files_is_not_opened(files, folder, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    pipe = str(tmp_path / "pipe.png")
    kept, bad = load([*files, pipe], folder)
    assert len(kept) == 5
    assert bad == {pipe: "is a named pipe, not a file"}


def test_simultaneous_loads_decode_once(files, folder, decoded):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: load(files, folder)[0], range(4)))
    assert len(decoded) == 5
    for kept in found:
        np.testing.assert_array_equal(kept, found[0])


def test_clear_keeps_only_what_is_being_written(files, folder):
    load(files, folder)
    load(files[:2], folder)
    busy = next(folder.glob("*/metadata.json")).parent
    done = threading.Event()
    locked = threading.Event()

    def write():
        with filelock.FileLock(folder / f"{busy.name}.lock"):
            locked.set()
            done.wait(30)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(write)
        assert locked.wait(30)
        before = DiskCache(folder, LIMIT).disk_usage()
        freed = DiskCache(folder, LIMIT).clear()
        done.set()
    assert busy.is_dir()
    assert freed == before - DiskCache(folder, LIMIT).disk_usage() > 0
    DiskCache(folder, LIMIT).clear()
    assert DiskCache(folder, LIMIT).disk_usage() == 0


KILLED = """
import sys
from yolov1_fo import disk_cache, images
from yolov1_fo.pipeline import image_cache
read = images.decode_parts
def slow(path, *given, **settings):
    if path == sys.argv[-1]:
        print("writing", flush=True)
        sys.stdin.read()
    return read(path, *given, **settings)
images.decode_parts = slow
image_cache.load(sys.argv[2:], 8, __import__("pathlib").Path(sys.argv[1]), limit=1e6)
"""


@pytest.mark.slow
def test_a_killed_writer_leaves_a_usable_cache(files, folder):
    writer = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder), *files],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert writer.stdout.readline() == b"writing\n"
    assert not list(folder.glob("*/metadata.json"))
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    expected = image_loading.read_into_memory(files, SIDE).pixels
    kept, _ = load(files, folder)
    np.testing.assert_array_equal(kept, expected)
    assert len(list(folder.glob("*/"))) == 1


def test_letterboxed_images_are_other_entries(files, folder):
    Path(files[3]).write_bytes(b"no image, but long enough")
    settings = {"limit": LIMIT}
    stretched = image_cache.load(files, SIDE, folder, **settings)
    expected = image_loading.read_into_memory(files, SIDE, letterbox=True)
    for place in (folder, folder, None):  # written, found, in memory
        kept = image_cache.load(files, SIDE, place, letterbox=True, **settings)
        np.testing.assert_array_equal(kept.pixels, expected.pixels[[0, 1, 2, 4]])
        np.testing.assert_array_equal(kept.windows, expected.windows[[0, 1, 2, 4]])
        assert list(kept.faults) == [files[3]]
        assert kept.windows.tolist() == [[0, 0, 7 / 8, 1]] * 4  # 10 x 12: 6.67 px
    assert stretched.windows is None
    assert not np.array_equal(stretched.pixels, kept.pixels)
    again = image_cache.load(files, SIDE, folder, **settings)
    np.testing.assert_array_equal(again.pixels, stretched.pixels)
    assert again.windows is None
    assert len(list(folder.glob("*/metadata.json"))) == 2


def test_tiles_are_other_entries_and_decode_each_file_once(files, folder, decoded):
    Path(files[3]).write_bytes(b"no image, but long enough")
    whole = image_cache.load(files, SIDE, folder, limit=LIMIT)
    parts = tiling.windows(2)
    repeated = [path for path in files for _ in parts]
    settings = {"limit": LIMIT, "parts": np.tile(parts, (len(files), 1))}
    decoded.clear()
    for place in (folder, folder, None):  # written, found, in memory
        kept = image_cache.load(repeated, SIDE, place, **settings)
        assert list(kept.faults) == [files[3]]
        np.testing.assert_array_equal(kept.pixels[::5], whole.pixels)
        pixels = images.read(files[0])
        for tile, expected in zip(kept.pixels, tiling.cut(pixels, 2), strict=False):
            np.testing.assert_array_equal(tile, resizing.resize(expected, SIDE))
    assert sorted(path for path in decoded if path != files[0]) == sorted(2 * files[1:])
    assert len(list(folder.glob("*/metadata.json"))) == 2
