"""What happens when a visitor drops a scan, moves a threshold or wants a file: one set of events for each tab."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import gradio as gr

from hf_mri.page.answer import IDLE, card, say_answer, tabulate
from hf_mri.page.batcher import Desk
from hf_mri.page.downloads import pack
from hf_mri.page.examples import Example
from hf_mri.page.models import Bundle
from hf_mri.page.sessions import Visits
from hf_mri.page.uploads import hide_folders, read_upload
from hf_mri.page.viewer import show_reading, show_scan

logger = logging.getLogger(__name__)
GONE = "This reading is no longer held. Drop the scan again."


@dataclass
class Parts:
    """The components of one tab that events read or write."""

    files: gr.File
    examples: list[tuple[gr.Button, Example]]
    spacing: list[gr.Number]
    series: gr.Textbox
    again: gr.Button
    sliders: dict[str, gr.Slider]
    downloads: dict[str, gr.Button]
    ready: gr.DownloadButton
    answer: gr.HTML
    viewer: gr.HTML
    measures: gr.HTML


@dataclass
class TabEvents:
    """The handlers of one tab. Readings are kept by visitor, so that no visitor sees another's scan."""

    bundle: Bundle
    desk: Desk
    visits: Visits
    parts: Parts

    def connect(self) -> None:
        """Tie the handlers to the components; none of these is an API endpoint (endpoints.py has those)."""
        parts, options = self.parts, {"api_visibility": "private", "concurrency_limit": 16}
        shown = [parts.answer, parts.viewer, parts.measures]
        everything = [*shown, *parts.sliders.values(), *parts.downloads.values()]
        asked = [parts.files, *parts.spacing, parts.series]
        for event, handler in ((parts.files.upload, self.read), (parts.again.click, self.read_again)):
            event(handler, asked, everything, show_progress_on=parts.viewer, **options)
        parts.files.clear(self.clear, None, everything, show_progress="hidden", queue=False, api_visibility="private")
        for button, example in parts.examples:
            button.click(
                self.read_example(example), None, [parts.files, *everything], show_progress_on=parts.viewer, **options
            )
        for slider in parts.sliders.values():
            slider.input(
                self.apply_thresholds,
                list(parts.sliders.values()),
                shown,
                show_progress="hidden",
                trigger_mode="always_last",
                **options,
            )
        click = f"() => document.getElementById('{parts.ready.elem_id}').click()"
        for kind, button in parts.downloads.items():
            button.click(self.write(kind), None, parts.ready, show_progress="minimal", **options).success(
                None, None, None, js=click, api_visibility="private"
            )

    def read(self, files, rows, columns, slices, series, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        """Read what was dropped, keep the reading for this visitor, show it."""
        if not files:
            return self.clear(request)
        try:
            scan = read_upload(self.bundle.reader, files, (rows, columns, slices), series)
            reading = self.desk.read(scan, progress)
        except (ValueError, OSError, ImportError, RuntimeError) as error:
            # Never a traceback: the page says what is wrong with this scan, and stays usable.
            return self._nothing(request, card("This could not be read.", hide_folders(str(error), files), "error"))
        self.visits.keep(request.session_hash, self.bundle.name, reading)
        return self._show(reading)

    def read_again(self, files, rows, columns, slices, series, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        """Measure the reading at hand with another spacing; another series has to be read."""
        held = self.visits.get(request.session_hash, self.bundle.name)
        if series or held is None:
            return self.read(files, rows, columns, slices, series, request, progress)
        try:
            scan = self.bundle.reader.read_scan(held.scan, spacing=(rows or None, columns or None, slices or None))
        except ValueError as error:
            rest = 2 + len(self.parts.sliders) + len(self.parts.downloads)
            return [card("This could not be done.", str(error), "error"), *[gr.skip()] * rest]
        reading = replace(held, scan=scan, spacing=scan.spacing)
        self.visits.keep(request.session_hash, self.bundle.name, reading)
        return self._show(reading)

    def read_example(self, example: Example) -> Callable:
        """Return the handler of one example's button."""

        def read(request: gr.Request, progress=gr.Progress()):  # noqa: B008
            rows, columns, slices = example.spacing or (None, None, None)
            return None, *self.read([str(example.path)], rows, columns, slices, "", request, progress)

        return read

    def clear(self, request: gr.Request):
        """Forget this visitor's reading in this tab."""
        return self._nothing(request, IDLE)

    def apply_thresholds(self, request: gr.Request, *values: float):
        """Show the reading at other thresholds; the model runs only for slices that a lower gate lets in."""
        reading = self.visits.get(request.session_hash, self.bundle.name)
        if reading is None:
            return card(GONE, "", "error"), gr.skip(), gr.skip()
        wanted = dict(zip(self.parts.sliders, values, strict=True))
        try:
            if "gate_threshold" in wanted:
                reading = self.desk.look_further(reading, wanted["gate_threshold"])
            changed = reading.at(**wanted)
        except (ValueError, RuntimeError) as error:
            return card("This could not be done.", str(error), "error"), gr.skip(), gr.skip()
        self.visits.keep(request.session_hash, self.bundle.name, changed)
        facts = changed.to_dict()
        return say_answer(facts), gr.HTML(reading=show_reading(changed, facts)), tabulate(facts)

    def write(self, kind: str) -> Callable:
        """Return the handler of one download's button."""

        def pack_reading(request: gr.Request) -> str:
            reading = self.visits.get(request.session_hash, self.bundle.name)
            if reading is None:
                raise gr.Error(GONE, print_exception=False)
            return pack(reading, kind)

        return pack_reading

    def _show(self, reading) -> list:
        thresholds = [gr.Slider(value=reading.thresholds[name]) for name in self.parts.sliders]
        facts = reading.to_dict()
        scan = show_scan(reading, facts, self.bundle.task, self.bundle.channels)
        return [
            say_answer(facts),
            gr.HTML(value=scan, reading=show_reading(reading, facts)),
            tabulate(facts),
            *thresholds,
            *(gr.Button(interactive=True) for _ in self.parts.downloads),
        ]

    def _nothing(self, request: gr.Request, answer: str) -> list:
        self.visits.forget(request.session_hash, self.bundle.name)
        return [
            answer,
            gr.HTML(value=None, reading=None),
            "",
            *(gr.skip() for _ in self.parts.sliders),
            *(gr.Button(interactive=False) for _ in self.parts.downloads),
        ]
