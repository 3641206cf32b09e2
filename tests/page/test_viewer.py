"""The viewer in a real browser with drawn scans, without a server: its script gets what the page would send."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hf_mri.data.phantoms.scan import draw_scan
from hf_mri.languages.words import ENGLISH
from hf_mri.modeling.mri_reading import Reading
from hf_mri.modeling.mri_scan import read_scan
from hf_mri.page.corrections import correct
from hf_mri.page.layers import show_layer
from hf_mri.page.static_files import find_niivue, read_static
from hf_mri.page.translations import VIEWER, list_texts
from hf_mri.page.values import show_frames, show_values
from hf_mri.page.viewer import SCRIPTS, show_reading, show_scan
from hf_mri.tasks.brain_tumor import BRAIN_TUMOR
from hf_mri.tasks.heart import HEART

pytestmark = pytest.mark.browser
ADDRESS = "http://viewer.test/"
CHANNELS = ("pre-contrast", "FLAIR", "post-contrast")
# What Gradio does for a component of its own: properties that change, and events that are answered.
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><style>STYLE</style>
<div class="page-tab"><div class="answer"></div><div id="brain-viewer"><div>MARKUP</div></div></div>
<div style="height: 2000px"></div><script>
const props = { value: null, reading: null, values: null, frames: null, layer: null, label: TEXTS };
const sent = SENT, watchers = {};
const watch = (name, tell) => (watchers[name] ??= []).push(tell);
const give = (name) => { props[name] = sent[name]; (watchers[name] ?? []).forEach((tell) => tell()); };
const trigger = (event, data) => event === "submit"
  ? (window.submitted = data)
  : setTimeout(() => give({ input: "values", play: "frames", select: "layer" }[event]));
const element = document.querySelector("#brain-viewer");
new Function("element", "props", "watch", "trigger", SCRIPT)(element, props, watch, trigger);
give("value"); give("reading");</script></html>"""


def draw_head(size: int = 64) -> tuple[Reading, dict]:
    """A head whose mask is known, three channels, spacing by hand."""
    slices, masks, spacing = draw_scan(BRAIN_TUMOR.phantom, 2, size)
    scan = read_scan(slices, num_channels=3, spacing=spacing)
    return _reading(scan, {"tumor": masks.astype(bool)}), {"task": BRAIN_TUMOR, "channel_names": CHANNELS}


def draw_heart(folder: Path) -> tuple[Reading, dict]:
    """A beat of 16 bit, as a NIfTI that knows the patient's sides."""
    import nibabel

    slices, masks, (row, column, step) = draw_scan(HEART.phantom, 2, 64)
    image = nibabel.Nifti1Image(slices.astype(np.int16).T, np.diag([-column, -row, step, 1.0]))
    nibabel.save(image, folder / "beat.nii.gz")
    numbers = np.asarray(masks).reshape(-1, *slices.shape[2:])
    labels = ["right ventricle", "myocardium", "left ventricle"]
    found = {label: numbers == at for at, label in enumerate(labels, 1)}
    return _reading(read_scan(folder / "beat.nii.gz"), found), {"task": HEART, "channel_names": ("cine",)}


def _reading(scan, masks: dict[str, np.ndarray]) -> Reading:
    found = np.any(list(masks.values()), axis=(0, 2, 3))
    return Reading(
        probability=np.where(found, 0.9, 0.1),
        stage=np.where(found, "mask", "empty"),
        masks=masks,
        spacing=scan.spacing,
        geometry=scan.geometry,
        phases=scan.phases,
        scan=scan,
    )


def send(reading: Reading, task, channel_names) -> dict:
    """What the page sends of a reading, in the order in which the viewer may ask for it."""
    facts = reading.to_dict()
    return {
        "value": show_scan(reading, facts, task, channel_names),
        "reading": show_reading(reading, facts),
        "values": show_values(reading, facts, task),
        "frames": show_frames(reading) if reading.phases > 1 else None,
    }


