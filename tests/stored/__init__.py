"""What a user's database and folders hold, as an earlier version left them.

`format1.zip` was made by `make.py` with the code of its day; `put` lays it into the
database and the folders of today.
"""

import zipfile
from pathlib import Path

from bson import json_util

from tests import painting
from yolov1_fo.architectures import Architecture, Connected, Conv, Dropout, Local, Pool

ARCHIVE = Path(__file__).parent / "format1.zip"
HOME = "{{HOME}}"
"""Stands in texts for the folder that everything lies in."""
DATASET = "stored"
TEXTS = {".json", ".md", ".csv", ".txt", ""}
NETWORKS = {
    "stored": Architecture(
        (Conv(4, 3, 2), Pool(), Conv(8, 3, 2), Pool(), Connected(16), Dropout())
    ),
    "stored-local": Architecture(
        (Conv(4, 7, 2, True), Pool(), Local(2, 3), Dropout(), Connected(8))
    ),
}
"""What was trained; they stay as they are."""


def put(folder: Path) -> None:
    """Unpacks everything, and adds what belongs there to FiftyOne's database.

    Args:
        folder: that is empty; `datasets`, `images` and `models` will be in it
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
