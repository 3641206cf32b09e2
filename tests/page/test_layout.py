"""The page in a real browser, as visitors use it; and its API."""

import io
import json
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.page.scans import draw_slices, write_formats

pytestmark = pytest.mark.browser
playwright = pytest.importorskip("playwright.sync_api")
READ = "#{name}-viewer .viewer[data-shown]"


@pytest.fixture(scope="module")
def formats(tmp_path_factory):
    """A phantom head in every format."""
    return write_formats(tmp_path_factory.mktemp("formats"), draw_slices())


@pytest.fixture
def visit(chromium, served):
    """A visitor on the page; anything that the page asks of another machine, and any script error, fails the test."""
    address, _ = served
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    tab = context.new_page()
    foreign, errors = [], []
    tab.on("request", lambda request: foreign.append(request.url) if _is_foreign(request.url, address) else None)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("console", lambda message: errors.append(message.text) if _is_ours(message) else None)
    tab.goto(address)
    tab.wait_for_selector("#brain-tumor-volume")
    yield tab
    context.close()
    assert not foreign
    assert not errors


def _is_ours(message) -> bool:
    """An error that the page's own script or markup makes, or a rule of its policy that it breaks."""
    return message.type == "error" and "Failed to load resource" not in message.text


def _is_foreign(url: str, address: str) -> bool:
    return not url.startswith((address, "data:", "blob:", "about:"))


def _drop(tab, name: str, paths) -> None:
    tab.set_input_files(f"#{name}-files input[type=file]", [str(path) for path in paths])


def _answer(tab, name: str = "brain") -> str:
    """What the card says; not what it says while the scan is read, since its parts reach the page one by one."""
    return tab.locator(f"#{name}-answer .answer:not(.answer-idle) .sentence").inner_text()


def _click_example(tab, example: str = "tumor-volume") -> None:
    tab.click(f"#brain-{example}")
    tab.wait_for_selector(READ.format(name="brain"))


def test_an_example_is_answered_and_its_slices_can_be_walked(visit):
    width = visit.locator("#brain-viewer").bounding_box()["width"]
    _click_example(visit)
    assert visit.locator("#brain-viewer").bounding_box()["width"] == width  # the layout does not jump
    assert "Tumor in" in _answer(visit)
    assert "mL" in _answer(visit)
    viewer = visit.locator("#brain-viewer .viewer")
    first = int(viewer.get_attribute("data-shown"))
    slider = visit.get_by_label("Slice", exact=True)
    slider.focus()
    slider.press("ArrowLeft")
    visit.wait_for_selector(f'#brain-viewer .viewer[data-shown="{first - 1}"]')
    assert f"Slice {first - 1} of" in slider.get_attribute("aria-valuetext")
    strip = visit.locator("#brain-viewer .v-strip").bounding_box()
    visit.mouse.click(strip["x"] + 2, strip["y"] + 20)  # the strip's left end is the first slice
    visit.wait_for_selector('#brain-viewer .viewer[data-shown="1"]')
    visit.get_by_role("button", name="Most suspicious").click()
    visit.wait_for_selector(f'#brain-viewer .viewer[data-shown="{first}"]')


def test_the_overlay_shows_the_mask_and_hides_on_demand(visit):
    _click_example(visit, "tumor-slice")
    colored = """() => {
        const overlay = document.querySelector('#brain-viewer .v-overlay');
        const { data } = overlay.getContext('2d').getImageData(0, 0, overlay.width, overlay.height);
        let count = 0;
        for (let i = 3; i < data.length; i += 4) count += data[i] > 0;
        return count;
    }"""
    filled = visit.evaluate(colored)
    visit.get_by_label("Fill", exact=True).uncheck()
    visit.wait_for_function(f"({colored})() < {filled}")
    outlined = visit.evaluate(colored)
    visit.get_by_label("Outline", exact=True).uncheck()
    visit.wait_for_function(f"({colored})() === 0")
    assert filled > outlined > 0
    visit.get_by_role("button", name="Before / after").click()
    assert visit.get_by_label("Divider between image and overlay").count() == 1


