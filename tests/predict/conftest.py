"""The tiny model of the reports' tests, which predict needs as well."""

from tests.reports.conftest import model  # noqa: F401 - a fixture
