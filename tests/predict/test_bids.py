"""`hf-mri predict` from a BIDS data set, and to a BIDS derivative."""

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from hf_mri.data.phantoms.draw import draw_phantom
from hf_mri.modeling.mri_scan_errors import ScanError
from hf_mri.predict.bids_derivatives import write_derivative
from hf_mri.predict.bids_sources import find_sequences, open_data_sets
from hf_mri.predict.predicting import predict
from tests.reports.conftest import SIDE, make_reading

SEQUENCES = ("T1w", "FLAIR", "ce-*_T1w")


@pytest.fixture
def source(tmp_path) -> Path:
    """Two drawn subjects, the second one in a second session."""
    folder = tmp_path / "bids"
    draw_phantom("bids", folder, patients=2, size=SIDE, slices=3)
    (folder / "sub-002/ses-2").mkdir()
    (folder / "sub-002/anat").rename(folder / "sub-002/ses-2/anat")
    for path in (folder / "sub-002/ses-2/anat").iterdir():
        path.rename(path.with_name(path.name.replace("sub-002_", "sub-002_ses-2_")))
    return folder


def list_files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_data_set_stands_for_its_scans_with_the_models_channels(source):
    flair, (_, three) = (open_data_sets([source], "", names) for names in (["FLAIR"], SEQUENCES))
    assert [path.name for path in flair] == ["sub-001_FLAIR.nii.gz", "sub-002_ses-2_FLAIR.nii.gz"]
    assert list(three) == list(SEQUENCES)
    assert three["ce-*_T1w"].name == "sub-002_ses-2_ce-gadolinium_T1w.nii.gz"
    twice = open_data_sets([source], "", ["FLAIR", "T1w", "T1w"])[0]
    assert list(twice) == ["FLAIR", "T1w 2", "T1w 3"]
    other = source / "sub-001"
    assert open_data_sets([other], "") == [other], "whatever is no data set stays"


def test_a_model_says_which_sequences_it_takes(tmp_path):
    said = {"dataset": "lgg"}
    (tmp_path / "training.json").write_text(json.dumps(said))
    assert find_sequences(str(tmp_path)) == list(SEQUENCES)
    (tmp_path / "training.json").write_text(json.dumps(said | {"dataset": "bids", "channels": ["T2w"]}))
    assert find_sequences(str(tmp_path)) == ["T2w"]
    (tmp_path / "training.json").unlink()
    with pytest.raises(ValueError, match="does not say which sequences it takes; name them with --sequences"):
        find_sequences(str(tmp_path))


def test_sequences_that_are_not_there_are_said(source, tmp_path):
    with pytest.raises(ScanError, match=r"has no T2w, only FLAIR, T1w, ce-\*_T1w; name the model's channels"):
        open_data_sets([source], "", ["T2w"])
    with pytest.raises(ValueError, match="--sequences: belongs to BIDS data sets"):
        open_data_sets([source / "sub-001"], "", ["T2w"])


def test_scans_are_read_and_one_without_a_sequence_is_reported(model, source, tmp_path):
    (source / "sub-001/anat/sub-001_ce-gadolinium_T1w.nii.gz").unlink()
    outcome = predict([source], str(model), tmp_path / "out", only=["json"], sequences=SEQUENCES)
    assert [folder.name for folder in outcome.read] == ["sub-002_ses-2"]
    (reason,) = outcome.failed.values()
    assert "sub-001_ce-*_T1w.nii.gz: no such file" in reason


