"""The page in the visitor's language: the browser puts in the texts that stand there, Python writes the answers.

Both ask the same: the browser its own language, Python what the browser says of it in `Accept-Language`.
"""

import json

import gradio as gr
from gradio.i18n import I18nData

from hf_mri.languages.words import ENGLISH, LANGUAGES, Words, speak
from hf_mri.page.answer import say_busy, say_idle, say_reading
from hf_mri.page.models import Bundle
from hf_mri.page.texts import write_foot, write_head

HEAD, FOOT, VIEWER = "page.head", "page.foot", "viewer.texts"
IDLE, READING, BUSY = "card.idle", "card.reading", "card.busy"


def words_of(request: gr.Request) -> Words:
    """Return the language of who sent an event."""
    return speak(request.headers.get("accept-language"))


def text(key: str) -> I18nData:
    """Return what the browser replaces by a text of the catalogs, or of those below."""
    return I18nData(key)


def title(english: str) -> I18nData | str:
    """Return a title that an organ's file gives; of an organ that the catalogs do not know, as it is."""
    return text(f"names.{english}") if f"names.{english}" in ENGLISH.texts else english


def title_of(bundle: Bundle) -> I18nData:
    """Return the title of a model's tab."""
    return text(f"tab.{bundle.name}")


def translate(bundles: list[Bundle]) -> gr.I18n:
    """Return what the browser gets of every language."""
    return gr.I18n(**{code: list_texts(words, bundles) for code, words in LANGUAGES.items()})


def say_login() -> str:
    """Return what stands above the login, where Gradio translates nothing but its own words: all languages."""
    return "<br>".join(f'<span lang="{code}">{words.say("page.login")}</span>' for code, words in LANGUAGES.items())


def list_texts(words: Words, bundles: list[Bundle]) -> dict[str, str]:
    """Return the texts that stand on the page, the viewer's all in one."""
    standing = {key: said for key, said in words.texts.items() if key.startswith(("page.", "names."))}
    viewer = {key.removeprefix("viewer."): said for key, said in words.texts.items() if key.startswith("viewer.")}
    return {
        **standing,
        **{f"tab.{bundle.name}": words.name(bundle.title) for bundle in bundles},
        HEAD: write_head(words),
        FOOT: write_foot(bundles, words),
        IDLE: say_idle(words),
        READING: say_reading(words),
        BUSY: say_busy(words),
        VIEWER: json.dumps(viewer | {"decimal": words.say("number.decimal")}, ensure_ascii=False),
    }
