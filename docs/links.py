"""Links of these pages to files of the checkout, which a site does not hold, become the files' names."""

import re
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)#]+)(?:#[^)]*)?\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Say where a file lies instead of linking to it (called by mkdocs for each page)."""
    return OUTSIDE.sub(lambda found: f"{found[1]} (`{found[2]}` in the checkout)", markdown)
