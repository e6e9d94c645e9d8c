"""A user's database and folders, as an earlier version wrote them.

`format1.zip` was made by `make.py` with the code of that version; `put` unpacks it.
"""

import zipfile
from pathlib import Path

from bson import json_util

from tests import painting
from yolov1_fo.architectures import (
    Architecture,
    Connected,
    Conv,
    Dropout,
    LocalConv,
    Pool,
)

ARCHIVE = Path(__file__).parent / "format1.zip"
HOME = "{{HOME}}"
"""Placeholder in text files for the folder that holds everything."""
DATASET = "stored"
TEXTS = {".json", ".md", ".csv", ".txt", ""}
NETWORKS = {
    "stored": Architecture(
        (Conv(4, 3, 2), Pool(), Conv(8, 3, 2), Pool(), Connected(16), Dropout())
    ),
    "stored-local": Architecture(
        (Conv(4, 7, 2, True), Pool(), LocalConv(2, 3), Dropout(), Connected(8))
    ),
}
"""The networks of the archive, which must not change."""


def put(folder: Path) -> None:
    """Unpacks the archive and adds its documents to FiftyOne's database.

    Args:
        folder: empty; will hold `datasets`, `images` and `models`
    """
    import fiftyone.core.odm as foo

    with zipfile.ZipFile(ARCHIVE) as packed:
        packed.extractall(folder)
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in TEXTS:
            path.write_text(path.read_text().replace(HOME, str(folder)))
    (folder / "images").mkdir()
    painting.paint(folder / "images")
    kept = folder / "database.json"
    database = foo.get_db_conn()
    for name, documents in json_util.loads(kept.read_text()).items():
        database[name].insert_many(documents)
