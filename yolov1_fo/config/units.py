"""Numbers as a person reads them."""


def of_bytes(count: float) -> str:
    """Returns so many bytes in the unit that fits.

    Example:
        >>> of_bytes(300), of_bytes(66e6), of_bytes(1.46e9)
        ('300 B', '66.0 MB', '1.5 GB')
    """
    if abs(count) < 1000:
        return f"{count:.0f} B"
    for unit in ("KB", "MB", "GB", "TB"):
        count /= 1000
        if abs(count) < 999.95 or unit == "TB":
            break
    return f"{count:.1f} {unit}"
