"""Where this project lives: `[project.urls]` in pyproject.toml is the one place that says so, empty until known."""

from importlib.metadata import PackageNotFoundError, metadata


def find_address(name: str) -> str | None:
    """Return an address by its name (Models, Documentation, Notebook, Source), None while it has none."""
    try:
        lines = metadata("hf_mri").get_all("Project-URL") or []
    except PackageNotFoundError:
        return None
    addresses = dict(line.split(", ", 1) for line in lines)
    return addresses.get(name) or None