@pytest.fixture
def look(chromium):
    """Open the viewer with a reading; a script error, or a request to another host, fails the test."""
    contexts, errors = [], []

    def open_viewer(sent: dict, browser=chromium, words=ENGLISH, **options):
        contexts.append(browser.new_context(viewport={"width": 800, "height": 700}, **options))
        tab = contexts[-1].new_page()
        tab.on("pageerror", lambda error: errors.append(str(error)))
        known = (ADDRESS, "data:", "blob:")
        tab.on("request", lambda one: None if one.url.startswith(known) else errors.append(one.url))
        script = json.dumps("\n".join(read_static(name) for name in SCRIPTS)).replace("</", "<\\/")
        page = PAGE.replace("STYLE", read_static("style.css") + read_static("viewer.css"))
        page = page.replace("MARKUP", read_static("viewer.html").replace("{planes}", "" if find_niivue() else "none"))
        texts = list_texts(words, [])[VIEWER]
        page = page.replace("SENT", json.dumps(sent)).replace("TEXTS", json.dumps(texts)).replace("SCRIPT", script)

        def answer(route):
            if "niivue.js" in route.request.url:
                return route.fulfill(path=find_niivue(), content_type="text/javascript")
            return route.fulfill(body=page, content_type="text/html")

        tab.route(f"{ADDRESS}**", answer)
        tab.goto(ADDRESS)
        tab.wait_for_selector(".viewer[data-shown]")
        return tab

    yield open_viewer
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def look_with_webgl(look, chromium):
    """The same in a browser that draws WebGL2 with its processor, where it can."""
    if find_niivue() is None:
        pytest.skip("needs ipyniivue")
    options = ["--no-sandbox", "--disable-background-networking", "--use-angle=swiftshader"]
    browser = chromium.browser_type.launch(
        executable_path=shutil.which("chromium"), args=[*options, "--enable-unsafe-swiftshader"]
    )
    yield lambda sent: look(sent, browser=browser)
    browser.close()


@pytest.fixture(scope="module")
def head():
    reading, about = draw_head()
    return reading, send(reading, **about)


@pytest.fixture(scope="module")
def beat(tmp_path_factory):
    reading, about = draw_heart(tmp_path_factory.mktemp("beat"))
    return reading, send(reading, **about)


def _brightness(tab) -> float:
    return tab.evaluate(
        "() => { const c = document.querySelector('.v-image');"
        "const { data } = c.getContext('2d').getImageData(0, 0, c.width, c.height);"
        "let sum = 0; for (let i = 0; i < data.length; i += 4) sum += data[i]; return 4 * sum / data.length; }"
    )


def _box(tab) -> dict:
    return tab.locator(".v-box").first.bounding_box()


def test_the_pointer_tells_the_stored_value_and_where_it_lies(look, beat):
    reading, sent = beat
    tab = look(sent)
    box = _box(tab)
    at = (box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    tab.mouse.move(*at)
    tab.wait_for_selector(".viewer[data-values]")
    tab.mouse.move(at[0] + 1, at[1])
    told = tab.locator(".v-point").first.inner_text()
    column, row = (int(part.split()[-1]) for part in told.split(" · ")[0].split(", "))
    shown = int(tab.locator(".viewer").get_attribute("data-shown")) - 1
    assert told.endswith(f"value {reading.scan.slices[shown, row - 1, column - 1, 0]}")
    assert "mm" in told
    assert [tab.locator(f".v-{side}").first.inner_text() for side in ("top", "right", "bottom", "left")] == list(
        "ALPR"
    )


def test_a_drag_changes_the_window_and_reset_brings_it_back(look, head):
    tab = look(head[1])
    before, said = _brightness(tab), tab.inner_text(".v-window")
    box = _box(tab)
    tab.mouse.move(box["x"] + 60, box["y"] + 60)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 60, box["y"] + 160, steps=3)
    tab.mouse.up()
    assert tab.inner_text(".v-window") != said
    assert tab.get_by_label("Window", exact=True).input_value() == "own"
    tab.wait_for_selector(".viewer[data-values]")
    assert _brightness(tab) < before - 5  # down is darker
    tab.get_by_label("Window", exact=True).select_option("Inverted")
    tab.wait_for_function(f"document.querySelector('.v-window').textContent === {said!r}")
    tab.click('[data-do="reset"]')
    assert tab.get_by_label("Window", exact=True).input_value() == "first"
    assert abs(_brightness(tab) - before) < 1


