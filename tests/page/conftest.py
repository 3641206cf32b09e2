"""Small bundles, a served page, a browser: what the tests of the page share."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from hf_mri import (
    MriImageProcessor,
    ResUNetConfig,
    ResUNetForSemanticSegmentation,
    TwoStageConfig,
    TwoStageForSemanticSegmentation,
)

SPACE = Path(__file__).resolve().parents[2] / "spaces_app"
SIZE = 64
SEGMENTER = {"hidden_sizes": [8, 16], "decoder_channels": [8], "image_size": SIZE}
HEART = ["background", "right ventricle", "myocardium", "left ventricle"]
ABDOMEN = ["large_bowel", "small_bowel", "stomach"]


def _processor(channels: int) -> MriImageProcessor:
    return MriImageProcessor(
        size={"height": SIZE, "width": SIZE}, num_channels=channels, window="percentile", orientation="LPS"
    )


def _train_tumor_finder(segmenter: ResUNetForSemanticSegmentation, processor: MriImageProcessor) -> None:
    """Teach the segmenter in seconds what a phantom's lesion is: bright in FLAIR, not in the other channels."""
    from hf_mri.data.phantoms.lgg import draw_head

    heads = [draw_head(np.random.default_rng(seed), SIZE) for seed in (11, 12, 13)]
    slices, masks = (np.concatenate(parts) for parts in zip(*heads, strict=True))
    batch = processor(list(slices), segmentation_maps=list(masks), return_tensors="pt")
    optimizer = torch.optim.AdamW(segmenter.parameters(), lr=0.02)
    order = np.random.default_rng(0)
    segmenter.train()
    for _ in range(60):
        rows = order.choice(len(slices), 16, replace=False)
        loss = segmenter(pixel_values=batch["pixel_values"][rows], labels=batch["labels"][rows]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    segmenter.eval()


def _save_segmenter(folder: Path, labels: list[str], problem_type: str) -> None:
    config = ResUNetConfig(
        **SEGMENTER,
        num_channels=1,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
        problem_type=problem_type,
    )
    ResUNetForSemanticSegmentation(config).save_pretrained(folder)
    _processor(1).save_pretrained(folder)


@pytest.fixture(scope="session")
def bundles(tmp_path_factory) -> dict[str, Path]:
    """A two-stage model that finds the phantoms' tumors, and models with random weights for heart and abdomen."""
    root = tmp_path_factory.mktemp("bundles")
    torch.manual_seed(0)
    config = TwoStageConfig(
        classifier={"backbone": "test_resnet", "num_channels": 3, "image_size": SIZE},
        segmenter={**SEGMENTER, "num_channels": 3},
        gate_threshold=0.0,
        mask_weight=1.0,
        smallest_lesion=20,
    )
    model = TwoStageForSemanticSegmentation(config)
    _train_tumor_finder(model.segmenter, _processor(3))
    model.save_pretrained(root / "brain")
    _processor(3).save_pretrained(root / "brain")
    (root / "brain" / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A tiny model\n", encoding="utf-8")
    _save_segmenter(root / "heart", HEART, "single_label_classification")
    _save_segmenter(root / "abdomen", ABDOMEN, "multi_label_classification")
    return {name: root / name for name in ("brain", "heart", "abdomen")}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model with random weights: nobody asks here whether its answers are right."""
    folder = tmp_path_factory.mktemp("model") / "heart"
    _save_segmenter(folder, HEART, "single_label_classification")
    return folder


def serve_page(folder: Path, **environment: str) -> Iterator[str]:
    """Run `python app.py` as a Space does; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "log.txt"
    variables = {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(folder / "uploads"), "OMP_NUM_THREADS": "1"}
    with log.open("w") as sink:
        process = subprocess.Popen(
            [sys.executable, str(SPACE / "app.py")],
            env=os.environ | variables | environment,
            cwd=folder,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(1500):  # five minutes: a busy machine takes one to import everything
            if process.poll() is not None:
                pytest.fail(f"the page did not start: {log.read_text()[-2000:]}")
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        else:
            pytest.fail(f"the page did not answer: {log.read_text()[-2000:]}")
        yield address
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def served(bundles, tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """The page with all three models: its address, and the folder with its uploads and log."""
    folder = tmp_path_factory.mktemp("page")
    models = ",".join(str(bundles[name]) for name in ("brain", "heart", "abdomen"))
    for address in serve_page(folder, HF_MRI_MODEL=models, HF_MRI_MAX_UPLOAD="3mb"):
        yield address, folder


@pytest.fixture(scope="module")
def guarded(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """The page without a model, behind a login (`ward`, `right password`), that keeps uploads for a second."""
    from hf_mri.page.accounts import write_user

    folder = tmp_path_factory.mktemp("guarded")
    write_user(folder / "users.txt", "ward", "right password")
    variables = {"HF_MRI_AUTH": str(folder / "users.txt"), "HF_MRI_UPLOADS_KEPT": "1"}
    for address in serve_page(folder, HF_MRI_MODEL=str(folder / "nothing-here"), **variables):
        yield address, folder
