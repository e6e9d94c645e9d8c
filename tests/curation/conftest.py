from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def dataset() -> Iterator[Any]:
    """Thirty samples of two objects each, well predicted."""
    import fiftyone as fo

    from tests.curation import labeled

    made = labeled.dataset()
    yield made
    if fo.dataset_exists(made.name):
        made.delete()
