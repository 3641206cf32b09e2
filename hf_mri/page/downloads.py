"""What a visitor takes home: written aside, handed to the browser as one file, deleted with the uploads."""

import io
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from hf_mri.page.models import Bundle
from hf_mri.page.sessions import Visits
from hf_mri.page.translations import words_of
from hf_mri.page.uploads import open_again
from hf_mri.page.visitors import Uploads, visitor_of

KINDS = ("masks", "nifti", "rle", "report", "json", "pairs")
GONE = "This reading is no longer held. Drop the scan again."
DICOM_SEG = "dicom-seg"  # refers to the uploaded images: only for who still has them here


def pack(reading, kind: str) -> str:
    """Write one kind of output and return where it lies: a single file as it is, several as a zip."""
    with tempfile.TemporaryDirectory(prefix="reading-") as name:
        folder = Path(name)
        if kind == "report":
            from hf_mri.reports.reading_page import write_html

            write_html(reading, folder / "report.html")
        elif kind == "pairs":
            from hf_mri.data.training_pairs import write_pairs

            write_pairs(reading, folder)
        elif kind == DICOM_SEG:
            from hf_mri.reports.dicom_seg import write_dicom_seg

            write_dicom_seg(reading, folder)
        else:
            reading.save(folder, only=[kind])
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if len(files) == 1:
            data, ending = files[0].read_bytes(), "".join(files[0].suffixes)
        else:
            data, ending = zip_files(files, folder), ".zip"
    return save_bytes_to_cache(data, f"{kind}{ending}" if ending == ".zip" else files[0].name, get_upload_folder())


def zip_files(files: list[Path], folder: Path) -> bytes:
    """Return a zip of the files, with their places below the folder."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.relative_to(folder))
    return buffer.getvalue()


@dataclass
class Counter:
    """Where one tab's visitors take their readings home."""

    bundle: Bundle
    visits: Visits
    uploads: Uploads

    def write(self, kind: str) -> Callable:
        """Return the handler of one download's button."""

        def pack_reading(request: gr.Request) -> str:
            try:
                return self._hand_over(pack(self._find(request), kind), request)
            except ValueError as error:
                raise refuse(error, request) from None

        return pack_reading

    def write_dicom_seg(self, files, choice, request: gr.Request) -> str:
        """Write the masks as DICOM, which repeats what the uploaded images say of their patient and study."""
        try:
            self.uploads.check(files or [], visitor_of(request))
            reading = self._find(request)
            with open_again(self.bundle.reader, files or [], choice, reading) as opened:
                return self._hand_over(pack(opened, DICOM_SEG), request)
        except (ValueError, RuntimeError) as error:
            raise refuse(error, request) from None

    def _find(self, request: gr.Request):
        reading = self.visits.get(visitor_of(request), self.bundle.name)
        if reading is None:
            raise ValueError(GONE)
        return reading

    def _hand_over(self, path: str, request: gr.Request) -> str:
        self.uploads.record(path, visitor_of(request))
        return path


def refuse(error: Exception, request: gr.Request) -> gr.Error:
    """Return what tells the visitor why there is no file."""
    words = words_of(request)
    return gr.Error(words.retell(str(error)), title=words.say("answer.error"), print_exception=False)
