"""Reading the JSON files of a bundle; what is wrong with one is said in a line."""

import json
from pathlib import Path


def read_json(path: Path) -> dict:
    """Read one JSON object; the error names the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: {path.parent} is no bundle, or an incomplete one") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold a JSON object, not a {type(content).__name__}")
    return content
