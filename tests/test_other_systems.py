"""What would fail on macOS or Windows alone, as far as it shows in the code."""

import ast
import io
import sys
from pathlib import Path

import torch

import hf_mri
from hf_mri.commands import app
from hf_mri.modeling.mri_reader import best_device

PACKAGE = Path(hf_mri.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
NOT_EVERYWHERE = {"fcntl", "grp", "pwd", "resource", "termios"}


def find_open_texts(source: str) -> list[int]:
    """Lines that read or write text without saying the encoding, which on Windows is not UTF-8."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Name):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        said = {keyword.arg for keyword in node.keywords}
        modes = [part.value for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        text_mode = name == "open" and any(set(mode) <= set("rwax+t") for mode in modes)
        by_path = name in ("read_text", "write_text") and isinstance(node.func, ast.Attribute)
        if (by_path or text_mode) and "encoding" not in said:
            lines.append(node.lineno)
    return lines


def test_the_check_finds_what_it_looks_for():
    assert find_open_texts('p.read_text()\np.open("w")\nopen(p, "rb")\np.write_text("a", encoding="utf-8")') == [1, 2]


def test_texts_are_utf8_wherever_they_are_written():
    found = {path: find_open_texts(path.read_text(encoding="utf-8")) for path in FILES}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_what_only_some_systems_have_is_imported_in_a_try():
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tried = {id(node) for block in ast.walk(tree) if isinstance(block, ast.Try) for node in ast.walk(block)}
        for node in ast.walk(tree):
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            assert not names & NOT_EVERYWHERE or id(node) in tried, f"{path}: {ast.unparse(node)}"


def test_no_two_files_differ_in_case_alone():
    names = [path.relative_to(PACKAGE.parent).as_posix().lower() for path in PACKAGE.rglob("*")]
    assert len(set(names)) == len(names)


def test_apples_gpu_is_not_chosen_silently(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert best_device() == "cpu"


def test_a_console_that_knows_few_letters_ends_no_command(monkeypatch):
    said = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(said, encoding="cp1252"))
    monkeypatch.setattr(app, "build_app", lambda: lambda: print("≥ 1 …"))
    monkeypatch.setattr(app.signal, "signal", lambda *_: None)
    app.main()
    sys.stdout.flush()
    assert said.getvalue().rstrip().decode("cp1252") == "? 1 …"
