"""The kinds of mistakes in labels."""

MISSING, SPURIOUS = "missing object", "spurious object"
WRONG_CLASS, LOOSE_BOX = "wrong class", "loose box"

MISTAKE_KINDS = {
    MISSING: "predictions where no object is labeled",
    SPURIOUS: "objects that no prediction confirms",
    WRONG_CLASS: "objects that the model takes for another class",
    LOOSE_BOX: "objects that the model finds elsewhere or in another size",
}
"""What `find_mistakes` finds, with its meaning."""
KINDS = tuple(MISTAKE_KINDS)
OBJECT_KINDS = (SPURIOUS, WRONG_CLASS, LOOSE_BOX)
"""Kinds of mistakes of labeled objects; a missing object has only a prediction."""