def test_zoom_holds_the_point_under_the_pointer_and_shift_moves(look, head):
    tab = look(head[1])
    box = _box(tab)
    x, y = box["x"] + 0.25 * box["width"], box["y"] + 0.75 * box["height"]
    tab.mouse.move(x, y)
    tab.keyboard.down("Control")
    tab.mouse.wheel(0, -200)
    tab.keyboard.up("Control")
    tab.wait_for_selector(".v-stage[data-zoomed]")
    larger = _box(tab)
    assert larger["width"] == pytest.approx(2 * box["width"], rel=0.01)
    assert (x - larger["x"]) / larger["width"] == pytest.approx(0.25, abs=0.01)
    assert (y - larger["y"]) / larger["height"] == pytest.approx(0.75, abs=0.01)
    tab.keyboard.down("Shift")
    tab.mouse.down()
    tab.mouse.move(x - 20, y - 30)
    tab.mouse.up()
    tab.keyboard.up("Shift")
    assert _box(tab)["x"] == pytest.approx(larger["x"] - 20, abs=1)
    tab.locator(".v-stage").press("0")
    assert _box(tab) == box


def test_keys_walk_the_slices(look, head):
    tab = look(head[1])
    stage, count = tab.locator(".v-stage"), len(head[0].probability)
    stage.press("End")
    tab.wait_for_selector(f'.viewer[data-shown="{count}"]')
    stage.press("ArrowLeft")
    tab.wait_for_selector(f'.viewer[data-shown="{count - 1}"]')
    stage.press("m")
    tab.wait_for_selector(f'.viewer:not([data-shown="{count - 1}"])[data-shown]')


def test_the_scale_bar_is_as_long_as_it_says(look, head):
    reading, sent = head
    tab = look(sent)
    bar = tab.locator(".v-bar-mm").first
    length, unit = bar.inner_text().split()
    millimeters = float(length) * {"mm": 1, "cm": 10}[unit]
    across = reading.spacing[1] * reading.scan.slices.shape[2]
    assert bar.bounding_box()["width"] / _box(tab)["width"] == pytest.approx(millimeters / across, rel=0.05)


def test_the_viewer_fills_the_screen_and_comes_back(look, head):
    tab = look(head[1])
    before = tab.locator(".v-stage").bounding_box()["height"]
    tab.click('[data-do="full"]')
    tab.wait_for_function(f"document.querySelector('.v-stage').clientHeight !== {before}")
    tab.click('[data-do="full"]')
    tab.wait_for_function("!document.querySelector('.viewer').hasAttribute('data-full')")


def test_a_beat_plays_with_its_volumes(look, beat):
    reading, sent = beat
    tab = look(sent)
    tab.click('[data-mode="cine"]')
    tab.wait_for_function("document.querySelectorAll('.v-curve polyline').length === 3")
    volume = reading.to_dict()["volumes"][0]["left ventricle"]["ml"]
    assert f"left ventricle {volume:.1f} mL" in tab.inner_text(".v-volumes")
    tab.get_by_role("button", name="Play").click()
    tab.wait_for_function("document.querySelector('.v-phase').value === '2'")
    tab.get_by_role("button", name="Stop").click()
    time = tab.get_by_role("slider", name="Time point")
    time.press("Home")
    assert time.get_attribute("aria-valuetext") == "Time point 1 of 2"
    assert tab.inner_text(".v-volumes").startswith("ED")


def _touch(tab, kind: str, x: float, y: float, finger: int = 7) -> None:
    """One event of a finger at a place of the first picture."""
    box = _box(tab)
    touch = {"pointerType": "touch", "pointerId": finger, "isPrimary": finger == 7, "bubbles": True}
    tab.evaluate(
        "([kind, options]) => { const stage = document.querySelector('.v-stage');"
        "stage.setPointerCapture = () => {};"
        "stage.querySelector('.v-box').dispatchEvent(new PointerEvent(`pointer${kind}`, options)); }",
        [kind, touch | {"clientX": box["x"] + x, "clientY": box["y"] + y}],
    )


def test_a_finger_walks_the_slices_and_leaves_the_page_its_way(look, head):
    tab = look(head[1], has_touch=True)
    shown = int(tab.locator(".viewer").get_attribute("data-shown"))
    for kind, x in (("down", 100), ("move", 70), ("up", 70)):
        _touch(tab, kind, x, 50)
    tab.wait_for_selector(f'.viewer[data-shown="{shown + 1}"]')
    assert tab.evaluate("getComputedStyle(document.querySelector('.v-stage')).touchAction") == "pan-y"


