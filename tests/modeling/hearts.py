"""Hearts drawn as masks alone, whose walls have a known thickness."""

import numpy as np

from hf_mri.data.phantoms.acdc import FIELD_MM, LEFT, MUSCLE, RIGHT, Heart, shape_heart
from hf_mri.modeling.mri_reading_wall import Ring

SIZE, SLICES = 216, 9
SPACING = (FIELD_MM / SIZE, FIELD_MM / SIZE, 10.0)
LENGTH = 85.0  # mm, base to apex


def draw_ring(cavity: float = 24, wall: float = 8, septum: float = np.pi, right: float = 32) -> Ring:
    """A phantom's left ventricle in the middle of the picture, the right one in the direction `septum`; in mm."""
    grid = ((np.arange(SIZE) + 0.5) / SIZE - 0.5) * FIELD_MM
    below = np.linspace(2, 75, SLICES)[:, None, None]
    heart = Heart(cavity, wall, right, septum, LENGTH)
    _, y, x = np.meshgrid(below, grid, grid, indexing="ij")
    _, mask = shape_heart(np.random.default_rng(0), heart, x, y, below)
    return Ring(mask == LEFT, mask == MUSCLE, mask == RIGHT)


def taper() -> np.ndarray:
    """By which cavity and wall shrink from slice to slice."""
    return np.sqrt(1 - (np.linspace(2, 75, SLICES) / LENGTH) ** 2)


def turn_affine(oblique: bool = True, mirrored: bool = False) -> np.ndarray:
    """A short axis as scanners lay it: slices run to the left, the front and the feet; (slice, row, column) to mm."""
    if not oblique:
        return np.diag([10.0, -SPACING[0], -SPACING[1], 1.0])
    across = np.array([-0.6, 0.5, -0.6]) / np.linalg.norm([0.6, 0.5, 0.6])
    columns = np.cross(
        across, [-0.3, 0.4, 0.8]
    )  # the picture's right is the free wall's side, its top the anterior one
    columns /= np.linalg.norm(columns)
    rows = np.cross(columns, across)
    if rows @ [0, 1, 1] > 0:  # rows run downward, to the inferior wall
        rows = -rows
    affine = np.eye(4)
    affine[:3, :3] = np.stack([10 * across, SPACING[0] * (-rows if mirrored else rows), SPACING[1] * columns], axis=1)
    return affine
