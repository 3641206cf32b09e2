"""Tables in Markdown, and their place in a text that people write."""


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table; numbers stand right."""
    line = "| " + " | ".join(header) + " |"
    rule = "|" + "|".join(" --- " if index == 0 else " ---: " for index in range(len(header))) + "|"
    return "\n".join([line, rule, *("| " + " | ".join(row) + " |" for row in rows)])


def put_between(text: str, written: str, start: str, end: str) -> str:
    """Return a text with something new between two markers.

    Raises:
        ValueError: the markers are missing.
    """
    before, found, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the text has no place for the table; put {start} and {end} where it belongs")
    return f"{before}{start}\n{written}\n{end}{after}"
