"""The folder that is the Space, file for file; `python -m hf_mri.page.pack` writes the checkout's spaces_app/ anew."""

import base64
import hashlib
import zipfile
from importlib.metadata import metadata, version
from importlib.resources import files
from pathlib import Path

import hf_mri
from hf_mri.hub.requirements import floors

SHIPPED = ("README.md", "app.py")
EXTRAS = ("space", "medical")
LOCK = Path(hf_mri.__file__).parents[1] / "requirements.lock"  # of a checkout


def list_requirements() -> str:
    """Return what the Space installs: in the versions that the tests run with, else from the package's own floors."""
    wanted = floors(*EXTRAS) | {"openvino": floors("export")["openvino"]}  # reads fastest on a Space's processor
    locked = LOCK.read_text(encoding="utf-8").splitlines() if LOCK.exists() else []
    pins = {line.partition("==")[0].lower().replace("_", "-"): line for line in locked}
    lines = sorted((pins.get(name.lower(), floor) for name, floor in wanted.items()), key=str.lower)
    return "\n".join(["# Written by `python -m hf_mri.page.pack` from requirements.lock.", *lines, ""])


def list_files() -> dict[str, str]:
    """Return the texts of a Space by their names: all but the wheel."""
    source = files("hf_mri.page").joinpath("space_files")
    texts = {name: source.joinpath(name).read_text(encoding="utf-8") for name in SHIPPED}
    return texts | {"requirements.txt": list_requirements()}


def write_wheel(folder: Path) -> Path:
    """Write the package as a wheel; it is pure Python, so this needs no build tools and no network."""
    source = Path(hf_mri.__file__).parent
    about = f"hf_mri-{version('hf_mri')}.dist-info"
    paths = [path for path in sorted(source.rglob("*")) if path.is_file() and path.parent.name != "__pycache__"]
    contents = {f"hf_mri/{path.relative_to(source).as_posix()}": path.read_bytes() for path in paths}
    contents[f"{about}/METADATA"] = metadata("hf_mri").as_string().encode("utf-8")
    contents[f"{about}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: hf_mri\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in contents.items()]
    contents[f"{about}/RECORD"] = "\n".join([*record, f"{about}/RECORD,,", ""]).encode()
    path = folder / f"hf_mri-{version('hf_mri')}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return path


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def write_files(folder: Path) -> None:
    """Write the texts of a Space into a folder."""
    for name, text in list_files().items():
        (folder / name).write_text(text, encoding="utf-8")


def pack(folder: Path) -> Path:
    """Write the Space into a new folder."""
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder}: is not empty; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_files(folder)
    write_wheel(folder)
    return folder


if __name__ == "__main__":
    write_files(Path(__file__).resolve().parents[2] / "spaces_app")
