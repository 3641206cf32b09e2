"""The recipes of docs/recipes: options that exist, each named by the page, each able to train."""

import json
from pathlib import Path

import pytest

from hf_mri.training.arguments import TrainingArguments, read_config

FOLDER = Path(__file__).parents[2] / "docs" / "recipes"
RECIPES = sorted(FOLDER.glob("*.json"))
PHANTOMS = {"cardiac-segmentation": "heart_phantom", "gi-tract": "overlapping_phantom"}


def test_there_is_one_for_each_of_the_five_projects():
    page = FOLDER.with_suffix(".md").read_text(encoding="utf-8")
    assert len(RECIPES) == 5
    assert all(f"docs/recipes/{recipe.name}" in page for recipe in RECIPES)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_its_options_exist(recipe):
    TrainingArguments(**read_config(recipe))


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_it_trains_on_a_phantom(recipe, train, request):
    options = json.loads(recipe.read_text())
    data = request.getfixturevalue(PHANTOMS.get(recipe.stem, "phantom"))
    small = {"image_size": 48, "max_steps": 1, "batch_size": 2, "validate_every": 100, "ema": 0.0}
    small |= {"decoder_channels": [8, 8, 8, 8]} if options["backbone"] is None else {"backbone": "test_efficientnet"}
    run = train(data=str(data), **options | small)
    assert (run / "bundle" / "model.safetensors").is_file()
