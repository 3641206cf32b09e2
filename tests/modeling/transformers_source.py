"""transformers' own common tests, taken from its source distribution when they are wanted, never kept here."""

import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path, PurePosixPath

PACKAGE = "transformers_tests"  # not `tests`, which is ours
# What the common tests import but the source distribution leaves out. None of it concerns models of images.
LEFT_OUT = {
    f"{PACKAGE}/__init__.py": "",
    f"{PACKAGE}/exporters/__init__.py": "",
    f"{PACKAGE}/exporters/test_export.py": "class ExportTesterMixin: pass\n",
    f"{PACKAGE}/generation/__init__.py": "",
    f"{PACKAGE}/generation/test_utils.py": "class GenerationTesterMixin: pass\n",
    f"{PACKAGE}/utils/__init__.py": "",
    f"{PACKAGE}/utils/test_configuration_utils.py": """
config_common_kwargs = {
    "return_dict": False,
    "output_hidden_states": True,
    "output_attentions": True,
    "dtype": "float16",
    "architectures": ["Anything"],
    "chunk_size_feed_forward": 5,
    "problem_type": "multi_label_classification",
    "id2label": {0: "background", 1: "edema", 2: "core"},
    "label2id": {"background": 0, "edema": 1, "core": 2},
}
""",
    "fetch_hub_objects_for_ci.py": "def url_to_local_path(url):\n    return url\n",
}


def fetch_common_tests(folder: Path) -> str | None:
    """Write the tests of the installed version into the folder, as the package `transformers_tests`.

    Returns:
        Why it was not possible, or None.
    """
    wanted = f"transformers=={version('transformers')}"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    options = ["--no-deps", "--no-binary", "transformers", "--no-build-isolation", "--dest", str(folder), wanted]
    done = subprocess.run([*pip, *options], capture_output=True, text=True, check=False)
    archives = list(folder.glob("transformers-*.tar.gz"))
    if done.returncode or not archives:
        return f"the source distribution of {wanted} cannot be had: {done.stderr.strip()[-300:]}"
    with tarfile.open(archives[0]) as archive:
        for member in archive.getmembers():
            place = PurePosixPath(member.name)
            if place.match("transformers-*/tests/test_*_common.py") or place.match("transformers-*/tests/*_mixin.py"):
                write(folder / PACKAGE / place.name, archive.extractfile(member).read().decode())
    if not (folder / PACKAGE / "test_modeling_common.py").is_file():
        return f"the source distribution of {wanted} has no common tests"
    for place, text in LEFT_OUT.items():
        write(folder / place, text)
    return None


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
