import pytest


@pytest.fixture
def clone(painted):
    """Returns a function that clones `painted`; the clones are deleted in the end."""
    import fiftyone as fo

    clones = []

    def make():
        clones.append(painted.clone())
        return clones[-1]

    yield make
    for one in clones:
        if fo.dataset_exists(one.name):
            one.delete()
