"""The values themselves, which the viewer asks for when pictures are not enough: window, pointer, planes."""

import base64
import gzip

import numpy as np

from hf_mri.languages.words import ENGLISH, Words
from hf_mri.page.viewer import encode_channels, group_slices, list_channels, number_scan, window_channels
from hf_mri.tasks.task import Task

MOST_VALUES = 48_000_000  # that a browser gets at once: 96 MB of 16 bits
KINDS = {"|u1": "u1", "<i2": "i2", "<u2": "u2"}  # what stays as it is; all else becomes float32


def show_values(reading, facts: dict, task: Task, words: Words = ENGLISH) -> dict:
    """Return the stored values of the slices that are shown; of large scans only the channel that is looked at."""
    shown = sorted({index for group in group_slices(facts) for index in group["slices"]})
    slices = list_channels(reading.scan.slices)
    channels = list(range(slices.shape[-1]))
    if slices[shown[0]].size * len(shown) > MOST_VALUES:
        channels = [task.shown_channel(slices.shape[-1])]
    if slices[shown[0], ..., 0].size * len(shown) * len(channels) > MOST_VALUES:
        return {"scan": number_scan(reading), "problem": words.say("shown.too_large")}
    # Channel by channel, slice by slice, row by row.
    values = np.ascontiguousarray(np.moveaxis(slices[shown][..., channels], -1, 0))
    kind = KINDS.get(values.dtype.newbyteorder("<").str, "f4")
    raw = values.astype(f"<{kind}" if kind != "u1" else kind, copy=False).tobytes()
    return {
        "scan": number_scan(reading),
        "shown": shown,
        "channels": channels,
        "size": list(values.shape[2:]),
        "kind": kind,
        "data": base64.b64encode(gzip.compress(raw, 1)).decode(),
    }


def show_frames(reading) -> dict:
    """Return the pictures of all time points of a cine, to be played."""
    pictures = window_channels(reading.scan.slices)
    return {"scan": number_scan(reading), "images": [encode_channels(picture) for picture in pictures]}
