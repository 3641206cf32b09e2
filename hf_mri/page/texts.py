"""The page's standing texts."""

from html import escape
from importlib.metadata import PackageNotFoundError, version

from hf_mri.languages.words import ENGLISH, Words
from hf_mri.page.models import Bundle
from hf_mri.tasks.registry import TASKS

DRAWN = "drawn by a computer"  # so says the card of a model that no patient was scanned for


def write_head(words: Words) -> str:
    """Return the head of the page; its script takes the language and the title of the window from it."""
    say = {key: escape(words.say(f"page.{key}")) for key in ("title", "claim", "badge", "badge_hint", "theme")}
    return f"""
<header class="page-head" data-language="{words.code}" data-title="{say["title"]}">
  <h1>hf_mri</h1>
  <p>{say["claim"]}</p>
  <span class="badge" title="{say["badge_hint"]}">{say["badge"]}</span>
  <button type="button" class="theme-toggle" aria-label="{say["theme"]}" title="{say["theme"]}">◐</button>
</header>
"""


def write_foot(bundles: list[Bundle], words: Words) -> str:
    """Return the foot of the page: what it is for, what it reads, what becomes of a scan, and the versions."""
    warning = f"<b>{escape(words.say('page.badge'))}.</b> {escape(words.say('page.warning'))}"
    lines = (warning, say_organs(bundles, words), escape(words.say("page.privacy")), list_versions(bundles, words))
    return "".join(f"<p>{line}</p>" for line in lines)


def say_organs(bundles: list[Bundle], words: Words = ENGLISH) -> str:
    """Return which organs the page's models read, which they do not, and which of them know drawn scans only."""
    known = {bundle.task.name for bundle in bundles}
    organs = {
        "organs": [bundle.title for bundle in bundles],
        "no_organs": [task.title for task in TASKS if task.name not in known],
        "drawn": [bundle.title for bundle in bundles if DRAWN in bundle.card],
    }
    told = {key: ", ".join(map(words.name, titles)) for key, titles in organs.items() if titles}
    return escape(" ".join(words.say(f"page.{key}", organs=listed) for key, listed in told.items()))


def list_versions(bundles: list[Bundle], words: Words) -> str:
    """Return the versions of what answers, and the models."""
    packages = ("hf_mri", "gradio", "transformers", "timm", "torch")
    parts = []
    for package in packages:
        try:
            parts.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return " · ".join([*parts, *(words.say("page.model", name=bundle.name) for bundle in bundles)])