def test_thresholds_act_on_the_reading_at_hand(visit):
    _click_example(visit)
    before = _answer(visit)
    visit.get_by_role("button", name="Sensitivity").locator("visible=true").click()
    smallest = visit.locator("#brain-smallest input[type=number]")
    changed = f"document.querySelector('#brain-answer .sentence').innerText !== {json.dumps(before)}"
    for last in (False, False, True):  # a slider that was unfolded just now can miss what is typed at once
        smallest.fill("500")
        smallest.press("Enter")
        try:
            visit.wait_for_function(changed, timeout=10_000)
            break
        except playwright.TimeoutError:
            if last:
                raise
    gate = visit.locator("#brain-gate-threshold input[type=number]")
    gate.fill("1")
    gate.press("Enter")
    visit.wait_for_function("document.querySelectorAll('#brain-viewer rect.stage-mask').length === 0")
    assert visit.locator("#brain-viewer rect.stage-gate").count() > 0
    gate.fill("0")
    gate.press("Enter")
    visit.wait_for_function("document.querySelectorAll('#brain-viewer rect.stage-mask').length > 0")


def test_a_spacing_given_by_hand_turns_pixels_into_milliliters(visit, formats):
    _drop(visit, "brain", formats["pages"])
    visit.wait_for_selector(READ.format(name="brain"))
    assert "pixels" in _answer(visit)
    visit.get_by_role("button", name="Spacing").locator("visible=true").click()
    for axis, value in (("rows", "2"), ("columns", "2"), ("slices", "5")):
        visit.get_by_label(axis, exact=True).locator("visible=true").fill(value)
    visit.click("#brain-again")
    visit.locator("#brain-answer .sentence", has_text="mL").wait_for()


def test_downloaded_masks_are_those_of_the_reader(visit, bundles, formats):
    from hf_mri import Reader

    _drop(visit, "brain", formats["pages"])
    visit.wait_for_selector(READ.format(name="brain"))
    with visit.expect_download() as download:
        visit.click("#brain-masks")
    expected = Reader.from_pretrained(bundles["brain"], keep="all")(formats["pages"][0]).masks["tumor"]
    with zipfile.ZipFile(download.value.path()) as archive:
        pages = [np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in sorted(archive.namelist())]
    assert expected.any()
    np.testing.assert_array_equal(np.stack(pages), expected * 255)


@pytest.mark.parametrize("kind", ["nifti", "rle", "report", "json"])
def test_every_download_arrives(visit, formats, kind):
    _drop(visit, "brain", formats["nifti"])
    visit.wait_for_selector(READ.format(name="brain"))
    with visit.expect_download() as download:
        visit.click(f"#brain-{kind}")
    wanted = {"nifti": "tumor.nii.gz", "rle": "run_lengths.csv", "report": "report.html", "json": "reading.json"}
    assert download.value.suggested_filename == wanted[kind]
    assert download.value.path().stat().st_size > 100


def _correct(tab) -> None:
    """Draw a line across the picture and let it count."""
    tab.get_by_role("button", name="Correct", exact=True).locator("visible=true").click()
    tab.wait_for_selector("#brain-viewer figure[data-index]")
    box = tab.locator("#brain-viewer .v-box").bounding_box()
    tab.mouse.move(box["x"] + 30, box["y"] + 30)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 150, box["y"] + 30, steps=3)
    tab.mouse.up()
    tab.get_by_role("button", name="Use these outlines").locator("visible=true").click()
    tab.locator("#brain-answer li", has_text="corrected by hand").wait_for()


def test_a_corrected_outline_is_measured_and_goes_home(visit, formats):
    _drop(visit, "brain", formats["pages"])
    visit.wait_for_selector(READ.format(name="brain"))
    before = _answer(visit)
    _correct(visit)
    assert _answer(visit) != before
    visit.wait_for_function("document.querySelector('#brain-viewer .v-changed').textContent === ''")
    with visit.expect_download() as download:
        visit.click("#brain-pairs")
    with zipfile.ZipFile(download.value.path()) as archive:
        names = archive.namelist()
    assert {"README.txt", "pages/images/0001.png", "pages/masks/0001.png"} <= set(names)


