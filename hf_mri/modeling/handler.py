"""Hosted inference: the container loads this file by its place and calls `EndpointHandler` for every request."""

import base64
import binascii
import io
import math
import os
import tempfile
from typing import Any

import numpy as np
from PIL import Image
from transformers import pipeline

# Ours, and what the Hub's own tasks know. Those of its tasks that mean nothing here are taken and change nothing.
PARAMETERS = ("outputs", "spacing", "threshold", "mask_threshold", "top_k")
WITHOUT_EFFECT = ("function_to_apply", "overlap_mask_area_threshold", "subtask")
OUTPUTS = ("image-segmentation", "image-classification", "reading")


class EndpointHandler:
    """Reads scans that arrive as bytes, as images, or as base64 text in JSON.

    Args:
        path: Folder of the model, or its id on the Hub; by default the folder of this file.
    """

    def __init__(self, path: str = ""):
        place = path or os.path.dirname(os.path.abspath(__file__))
        # Probabilities of the outlined slices are kept, so that a request may move the outlines' threshold.
        self.read = pipeline("mri-reading", model=place, trust_remote_code=True, keep="passed")
        self.config = self.read.model.config
        self.outlines = self.config.has_masks

    def __call__(self, data: dict[str, Any]) -> list[Any] | dict[str, Any]:
        """Answer one request.

        Args:
            data: `inputs` is one scan, a list of scans, or `{"slices": [...]}`: one scan in several images. A scan is
                the content of a file (PNG, JPEG, TIFF, NIfTI, DICOM, or a zip of them) as bytes or base64 text, or a
                PIL image. `parameters` may hold `outputs` ("image-segmentation", "image-classification" or "reading";
                by default what the model is for), `spacing` in mm between rows, columns and slices, and, as in the
                Hub's pipelines, `threshold` (the lowest score), `mask_threshold` (outlines from this probability) and
                `top_k` (answers a slice).

        Returns:
            One answer, or a list of them for a list of scans. "image-classification" gives label and score,
            "image-segmentation" label, score (of the slice) and mask (a PNG in base64), as the Hub's pipelines do;
            where a scan has several slices, each entry says which `slice` it is about, and where there are doubts
            about the scan, each holds them as `doubts`. "reading" gives everything.

        Raises:
            ValueError: the request cannot be answered; the message says why.
        """
        parameters = data.get("parameters") or {}
        unknown = set(parameters) - {*PARAMETERS, *WITHOUT_EFFECT}
        if unknown:
            raise ValueError(
                f"parameters {', '.join(sorted(unknown))} are unknown; this model knows {', '.join(PARAMETERS)}"
            )
        outputs = parameters.get("outputs") or OUTPUTS[0 if self.outlines else 1]
        if outputs not in OUTPUTS:
            raise ValueError(f"parameters.outputs must be one of {', '.join(OUTPUTS)}, got {outputs!r}")
        if outputs == "image-segmentation" and not self.outlines:
            raise ValueError("this model outlines nothing: ask for image-classification or reading")
        inputs = data.get("inputs")
        scans = inputs if isinstance(inputs, list) else [inputs]
        if not scans:
            raise ValueError("inputs is an empty list: give at least one scan")
        answers = [self.answer(scan, outputs, parameters) for scan in scans]
        return answers if isinstance(inputs, list) else answers[0]

    def answer(self, scan: Any, outputs: str, parameters: dict[str, Any]) -> list[Any] | dict[str, Any]:
        """Read one scan and put the reading into the form that was asked for."""
        options = {"spacing": parameters["spacing"]} if parameters.get("spacing") else {}
        try:
            reading = self.read_one(scan, options)
        except ValueError as error:  # of a scan that cannot be read, without the place where we have put it
            explanation = getattr(error, "explanation", None)
            raise ValueError(f"inputs: {explanation}" if explanation else str(error)) from None
        if parameters.get("mask_threshold") is not None and self.outlines:
            reading = reading.at(mask_threshold=number(parameters, "mask_threshold", 0.5, highest=1))
        if outputs == "reading":
            masks = {
                label: [encode(page) if page.any() else None for page in mask] for label, mask in reading.masks.items()
            }
            return {**reading.to_dict(), "masks": masks}
        describe = self.outline if outputs == "image-segmentation" else self.classify
        several = len(reading.probability) > 1
        lowest = number(parameters, "threshold", 0.0)
        most = None if parameters.get("top_k") is None else int(number(parameters, "top_k", 0))
        noticed = [*reading.doubts, *reading.warnings]
        doubts = {"doubts": noticed} if noticed else {}
        return [
            {**entry, **doubts, "slice": index} if several else {**entry, **doubts}
            for index in range(len(reading.probability))
            for entry in describe(reading, index)[:most]
            if entry["score"] >= lowest
        ]

    def read_one(self, scan: Any, options: dict[str, Any]) -> Any:
        """Read a scan from one content, or from one for each of its slices."""
        with tempfile.TemporaryDirectory() as folder:
            if not isinstance(scan, dict):
                return self.read(keep(scan, os.path.join(folder, "scan")), **options)
            slices = scan.get("slices")
            if set(scan) != {"slices"} or not isinstance(slices, list) or not slices:
                raise ValueError('a scan of several images is written {"slices": [first, second, ...]}')
            kept = [keep(content, os.path.join(folder, f"{index:04d}")) for index, content in enumerate(slices)]
            return self.read({"slices": kept}, **options)

    def outline(self, reading: Any, index: int) -> list[dict[str, Any]]:
        """Return label, score and mask of everything that one slice shows."""
        score = round(float(reading.probability[index]), 6)
        found = {label: mask[index] for label, mask in reading.masks.items() if mask[index].any()}
        return [{"label": label, "score": score, "mask": encode(mask)} for label, mask in found.items()]

    def classify(self, reading: Any, index: int) -> list[dict[str, Any]]:
        """Return both answers about one slice, the likelier first."""
        score = float(reading.probability[index])
        nothing, something = self.names()
        both = [{"label": something, "score": round(score, 6)}, {"label": nothing, "score": round(1 - score, 6)}]
        return sorted(both, key=lambda entry: -entry["score"])

    def names(self) -> tuple[str, str]:
        """Return what a slice without and with a finding is called: as the classifier says, if there is one."""
        stage = getattr(self.config, "classifier", None) or (None if self.outlines else self.config.to_dict())
        if stage:
            nothing, *something = (
                label for _, label in sorted(stage["id2label"].items(), key=lambda item: int(item[0]))
            )
        else:
            nothing, something = None, [label for label in self.config.id2label.values() if label != "background"]
        words = " or ".join(something)
        return nothing or f"no {words}", words


