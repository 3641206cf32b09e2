"""Options of one call of the processor: its own settings for these slices only, and those of stock processors."""

from __future__ import annotations

import inspect
from typing import Any


def for_this_call(processor: Any, options: dict[str, Any]) -> Any:
    """Return a processor with the settings of one call, checked as its own are; None means its own.

    Args:
        processor: An `MriImageProcessor`.
        options: Its settings by their names, and stock processors' `do_resize` and `do_rescale`. `do_resize=False`
            keeps each slice's height and width; `do_rescale=False` says that values lie between 0 and 1 already.

    Raises:
        TypeError: an option that this processor does not have.
    """
    names = [name for name in inspect.signature(type(processor)).parameters if name != "kwargs"]
    settings = {name: getattr(processor, name) for name in names}
    given = {name: value for name, value in options.items() if value is not None}
    unknown = sorted(set(given) - {*names, "do_resize", "do_rescale"})
    if unknown:
        known = ", ".join(sorted([*names, "do_resize", "do_rescale"]))
        raise TypeError(f"{', '.join(unknown)}: no option of this processor, which takes {known}")
    if not given.pop("do_resize", True):
        settings.update(size=None, size_divisor=1, pixel_spacing=None)
    if not given.pop("do_rescale", True):
        settings.update(window="fixed", intensity_range=(0, 1))
    for name in {"image_mean", "image_std"} & set(given):
        given[name] = [given[name]] if isinstance(given[name], int | float) else given[name]
    if "size" in given:
        given = {"size_divisor": None, **given, "size": _as_size(given["size"])}
    elif "size_divisor" in given:
        given = {"size": None, "pixel_spacing": None, **given}
    return type(processor)(**{**settings, **given})


def _as_size(size: Any) -> dict[str, int]:
    """One number for both sides, or height and width, as stock processors take them."""
    if isinstance(size, int):
        return {"height": size, "width": size}
    if isinstance(size, list | tuple) and len(size) == 2:
        return {"height": size[0], "width": size[1]}
    return dict(size)