def test_masks_of_a_dicom_series_go_home_as_dicom(visit, formats):
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("highdicom")
    _drop(visit, "brain", formats["nifti"])
    visit.wait_for_selector(READ.format(name="brain"))
    assert visit.locator("#brain-dicom-seg").is_disabled()  # there is no DICOM that it could refer to
    _drop(visit, "brain", formats["dicom"])
    visit.wait_for_selector("#brain-dicom-seg:enabled")
    _correct(visit)
    with visit.expect_download() as download:
        visit.click("#brain-dicom-seg")
    assert download.value.suggested_filename == "segmentation.dcm"
    found = pydicom.dcmread(download.value.path())
    with zipfile.ZipFile(formats["dicom"][0]) as archive:
        image = pydicom.dcmread(io.BytesIO(archive.read("head_0.dcm")))
    assert found.StudyInstanceUID == image.StudyInstanceUID
    assert found.PatientID == "secret-id"
    with visit.expect_download() as download:
        visit.click("#brain-json")
    voxels = json.loads(download.value.path().read_text())["volumes"][0]["tumor"]["voxels"]
    assert int((found.pixel_array > 0).sum()) == voxels > 0


@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "slices", "nifti", "dicom"])
def test_every_format_is_read(visit, formats, kind):
    _drop(visit, "brain", formats[kind])
    visit.wait_for_selector(READ.format(name="brain"))
    count = len(formats["slices"]) if kind in ("slices", "nifti", "dicom") else 1
    assert f"/ {count}" in visit.inner_text("#brain-viewer .v-readout")


def test_a_bad_file_gets_a_plain_message_and_the_page_goes_on(visit, served, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n<script>alert(1)</script>")
    _drop(visit, "brain", [tmp_path / "broken.png"])
    alert = visit.locator("#brain-answer [role=alert]")
    alert.wait_for()
    assert "broken.png" in alert.inner_text()
    assert str(served[1]) not in alert.inner_text()
    visit.locator("#brain-masks:disabled").wait_for()
    visit.get_by_text("Drop a scan, or try an example.").locator("visible=true").wait_for()
    _click_example(visit, "clear-slice")
    assert "umor in" in _answer(visit)


def test_a_file_over_the_limit_is_refused(visit, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (1200, 1200, 3), np.uint8)).save(tmp_path / "big.png")
    _drop(visit, "brain", [tmp_path / "big.png"])  # 4.3 MB; the served page takes 3 MB
    visit.get_by_text("maximum allowed size").first.wait_for()


@pytest.mark.parametrize("name", ["heart", "abdomen"])
def test_the_other_models_have_their_tabs(visit, formats, name):
    visit.get_by_role("tab", name=name.capitalize()).click()
    _drop(visit, name, formats["nifti"])
    visit.wait_for_selector(READ.format(name=name))
    assert _answer(visit, name)


def test_a_new_drop_takes_the_place_of_the_old_scan(visit, formats):
    _drop(visit, "brain", formats["slices"])
    visit.wait_for_selector(READ.format(name="brain"))
    _drop(visit, "brain", formats["png"])
    visit.wait_for_function("document.querySelector('#brain-viewer .v-readout').innerText.includes('/ 1')")
    visit.wait_for_function("!document.querySelector('#brain-files').innerText.includes('head_')")


def test_several_scans_are_offered_and_never_read_as_one(visit, formats):
    _drop(visit, "brain", [*formats["slices"], *formats["png"]])
    visit.get_by_text("These files are 2 scans: choose one.").wait_for()
    visit.locator("#brain-choice label").nth(1).wait_for()
    assert visit.locator("#brain-viewer .viewer").get_attribute("data-state") == "empty"
    picture = "getComputedStyle(document.querySelector('#brain-choice label'), '::before').backgroundImage"
    visit.wait_for_function(f"{picture}.startsWith('url(\"data:image/jpeg')")
    visit.locator("#brain-choice label").nth(1).click()
    visit.wait_for_selector(READ.format(name="brain"))
    assert "/ 1" in visit.inner_text("#brain-viewer .v-readout")


def test_a_doubt_is_said_before_any_finding(visit, formats):
    _drop(visit, "brain", formats["nifti"])
    visit.wait_for_selector(READ.format(name="brain"))
    assert _answer(visit).startswith("Doubtful. The scan has one channel")
    assert visit.locator("#brain-answer .answer-doubt").count() == 1