def test_a_derivative_has_outlines_labels_and_measures_by_scan(model, source):
    out = source / "derivatives/hfmri"
    predict([source], str(model), out, only=["bids"], sequences=SEQUENCES)
    anat = "sub-002/ses-2/anat/sub-002_ses-2_desc-hfmri_dseg"
    assert {f"{anat}{ending}" for ending in (".nii.gz", ".json", ".tsv")} < set(list_files(out))
    about = json.loads((out / "dataset_description.json").read_text())
    assert (about["DatasetType"], about["DatasetLinks"]) == ("derivative", {"raw": "../.."})
    assert about["GeneratedBy"][0]["Name"] == "hf_mri"
    outlines, image = (
        nibabel.load(path)
        for path in (out / f"{anat}.nii.gz", source / "sub-002/ses-2/anat/sub-002_ses-2_FLAIR.nii.gz")
    )
    assert np.allclose(outlines.affine, image.affine)
    sidecar = json.loads((out / f"{anat}.json").read_text())
    assert sidecar["Reading"]["volumes"][0]["tumor"]["voxels"] == (np.asarray(outlines.dataobj) == 1).sum() > 0
    assert sidecar["Sources"][1] == "bids:raw:sub-002/ses-2/anat/sub-002_ses-2_FLAIR.nii.gz"
    assert (out / f"{anat}.tsv").read_text().splitlines()[1].startswith("1\ttumor\t#")
    assert len(predict([source], str(model), out, only=["bids"], sequences=SEQUENCES).skipped) == 2


def test_a_derivative_elsewhere_tells_no_folder(model, source, tmp_path):
    out = tmp_path / "elsewhere"
    predict([source], str(model), out, only=["bids"], sequences=SEQUENCES)
    about = json.loads((out / "dataset_description.json").read_text())
    assert "SourceDatasets" not in about
    description = source / "dataset_description.json"
    description.write_text(json.dumps(json.loads(description.read_text()) | {"DatasetDOI": "doi:10.1/x"}))
    predict([source], str(model), out, only=["bids"], sequences=SEQUENCES)
    assert json.loads((out / "dataset_description.json").read_text())["SourceDatasets"] == [{"DOI": "doi:10.1/x"}]
    assert not [path for path in out.rglob("*.json") if str(tmp_path / "bids") in path.read_text()]


def test_labels_that_may_overlap_are_masks_and_a_cine_has_time(tmp_path):
    reading = make_reading(phases=2, labels=("large_bowel", "stomach"))
    reading.overlapping = True
    source = tmp_path / "sub-1/anat/sub-1_acq-cine_T2w.nii.gz"
    write_derivative(reading, source, tmp_path)
    assert list_files(tmp_path / "anat") == [
        "sub-1_acq-cine_desc-hfmri_mask.json",
        "sub-1_acq-cine_label-largebowel_desc-hfmri_mask.nii.gz",
        "sub-1_acq-cine_label-stomach_desc-hfmri_mask.nii.gz",
    ]
    assert nibabel.load(tmp_path / "anat/sub-1_acq-cine_label-stomach_desc-hfmri_mask.nii.gz").shape == (20, 10, 4, 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"only": ["bids", "json"]}, "--only bids: stands alone"),
        ({"only": ["bids"], "name": "x"}, "--only bids: needs a folder of this machine as output, and no --name"),
    ],
)
def test_what_cannot_be_a_derivative_is_refused(model, source, tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        predict([source], str(model), tmp_path / "out", sequences=SEQUENCES, **options)
    assert not (tmp_path / "out").exists()


def test_scans_that_are_no_bids_are_refused(model, source, tmp_path):
    scan = Path(shutil.copy(source / "sub-001/anat/sub-001_FLAIR.nii.gz", tmp_path / "brain.nii.gz"))
    with pytest.raises(ScanError, match=r"brain.nii.gz: is not named by the rules of BIDS; --only bids takes"):
        predict([scan], str(model), tmp_path / "out", only=["bids"])
    twice = [source / "sub-001/anat/sub-001_FLAIR.nii.gz", source / "sub-001/anat/sub-001_T1w.nii.gz"]
    with pytest.raises(ValueError, match=r"sub-001: is another scan's; read one scan of each name"):
        predict(twice, str(model), tmp_path / "out", only=["bids"])
