"""Image files in object storage, such as s3://bucket/image.jpg, read with fsspec."""

import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

from yolov1_fo.config import packages

T = TypeVar("T")
PROTOCOLS = {
    "s3": "s3fs",
    "gs": "gcsfs",
    "az": "adlfs",
    "http": "aiohttp",
    "https": "aiohttp",
}
"""Protocols of URLs that are read, and the module that fsspec needs for each."""
PAUSES = (1.0, 4.0)
"""Seconds to wait before a read that has failed is repeated."""
_VERSION_KEYS = (
    *("ETag", "etag", "md5Hash", "generation", "LastModified", "last_modified"),
    *("Last-Modified", "size"),
)


class StorageError(OSError):
    """Object storage does not answer; its files may be fine."""


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Returns whether a path is a URL that is read with fsspec.

    Example:
        >>> is_remote("s3://bucket/image.jpg"), is_remote("/data/image.jpg")
        (True, False)
    """
    protocol, separator, _ = os.fspath(path).partition("://")
    return bool(separator) and protocol in PROTOCOLS


def check(url: str) -> None:
    """Raises an error if a URL can't be read here.

    Raises:
        ImportError: if a package is missing
        ValueError: if it holds a password or a signature, which logs would show
    """
    protocol, _, rest = url.partition("://")
    packages.require(f"{protocol}://", ["fsspec", PROTOCOLS[protocol]])
    if protocol.startswith("http") and ("?" in rest or "@" in rest.partition("/")[0]):
        raise ValueError(
            f"URLs must have no user, password or query, got {protocol}://...; public "
            "files and those of s3://, gs:// and az:// can be read"
        )


def read(url: str, limit: int) -> bytes:
    """Returns the content of a file, or its beginning.

    Args:
        url: of the file
        limit: largest number of bytes

    Raises:
        FileNotFoundError: if it does not exist
        StorageError: if the storage does not answer, or denies access
    """

    def content(system: Any, name: str) -> bytes:
        with system.open(name, "rb") as file:
            return file.read(limit)

    return _repeated(url, content)


def version(url: str) -> str:
    """Returns what changes when a file is replaced.

    Raises:
        FileNotFoundError: if it does not exist
        StorageError: if the storage does not answer, denies access, or does not say
    """

    def described(system: Any, name: str) -> str:
        info = system.info(name)
        known = [f"{key} {info[key]}" for key in _VERSION_KEYS if info.get(key)]
        if len(known) < 2:  # the size alone is no version
            raise NotImplementedError("the server sends no ETag and no date")
        return f"{url} {' '.join(known)}"

    return _repeated(url, described)


def _repeated(url: str, call: Callable[[Any, str], T]) -> T:
    """Returns what a function returns for a file system and a name in it."""
    for pause in (0.0, *PAUSES):
        time.sleep(pause)
        try:
            import fsspec

            # A listing in memory would hide that a file was replaced.
            return call(*fsspec.url_to_fs(url, use_listings_cache=False))
        except FileNotFoundError:
            raise
        except Exception as error:  # clients of storage raise errors of many types
            reason = error
            if isinstance(error, ImportError | NotImplementedError):
                break
    line = " ".join(str(reason).split()) or type(reason).__name__
    raise StorageError(f"'{url}' can't be read: {line}") from reason
