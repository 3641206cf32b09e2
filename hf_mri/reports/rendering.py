"""The pages: Jinja templates in `templates/`, one environment for all of them."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from hf_mri.evaluation import figures


def render(name: str, **facts: Any) -> str:
    """Fill in a page; it needs nothing else: no network, no script.

    Args:
        name: `reading`, `evaluation` or `dataset`.
        facts: What its template asks for; a fact that is missing is an error.
    """
    return _make_environment().get_template(f"{name}.html").render(facts)


@cache
def _make_environment() -> Environment:
    loader = PackageLoader("hf_mri.reports")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    formats = {"figure": figures.format_figure, "interval": figures.format_interval, "cell": figures.format_cell}
    environment.filters |= formats
    environment.globals["figures"] = figures  # for their names
    return environment