def test_two_fingers_zoom_and_one_then_moves_the_picture(look, head):
    tab = look(head[1], has_touch=True)
    before, shown = _box(tab), tab.locator(".viewer").get_attribute("data-shown")
    middle = before["width"] / 2
    _touch(tab, "down", middle - 20, middle)
    _touch(tab, "down", middle + 20, middle, finger=8)
    _touch(tab, "move", middle + 60, middle, finger=8)  # from 40 pixels apart to 80
    tab.wait_for_selector(".v-stage[data-zoomed]")
    larger = _box(tab)
    assert larger["width"] == pytest.approx(2 * before["width"], rel=0.01)
    _touch(tab, "up", 0, 0)
    _touch(tab, "up", 0, 0, finger=8)
    _touch(tab, "down", 200, 200)
    _touch(tab, "move", 170, 200)
    assert _box(tab)["x"] == pytest.approx(larger["x"] - 30, abs=1)
    assert tab.locator(".viewer").get_attribute("data-shown") == shown  # a zoomed picture is moved, not turned over


def _paint(tab, *places: tuple[float, float]) -> None:
    """Draw a stroke through places of the picture, given as parts of its width and height."""
    box = _box(tab)
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    tab.mouse.move(*points[0])
    tab.mouse.down()
    for point in points[1:]:
        tab.mouse.move(*point)
    tab.mouse.up()


def test_a_hand_corrects_the_outlines_and_takes_it_back(look, head):
    reading, sent = head
    tab = look(sent)
    tab.click('[data-mode="correct"]')
    index = int(tab.locator(".viewer").get_attribute("data-shown")) - 1
    tab.wait_for_function("document.querySelector('figure').bits")
    before = reading.masks["tumor"][index]
    bits = "() => [...document.querySelector('figure').bits]"

    def mask():
        return np.array(tab.evaluate(bits)).reshape(before.shape) > 0

    np.testing.assert_array_equal(mask(), before)
    assert tab.get_by_role("button", name="Use these outlines").is_disabled()
    _paint(tab, (0.1, 0.1), (0.3, 0.1))
    drawn = mask() & ~before
    rows, columns = np.nonzero(drawn)
    assert (rows.min(), rows.max()) == (3, 8)  # a brush of 6 pixels around the row at 6.4
    assert columns.min() <= 6
    assert columns.max() >= 19
    tab.get_by_role("button", name="Eraser").click()
    _paint(tab, (0, 0.1), (1, 0.1))
    assert not mask()[5:8].any()
    tab.get_by_role("button", name="Undo").click()
    tab.wait_for_function("document.querySelector('figure').bits.some((value, at) => value && at < 640)")
    np.testing.assert_array_equal(mask(), before | drawn)
    assert "1 slice changed" in tab.inner_text(".v-changed")
    tab.get_by_role("button", name="Use these outlines").click()
    tab.wait_for_function("window.submitted")
    changed = correct(reading, tab.evaluate("window.submitted"))
    np.testing.assert_array_equal(changed.masks["tumor"][index], before | drawn)
    others = np.arange(len(reading.probability)) != index
    np.testing.assert_array_equal(changed.masks["tumor"][others], reading.masks["tumor"][others])


def test_a_length_and_the_values_in_an_ellipse_are_measured(look, beat):
    reading, sent = beat
    tab = look(sent)
    tab.get_by_label("Measure", exact=True).select_option(label="Length")
    _paint(tab, (0.25, 0.5), (0.5, 0.75))
    height, width = reading.scan.slices.shape[1:3]
    row, column = reading.spacing[:2]
    told, unit = tab.inner_text(".v-measured").split()
    assert unit == "mm"
    assert float(told) == pytest.approx(np.hypot(width / 4 * column, height / 4 * row), abs=1)
    tab.get_by_label("Measure", exact=True).select_option(label="Ellipse")
    tab.wait_for_selector(".viewer[data-values]")
    _paint(tab, (0.25, 0.25), (0.75, 0.75))
    said = tab.inner_text(".v-measured")
    page = reading.scan.slices[int(tab.locator("figure").first.get_attribute("data-index")), ..., 0]
    rows, columns = np.ogrid[:height, :width]
    away = np.hypot((columns + 0.5 - width / 2) / (width / 4), (rows + 0.5 - height / 2) / (height / 4))
    assert f"mean {page[away <= 1].mean():.4g}"[:8] in said  # the mouse stops at whole screen pixels
    assert float(said.split()[0]) == pytest.approx(np.pi / 16 * width * column * height * row, rel=0.02)
    tab.locator(".v-stage").press("ArrowRight")
    tab.wait_for_function("document.querySelector('.v-measured').textContent === ''")  # it was of another slice
    tab.get_by_label("Measure", exact=True).select_option(label="Off")


