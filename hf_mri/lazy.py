"""Names of a package that are imported when they are first used, so that one of them does not wait for all."""

import importlib
import sys
from collections.abc import Callable
from typing import Any


def attach(package: str, homes: dict[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` of a package.

    Args:
        package: Its `__name__`.
        homes: Name → module below the package that defines it. No module may be called like a name: an import of
            the module would put it in the name's place.
    """

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return load, lambda: sorted({*vars(sys.modules[package]), *homes}), sorted(homes)
