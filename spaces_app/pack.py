"""Write a folder that is the Space, file for file: `python pack.py FOLDER`, in a checkout of the project.

The package comes as a wheel beside app.py. requirements.txt is generated from the package's own metadata.
"""

import argparse
import base64
import hashlib
import shutil
import zipfile
from importlib.metadata import metadata, version
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHIPPED = ("README.md", "requirements.txt", "*.py", "*.html", "*.js", "*.css")
EXTRAS = ("space", "medical")


def list_requirements() -> str:
    """Return what the Space installs: the package's own floors, without the package itself."""
    from hf_mri.hub.requirements import floors

    lines = sorted(floors(*EXTRAS).values(), key=str.lower)
    return "\n".join(["# Written by `python pack.py`: versions stand in pyproject.toml only.", *lines, ""])


def write_wheel(folder: Path) -> Path:
    """Write the package as a wheel; it is pure Python, so this needs no build tools and no network."""
    import hf_mri

    source = Path(hf_mri.__file__).parent
    about = f"hf_mri-{version('hf_mri')}.dist-info"
    files = {f"hf_mri/{path.relative_to(source)}": path.read_bytes() for path in sorted(source.rglob("*.py"))}
    files[f"{about}/METADATA"] = metadata("hf_mri").as_string().encode("utf-8")
    files[f"{about}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: hf_mri\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in files.items()]
    files[f"{about}/RECORD"] = "\n".join([*record, f"{about}/RECORD,,", ""]).encode()
    path = folder / f"hf_mri-{version('hf_mri')}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return path


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def pack(folder: Path) -> Path:
    """Write the Space into a new folder."""
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder}: is not empty; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in SHIPPED:
        for path in HERE.glob(pattern):
            shutil.copyfile(path, folder / path.name)
    (folder / "requirements.txt").write_text(list_requirements(), encoding="utf-8")
    write_wheel(folder)
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write a folder that is the Space.")
    parser.add_argument("folder", type=Path, help="a new folder")
    pack(parser.parse_args().folder)