def test_labels_that_exclude_each_other_give_way_to_the_brush(look, beat):
    tab = look(beat[1])
    tab.click('[data-mode="correct"]')
    assert tab.locator("figure").count() == 2  # both moments of the beat can be corrected
    tab.wait_for_function("document.querySelector('figure').bits")
    tab.get_by_label("Label drawn").select_option(label="myocardium")
    tab.get_by_label("Size of brush and eraser, pixels").fill("40")
    _paint(tab, (0.5, 0.5), (0.5, 0.5))
    values = set(tab.evaluate("() => [...document.querySelector('figure').bits]"))
    assert values <= {0, 1, 2, 4}
    assert 2 in values


def test_three_planes_and_the_strip_show_the_same_slice(look_with_webgl, head):
    tab = look_with_webgl(head[1])
    tab.set_default_timeout(120_000)  # a processor draws slowly
    tab.click('[data-mode="planes"]')
    tab.wait_for_selector(".viewer[data-planes-of]")
    tab.wait_for_selector(".v-planes canvas")
    shown = int(tab.locator(".viewer").get_attribute("data-shown"))
    tab.locator(".v-stage").press("ArrowRight")
    tab.wait_for_function("document.querySelector('.v-planes .v-point')?.textContent.includes('value')")
    assert tab.inner_text(".v-readout").startswith(f"Slice {shown + 1} ")
    box = tab.locator(".v-planes canvas").bounding_box()
    for down in (0.03, 0.08, 0.13, 0.18, 0.23):  # across the plane above, wherever it begins
        tab.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + down * box["height"])
    tab.wait_for_function(f"document.querySelector('.viewer').dataset.shown !== '{shown + 1}'")
    assert tab.locator(".v-slice").input_value() == tab.locator(".viewer").get_attribute("data-shown")


def test_a_layer_lies_between_picture_and_outline_where_it_is_bright(look):
    reading, about = draw_head()
    pages = np.zeros(reading.scan.slices.shape[:3], np.float32)
    pages[:, :, :32] = 1.0  # bright on the left half
    tab = look(
        send(replace(reading, gate_logit=np.full(len(pages), 2.0, np.float32)), **about)
        | {"layer": show_layer(reading, reading.to_dict(), "gate", pages)}
    )
    for name in ("contour", "fill"):
        tab.uncheck(f'[data-part="{name}"]')
    opaque = """() => {
      const { width, height } = document.querySelector(".v-overlay");
      const { data } = document.querySelector(".v-overlay").getContext("2d").getImageData(0, height / 2, width, 1);
      return [data[4 * Math.round(width * 0.2) + 3], data[4 * Math.round(width * 0.8) + 3]];
    }"""
    assert tab.evaluate(opaque) == [0, 0]
    assert tab.locator('[data-part="layer"] option').all_inner_texts() == ["none", "where the gate looked"]
    tab.select_option('[data-part="layer"]', "gate")
    tab.wait_for_function(f"() => ({opaque})()[0] > 150")
    assert tab.evaluate(opaque)[1] == 0
    tab.select_option('[data-part="layer"]', "")
    tab.wait_for_function(f"() => ({opaque})()[0] === 0")


def test_without_layers_none_is_offered(look):
    reading, about = draw_head()
    assert look(send(reading, **about)).locator(".v-layer").is_hidden()


def test_without_webgl_the_slices_serve(look, chromium, head):
    browser = chromium.browser_type.launch(
        executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu", "--disable-3d-apis"]
    )
    tab = look(head[1], browser=browser)
    assert not tab.evaluate("Boolean(document.createElement('canvas').getContext('webgl2'))")
    assert not tab.locator('[data-mode="planes"]').is_visible()
    assert tab.locator('[data-mode="beside"]').is_visible()
    tab.locator(".v-stage").press("End")
    tab.wait_for_selector(f'.viewer[data-shown="{len(head[0].probability)}"]')
    tab.context.close()
    browser.close()
