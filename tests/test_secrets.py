"""No secret of the database's URI is said: in lines, logs, or what a run keeps."""

import logging
import sys
from pathlib import Path

import fiftyone as fo
import pymongo.errors
import pytest

from yolov1_fo.cli import fiftyone_checks, main
from yolov1_fo.datasets import connection, database_uri
from yolov1_fo.jobs import control, worker
from yolov1_fo.jobs.job import LOG_FILE, Job, JobProgress
from yolov1_fo.runs import records, registry

PASSWORD = "p%40ss%3Aw0rd"
MEANT = "p@ss:w0rd"
URI = (
    f"mongodb://alice:{PASSWORD}@one.example:27017,two.example/voc?replicaSet=r"
    "&tlsCertificateKeyFilePassword=k3yword&serverSelectionTimeoutMS=1"
)
PLACE = "one.example:27017,two.example"


@pytest.fixture
def secret(monkeypatch):
    monkeypatch.setattr(fo.config, "database_uri", URI)


@pytest.fixture
def log_records():
    """Lets the tests' own log records and handlers come back."""
    make, ours = logging.getLogRecordFactory(), logging.getLogger("yolov1_fo")
    handlers, ours.handlers = ours.handlers, []
    yield
    logging.setLogRecordFactory(make)
    ours.handlers = handlers


def tells(text):
    return [word for word in (PASSWORD, MEANT, "k3yword", "alice") if word in text]


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("mongodb://127.0.0.1:27017", "127.0.0.1:27017"),
        ("mongodb://h", "h"),
        ("mongodb://h/?tls=true", "h"),
        ("mongodb://h?tls=true", "h"),
        ("mongodb+srv://u:pw@cluster.x.mongodb.net/db?w=majority", "cluster.x.mong"),
        ("mongodb://u:pw@[fe80::1%25eth0]:1,[::1]/db", "[fe80::1%25eth0]:1,[::1]"),
        ("mongodb://u@h:1,i:2", "h:1,i:2"),
        ("mongodb://u:@h", "h"),
        ("mongodb://u:pw@%2Ftmp%2Fmongodb-27017.sock", "%2Ftmp%2Fmongodb-27017.sock"),
        (URI, PLACE),
    ],
)
def test_hosts_and_ports_of_a_uri(uri, place):
    assert database_uri.hosts(uri).startswith(place)
    assert "pw" not in database_uri.hosts(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://u:12/34@h",  # would read as host u, port 12
        "mongodb://u:12?34@h",
        "mongodb://u:12#34@h",
        "mongodb://u:12@34@h",
        "u:1234@h",
        "mongodb://u:12 34@h",
        "mongodb://",
        "",
    ],
)
def test_a_uri_that_is_not_one_tells_nothing(monkeypatch, uri):
    monkeypatch.setattr(fo.config, "database_uri", uri)
    if "@" in uri:
        assert database_uri.hosts(uri) == "set by FIFTYONE_DATABASE_URI"
    said = database_uri.scrub(f"can't open {uri}, nor {uri!r}: Port must be '1234'")
    assert "12/34" not in said
    assert "u:" not in said


def test_texts_of_others_are_scrubbed(secret):
    for text in (
        f"Could not connect to `{URI}`",
        "Could not connect to 'mongodb://bob:pw@other.example:1/x'",
        f"authentication failed for {PASSWORD} ({MEANT})",
        "tlsCertificateKeyFilePassword k3yword is wrong",
    ):
        assert not tells(database_uri.scrub(text)), text
        assert "bob" not in database_uri.scrub(text)
    assert database_uri.scrub(f"no {URI}!") == f"no {PLACE}!"
    assert database_uri.scrub("nothing of it") == "nothing of it"


def test_short_words_of_a_uri_stay_words(monkeypatch):
    monkeypatch.setattr(fo.config, "database_uri", "mongodb://a:at@h")
    assert database_uri.scrub("look at it") == "look at it"


