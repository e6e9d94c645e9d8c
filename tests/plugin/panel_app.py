"""A panel without the App."""

from types import SimpleNamespace

from fiftyone.operators.store import ExecutionStore

from yolov1_fo.datasets import fiftyone_private


class PanelApp:
    """What a panel does in the App: its state, and the calls that it makes."""

    def __init__(self, dataset, view=None):
        self.dataset, self.state, self.calls = dataset, {}, []
        self.view = dataset.view() if view is None else view

    def __getattr__(self, name):
        return lambda *args, **kwargs: self.calls.append((name, args, kwargs))

    def context(self, **params):
        """Returns the context of a call."""
        return SimpleNamespace(
            dataset=self.dataset,
            params=params,
            view=self.view,
            spaces=None,
            panel=SimpleNamespace(
                get_state=self.state.get, set_state=self.state.__setitem__
            ),
            ops=self,
            prompt=self.prompt,
            store=lambda name: ExecutionStore.create(
                name, fiftyone_private.dataset_id(self.dataset)
            ),
        )

    def last_view(self):
        """Returns the view that was set last."""
        [*_, (name, args, _)] = [
            one for one in self.calls if one[0] in ("set_view", "clear_view")
        ]
        return self.dataset.view() if name == "clear_view" else args[0]

    def notified(self):
        """Returns what was notified."""
        return [args[0] for name, args, _ in self.calls if name == "notify"]