def number(parameters: dict[str, Any], name: str, default: float, highest: float = math.inf) -> float:
    """Return a parameter as a number; a request's address line gives text."""
    given = parameters.get(name)
    try:
        value = default if given is None else float(given)
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value <= highest:
        most = "" if highest == math.inf else f" and at most {highest:g}"
        raise ValueError(f"parameters.{name} must be a number of at least 0{most}, got {given!r}")
    return value


def keep(content: Any, place: str) -> Any:
    """Write what came over the wire into a file of our own naming; text is never taken for a path or an address."""
    if isinstance(content, Image.Image):
        return content
    if isinstance(content, str):
        try:
            content = base64.b64decode(
                content.partition(",")[2] if content.startswith("data:") else content, validate=True
            )
        except binascii.Error:
            raise ValueError(
                "inputs holds text that is not base64: send the bytes of a file, or the same in base64"
            ) from None
    if not isinstance(content, bytes | bytearray):
        raise ValueError(f"inputs must hold bytes, base64 text or an image, not {type(content).__name__}")
    with open(place, "wb") as file:
        file.write(content)
    return place


def encode(mask: np.ndarray) -> str:
    """Return a mask (H, W) as a PNG of 0 and 255, in base64."""
    sink = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(sink, "PNG")
    return base64.b64encode(sink.getvalue()).decode()
