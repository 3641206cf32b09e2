"""Data sets that commands are tried on."""

from tests.data.conftest import lgg_dataset, lgg_source  # noqa: F401 - fixtures
