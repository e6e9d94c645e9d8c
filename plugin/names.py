"""Names and messages that several parts of the plugin share."""

PLUGIN = "@yolov1-fo/yolov1"
"""Precedes the name of an operator in its URI."""
GT_FIELD = "ground_truth"
"""The usual field of labels."""
NO_MODEL = "No trained model yet; run 'Train YOLOv1' first"


def counted(number: int, noun: str, nouns: str = "") -> str:
    """Returns a number with its noun.

    Args:
        number: at least 0
        noun: for one
        nouns (the noun with an s): for several

    Example:
        >>> counted(1, "sample"), counted(1200, "class", "classes"), counted(0, "label")
        ('1 sample', '1,200 classes', 'no labels')
    """
    text = f"{number:,}" if number else "no"
    return f"{text} {noun if number == 1 else nouns or f'{noun}s'}"
