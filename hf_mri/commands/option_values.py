"""Options of several values in one text, as `--spacing 0.9,0.9,5` and `--labels liver,spleen`."""


def parse_spacing(text: str | None, counts: tuple[int, ...] = (2, 3)) -> tuple[float, ...] | None:
    """Return millimeters between rows, columns and slices; None for None."""
    if text is None:
        return None
    try:
        numbers = tuple(float(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in counts or min(numbers) <= 0:
        many = "two or three numbers" if counts == (2, 3) else "three numbers"
        raise ValueError(f"--spacing {text!r}: give {many} above 0, in millimeters, as 0.9,0.9,5")
    return numbers


def split_words(text: str | None) -> list[str] | None:
    """Return the words between commas; None for None."""
    return None if text is None else [word.strip() for word in text.split(",")]
