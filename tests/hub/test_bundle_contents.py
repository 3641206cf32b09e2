import json
import pickle

import pytest

from hf_mri.hub.bundle_contents import list_contents
from hf_mri.modeling.mri_engine_openvino import hash_weights

TOKEN = "hf_" + "a1B2" * 9


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("optimizer.pt", pickle.dumps([1]), "pickled code"),
        ("pytorch_model.bin", b"x", "pickled code"),
        ("scan.nii.gz", b"x", "looks like a scan"),
        ("plots/TCGA_CS_4941_1.tif", b"x", "looks like a scan"),
        ("notes", b"\0" * 128 + b"DICM", "looks like a scan"),
        ("plots/worst-patient.png", b"\x89PNG", "does not belong"),
        ("secret.txt", b"x", "does not belong"),
        (".env", b"KEY=1", "does not belong"),
        (".cache/huggingface/x.json", b"{}", "does not belong"),
        ("train_config.json", f'{{"token": "{TOKEN}"}}'.encode(), "token or a private key"),
        ("README.md", b"-----BEGIN RSA PRIVATE KEY-----", "token or a private key"),
    ],
)
def test_what_must_not_be_published_is_refused_by_name(bundle, name, content, reason):
    path = bundle / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=reason) as caught:
        list_contents(bundle)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_links_and_missing_files(bundle, tmp_path):
    (bundle / "training.json").rename(tmp_path / "training.json")
    with pytest.raises(ValueError, match=r"lacks training.json"):
        list_contents(bundle)
    (tmp_path / "training.json").rename(bundle / "training.json")
    (bundle / "handler.py").unlink()
    (tmp_path / "elsewhere.py").write_text("")
    (bundle / "handler.py").symlink_to(tmp_path / "elsewhere.py")
    with pytest.raises(ValueError, match="is a link"):
        list_contents(bundle)
    with pytest.raises(ValueError, match="is no folder"):
        list_contents(tmp_path / "nothing")


def test_exported_graphs_belong_to_a_bundle(bundle):
    (bundle / "graphs/openvino").mkdir(parents=True)
    for name in ("graphs/openvino/gate.xml", "graphs/openvino/gate.bin"):
        (bundle / name).write_text("{}")
    record = {"weights": hash_weights(bundle), "exports": [{"files": {"gate": "graphs/openvino/gate.xml"}}]}
    (bundle / "export.json").write_text(json.dumps(record))
    assert "graphs/openvino/gate.bin" in list_contents(bundle)
    (bundle / "graphs/openvino/other.bin").write_bytes(pickle.dumps([1]))
    with pytest.raises(ValueError, match=r"other\.bin is not named by export.json"):
        list_contents(bundle)
    (bundle / "graphs/openvino/other.bin").unlink()
    (bundle / "graphs/openvino/gate.bin").unlink()
    with pytest.raises(ValueError, match=r"gate\.bin is missing, though export.json names it; run `hf-mri export"):
        list_contents(bundle)
    (bundle / "graphs/openvino/gate.bin").write_text("{}")
    (bundle / "export.json").write_text(json.dumps(record | {"weights": "0" * 64}))
    with pytest.raises(ValueError, match="is about other weights"):
        list_contents(bundle)


def test_leftovers_of_python_are_passed_over(bundle):
    (bundle / "__pycache__").mkdir()
    (bundle / "__pycache__/handler.cpython-311.pyc").write_bytes(b"x")
    assert not any("pycache" in name for name in list_contents(bundle))
