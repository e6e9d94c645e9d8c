"""The error of processes that share a training whose first one has failed."""


class FirstProcessError(RuntimeError):
    """The first process has failed, with an error of its own."""

    def __init__(self) -> None:
        super().__init__("process 0 has failed; see its own output")
