"""Accounts, visits, uploads and what the viewer gets: the page's parts without a browser."""

import asyncio
import base64
import io
import os
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hf_mri import Reader
from hf_mri.page.accounts import find_users, hash_password, make_gate, matches, read_users, write_user
from hf_mri.page.answer import say_answer
from hf_mri.page.logins import FREE, LONGEST_WAIT, SlowDown, wait_of
from hf_mri.page.models import clean_card, list_names, load_bundles
from hf_mri.page.sessions import Visits
from hf_mri.page.texts import say_organs
from hf_mri.page.uploads import open_again, read_upload
from hf_mri.page.viewer import encode_map, group_slices, show_reading, show_scan, window_channels
from hf_mri.page.visitors import Uploads, Visitor
from hf_mri.tasks.heart import HEART


@pytest.fixture(scope="module")
def heart_reading(bundles):
    """Two time points of three noisy slices, read by a model with random weights; then masks with a known beat."""
    beat = np.random.default_rng(0).integers(0, 1000, (6, 40, 32, 1)).astype(np.uint16)
    reader = Reader.from_pretrained(bundles["heart"], keep="all")
    reading = reader(replace(reader.read_scan(beat), phases=2, spacing=(2.0, 1.0, 8.0)))
    left = np.zeros((6, 40, 32), bool)
    left[:3, 10:14, 10:14] = left[3:, 8:16, 8:16] = True  # small first, so the second time point is ED
    return replace(reading, masks=reading.masks | {"left ventricle": left})


def test_passwords_are_salted_and_checked():
    stored = hash_password("secret word")
    assert "secret" not in stored
    assert stored != hash_password("secret word")
    assert matches("secret word", stored)
    assert not matches("secret  word", stored)


def test_users_are_kept_in_a_private_file(tmp_path, monkeypatch):
    file = tmp_path / "users.txt"
    write_user(file, "anna", "first password")
    write_user(file, "ben", "second password")
    write_user(file, "anna", "changed password")
    assert list(read_users(file)) == ["anna", "ben"]
    assert os.name == "nt" or file.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("HF_MRI_AUTH", str(file))
    admit = make_gate(find_users())
    with ThreadPoolExecutor(1) as thread:  # of its own: a browser that other tests left open has this one's loop
        told = [
            thread.submit(asyncio.run, admit(*login)).result()
            for login in (("anna", "changed password"), ("anna", "first password"), ("nobody", "changed password"))
        ]
    assert told == [True, False, False]


def test_users_may_come_from_a_secret_as_well_and_a_changed_file_acts_at_once(tmp_path, monkeypatch):
    file = tmp_path / "users.txt"
    write_user(file, "anna", "first password")
    monkeypatch.setenv("HF_MRI_AUTH", str(file))
    list_users = find_users()
    write_user(file, "ben", "second password")
    assert list(list_users()) == ["anna", "ben"]
    file.unlink()
    assert list_users() == {}  # nobody, rather than everybody
    monkeypatch.setenv("HF_MRI_USERS", f"ada:{hash_password('a long password')}\n")
    assert list(find_users()()) == ["ada"]
    monkeypatch.delenv("HF_MRI_USERS")
    monkeypatch.delenv("HF_MRI_AUTH")
    assert find_users() is None


def test_failed_logins_slow_down_their_own_address():
    slow = SlowDown()
    record = slow.find("192.0.2.1")
    for failures, wait in ((0, 0), (FREE - 1, 0), (FREE, 0.5), (FREE + 1, 1.0), (60, LONGEST_WAIT)):
        record.failures = failures
        assert wait_of(record) == wait
    assert wait_of(slow.find("192.0.2.2")) == 0
    assert slow.find("2001:db8::1") is slow.find("2001:db8::ffff")  # one customer's network
    assert slow.find("2001:db8::1") is not slow.find("2001:db8:0:1::1")


