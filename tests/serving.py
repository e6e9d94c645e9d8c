"""A site on this machine, and the archive that a code host makes of this checkout."""

import contextlib
import functools
import http.server
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PARTS = (
    *("fiftyone.yml", "pyproject.toml", "requirements.txt"),
    *("plugin", "skills", "yolov1_fo"),
)


def archive(path: Path) -> Path:
    """Writes what is checked out as a zip file; returns its path."""
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        for part in PARTS:
            top = ROOT / part
            for one in [top] if top.is_file() else top.rglob("*"):
                if one.is_file() and "__pycache__" not in one.parts:
                    file.write(one, f"yolov1-main/{one.relative_to(ROOT)}")
    return path


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serves a folder; gives the site's address, which ends with a slash."""
    handler = functools.partial(_Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass
