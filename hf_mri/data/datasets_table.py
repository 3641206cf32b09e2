"""What differs between data sets: one frozen entry each. Everything else about them is the same code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hf_mri.tasks.brain_tumor import BRAIN_TUMOR
from hf_mri.tasks.registry import find_task
from hf_mri.tasks.task import Task

SINGLE = "single_label_classification"  # one label a pixel: the mask stores the label's index
OVERLAPPING = "multi_label_classification"  # labels may overlap: the mask stores label k in bit k


@dataclass(frozen=True)
class DatasetEntry:
    """One data set, or one layout that data sets come in."""

    name: str
    title: str
    layout: str
    id2label: dict[int, str]
    problem_type: str
    channels: tuple[str, ...]
    bits: int
    license: str  # the identifier that the Hub knows
    redistribution: bool  # may the images be passed on under that license?
    citation: str
    homepage: str | None = None
    orientation: str = "LPS"
    extra_columns: Mapping[str, str] = field(default_factory=dict)  # column → type, after those that all sets share
    limits: tuple[str, ...] = ()  # sentences for a card: what its patients cannot teach

    @property
    def num_channels(self) -> int:
        """Channels of one slice."""
        return len(self.channels)

    @property
    def label2id(self) -> dict[str, int]:
        """Index of every label, background included where there is one."""
        return {label: index for index, label in self.id2label.items()}

    @property
    def foreground(self) -> dict[int, str]:
        """The labels that are outlined: all but `background`."""
        return {index: label for index, label in self.id2label.items() if label != "background"}

    @property
    def task(self) -> Task:
        """What is known about the organ that the labels belong to."""
        return find_task(self.foreground.values())

    @property
    def slice_labels(self) -> tuple[str, str]:
        """Names of a negative and a positive slice."""
        return self.task.slice_labels


LGG = DatasetEntry(
    name="lgg",
    title="Lower-grade glioma (LGG) MRI segmentation",
    layout="lgg",
    id2label={0: "background", 1: "tumor"},
    problem_type=SINGLE,
    channels=BRAIN_TUMOR.sequences,
    bits=8,
    license="cc-by-nc-sa-4.0",
    redistribution=True,
    citation=(
        "Buda, Saha, Mazurowski: Association of genomic subtypes of lower-grade gliomas with shape features "
        "automatically extracted by a deep learning algorithm. Computers in Biology and Medicine 109 (2019), "
        "doi:10.1016/j.compbiomed.2019.05.002. Mazurowski, Clark, Czarnek, Shamsesfandabadi, Peters, Saha: "
        "Radiogenomics of lower-grade glioma. Journal of Neuro-Oncology 133 (2017). Images: The Cancer Imaging "
        "Archive, whose terms forbid any attempt to identify the patients."
    ),
    homepage="https://www.kaggle.com/datasets/mateuszbuda/lgg-mri-segmentation",
    orientation="LPS",
    extra_columns={"missing_pre": "bool", "missing_post": "bool"},  # then the clinical columns of data.csv
)
ACDC = DatasetEntry(
    name="acdc",
    title="Automated Cardiac Diagnosis Challenge (ACDC)",
    layout="acdc",
    id2label={0: "background", 1: "right ventricle", 2: "myocardium", 3: "left ventricle"},
    problem_type=SINGLE,
    channels=("cine",),
    bits=16,
    license="cc-by-nc-sa-4.0",
    redistribution=True,
    citation=(
        "Bernard, Lalande, Zotti, Cervenansky et al.: Deep learning techniques for automatic MRI cardiac "
        "multi-structures segmentation and diagnosis: is the problem solved? IEEE Transactions on Medical Imaging "
        "37 (2018), doi:10.1109/TMI.2018.2837502."
    ),
    homepage="https://www.creatis.insa-lyon.fr/Challenge/acdc/",
    extra_columns={"group": "string", "frame": "int32", "frames": "int32", "height": "float32", "weight": "float32"},
    limits=(
        "Its patients were labeled at end diastole and end systole alone. How steady outlines are from one time point "
        "of a cine to the next was not measured on patients; cines were tried on drawn hearts.",
        "Its patients come in five groups of equal size from one hospital; elsewhere the mixture is another.",
    ),
)
UW_MADISON = DatasetEntry(
    name="uw-madison",
    title="UW-Madison gastro-intestinal tract",
    layout="uw-madison",
    id2label={0: "large_bowel", 1: "small_bowel", 2: "stomach"},
    problem_type=OVERLAPPING,
    channels=("MR",),
    bits=16,
    license="other",
    redistribution=False,  # the competition's rules
    citation=(
        "Lee, Chen, Bhutani et al.: UW-Madison GI Tract Image Segmentation. Kaggle (2022), and Medical Physics 51 "
        "(2024)."
    ),
    homepage="https://www.kaggle.com/competitions/uw-madison-gi-tract-image-segmentation",
    extra_columns={"day": "string", "slice_id": "string"},
)
FOLDER = DatasetEntry(
    name="folder",
    title="Images with masks from a folder",
    layout="folder",
    id2label={0: "background", 1: "lesion"},
    problem_type=SINGLE,
    channels=("MR",),
    bits=16,
    license="unknown",
    redistribution=False,  # nobody has said that it may be
    citation="",
    orientation="LPS",
)
BIDS = replace(FOLDER, name="bids", title="Scans with masks in BIDS", layout="bids", extra_columns={"group": "string"})


def _as_phantom(entry: DatasetEntry) -> DatasetEntry:
    """The synthetic twin of a data set: same schema, no patients, free to pass on."""
    return replace(
        entry,
        name=f"{entry.name}-phantom",
        title=f"Synthetic scans in the layout of: {entry.title}",
        license="apache-2.0",
        redistribution=True,
        citation="Drawn by hf_mri's phantom generator. No patient was scanned for it.",
        homepage=None,
        limits=(),
    )


DATASETS: dict[str, DatasetEntry] = {
    entry.name: entry
    for real in (LGG, ACDC, UW_MADISON, BIDS, FOLDER)
    for entry in (real, *([_as_phantom(real)] if real is not FOLDER else []))
}
LAYOUTS = tuple(dict.fromkeys(entry.layout for entry in DATASETS.values()))
PHANTOMS = tuple(layout for layout in LAYOUTS if layout != FOLDER.layout)  # in which synthetic scans are drawn


def get_dataset_entry(name: str) -> DatasetEntry:
    """Look up a data set by name.

    Raises:
        ValueError: no such data set; lists those there are.
    """
    if name not in DATASETS:
        raise ValueError(f"no data set is called {name!r}; there are: {', '.join(DATASETS)}")
    return DATASETS[name]
