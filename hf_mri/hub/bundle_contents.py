"""What may be in a bundle: the list of files that belong, and why others are refused."""

import re
from fnmatch import fnmatch
from pathlib import Path

from hf_mri.hub.bundle import CODE
from hf_mri.hub.kept_apart import KEPT_APART
from hf_mri.hub.plots import list_captions
from hf_mri.modeling.mri_engine_openvino import GRAPHS, RECORD, read_export
from hf_mri.modeling.mri_model_folder import WEIGHTS, hash_weights
from hf_mri.modeling.mri_trust import TRUST

REQUIRED = (
    "README.md",
    "config.json",
    "model.safetensors",
    "preprocessor_config.json",
    "train_config.json",
    "training.json",
)
GRAPH_FILES = tuple(
    f"{GRAPHS}/{pattern}" for pattern in ("openvino/*.xml", "openvino/*.bin", "onnx/*.onnx", "onnx/*.onnx.data")
)
PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt", ".joblib", ".npy", ".npz")
SCANS = (".nii", ".nii.gz", ".dcm", ".ima", ".tif", ".tiff", ".nrrd", ".mha", ".mhd", ".jpg", ".jpeg", ".zip")
SECRETS = re.compile(
    rb"\bhf_[A-Za-z0-9]{30,}\b|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bsk-[A-Za-z0-9_-]{32,}\b"
    rb"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)


def list_contents(bundle: str | Path) -> dict[str, Path]:
    """List a bundle's files by their path in the repository, after a look at each.

    Raises:
        ValueError: a file is missing, does not belong, or holds what must not be published.
    """
    folder = Path(bundle)
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder; give the bundle that training wrote (RUN/bundle)")
    paths = [path for path in sorted(folder.rglob("*")) if not path.is_dir() and path.parent.name != "__pycache__"]
    found = {path.relative_to(folder).as_posix(): path for path in paths}
    missing = [name for name in REQUIRED if name not in found]
    if missing:
        raise ValueError(f"{folder} lacks {', '.join(missing)}: it is no bundle, or an incomplete one")
    for name, path in found.items():
        if reason := reason_against(name, path):
            raise ValueError(f"{path} {reason}; nothing was published")
    check_graphs(folder, set(found))
    return found


def check_graphs(folder: Path, names: set[str]) -> None:
    """Refuse exported graphs of other weights, incomplete ones, and files that no export wrote.

    Raises:
        ValueError: says which file, and what to do.
    """
    given = {name for name in names if any(fnmatch(name, pattern) for pattern in GRAPH_FILES)}
    again = f"run `hf-mri export {folder}` again"
    record = read_export(folder) or {"exports": []}
    files = {name for entry in record["exports"] for name in entry["files"].values()}
    parts = {f"{name.removesuffix('.xml')}.bin" for name in files if name.endswith(".xml")}
    if missing := sorted((files | parts) - given):
        raise ValueError(f"{folder / missing[0]} is missing, though {RECORD} names it; {again}")
    if foreign := sorted(given - files - parts - {f"{name}.data" for name in files}):
        raise ValueError(f"{folder / foreign[0]} is not named by {RECORD}; remove it, or {again}")
    if files and record["weights"] != hash_weights(folder):
        raise ValueError(f"{folder / RECORD} is about other weights than {folder / WEIGHTS}; {again}")


def reason_against(name: str, path: Path) -> str | None:
    """Return why a file must not be published, or None."""
    if path.is_symlink():
        return "is a link; copy the file itself into the bundle"
    if name.endswith(PICKLES) and not belongs(name):
        return "may hold pickled code, which runs when it is loaded; publish weights as safetensors"
    if name.endswith(SCANS) or is_dicom(path):
        return "looks like a scan; images of patients never go into a bundle"
    if not belongs(name):
        return "does not belong to a bundle; remove it"
    if not name.endswith((".safetensors", ".bin", ".onnx", ".onnx.data", ".png")) and SECRETS.search(
        path.read_bytes()
    ):
        return "holds something that looks like a token or a private key; remove it and revoke it"
    return None


def belongs(name: str) -> bool:
    """Tell whether a file is part of a bundle."""
    code = {path.name for path in CODE.glob("*.py")} - {"__init__.py"}
    plots = {f"plots/{plot}" for plot in list_captions()}
    known = {*REQUIRED, "metrics.json", KEPT_APART, "requirements.txt", RECORD, TRUST, *code, *plots}
    return name in known or any(fnmatch(name, pattern) for pattern in (*GRAPH_FILES, ".eval_results/*.yaml"))


def is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"
