"""Small pictures on buttons and in menus, sent within the page: the server sweeps its files, and the visitors' too."""

import base64
import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

SIDE = 200  # pixels


def draw_thumbnail(gray: np.ndarray) -> bytes:
    """Return a slice (H, W) as a small JPEG."""
    from hf_mri.reports.display import window_volume

    picture, sink = Image.fromarray(window_volume(gray[None, ..., None])[0]), io.BytesIO()
    picture.thumbnail((SIDE, SIDE))
    picture.save(sink, "JPEG", quality=85)
    return sink.getvalue()


def style_thumbnails(pictures: Mapping[str, bytes | None]) -> str:
    """Return a style that puts a picture before each selected element."""
    rules = []
    for selector, picture in pictures.items():
        if picture is not None:
            data = base64.b64encode(picture).decode()
            rules.append(f"{selector}::before {{ background-image: url(data:image/jpeg;base64,{data}); }}")
    return f"<style>{' '.join(rules)}</style>"
