"""One place for versions: pyproject.toml; everything else is generated from it."""

import re
import tomllib
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def read_lock() -> dict[str, str]:
    lines = [line.partition(" ;")[0] for line in (ROOT / "requirements.lock").read_text().splitlines()]
    return {normalize(name): version for name, _, version in (line.partition("==") for line in lines) if version}


def normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def list_floors() -> list[Requirement]:
    extras = [line for name, lines in PROJECT["optional-dependencies"].items() if name != "all" for line in lines]
    return [Requirement(line) for line in PROJECT["dependencies"] + extras]


@pytest.mark.parametrize("floor", list_floors(), ids=str)
def test_the_lock_holds_every_dependency_above_its_floor(floor):
    assert floor.specifier.contains(read_lock()[normalize(floor.name)])


def test_the_lock_is_exact_and_names_no_index():
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        assert line.startswith("#") or re.fullmatch(
            r"[\w.-]+==[\w.]+( ; sys_platform (== \"linux\"|!= \"win32\"))?", line
        ), line


def test_torch_and_torchvision_match():
    wanted = [Requirement(line) for line in requires("torchvision") if Requirement(line).name == "torch"]
    assert wanted
    assert all(line.specifier.contains(read_lock()["torch"]) for line in wanted)
    assert version("torchvision") == read_lock()["torchvision"]


def test_every_extra_but_those_of_developers_is_in_all():
    (everything,) = PROJECT["optional-dependencies"]["all"]
    assert set(Requirement(everything).extras) == set(PROJECT["optional-dependencies"]) - {"all", "bench", "dev"}
