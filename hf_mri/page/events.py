"""What happens when a visitor drops a scan, moves a threshold or wants a file: one set of events for each tab."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import gradio as gr

from hf_mri.languages.words import Words
from hf_mri.page.answer import card, say_answer, say_error, say_idle
from hf_mri.page.batcher import Desk
from hf_mri.page.corrections import correct, drop_corrections
from hf_mri.page.downloads import DICOM_SEG, GONE, Counter
from hf_mri.page.examples import Example
from hf_mri.page.layers import find_doubt, show_layer
from hf_mri.page.models import Bundle, find_better
from hf_mri.page.sessions import Visits
from hf_mri.page.thumbnails import style_thumbnails
from hf_mri.page.translations import BUSY, READING, text, words_of
from hf_mri.page.uploads import list_scans, read_upload
from hf_mri.page.values import show_frames, show_values
from hf_mri.page.viewer import list_layers, show_reading, show_scan
from hf_mri.page.visitors import Uploads, visitor_of
from hf_mri.reports.measures_table import tabulate


@dataclass
class Parts:
    """The components of one tab that events read or write."""

    files: gr.File
    dropped: gr.State
    examples: list[tuple[gr.Button, Example]]
    choice: gr.Radio
    menu: gr.HTML  # the pictures of the choice
    spacing: list[gr.Number]
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
    others: list[Bundle]
    desk: Desk
    visits: Visits
    uploads: Uploads
    parts: Parts

    def connect(self) -> None:
        """Tie the handlers to the components; none of these is an API endpoint (api.py has those)."""
        parts, options = self.parts, {"api_visibility": "private", "concurrency_limit": 16}
        shown = [parts.answer, parts.viewer, parts.measures]
        everything = [*shown, parts.files, parts.dropped, parts.choice, parts.menu]
        everything += [*parts.spacing, *parts.sliders.values(), *parts.downloads.values()]
        self._connect_reading(parts.files.upload, self.drop, [parts.files, parts.dropped], everything)
        self._connect_reading(parts.choice.input, self.read, [parts.files, parts.choice], everything)
        self._connect_reading(parts.again.click, self.measure_again, parts.spacing, everything)
        for button, example in parts.examples:
            self._connect_reading(button.click, self.read_example(example), None, everything)
        parts.files.clear(self.clear, None, everything, show_progress="hidden", queue=False, api_visibility="private")
        for slider in parts.sliders.values():
            slider.input(
                self.apply_thresholds,
                list(parts.sliders.values()),
                shown,
                show_progress="hidden",
                trigger_mode="always_last",
                **options,
            )
        asked = (
            (parts.viewer.input, self.send_values),
            (parts.viewer.play, self.send_frames),
            (parts.viewer.select, self.send_layer),
        )
        for event, handler in asked:
            event(handler, None, parts.viewer, show_progress="hidden", **options)
        parts.viewer.submit(self.correct, None, shown, show_progress="hidden", **options)
        counter = Counter(self.bundle, self.visits, self.uploads)
        click = f"() => document.getElementById('{parts.ready.elem_id}').click()"
        for kind, button in parts.downloads.items():
            handler, inputs = counter.write(kind), None
            if kind == DICOM_SEG:
                handler, inputs = counter.write_dicom_seg, [parts.files, parts.choice]
            button.click(handler, inputs, parts.ready, show_progress="minimal", **options).success(
                None, None, None, js=click, api_visibility="private"
            )

    def _connect_reading(self, event, handler, inputs, everything) -> None:
        """The card says at once that a scan is being read, and, where the page is too busy, that it was not."""
        parts = self.parts
        say = {"fn": None, "inputs": None, "outputs": parts.answer, "api_visibility": "private"}
        event(js=f"() => {json.dumps(str(text(READING)))}", **say).then(
            handler,
            inputs,
            everything,
            show_progress_on=parts.viewer,
            api_visibility="private",
            concurrency_limit=16,
        ).failure(js=f"() => {json.dumps(str(text(BUSY)))}", **say)

    def drop(self, files, dropped, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        """Read what was dropped last: it takes the place of what lay there, which the browser still lists."""
        fresh = [path for path in files or [] if path not in (dropped or [])] or files or []
        try:
            self.uploads.check(fresh, visitor_of(request))
        except ValueError as error:  # and nothing of such a file is told, not even that it is there
            refused = self._nothing(request, say_error(words_of(request), "unread", error))
            return refused | {self.parts.files: None, self.parts.dropped: []}
        shown = self.read(fresh, None, request, progress)
        return shown | {self.parts.files: fresh, self.parts.dropped: list(map(str, fresh))}

    def read(self, files, choice, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        """Read a scan of this visitor, or offer those that are there; keep the reading for this visitor, show it."""
        if not files:
            return self.clear(request)
        try:
            self.uploads.check(files, visitor_of(request))
            scans = list_scans(self.bundle.reader, files, words_of(request)) if choice is None else []
        except ValueError as error:
            return self._nothing(request, say_error(words_of(request), "unread", error))
        if len(scans) > 1:
            return self._offer(scans, request)
        shown = self._read_files(files, (), request, progress, choice or 0)
        return shown if choice is not None else {self.parts.choice: gr.Radio(visible=False, value=None)} | shown

    def _offer(self, scans: list[tuple[str, bytes | None]], request: gr.Request) -> dict:
        parts, words = self.parts, words_of(request)
        asked = card(words.say("answer.several", count=len(scans)), words.say("answer.several_detail"), "idle")
        place = f"#{parts.choice.elem_id} label:nth-of-type"
        return self._nothing(request, asked) | {
            parts.choice: gr.Radio([(title, at) for at, (title, _) in enumerate(scans)], value=None, visible=True),
            parts.menu: style_thumbnails({f"{place}({at})": picture for at, (_, picture) in enumerate(scans, 1)}),
        }

    def _read_files(self, files, spacing, request: gr.Request, progress, number: int = 0) -> dict:
        words = words_of(request)
        try:
            scan = read_upload(self.bundle.reader, files, spacing, number)
            reading = self.desk.read(scan, lambda part, english: progress(part, words.retell(english)))
        except (ValueError, RuntimeError) as error:
            # Never a traceback: the page says what is wrong with this scan, and stays usable.
            return self._nothing(request, say_error(words_of(request), "unread", error))
        self.visits.keep(visitor_of(request), self.bundle.name, reading)
        return self._show(reading, words_of(request))

    def measure_again(self, rows, columns, slices, request: gr.Request):
        """Measure the reading at hand with another spacing."""
        held = self.visits.get(visitor_of(request), self.bundle.name)
        try:
            if held is None:
                raise ValueError(GONE)
            scan = self.bundle.reader.read_scan(held.scan, spacing=(rows or None, columns or None, slices or None))
        except ValueError as error:
            return {self.parts.answer: say_error(words_of(request), "undone", error)}
        reading = replace(held, scan=scan, spacing=scan.spacing)
        self.visits.keep(visitor_of(request), self.bundle.name, reading)
        return self._show(reading, words_of(request))

    def read_example(self, example: Example) -> Callable:
        """Return the handler of one example's button."""

        def read(request: gr.Request, progress=gr.Progress()):  # noqa: B008
            empty = {
                self.parts.files: None,
                self.parts.dropped: [],
                self.parts.choice: gr.Radio(visible=False, value=None),
            }
            return empty | self._read_files([str(example.path)], example.spacing or (), request, progress)

        return read

    def clear(self, request: gr.Request):
        """Forget this visitor's reading in this tab."""
        hidden = {self.parts.dropped: [], self.parts.choice: gr.Radio(visible=False, value=None)}
        return self._nothing(request, say_idle(words_of(request))) | hidden

    def apply_thresholds(self, request: gr.Request, *values: float):
        """Show the reading at other thresholds; the model runs only for slices that a lower gate lets in."""
        reading = self.visits.get(visitor_of(request), self.bundle.name)
        if reading is None:
            return card(words_of(request).retell(GONE), "", "error"), gr.skip(), gr.skip()
        wanted = dict(zip(self.parts.sliders, values, strict=True))
        try:
            if "gate_threshold" in wanted:
                reading = self.desk.look_further(reading, wanted["gate_threshold"])
            changed = drop_corrections(reading.at(**wanted))
        except (ValueError, RuntimeError) as error:
            return say_error(words_of(request), "undone", error), gr.skip(), gr.skip()
        return self._change(request, changed)

    def correct(self, request: gr.Request, event: gr.EventData):
        """Take the outlines that the visitor drew: from here on they are what is measured and downloaded."""
        reading = self.visits.get(visitor_of(request), self.bundle.name)
        if reading is None:
            return card(words_of(request).retell(GONE), "", "error"), gr.skip(), gr.skip()
        try:
            changed = correct(reading, event._data)
        except ValueError as error:
            return say_error(words_of(request), "undone", error), gr.skip(), gr.skip()
        return self._change(request, changed)

    def _change(self, request: gr.Request, changed):
        """Keep and show another reading of the same scan."""
        self.visits.keep(visitor_of(request), self.bundle.name, changed)
        facts, words = changed.to_dict(), words_of(request)
        answer = say_answer(facts, find_better(self.bundle, self.others, changed.scan), words)
        return answer, gr.HTML(reading=show_reading(changed, facts, words)), tabulate(facts, words)

    def send_values(self, request: gr.Request):
        """Send the stored values of the reading at hand: the viewer asks once, when more than a look is wanted."""
        reading = self.visits.get(visitor_of(request), self.bundle.name)
        if reading is None:
            return gr.skip()
        return gr.HTML(values=show_values(reading, reading.to_dict(), self.bundle.task, words_of(request)))

    def send_frames(self, request: gr.Request):
        """Send the pictures of all time points of the cine at hand."""
        reading = self.visits.get(visitor_of(request), self.bundle.name)
        return gr.skip() if reading is None else gr.HTML(frames=show_frames(reading))

    def send_layer(self, request: gr.Request, event: gr.EventData):
        """Send a layer of the reading at hand: where the gate looked, or where its outlines are unsure."""
        reading = self.visits.get(visitor_of(request), self.bundle.name)
        name = event._data.get("layer") if isinstance(event._data, dict) else None
        if reading is None or name not in list_layers(reading):
            return gr.skip()
        pages = self.desk.find_attention(reading) if name == "gate" else find_doubt(reading)
        return gr.HTML(layer=show_layer(reading, reading.to_dict(), name, pages))

    def _show(self, reading, words: Words) -> dict:
        parts, facts = self.parts, reading.to_dict()
        better = find_better(self.bundle, self.others, reading.scan)
        scan = show_scan(reading, facts, self.bundle.task, self.bundle.channels, words)
        return {
            parts.answer: say_answer(facts, better, words),
            parts.viewer: gr.HTML(value=scan, reading=show_reading(reading, facts, words)),
            parts.measures: tabulate(facts, words),
            **dict(zip(parts.spacing, reading.spacing or (None, None, None), strict=True)),
            **{slider: gr.Slider(value=reading.thresholds[name]) for name, slider in parts.sliders.items()},
            **{
                # Only DICOM says a modality, and only to DICOM images can a segmentation refer.
                button: gr.Button(interactive=kind != DICOM_SEG or bool(reading.scan.modality))
                for kind, button in parts.downloads.items()
            },
        }

    def _nothing(self, request: gr.Request, answer: str) -> dict:
        parts = self.parts
        self.visits.forget(visitor_of(request), self.bundle.name)
        return {
            parts.answer: answer,
            parts.viewer: gr.HTML(value=None, reading=None, values=None, frames=None, layer=None),
            parts.measures: "",
            **dict.fromkeys(parts.spacing),
            **{button: gr.Button(interactive=False) for button in parts.downloads.values()},
        }