def test_lines_name_host_and_port_alone(secret, monkeypatch):
    job = Job(Path("x"), "train", "d", "t", JobProgress(), 1)
    gone = pymongo.errors.AutoReconnect("gone")
    lines = [connection.unreachable_message(), worker._error_line(gone, job)]
    lines.append(worker._error_line(ValueError(f"no {URI}"), job))

    def refuse():
        raise RuntimeError("Failed to validate `mongod` version") from (
            pymongo.errors.OperationFailure(f"Authentication failed for {URI}", 18)
        )

    monkeypatch.setattr(fo, "list_datasets", refuse)
    lines += map(str, fiftyone_checks.check_database())
    assert "can't be used: Authentication failed" in lines[-1]
    monkeypatch.setattr(fo, "list_datasets", list)
    lines += map(str, fiftyone_checks.check_database())
    for line in lines:
        assert not tells(line)
        assert PLACE in line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (pymongo.errors.InvalidURI("Port must be 'p@'"), "is not a valid MongoDB URI"),
        (pymongo.errors.ConfigurationError("no DNS"), "can't be used: no DNS; correct"),
    ],
)
def test_a_uri_that_mongodb_refuses_is_one_line(secret, monkeypatch, error, line):
    def refuse():
        raise error

    monkeypatch.setattr(fo, "list_datasets", refuse)
    with pytest.raises(OSError, match=line) as caught:
        connection.check()
    assert not tells(str(caught.value))
    assert "p@" not in str(caught.value)
    [check] = fiftyone_checks.check_database()
    assert check.remedy


def test_command_line_tells_no_secret(secret, monkeypatch, capsys, log_records):
    def fail(*_):
        logging.getLogger("yolov1_fo").warning("asked %s", URI)
        raise ValueError(f"no {URI}")

    monkeypatch.setattr("yolov1_fo.publish", fail)
    assert main.main(["publish", "a", "b"]) == 2
    said = capsys.readouterr()
    assert not tells(said.out + said.err)
    assert said.err == f"yolov1-fo: no {PLACE}\n"
    assert said.out == f"asked {PLACE}\n"


def test_log_of_a_job_tells_no_secret(
    secret, monkeypatch, tmp_path, log_records, capsys
):
    def fail(*_):
        logging.getLogger("fiftyone").warning("lost %s at %d %d", URI, 1)  # one short
        raise ConnectionError(f"Could not connect to {URI}")

    files = {"job.json": '{"task": "apply", "dataset": "d", "target": "t"}'}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(worker, "_apply", fail)
    monkeypatch.setattr(worker, "read_arguments", lambda folder: {})
    monkeypatch.setattr(worker.signal, "signal", lambda *_: None)
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [logging.StreamHandler(sys.stderr)])
    assert worker.main(tmp_path) == 1
    said = "".join(capsys.readouterr())
    assert "Could not connect to " + PLACE in said
    assert not tells(said)
    assert not tells(control.find(tmp_path).progress.label)
    (tmp_path / LOG_FILE).write_text(f"a library wrote {URI}\n")
    assert control.find(tmp_path).log() == f"a library wrote {PLACE}"


def test_run_keeps_no_secret_of_what_failed(secret, monkeypatch, tmp_path):
    from types import SimpleNamespace

    from yolov1_fo.training.loop import Session

    known = {}
    monkeypatch.setattr(registry, "register", lambda *_, **more: known.update(more))
    monkeypatch.setattr(records, "update", lambda *_, **more: known.update(more))
    session = Session.__new__(Session)
    session.plan = SimpleNamespace(
        dataset=None, run_key="r", folder=tmp_path / "r", resumes=False
    )
    session.record = {}
    with pytest.raises(OSError, match="no"), session.registered():
        raise OSError(f"no {URI}")
    assert known == {"status": "failed", "error": f"no {PLACE}"}
