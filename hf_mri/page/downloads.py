"""What a visitor takes home: written aside, handed to the browser as one file, deleted with the uploads."""

import io
import tempfile
import zipfile
from pathlib import Path

from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

KINDS = ("masks", "nifti", "rle", "report", "json")


def pack(reading, kind: str) -> str:
    """Write one kind of output and return where it lies: a single file as it is, several as a zip."""
    with tempfile.TemporaryDirectory(prefix="reading-") as name:
        folder = Path(name)
        if kind == "report":
            from hf_mri.reports.reading_page import write_html

            write_html(reading, folder / "report.html")
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
