"""Numbers with their nouns, in messages."""


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun.

    Args:
        number: at least 0
        noun: for one; its plural ends with s or es

    Example:
        >>> counted(1, "sample"), counted(1200, "wrong class"), counted(0, "label")
        ('1 sample', '1,200 wrong classes', 'no labels')
        >>> counted(2, "epoch"), counted(2, "batch")
        ('2 epochs', '2 batches')
    """
    if number == 1:
        return f"1 {noun}"
    ending = "es" if noun.endswith(("s", "x", "tch")) else "s"
    return f"{f'{number:,}' if number else 'no'} {noun}{ending}"