def test_what_gradio_leaves_beside_uploads_is_swept(tmp_path, monkeypatch):
    uploads = Uploads(tmp_path, seconds=10)
    for name, age in (("tmpold", 11), ("tmpnew", 0), ("other", 11)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age, time.time() - age))
    monkeypatch.setattr("hf_mri.page.visitors.SWEEP_EVERY", -1)
    uploads.record(str(tmp_path / "other"), Visitor(cookie="a" * 20))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "tmpnew"]


@pytest.mark.parametrize("text", ["anna:plain text\n", "# nobody\n", "scrypt$1\n"])
def test_a_wrong_file_of_users_is_refused(tmp_path, text):
    (tmp_path / "users.txt").write_text(text)
    with pytest.raises(ValueError, match=r"users\.txt.*hf-mri add-user"):
        read_users(tmp_path / "users.txt")


def test_visits_are_forgotten_by_visitor_by_age_and_by_size(heart_reading):
    visits = Visits(most_bytes=1)
    visits.keep("ann", "brain", heart_reading)
    assert visits.get("ann", "brain") is heart_reading  # one alone is kept, however large
    assert visits.get("ben", "brain") is None
    visits.keep("ben", "brain", heart_reading)
    assert visits.get("ann", "brain") is None
    visits.forget("ben")
    assert visits.get("ben", "brain") is None
    stale = Visits(seconds=0.0)
    stale.keep("ann", "brain", heart_reading)
    assert stale.get("ann", "brain") is None


def test_label_maps_keep_overlapping_labels():
    masks = [np.zeros((5, 7), bool) for _ in range(3)]
    masks[0][1:4, 1:4] = masks[2][2:5, 2:6] = True
    address = encode_map(masks)
    assert address.startswith("data:image/png;base64,")
    bits = np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))
    for number, mask in enumerate(masks):
        np.testing.assert_array_equal(bits >> number & 1, mask)


def test_a_beating_heart_shows_ed_beside_es(heart_reading):
    facts = heart_reading.to_dict()
    groups = group_slices(facts)
    assert groups == [{"name": "ED", "slices": [3, 4, 5]}, {"name": "ES", "slices": [0, 1, 2]}]
    # 16 of 64 pixels are left: three quarters were pumped out.
    assert "ejection fraction 75 %" in say_answer(facts)
    shown = show_scan(heart_reading, facts, HEART, ("cine",))
    assert shown["ratio"] == 32 * 1.0 / (40 * 2.0)
    assert [label["name"] for label in shown["labels"]] == ["right ventricle", "myocardium", "left ventricle"]
    measured = show_reading(heart_reading, facts)
    assert len(measured["maps"]) == len(measured["probability"]) == 6


def test_every_slice_that_the_headline_counts_is_red(heart_reading):
    facts = heart_reading.to_dict()
    stages = ("mask", "empty", "empty", "gate", "gate", "mask")
    called = (True, True, False, True, False, False)
    for page, stage, positive in zip(facts["slices"], stages, called, strict=True):
        page |= {"stage": stage, "positive": positive}
    shown = show_reading(heart_reading, facts)["stage"]
    assert shown == ["mask", "suspected", "empty", "suspected", "gate", "unlikely"]
    key = {entry["stage"] for entry in show_scan(heart_reading, facts, HEART, ("cine",))["key"]}
    assert set(shown) - key == {"gate"}  # which this model has not


def test_channels_are_windowed_apart_and_equal_ones_sent_once():
    slices = np.random.default_rng(0).integers(0, 50, (2, 8, 8, 3)).astype(np.uint8)
    slices[..., 1] += 100
    windowed = window_channels(slices)
    assert windowed.shape == (2, 8, 8, 3)
    assert windowed[..., 1].min() < 20
    assert window_channels(np.repeat(slices[..., :1], 3, axis=-1)).shape == (2, 8, 8, 1)


