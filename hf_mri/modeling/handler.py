"""Hosted inference: the container loads this file by its place and calls `EndpointHandler` for every request."""

import base64
import binascii
import io
import os
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from transformers import pipeline

ARCHIVES = ((b"PK\x03\x04", ".zip"), (b"\x1f\x8b", ".nii.gz"))


class EndpointHandler:
    """Reads scans that arrive as bytes, as images, or as base64 text in JSON.

    Args:
        path: Folder of the model, or its id on the Hub.
    """

    def __init__(self, path: str = ""):
        path = path or str(Path(__file__).parent)
        self.read = pipeline("mri-reading", model=path, trust_remote_code=True)
        self.outlines = self.read.model.config.model_type != "mri_slice_classifier"

    def __call__(self, data: dict[str, Any]) -> list[Any] | dict[str, Any]:
        """Answer one request.

        Args:
            data: `inputs`: one scan, a list of scans, or `{"slices": [...]}` for one scan of several images. A scan is
                the bytes of a file (PNG, JPEG, TIFF, NIfTI, DICOM, zip), the same in base64, or a PIL image.
                `parameters`: `{"outputs": "reading"}` asks for the whole reading, `"image-segmentation"` and
                `"image-classification"` for the Hub's stock answers; without it the answer is what the model's own
                task gives there.

        Returns:
            The answer for one scan, or a list of them for a list.
        """
        inputs = data.get("inputs")
        parameters = data.get("parameters") or {}
        known = ("reading", "image-segmentation", "image-classification")
        wanted = parameters.get("outputs") or ("image-segmentation" if self.outlines else "image-classification")
        if wanted not in known:
            raise ValueError(f"parameters.outputs must be one of {', '.join(known)}, got {wanted!r}")
        if wanted == "image-segmentation" and not self.outlines:
            raise ValueError("this model outlines nothing; ask for 'image-classification' or 'reading'")
        if isinstance(inputs, list):
            return [self.answer(scan, wanted) for scan in inputs]
        return self.answer(inputs, wanted)

    def answer(self, scan: Any, wanted: str) -> list[Any] | dict[str, Any]:
        """Read one scan."""
        with tempfile.TemporaryDirectory() as folder:
            slices = scan.get("slices") if isinstance(scan, dict) else None
            if slices:
                places = [keep(content, Path(folder), f"{index:04d}") for index, content in enumerate(slices)]
                reading = self.read({"slices": places})
            else:
                reading = self.read(keep(scan, Path(folder), "scan"))
        return reading


def keep(content: Any, folder: Path, name: str) -> str:
    """Write what came over the wire into a file of our own naming: text is never taken for a path."""
    raise NotImplementedError
