"""What `find_mistakes` has found."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from tabulate import tabulate

from yolov1_fo.config import spelling
from yolov1_fo.curation.mistake_fields import ALL, MistakeFields
from yolov1_fo.curation.mistake_kinds import KINDS, MISTAKE_KINDS
from yolov1_fo.datasets import connection


class PossibleMistake(NamedTuple):
    """A label that may be wrong.

    Attributes:
        kind: one of `MISTAKE_KINDS`
        score: in [0, 1]; higher is more likely
        sample_id: of the sample
        label_id: of the object; None for a missing object
        prediction_id: of the prediction that contradicts it; None without
        label: class of the object; None for a missing object
        prediction: class of the prediction; None without
    """

    kind: str
    score: float
    sample_id: str
    label_id: str | None
    prediction_id: str | None
    label: str | None
    prediction: str | None


@dataclass(frozen=True)
class MistakeReport:
    """Possible mistakes in labels; prints as a table.

    Attributes:
        fields: where they are kept
        mistakes: the most likely first
        samples: number of samples that were compared
        objects: number of their objects
        trained_on: number of these samples that the model was trained on; None if it is
            not known
    """

    fields: MistakeFields
    mistakes: list[PossibleMistake]
    samples: int
    objects: int
    trained_on: int | None

    @property
    def counts(self) -> dict[str, int]:
        """Number of possible mistakes of each kind."""
        found = [one.kind for one in self.mistakes]
        return {kind: found.count(kind) for kind in KINDS}

    @connection.one_line_errors()
    def view(self, kind: str = ALL) -> Any:
        """Returns the view of a kind, as saved on the dataset.

        Args:
            kind ("all"): or one of `MISTAKE_KINDS`

        Raises:
            ValueError: if there is no such kind
        """
        spelling.check_choice("kind", kind, (ALL, *KINDS))
        return self.fields.view(kind)

    def __str__(self) -> str:
        rows = [
            (kind, count, f"{self.fields.name}:{kind}", MISTAKE_KINDS[kind])
            for kind, count in self.counts.items()
        ]
        return "\n\n".join(
            [
                f"{self.samples} images, {self.objects} objects, "
                f"{len(self.mistakes)} possible mistakes",
                tabulate(rows, ("kind", "count", "saved view", "meaning")),
            ]
        )
