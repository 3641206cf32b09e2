"""Every model in model_cards/ is fit to be published as it stands."""

from pathlib import Path

import pytest

from hf_mri.hub.card import check_card
from hf_mri.hub.contents import list_contents

BUNDLES = sorted(path.parent for path in Path(__file__).parents[2].glob("model_cards/*/config.json"))


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda bundle: bundle.name)
def test_contents_and_card(bundle):
    list_contents(bundle)
    check_card(bundle)


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda bundle: bundle.name)
def test_its_code_is_the_packages_own(bundle):
    package = Path(__file__).parents[2] / "hf_mri/modeling"
    stale = [path.name for path in bundle.glob("*.py") if path.read_bytes() != (package / path.name).read_bytes()]
    assert stale == [], f"refresh them with `hf-mri card --code {bundle}`"
