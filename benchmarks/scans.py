"""Phantom scans on disk, and a tiny model for the short forms."""

from pathlib import Path


def draw_scans(folder: Path, patients: int, slices: int, size: int | None) -> list[Path]:
    """Draw phantom patients as the LGG publisher ships them; return their folders."""
    from hf_mri.data.phantoms.draw import draw_phantom, find_phantoms

    draw_phantom("lgg", folder, patients=patients, seed=3, size=size, slices=slices)
    return find_phantoms(folder)


def list_slices(folder: Path) -> list[Path]:
    """A patient's slices, without the masks beside them."""
    return sorted(path for path in folder.glob("*.tif") if not path.stem.endswith("_mask"))


def find_model(given: str | None, tiny: bool, scratch: Path, size: int) -> Path:
    """The model that was asked for; else a tiny one, or the project's own with the code that travels."""
    from hf_mri.hub.bundle import assemble
    from hf_mri.hub.model_cards import find_published

    if tiny and given is None:
        return make_tiny_model(scratch / "model", size)
    found = Path(given) if given else find_published("lgg-two-stage")
    if found is None:
        raise ValueError("no model: name one with --model, or work in a checkout with its model_cards")
    return assemble(found, scratch / "model")


def make_tiny_model(folder: Path, size: int) -> Path:
    """A two-stage model with random weights whose gate lets everything pass."""
    import torch

    import hf_mri
    from hf_mri.hub.bundle import write_bundle

    torch.manual_seed(0)
    classifier = hf_mri.SliceClassifierConfig(backbone="test_resnet", image_size=size)
    segmenter = hf_mri.ResUNetConfig(hidden_sizes=[8, 16], decoder_channels=[8], image_size=size)
    model = hf_mri.TwoStageForSemanticSegmentation.from_stages(
        hf_mri.SliceClassifierForImageClassification(classifier),
        hf_mri.ResUNetForSemanticSegmentation(segmenter),
        gate_threshold=0.0,
    )
    processor = hf_mri.MriImageProcessor(size={"height": size, "width": size}, scope="volume")
    return write_bundle(folder, model, processor, train_config={}, training={"dataset": "lgg-phantom"})
