"""The catalogs say the same in every language, and recognize what lower folders say in English."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import hf_mri
from hf_mri.languages.words import CODES, ENGLISH, LANGUAGES, PATTERNS, speak
from hf_mri.modeling.mri_reading_measures import doubt_volumes
from hf_mri.modeling.mri_scan import read_scan
from hf_mri.modeling.mri_scan_doubts import describe_doubts
from hf_mri.modeling.mri_scan_errors import ScanError
from hf_mri.reports.headline import write_finding
from hf_mri.reports.measures_table import tabulate
from tests.reports.conftest import make_reading

FRENCH, KOREAN = LANGUAGES["fr"], LANGUAGES["ko"]


def find_holes(text: str) -> list[str]:
    return sorted(re.findall(r"\{(\w*)\}", text))


def list_sources() -> set[str]:
    """All texts of the package's code, their values as holes, as the catalogs write them."""
    found = set()
    for path in Path(hf_mri.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
                found.add("".join(map(str, parts)).rstrip("."))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value.rstrip("."))
    return found


@pytest.mark.parametrize("code", CODES)
def test_every_language_has_every_text_with_the_same_holes(code):
    texts = LANGUAGES[code].texts
    assert list(texts) == list(ENGLISH.texts)
    assert {key: find_holes(text) for key, text in texts.items()} == {
        key: find_holes(text) for key, text in ENGLISH.texts.items()
    }
    assert all(texts.values())


def test_what_is_recognized_is_still_said_so_somewhere():
    sources = list_sources()
    heard = {re.sub(r"\{\w+\}", "{}", ENGLISH.texts[key]) for key in PATTERNS}
    assert heard - sources == set()


def test_french_keeps_its_signs_with_their_words():
    for text in FRENCH.texts.values():
        assert not re.search(r" [:;?!%»]|« |'", text), text


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("fr", "fr"),
        ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("ko-KR;q=0.9", "ko"),
        ("de,fr;q=0.5", "en"),
        ("", "en"),
        (None, "en"),
        ("*", "en"),
    ],
)
def test_the_first_language_counts_and_english_otherwise(header, code):
    assert speak(header).code == code


def test_a_finding_in_three_languages():
    facts = make_reading().to_dict()
    assert write_finding(facts) == "Tumor in 1 of 4 slices, 0.12 mL, largest diameter 7 mm."
    assert write_finding(facts, FRENCH) == "Tumeur sur 1 des 4 coupes\u00a0: 0,12 mL, plus grand diamètre 7 mm."
    assert write_finding(facts, KOREAN) == "단면 4개 중 1개에 종양 소견이 있습니다: 0.12 mL, 최대 지름 7 mm."


def test_nothing_found_in_three_languages():
    reading = make_reading()
    reading.masks["tumor"][:] = False
    reading.probability = np.full(4, 0.1)
    told = [write_finding(reading.to_dict(), words) for words in LANGUAGES.values()]
    assert told == ["No tumor in 4 slices.", "Aucune tumeur sur 4 coupes.", "단면 4개에서 종양 소견이 없습니다."]


def test_several_labels_and_a_label_that_nobody_translated():
    facts = make_reading(labels=("large_bowel", "stomach")).to_dict()
    assert write_finding(facts, FRENCH) == "Gros intestin 0,12 mL\u00a0; non trouvé\u00a0: estomac."
    assert write_finding(facts, KOREAN) == "대장 0.12 mL; 발견되지 않음: 위."
    assert FRENCH.name("my_label") == "my label"
    assert FRENCH.name("Brain tumor 2") == "Tumeur cérébrale 2"


def test_the_beat_of_a_heart():
    reading = make_reading(phases=2, labels=("left ventricle",))
    reading.masks["left ventricle"][5, 2:4] = False
    assert write_finding(reading.to_dict(), FRENCH) == (
        "Ventricule gauche\u00a0: fraction d’éjection 67 % "
        "(télédiastole 0,12 mL, télésystole 0,04 mL, volume d’éjection systolique 0,08 mL)."
    )
    table = tabulate(reading.to_dict(), KOREAN)
    assert "<td>좌심실, 확장기말</td><td>0.12 mL</td>" in table
    assert "간격은 2.00 x 1.00 x 5.00 mm입니다." in table


@pytest.mark.parametrize("words", [FRENCH, KOREAN], ids=["fr", "ko"])
def test_what_is_doubted_is_told(words):
    flat, noise = np.full((1, 64, 64, 1), 7.0), np.random.default_rng(0).normal(size=(1, 64, 64, 1))
    scans = [read_scan(slices, num_channels=1) for slices in (flat, noise, noise - 2000)]
    doubts = [doubt for scan in scans for doubt in describe_doubts(scan, 3, ["tumor"])]
    doubts += doubt_volumes(np.array([100, 90, 1]), 0, 2)
    assert len(doubts) >= 6
    for doubt in doubts:
        assert words.retell(doubt) != doubt
        assert words.retell(f"left ventricle: {doubt}").startswith(words.name("left ventricle"))


def test_a_file_is_named_and_its_error_told():
    error = str(ScanError("scan.png", "is not a PNG file", "check that the file is whole and has the right ending"))
    assert FRENCH.retell(f"{error}.") == (
        "scan.png\u00a0: n’est pas un fichier PNG\u00a0; "
        "vérifiez que le fichier est entier et que son extension est la bonne."
    )
    assert KOREAN.retell("all.zip: scan.png: the file is empty; get it again") == (
        "all.zip: scan.png: 빈 파일입니다; 파일을 다시 받아 주십시오"
    )
    assert FRENCH.retell("outlines were corrected by hand: slices 1, 2") == (
        "contours corrigés à la main\u00a0: coupes 1, 2"
    )


def test_what_is_not_known_stays_english_and_whole():
    rare = "scan.dcm: is a mosaic: one picture of many slices side by side; convert it to NIfTI first (dcm2niix)."
    assert FRENCH.retell(rare) == rare
    assert ENGLISH.retell("the file is empty") == "the file is empty"