def test_dropped_slices_come_in_number_order_without_their_masks(bundles, tmp_path):
    reader = Reader.from_pretrained(bundles["heart"])
    paths = []
    for number in (10, 2, 1):
        (tmp_path / str(number)).mkdir()  # the server keeps each upload in a folder of its own
        paths.append(tmp_path / str(number) / f"slice_{number}.png")
        Image.fromarray(np.full((40, 40), number, np.uint8)).save(paths[-1])
    paths.append(tmp_path / "1" / "slice_1_mask.png")
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(paths[-1])
    scan = read_upload(reader, [str(path) for path in paths], (1, 1, None))
    assert scan.slices[:, 0, 0, 0].tolist() == [1, 2, 10]
    assert scan.spacing == (1.0, 1.0, None)


def test_errors_are_whole_and_do_not_tell_where_uploads_lie(bundles, tmp_path):
    reader = Reader.from_pretrained(bundles["heart"])
    far = tmp_path / ("a" * 64)
    far.mkdir()
    with zipfile.ZipFile(far / "climb.zip", "w") as archive:
        archive.writestr("../../climb.png", b"pixels")
    with pytest.raises(ValueError, match=r"^climb\.zip: .* climbs out of the archive, .*nothing was unpacked\.$"):
        read_upload(reader, [str(far / "climb.zip")])
    (far / "notes.txt").write_text("not a scan")
    with pytest.raises(ValueError, match=r"^the upload: holds no slices .*\.$"):
        read_upload(reader, [str(far / "notes.txt"), str(far / "notes.txt")])


def test_models_come_from_the_environment_and_failures_are_told(monkeypatch, bundles, tmp_path):
    monkeypatch.setenv("HF_MRI_MODEL", f"{bundles['heart']}, {tmp_path / 'none'}")
    found, problems = load_bundles(list_names())
    assert [(bundle.name, bundle.task.name, bundle.has_gate) for bundle in found] == [("heart", "heart", False)]
    assert len(problems) == 1
    assert problems[0].startswith("none: ")


def test_a_card_comes_without_what_the_page_has_not():
    text = "---\nlicense: mit\n---\n# Card\n![Dice](plots/dice.png)\n| | |\n| --- | --- |\n| | 0.9 |\n"
    assert clean_card(text) == "# Card\n\n| what | value |\n| --- | --- |\n| | 0.9 |"


def test_models_of_one_name_are_told_apart(bundles, tmp_path):
    (tmp_path / "heart").symlink_to(bundles["abdomen"])
    found, _ = load_bundles([str(bundles["heart"]), str(tmp_path / "heart"), str(bundles["heart"])])
    assert [(bundle.name, bundle.title) for bundle in found] == [
        ("heart", "Heart"),
        ("heart-2", "Abdomen"),
        ("heart-3", "Heart 2"),
    ]


def test_the_foot_says_which_organs_are_read_and_what_was_trained_on_drawn_scans(bundles):
    found, _ = load_bundles([str(bundles["heart"])])
    text = say_organs(found)
    assert "The models here read: Heart." in text
    assert "No model here reads: Brain tumor, Abdomen" in text
    assert "drawn" not in text
    drawn = replace(found[0], card="The scans are drawn by a computer. Nothing follows from them for patients.")
    assert "Trained on drawn scans, not on patients: Heart." in say_organs([drawn])
    assert "No model here reads" in say_organs([])


def test_files_are_opened_again_only_if_they_are_those_that_were_read(bundles, tmp_path):
    from tests.page.scans import draw_slices, write_formats

    files = write_formats(tmp_path, draw_slices())["dicom"]
    reader = Reader.from_pretrained(bundles["heart"])
    reading = reader(read_upload(reader, files))
    assert not any(path.exists() for path in reading.scan.files)  # the page keeps no file of a scan
    with open_again(reader, files, None, reading) as opened:
        assert all(path.exists() for path in opened.scan.files)
        assert opened.masks is reading.masks
    other = replace(reading, scan=replace(reading.scan, slices=reading.scan.slices + 1))
    with pytest.raises(ValueError, match="not the ones that were read"), open_again(reader, files, None, other):
        pass
