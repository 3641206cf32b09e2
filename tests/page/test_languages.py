"""The page in French and Korean, in a real browser; its API stays English."""

import re

import pytest

from hf_mri.languages.words import LANGUAGES
from tests.page.scans import draw_slices, write_formats

pytestmark = pytest.mark.browser
playwright = pytest.importorskip("playwright.sync_api")
FRENCH, KOREAN = LANGUAGES["fr"], LANGUAGES["ko"]
# What a reader of any language knows by its Latin letters: formats, units, names, keys.
KNOWN = """hf_mri MRI MR API MCP Gradio Hub NIfTI DICOM SEG zip PNG JPEG TIFF CSV JSON HTML mm mL cm FLAIR Shift Ctrl
Home End RGB x""".split()
# What Gradio says in English to everybody.
OF_GRADIO = {"File upload", "Gradio footer navigation", "More tabs", "Stop Recording", "common.complete"}
# Everything that can be read or is read aloud, on view or not; the model's card and the versions are English.
READ_ALOUD = """() => {
  const told = [];
  const walker = document.createTreeWalker(document.querySelector('.gradio-container'), NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    if (!node.parentElement.closest('style, script, .prose:has(h1), .page-foot p:last-child')) told.push(node.data);
  }
  for (const name of ['aria-label', 'title', 'placeholder', 'aria-valuetext']) {
    for (const part of document.querySelectorAll(`.gradio-container [${name}]`)) told.push(part.getAttribute(name));
  }
  return told.map((text) => text.trim()).filter(Boolean);
}"""


@pytest.fixture
def visit(chromium, served):
    """Open the page with a browser of some language; a script error fails the test."""
    contexts, errors = [], []

    def open_page(locale: str, width: int = 1280):
        contexts.append(chromium.new_context(locale=locale, viewport={"width": width, "height": 900}))
        tab = contexts[-1].new_page()
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.goto(served[0])
        tab.wait_for_selector("#brain-tumor-slice")
        tab.wait_for_selector(".page-head")
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


def read_example(tab, name: str = "tumor-volume") -> str:
    """Click an example and return what the card says."""
    tab.click(f"#brain-{name}")
    tab.wait_for_selector("#brain-viewer .viewer[data-shown]")
    return tab.locator("#brain-answer .answer:not(.answer-idle) .sentence").inner_text()


def list_foreign_words(tab) -> set[str]:
    """Return the words in Latin letters that stand on a Korean page and that nobody need know."""
    told = set(tab.evaluate(READ_ALOUD)) - OF_GRADIO
    words = {word for text in told for word in re.findall(r"[A-Za-z_]{2,}", text)}
    return words - set(KNOWN)


def test_a_french_browser_gets_a_french_page(visit):
    tab = visit("fr-CA")
    assert tab.locator("html").get_attribute("lang") == "fr"
    assert tab.title() == "hf_mri\u00a0: lire des coupes d’IRM"
    for role, name in (("tab", "Tumeur cérébrale"), ("tab", "Cœur"), ("button", "Tête avec tumeur")):
        assert tab.get_by_role(role, name=name).count() == 1
    assert tab.locator("#brain-answer .sentence").inner_text() == "Déposez un examen pour le lire."
    assert re.match(r"Tumeur sur \d+ des \d+ coupes\u00a0: \d+,\d mL, plus grand diamètre \d+ mm\.", read_example(tab))
    detail = tab.locator("#brain-answer .detail").inner_text()
    assert re.search(r"Probabilité maximale\u00a0: \d+\u00a0%\. Une coupe compte à partir de \d+\u00a0%\.", detail)
    for name in ("Côte à côte", "Avant / après", "Corriger", "La plus suspecte", "Plein écran"):
        assert tab.get_by_role("button", name=name, exact=True).locator("visible=true").count() == 1
    assert tab.locator("#brain-masks").inner_text() == "Masques, PNG"
    assert tab.locator("#brain-viewer .v-readout b").inner_text().startswith("Coupe ")


def test_nothing_on_a_korean_page_is_left_in_english(visit):
    tab = visit("ko-KR")
    assert tab.locator("html").get_attribute("lang") == "ko"
    assert list_foreign_words(tab) == set()
    assert "종양 소견이 있습니다" in read_example(tab)
    assert list_foreign_words(tab) == set()


def test_a_bad_file_is_told_in_the_visitors_language(visit, tmp_path):
    (tmp_path / "notes.txt").write_text("not a scan")
    tab = visit("fr")
    tab.set_input_files("#brain-files input[type=file]", [str(tmp_path / "notes.txt")])
    tab.wait_for_selector("#brain-answer .answer-error")
    assert tab.locator("#brain-answer .sentence").inner_text() == "La lecture a échoué."
    assert tab.locator("#brain-answer .detail").inner_text() == (
        "notes.txt\u00a0: n’est pas du PNG, JPEG, TIFF, NIfTI, DICOM ou zip\u00a0; "
        "vérifiez que le fichier est entier et que son extension est la bonne."
    )


def test_other_browsers_get_english(visit):
    tab = visit("de-DE")
    assert tab.locator("html").get_attribute("lang") == "en"
    assert tab.locator("#brain-answer .sentence").inner_text() == "Drop a scan to read it."
    assert read_example(tab, "clear-slice") == "No tumor in 1 slice."


@pytest.mark.parametrize("locale", ["fr", "ko"])
def test_it_fits_a_phone_and_axe_finds_nothing(visit, locale):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab = visit(locale, width=390)
    read_example(tab, "tumor-slice")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    modes = tab.locator("#brain-viewer .v-modes").bounding_box()
    assert modes["x"] + modes["width"] <= 390
    tab.wait_for_function("document.getAnimations().every((one) => one.playState !== 'running')")
    found = axe.run(tab).response["violations"]
    assert {violation["id"]: [node["html"][:120] for node in violation["nodes"]] for violation in found} == {}


def test_the_api_stays_english_whatever_the_header(served, tmp_path):
    from gradio_client import Client, handle_file

    files = write_formats(tmp_path, draw_slices())["pages"]
    answers = []
    for header in ("en", "ko-KR,ko;q=0.9"):
        client = Client(served[0], verbose=False, headers={"Accept-Language": header})
        answers.append(client.predict(files=[handle_file(str(path)) for path in files], api_name="/read"))
        with pytest.raises(Exception, match="There is no file: drop a PNG"):
            client.predict(files=[], api_name="/read")
    assert answers[0] == answers[1]
    assert list(answers[0]["volumes"][0]) == ["tumor"]