def test_a_busy_page_says_so_and_goes_on(visit):
    full = {"status": 503, "content_type": "application/json", "body": '{"detail": "Queue is full."}'}
    visit.route("**/gradio_api/queue/join*", lambda route: route.fulfill(**full))
    visit.click("#brain-tumor-slice")
    visit.get_by_text("This could not be read now.").wait_for()
    visit.unroute("**/gradio_api/queue/join*")
    _click_example(visit, "tumor-slice")
    assert "umor in" in _answer(visit)


def test_the_page_serves_the_library_of_the_planes_itself(served):
    import httpx

    pytest.importorskip("ipyniivue")
    answer = httpx.get(f"{served[0]}/hf-mri/niivue.js", timeout=120)
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "export{" in answer.text[-200:]


def test_the_page_sends_the_values_and_the_beat_when_they_are_asked_for(visit):
    visit.get_by_role("tab", name="Heart").click()
    visit.click("#heart-heart")
    visit.wait_for_selector(READ.format(name="heart"))
    visit.locator("#heart-viewer .v-box").first.hover()
    visit.wait_for_selector("#heart-viewer .viewer[data-values]")
    visit.get_by_role("button", name="Cine").locator("visible=true").click()
    visit.locator("#heart-viewer .v-volumes", has_text="left ventricle").wait_for()
    visit.get_by_role("button", name="Play").locator("visible=true").click()
    visit.wait_for_function("document.querySelector('#heart-viewer .v-phase').value === '2'")


def test_the_wheel_walks_the_slices_and_lets_the_page_go_at_the_end(chromium, served):
    tab = chromium.new_page(viewport={"width": 1280, "height": 600})
    tab.goto(served[0])
    _click_example(tab)
    tab.get_by_label("Slice", exact=True).press("End")
    shown = int(tab.get_by_label("Slice", exact=True).get_attribute("max"))
    tab.wait_for_selector(f'#brain-viewer .viewer[data-shown="{shown}"]')
    tab.locator("#brain-viewer .v-stage").hover()
    before = tab.evaluate("scrollY")
    tab.mouse.wheel(0, 120)
    tab.wait_for_function(f"scrollY > {before}")
    tab.locator("#brain-viewer .v-stage").hover()
    tab.mouse.wheel(0, -120)
    tab.wait_for_selector(f'#brain-viewer .viewer[data-shown="{shown - 1}"]')
    tab.close()


