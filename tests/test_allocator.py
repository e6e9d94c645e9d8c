import ctypes
import os
from pathlib import Path

import pytest

from yolov1_fo import allocator

resource = pytest.importorskip("resource")  # not on Windows

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
SIZE = 40_000_000
PAGES = SIZE // 4096


@pytest.fixture
def libc(monkeypatch):
    """Returns glibc; the test's environment does not configure its allocator."""
    for name in list(os.environ):
        if name.startswith("MALLOC_") or name == "GLIBC_TUNABLES":
            monkeypatch.delenv(name)
    libc = allocator._libc()
    if libc is None:
        pytest.skip("another C library")
    if HUGE_PAGES.exists() and "[always]" in HUGE_PAGES.read_text():
        pytest.skip("the system gives few, huge pages")
    libc.malloc.restype = ctypes.c_void_p
    libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    return libc


def new_pages(libc):
    """Returns how many new pages the process needs for a large array."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    array = libc.malloc(SIZE)
    libc.memset(array, 1, SIZE)
    libc.free(array)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_freed_memory_is_used_again_inside_the_context_only(libc):
    assert new_pages(libc) > 0.9 * PAGES
    with allocator.keep_freed_memory():
        new_pages(libc)
        with allocator.keep_freed_memory():
            assert new_pages(libc) < 0.1 * PAGES
        assert new_pages(libc) < 0.1 * PAGES
    assert new_pages(libc) > 0.9 * PAGES


def test_an_error_ends_the_context(libc):
    with pytest.raises(KeyError), allocator.keep_freed_memory():
        raise KeyError
    assert new_pages(libc) > 0.9 * PAGES


@pytest.mark.parametrize(
    ("name", "value"),
    [("MALLOC_ARENA_MAX", "2"), ("GLIBC_TUNABLES", "glibc.malloc.check=0")],
)
def test_the_users_configuration_stays(libc, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with allocator.keep_freed_memory():
        new_pages(libc)
        assert new_pages(libc) > 0.9 * PAGES


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(allocator.sys, "platform", "win32")
    monkeypatch.setattr(allocator, "ctypes", None)
    with allocator.keep_freed_memory():
        pass
