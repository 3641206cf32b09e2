"""The README is a promise: its code runs, its commands and options exist."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
import typer

from hf_mri import (
    MriImageProcessor,
    ResUNetConfig,
    ResUNetForSemanticSegmentation,
    SliceClassifierConfig,
    SliceClassifierForImageClassification,
    TwoStageForSemanticSegmentation,
)
from hf_mri.commands.app import build_app
from hf_mri.data.phantoms.draw import draw_phantom
from hf_mri.hub.bundle import assemble, write_bundle
from hf_mri.training.arguments import TrainingArguments

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def find_blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def demo(tmp_path, monkeypatch) -> Path:
    """What a checkout holds and `make demo` leaves: a model, here small and untrained, and a scan."""
    model = TwoStageForSemanticSegmentation.from_stages(
        SliceClassifierForImageClassification(SliceClassifierConfig(backbone="test_resnet")),
        ResUNetForSemanticSegmentation(ResUNetConfig(hidden_sizes=[4, 8], decoder_channels=[4])),
        gate_threshold=0.0,
    )
    out = tmp_path / "out/demo"
    out.mkdir(parents=True)
    facts = {"train_config": {}, "training": {"dataset": "lgg-phantom"}}
    bundle = write_bundle(tmp_path / "out/lgg-two-stage", model, MriImageProcessor(scope="volume"), **facts)
    assemble(bundle, tmp_path / "model_cards/lgg-two-stage", code=False)
    draw_phantom("lgg", out / "source", patients=1, size=64, slices=4)
    (out / "scan").symlink_to(next((out / "source" / "kaggle_3m").iterdir()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    return out


def test_the_python_of_the_readme_runs(demo):
    space: dict = {}
    for block in find_blocks(ROOT / "README.md", "python"):
        exec(compile(block, "README.md", "exec"), space)
    assert (Path("out/reading") / "reading.json").exists()
    assert space["reading"] is not None


def find_commands() -> dict[str, typer.core.TyperCommand]:
    """Every command of `hf-mri` by its words."""
    root = typer.main.get_command(build_app())
    found = {}
    for name, command in root.commands.items():
        found |= {f"{name} {part}": sub for part, sub in getattr(command, "commands", {}).items()} or {name: command}
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_in_the_docs_exist(page):
    commands = find_commands()
    training = {field.name for field in fields(TrainingArguments)}
    training |= {name[2:] for field in fields(TrainingArguments) for name in field.metadata.get("aliases", [])}
    text = page.read_text(encoding="utf-8")
    lines = [line for block in find_blocks(page, "bash") for line in block.replace("\\\n", " ").splitlines()]
    lines += re.findall(r"`(hf-mri [^`]+|accelerate launch [^`]+)`", text)
    for line in lines:
        words = shlex.split(line.replace("…", ""), comments=True)
        words = words[words.index("train.py") :] if "train.py" in words else words  # what launches it has its own
        options = {word.split("=")[0] for word in words if word.startswith("--")}
        if "train.py" in words:
            assert {option[2:].replace("-", "_") for option in options} <= training, line
        elif words and words[0] == "hf-mri" and len(words) > 1:
            name = " ".join(words[1:3]) if " ".join(words[1:3]) in commands else words[1]
            assert name in commands, f"{page.name}: no command {line!r}"
            if name in ("train", "cross-validate"):  # they pass their options on
                assert {option[2:].replace("-", "_") for option in options} <= training | {"output", "folds"}, line
                continue
            known = {option for parameter in commands[name].params for option in parameter.opts}
            assert options <= known, line


def test_the_targets_of_the_readme_exist():
    targets = set(re.findall(r"`make ([a-z-]+)`", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert targets <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