def test_a_tablet_shows_one_large_picture_and_the_theme_is_kept(chromium, served):
    tab = chromium.new_page(viewport={"width": 820, "height": 1180}, color_scheme="light")
    tab.goto(served[0])
    _click_example(tab, "tumor-slice")
    assert tab.locator("#brain-viewer figure").count() == 1
    tab.get_by_role("button", name="Dark or light").click()
    tab.reload()
    tab.wait_for_function("document.body.classList.contains('dark')")
    tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_axe_finds_nothing(chromium, served, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab.goto(served[0])
    tab.wait_for_selector("#brain-tumor-slice")
    for state in ("at first", "with a reading, all open"):
        if state != "at first":
            _click_example(tab, "tumor-volume")
            tab.evaluate("document.querySelectorAll('.label-wrap:not(.open)').forEach((head) => head.click())")
        # Colors that are still changing are nobody's colors.
        tab.wait_for_function("document.getAnimations().every((one) => one.playState !== 'running')")
        found = axe.run(tab).response["violations"]
        told = {violation["id"]: [node["html"][:120] for node in violation["nodes"]] for violation in found}
        assert told == {}, state
    tab.close()


def test_visitors_see_only_their_own_scans(visit, chromium, served):
    _click_example(visit, "tumor-slice")
    other = chromium.new_page()
    other.goto(served[0])
    other.wait_for_selector("#brain-clear-slice")
    assert other.locator("#brain-viewer .viewer").get_attribute("data-state") == "empty"
    assert other.locator("#brain-json").is_disabled()
    other.click("#brain-clear-slice")
    other.wait_for_selector(READ.format(name="brain"))
    sources = []
    for tab in (visit, other):
        with tab.expect_download() as download:
            tab.click("#brain-json")
        sources.append(json.loads(download.value.path().read_text())["source"])
    other.close()
    assert sources == ["tumor-slice", "clear-slice"]


def test_it_fits_a_phone_and_both_themes(chromium, served):
    for scheme in ("light", "dark"):
        phone = chromium.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
        phone.goto(served[0])
        _click_example(phone, "tumor-slice")
        assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert phone.get_by_text("Not a medical device").first.is_visible()
        assert phone.evaluate("document.body.classList.contains('dark')") is (scheme == "dark")
        phone.close()


def test_the_log_says_nothing_about_scans(served, visit, formats):
    _drop(visit, "brain", formats["dicom"])
    visit.wait_for_selector(READ.format(name="brain"))
    log = (served[1] / "log.txt").read_text()
    assert "Traceback" not in log
    assert "head" not in log
    assert "Secret" not in log


def test_a_login_is_asked_for_and_checked(chromium, guarded):
    tab = chromium.new_page()
    tab.goto(guarded[0])
    for password, comes_in in (("wrong password", False), ("right password", True)):
        tab.locator("input").nth(0).fill("ward")
        tab.locator("input").nth(1).fill(password)
        tab.get_by_role("button", name="Login").click()
        if comes_in:
            tab.get_by_text("This page needs a model").wait_for()
        else:
            tab.get_by_text("Incorrect Credentials").wait_for()
    tab.close()


def test_uploads_need_the_login_and_do_not_stay(guarded):
    import httpx

    address, folder = guarded
    upload = {"files": ("scan.png", b"pixels", "image/png")}
    with httpx.Client(base_url=address, timeout=120) as visitor:
        assert visitor.post("/gradio_api/upload", files=upload).status_code == 401
        login = {"username": "ward", "password": "right password"}
        assert visitor.post("/login", data=login).status_code == 200
        kept = Path(visitor.post("/gradio_api/upload", files=upload).json()[0])
        assert folder in kept.parents
        for _ in range(600):
            if not kept.exists():
                return
            time.sleep(0.1)
    pytest.fail("the upload is still there")


def test_the_api_reads_and_writes(served, formats, tmp_path):
    from gradio_client import Client, handle_file

    client = Client(served[0], verbose=False, download_files=str(tmp_path))
    assert [model["name"] for model in client.predict(api_name="/models")] == ["brain", "heart", "abdomen"]
    files = [handle_file(str(path)) for path in formats["pages"]]
    reading = client.predict(files=files, row_mm=1, column_mm=1, slice_mm=4, api_name="/read")
    tumor = reading["volumes"][0]["tumor"]
    assert any(row["positive"] for row in reading["slices"])
    assert tumor["ml"] == tumor["voxels"] * 4 / 1000
    nifti = client.predict(files=[handle_file(str(formats["nifti"][0]))], api_name="/read")
    assert nifti["spacing_mm"] == [2.0, 2.0, 5.0]
    strict = client.predict(files=files, gate_threshold=1.0, api_name="/read")
    assert {row["stage"] for row in strict["slices"]} == {"gate"}
    written = client.predict(files=files, kind="nifti", api_name="/write")
    assert written.endswith("tumor.nii.gz")
    documented = client.view_api(return_format="dict")["named_endpoints"]
    assert sorted(documented) == ["/list_models", "/models", "/read", "/read_scan", "/write"]


def test_the_api_says_what_is_wrong(served, tmp_path):
    from gradio_client import Client, handle_file
    from gradio_client.exceptions import AppError

    (tmp_path / "notes.txt").write_text("not a scan")
    client = Client(served[0], verbose=False)
    with pytest.raises(AppError, match=r"^notes\.txt: "):
        client.predict(files=[handle_file(str(tmp_path / "notes.txt"))], api_name="/read")
    with pytest.raises(AppError, match="no file"):
        client.predict(files=[], api_name="/read")


def test_many_visitors_at_once_are_all_answered(served, formats):
    from concurrent.futures import ThreadPoolExecutor

    from gradio_client import Client, handle_file

    clients = [Client(served[0], verbose=False) for _ in range(8)]
    files = [handle_file(str(formats["png"][0]))]
    with ThreadPoolExecutor(8) as pool:
        readings = list(pool.map(lambda client: client.predict(files=files, api_name="/read"), clients))
    assert len({json.dumps(reading["slices"]) for reading in readings}) == 1
