"""The plan of the house: a folder imports only what stands below it, and files of one folder import no circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import hf_mri

PACKAGE = Path(hf_mri.__file__).parent
LAYERS = (
    {"commands"},
    {"page"},
    {"training"},
    {"export"},  # writes into a bundle, and lets its card say so
    {"hub", "predict"},
    {"reports"},
    {"evaluation"},
    {"data"},
    {"tasks"},
    {"storage", "languages"},
    {"modeling"},
)
HEIGHT = {folder: len(LAYERS) - number for number, layer in enumerate(LAYERS) for folder in layer}


def read_imports(path: Path) -> set[str]:
    """Modules of the package that a file imports anywhere, also inside functions."""
    package = ["hf_mri", *path.relative_to(PACKAGE).parent.parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.startswith("hf_mri.")}


MODULES = {
    ".".join(["hf_mri", *path.relative_to(PACKAGE).with_suffix("").parts]): path for path in PACKAGE.rglob("*.py")
}
IMPORTS = {name: read_imports(path) & MODULES.keys() for name, path in MODULES.items()}


def folder_of(module: str) -> str:
    return module.split(".")[1]


def test_every_folder_has_its_layer():
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders == HEIGHT.keys()


@pytest.mark.parametrize("module", sorted(name for name in MODULES if folder_of(name) in HEIGHT))
def test_a_folder_imports_only_what_stands_below_it(module):
    height = HEIGHT[folder_of(module)]
    up = {
        found
        for found in IMPORTS[module]
        if HEIGHT.get(folder_of(found), 0) >= height and folder_of(found) != folder_of(module)
    }
    assert up == set()


def test_no_files_import_each_other_in_a_circle():
    TopologicalSorter({name: found - {name} for name, found in IMPORTS.items()}).prepare()  # raises CycleError


def test_what_travels_imports_only_its_neighbors():
    for module, found in IMPORTS.items():
        if folder_of(module) == "modeling":
            assert {folder_of(name) for name in found} <= {"modeling"}, module
