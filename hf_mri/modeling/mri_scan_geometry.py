"""How slices lie in a scan, and the way back: orientation words and spacing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

# The patient's axes in the order of an affine that points to right, anterior, superior (RAS, as NIfTI has it).
POSITIVE, NEGATIVE = "RAS", "LPI"
# How each plane is looked at: columns, rows and slices, by the patient axis that the slices follow.
PLANES = {"axial": "LPS", "coronal": "LIA", "sagittal": "PIL"}
PLANE_OF_AXIS = {0: "sagittal", 1: "coronal", 2: "axial"}
SQUARE = 0.009  # cosine between axes that count as standing at right angles
EQUAL_SPACING = 1.1  # axes whose spacing differs by less are equally coarse


@dataclass(frozen=True)
class Geometry:
    """Where the slices (S, H, W) come from in a source volume (columns, rows, slices), as NIfTI orders its axes.

    Attributes:
        shape: the source volume's three axes.
        axes: the source axis that became slices, rows and columns.
        flips: whether slices, rows and columns run against the source.
        affine: source indices to millimeters (right, anterior, superior), or None where nothing is known.
        header: a NIfTI source's own header, so that what is written back carries it.
    """

    shape: tuple[int, int, int]
    axes: tuple[int, int, int] = (2, 1, 0)
    flips: tuple[bool, bool, bool] = (False, False, False)
    affine: np.ndarray | None = None
    header: bytes | None = None

    def to_slices(self, volume: np.ndarray) -> np.ndarray:
        """Lay a source volume (I, J, K, …) out as slices (S, H, W, …); a view."""
        turned = np.transpose(volume, self.axes + tuple(range(3, volume.ndim)))
        return turned[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]

    def to_source(self, slices: np.ndarray) -> np.ndarray:
        """Bring slices (S, H, W, …) back into the source's axis order (I, J, K, …); a view."""
        turned = slices[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]
        back = tuple(int(axis) for axis in np.argsort(self.axes))
        return np.transpose(turned, back + tuple(range(3, slices.ndim)))

    def slice_affine(self) -> np.ndarray | None:
        """The affine of the slices themselves: (slice, row, column) indices to millimeters (RAS)."""
        if self.affine is None:
            return None
        affine = self.affine.copy()
        for place, (axis, flip) in enumerate(zip(self.axes, self.flips, strict=True)):
            step = self.affine[:3, axis]
            affine[:3, place] = -step if flip else step
            if flip:
                affine[:3, 3] += step * (self.shape[axis] - 1)
        return affine


def plan_geometry(
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    affine: np.ndarray | None,
    orientation: str,
    header: bytes | None = None,
) -> tuple[Geometry, list[str]]:
    """Decide how a volume becomes slices: along its coarsest axis, turned to an orientation.

    Args:
        spacing: millimeters along each source axis.
        orientation: where columns, rows and slices point ("LPS"), or "as stored".

    Returns:
        The geometry, and a warning where the slices lie in another plane than the orientation's.
    """
    letters = orientation_letters(orientation)
    codes = axis_codes(affine) if affine is not None else None
    if codes is None or letters is None:
        across = _coarsest_axis(spacing, preferred=2)
        columns, rows = (axis for axis in range(3) if axis != across)
        return Geometry(shape, (across, rows, columns), affine=affine, header=header), []

    patient_axis = [_patient_axis(code) for code in codes]
    across = _coarsest_axis(spacing, preferred=patient_axis.index(_patient_axis(letters[2])))
    warnings = []
    if patient_axis[across] != _patient_axis(letters[2]):
        plane = PLANE_OF_AXIS[patient_axis[across]]
        usual = PLANE_OF_AXIS[_patient_axis(letters[2])]
        warnings.append(f"the slices are {plane}, the model was trained on {usual} ones")
        letters = PLANES[plane]
    column, row, through = tuple(letters)
    across, down, along = (patient_axis.index(_patient_axis(letter)) for letter in (through, row, column))
    flips = (codes[across] != through, codes[down] != row, codes[along] != column)
    return Geometry(shape, (across, down, along), flips, affine, header), warnings


def slice_distance(affine: np.ndarray, axis: int) -> float:
    """Millimeters between the planes that the slices along a source axis lie in, measured at right angles to them.

    In a sheared volume, as of a tilted gantry, the step from slice to slice is longer, and volumes measured by it
    would be too large.
    """
    steps = np.asarray(affine, float)[:3, :3]
    if is_rigid(affine):
        return float(np.linalg.norm(steps[:, axis]))
    first, second = (steps[:, other] for other in range(3) if other != axis)
    area = float(np.linalg.norm(np.cross(first, second)))
    return float(abs(np.linalg.det(steps))) / area


def is_rigid(affine: np.ndarray) -> bool:
    """Whether the axes stand at right angles to each other, to half a degree."""
    steps = np.asarray(affine, float)[:3, :3]
    cosines = steps / np.linalg.norm(steps, axis=0)
    return bool(np.abs(cosines.T @ cosines - np.eye(3)).max() < SQUARE)


def orientation_letters(orientation: str) -> str | None:
    """The three letters of an orientation, or None for "as stored".

    Raises:
        ValueError: neither; says what is allowed.
    """
    if orientation.endswith("as stored"):
        return None
    letters = orientation.upper()
    if len(letters) == 3 and sorted(_patient_axis(letter) for letter in letters) == [0, 1, 2]:
        return letters
    raise ValueError(
        f"orientation {orientation!r}: must be 'as stored', or three letters that say where columns, rows and slices "
        "point, one each of L or R, P or A, S or I (as in 'LPS')"
    )


def axis_codes(affine: np.ndarray) -> str:
    """The direction of each source axis, as letters: the closest patient axes, each taken once.

    Raises:
        ValueError: the affine does not span three dimensions.
    """
    directions = np.asarray(affine, float)[:3, :3]
    lengths = np.linalg.norm(directions, axis=0)
    if not np.isfinite(directions).all() or (lengths == 0).any():
        raise ValueError("the affine has an axis without direction")
    cosines = directions / lengths
    if abs(np.linalg.det(cosines)) < 1e-3:
        raise ValueError("the affine's axes lie in one plane")
    best = max(permutations(range(3)), key=lambda order: sum(abs(cosines[order[axis], axis]) for axis in range(3)))
    return "".join((POSITIVE if cosines[best[axis], axis] > 0 else NEGATIVE)[best[axis]] for axis in range(3))


def _patient_axis(letter: str) -> int:
    return max(POSITIVE.find(letter), NEGATIVE.find(letter))


def _coarsest_axis(spacing: tuple[float, float, float], preferred: int) -> int:
    """The axis with the largest spacing; the preferred one where it is as coarse as any."""
    largest = max(spacing)
    if spacing[preferred] * EQUAL_SPACING >= largest:
        return preferred
    return int(np.argmax(spacing))
