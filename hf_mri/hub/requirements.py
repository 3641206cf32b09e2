"""Requirements files, generated from the package's own metadata so that versions stand in pyproject.toml only."""

import re
import sys
from importlib.metadata import distributions, requires

LINUX_ONLY = re.compile(r"^(nvidia-|cuda-|triton)")
NOT_ON_WINDOWS = {"uvloop"}


def floors(*extras: str) -> dict[str, str]:
    """Return `{package: requirement}` of the core and of the named extras, as pyproject.toml states them."""
    wanted = {"", *extras}
    found = {}
    for line in requires("hf_mri") or []:
        requirement, _, marker = line.partition(";")
        extra = re.search(r"extra == ['\"]([^'\"]+)['\"]", marker)
        if (extra.group(1) if extra else "") in wanted and not requirement.startswith("hf_mri"):
            found[re.split(r"[<>=!~ \[]", requirement.strip(), maxsplit=1)[0]] = requirement.strip()
    return found


def installed() -> list[str]:
    """Return `name==version` of everything installed but this package and the installers, sorted."""
    skipped = {"hf_mri", "hf-mri", "pip", "setuptools"}
    lines = []
    for found in distributions():
        name = found.metadata["Name"]
        if name and name.lower() not in skipped:
            version = found.version.partition("+")[0]
            lines.append(f"{name}=={version}{_marker(name.lower())}")
    return sorted(set(lines), key=str.lower)


def _marker(name: str) -> str:
    if LINUX_ONLY.match(name):
        return ' ; sys_platform == "linux"'
    return ' ; sys_platform != "win32"' if name in NOT_ON_WINDOWS else ""


if __name__ == "__main__":
    sys.stdout.write("# Written by `make lock`: the exact versions that the tests run with.\n")
    sys.stdout.write("\n".join(installed()) + "\n")
