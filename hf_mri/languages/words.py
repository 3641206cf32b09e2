"""What a visitor reads: `en.json`, `fr.json` and `ko.json` hold the same keys, each named by its meaning.

Sentences that lower folders make, such as a scan's doubts, are English wherever they are made, and so in every JSON;
those listed under `heard` are recognized by their English and told in another language.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files

CODES = ("en", "fr", "ko")


def read_texts(code: str) -> dict[str, str]:
    """Return a language's texts as `{"section.key": text}`."""
    sections = json.loads(files("hf_mri.languages").joinpath(f"{code}.json").read_text(encoding="utf-8"))
    return {f"{section}.{key}": text for section, texts in sections.items() for key, text in texts.items()}


@dataclass(frozen=True)
class Words:
    """One language."""

    code: str
    texts: Mapping[str, str] = field(repr=False)

    def say(self, key: str, **values: object) -> str:
        """Return a text with its values."""
        return self.texts[key].format(**values)

    def count(self, key: str, number: int, **values: object) -> str:
        """Return a text about so many things."""
        return self.say(f"{key}.{'one' if number == 1 else 'many'}", number=self.number(f"{number:,}"), **values)

    def name(self, english: str) -> str:
        """Return what a label, an organ or a measure is called, numbered or not; what is not known keeps its name."""
        english = english.replace("_", " ")
        if known := self.texts.get(f"names.{english}"):
            return known
        word, number = re.fullmatch(r"(.*?)( [\d, ]+)?", english, re.DOTALL).groups()
        return self.texts.get(f"names.{word}", word) + (number or "")

    def number(self, english: str) -> str:
        """Return a number that was written as English does, 1,234.5."""
        signs = {",": self.texts["number.thousands"], ".": self.texts["number.decimal"]}
        return english.translate(str.maketrans(signs))

    def retell(self, english: str) -> str:
        """Return a sentence that was made in English; one that is not known, or only in part, stays as it is."""
        return english if self.code == "en" else self._hear(english) or english

    def _hear(self, english: str) -> str | None:
        bare = english.rstrip(".")
        point = english[len(bare) :]
        for key, pattern in PATTERNS.items():
            if found := pattern.fullmatch(bare):
                return self.say(key, **{name: self._value(value) for name, value in found.groupdict().items()}) + point
        thing, colon, said = bare.partition(": ")
        if colon and (told := self._hear(said)):
            return f"{self._hear(thing) or thing}{self.texts['join.colon']}{told}{point}"
        reason, semicolon, fix = bare.partition("; ")
        if semicolon and (told := self._hear(reason)) and (advice := self._hear(fix)):
            return f"{told}{self.texts['join.semicolon']}{advice}{point}"
        name = self.name(bare)
        return None if name == bare else name + point

    def _value(self, english: str) -> str:
        return self.number(english) if re.fullmatch(r"[\d.,]+", english) else self._hear(english) or english


def make_pattern(template: str) -> re.Pattern[str]:
    """Return what recognizes a sentence that was made from a template."""
    parts = re.split(r"\{(\w+)\}", template)
    groups = [f"(?P<{part}>.+?)" if at % 2 else re.escape(part) for at, part in enumerate(parts)]
    return re.compile("".join(groups), re.IGNORECASE)


LANGUAGES = {code: Words(code, read_texts(code)) for code in CODES}
ENGLISH = LANGUAGES["en"]
PATTERNS = {key: make_pattern(text) for key, text in ENGLISH.texts.items() if key.startswith("heard.")}


def speak(accepted: str | None) -> Words:
    """Return the language that a browser's `Accept-Language` names first, as its scripts see it; else English."""
    first = (accepted or "").partition(",")[0].partition(";")[0].partition("-")[0]
    return LANGUAGES.get(first.strip().lower(), ENGLISH)
