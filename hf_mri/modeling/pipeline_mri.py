"""`MriPipeline`: the task `mri-reading` of transformers' `pipeline`, a thin door to `Reader`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from transformers import Pipeline

from .mri_model_folder import find_folder
from .mri_reader import Reader
from .mri_reading import Reading

SCAN_OPTIONS = ("spacing", "series")


class MriPipeline(Pipeline):
    """Read scans: `pipeline("mri-reading", model=DIR_OR_REPO)(scan)` gives a `Reading`.

    A scan is a path, a PIL image, an array, a mapping of channel names to files, or `{"slices": [...]}`; a list is
    several scans, whose slices share batches.

    Args:
        engine, precision, keep: of `Reader`.
    """

    _load_image_processor = True
    _load_tokenizer = _load_feature_extractor = _load_processor = False

    def __init__(
        self,
        *args: Any,
        engine: str = "auto",
        precision: str = "auto",
        keep: str = "nothing",
        **kwargs: Any,
    ):
        super().__init__(*args, **kwargs)
        self.reader = Reader(
            self.model,
            self.image_processor,
            engine=engine,
            precision=precision,
            batch_size=self._batch_size or 16,
            keep=keep,
            folder=_find_folder(self.model),
        )

    def __call__(self, inputs: Any, *args: Any, **options: Any) -> Any:
        """Read one scan, or several: a list, or a data set's column, which is read as it is asked for."""
        if isinstance(inputs, Sequence) and not isinstance(inputs, str | tuple):
            inputs = list(inputs)
        return super().__call__(inputs, *args, **options)

    def _sanitize_parameters(self, as_dict: bool | None = None, **options: Any) -> tuple[dict, dict, dict]:
        """Sort a call's options: `spacing` and `series` of `read_scan`; `as_dict=True` answers in plain JSON types."""
        unknown = set(options) - set(SCAN_OPTIONS)
        if unknown:
            raise ValueError(
                f"mri-reading: unknown {', '.join(sorted(unknown))}; takes as_dict, {', '.join(SCAN_OPTIONS)}"
            )
        return options, {}, {} if as_dict is None else {"as_dict": as_dict}

    def preprocess(self, source: Any, **options: Any) -> dict[str, Any]:
        """Read the scan's files."""
        return {"scan": self.reader.read_scan(source, **options)}

    def _forward(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {"reading": self.reader(inputs["scan"])}

    def postprocess(self, outputs: dict[str, Any], as_dict: bool = False) -> Reading | dict[str, Any]:
        """Answer with the reading, or with its numbers as plain lists and dictionaries."""
        return outputs["reading"].to_dict() if as_dict else outputs["reading"]

    def get_iterator(
        self,
        inputs: Iterable[Any],
        num_workers: int,
        batch_size: int,
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> Iterator[Reading | dict[str, Any]]:
        """Several scans: the reader shares batches between them and reads ahead, so that no data loader is needed."""
        for reading in self.reader.batch(inputs, **preprocess_params):
            yield self.postprocess({"reading": reading}, **postprocess_params)


def _find_folder(model: Any) -> Path | None:
    """Where a model's graphs and what it knows of itself lie; None for one that lies nowhere, or cannot be reached."""
    try:
        return find_folder(model.config.name_or_path, getattr(model.config, "_commit_hash", None))
    except OSError:
        return None
