"""Credentials in the database URI never appear in messages, logs or run records."""

import json
import logging
import signal
import sys
from pathlib import Path

import fiftyone as fo
import pymongo.errors
import pytest

from yolov1_fo.cli import fiftyone_checks, main
from yolov1_fo.datasets import connection, database_uri
from yolov1_fo.jobs import monitor, worker
from yolov1_fo.jobs.job import LOG_FILE, Job, JobProgress
from yolov1_fo.runs import records, registry

PASSWORD = "p%40ss%3Aw0rd"
DECODED = "p@ss:w0rd"
URI = (
    f"mongodb://alice:{PASSWORD}@one.example:27017,two.example/voc?replicaSet=r"
    "&tlsCertificateKeyFilePassword=k3yword&serverSelectionTimeoutMS=1"
)
HOSTS = "one.example:27017,two.example"


@pytest.fixture
def secret(monkeypatch):
    monkeypatch.setattr(fo.config, "database_uri", URI)


@pytest.fixture
def log_records():
    """Restores log records and handlers after the test."""
    make, logger = logging.getLogRecordFactory(), logging.getLogger("yolov1_fo")
    handlers, logger.handlers = logger.handlers, []
    yield
    logging.setLogRecordFactory(make)
    logger.handlers = handlers


def secrets_in(text):
    return [word for word in (PASSWORD, DECODED, "k3yword", "alice") if word in text]


@pytest.mark.parametrize(
    ("uri", "hosts"),
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
        (URI, HOSTS),
    ],
)
def test_hosts_and_ports_of_a_uri(uri, hosts):
    assert database_uri.hosts(uri).startswith(hosts)
    assert "pw" not in database_uri.hosts(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://u:12/34@h",  # parsed as host u, port 12
        "mongodb://u:12?34@h",
        "mongodb://u:12#34@h",
        "mongodb://u:12@34@h",
        "u:1234@h",
        "mongodb://u:12 34@h",
        "mongodb://",
        "",
    ],
)
def test_nothing_of_an_invalid_uri_is_shown(monkeypatch, uri):
    monkeypatch.setattr(fo.config, "database_uri", uri)
    if "@" in uri:
        assert database_uri.hosts(uri) == "set by FIFTYONE_DATABASE_URI"
    text = database_uri.scrub(f"can't open {uri}, nor {uri!r}: Port must be '1234'")
    assert "12/34" not in text
    assert "u:" not in text


def test_messages_of_libraries_are_scrubbed(secret):
    for text in (
        f"Could not connect to `{URI}`",
        "Could not connect to 'mongodb://bob:pw@other.example:1/x'",
        f"authentication failed for {PASSWORD} ({DECODED})",
        "tlsCertificateKeyFilePassword k3yword is wrong",
    ):
        assert not secrets_in(database_uri.scrub(text)), text
        assert "bob" not in database_uri.scrub(text)
    assert database_uri.scrub(f"no {URI}!") == f"no {HOSTS}!"
    assert database_uri.scrub("no secret") == "no secret"


def test_short_credentials_are_not_scrubbed_inside_words(monkeypatch):
    monkeypatch.setattr(fo.config, "database_uri", "mongodb://a:at@h")
    assert database_uri.scrub("look at it") == "look at it"


def test_messages_name_only_host_and_port(secret, monkeypatch):
    job = Job(Path("x"), "train", "d", "t", JobProgress(), 1)
    error = pymongo.errors.AutoReconnect("closed")
    lines = [connection.unreachable_message(), worker._error_line(error, job)]
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
        assert not secrets_in(line)
        assert HOSTS in line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (pymongo.errors.InvalidURI("Port must be 'p@'"), "is not a valid MongoDB URI"),
        (pymongo.errors.ConfigurationError("no DNS"), "can't be used: no DNS; correct"),
    ],
)
def test_invalid_uris_are_one_line(secret, monkeypatch, error, line):
    def refuse():
        raise error

    monkeypatch.setattr(fo, "list_datasets", refuse)
    with pytest.raises(OSError, match=line) as caught:
        connection.check()
    assert not secrets_in(str(caught.value))
    assert "p@" not in str(caught.value)
    [check] = fiftyone_checks.check_database()
    assert check.remedy


def test_command_line_shows_no_secret(secret, monkeypatch, capsys, log_records):
    def fail(*_, **__):
        logging.getLogger("yolov1_fo").warning("asked %s", URI)
        raise ValueError(f"no {URI}")

    monkeypatch.setattr("yolov1_fo.publish", fail)
    assert main.main(["publish", "a", "b"]) == 2
    output = capsys.readouterr()
    assert not secrets_in(output.out + output.err)
    assert output.err == f"yolov1-fo: no {HOSTS}\n"
    assert output.out == f"asked {HOSTS}\n"


def test_log_of_a_job_shows_no_secret(
    secret, monkeypatch, tmp_path, log_records, capsys
):
    def fail(*_):
        logging.getLogger("fiftyone").warning(
            "lost %s at %d %d", URI, 1
        )  # one argument too few
        raise ConnectionError(f"Could not connect to {URI}")

    job = {"task": "apply", "dataset": "d", "target": "t", "arguments": {}}
    (tmp_path / "job.json").write_text(json.dumps(job))
    monkeypatch.setattr(worker, "_apply", fail)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [logging.StreamHandler(sys.stderr)])
    assert worker.main(tmp_path) == 1
    output = "".join(capsys.readouterr())
    assert "Could not connect to " + HOSTS in output
    assert not secrets_in(output)
    assert not secrets_in(monitor.find(tmp_path).progress.label)
    (tmp_path / LOG_FILE).write_text(f"a library wrote {URI}\n")
    assert monitor.find(tmp_path).log() == f"a library wrote {HOSTS}"


def test_records_of_failed_runs_contain_no_secret(secret, monkeypatch, tmp_path):
    from types import SimpleNamespace

    from yolov1_fo.training.run_writer import RunWriter

    stored = {}
    monkeypatch.setattr(registry, "register", lambda *_, **more: stored.update(more))
    monkeypatch.setattr(records, "update", lambda *_, **more: stored.update(more))
    (tmp_path / "r").mkdir()
    plan = SimpleNamespace(
        dataset=None,
        run_key="r",
        folder=tmp_path / "r",
        resumes=False,
        task=None,
        listing=SimpleNamespace(ids=[]),
    )
    writer = RunWriter(plan, {}, lambda: 0.0)
    with pytest.raises(OSError, match="no"), writer.registered():
        raise OSError(f"no {URI}")
    assert stored == {"status": "failed", "error": f"no {HOSTS}"}
