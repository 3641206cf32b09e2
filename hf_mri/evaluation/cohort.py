"""Rows of many volumes as arrays by patient: what every summary and its interval are computed from."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hf_mri.evaluation.cases import CaseRow
from hf_mri.evaluation.scores.bootstrap import draw_weights


@dataclass(frozen=True)
class Cohort:
    """Volumes with the patients that they belong to, in order of first appearance."""

    rows: list[CaseRow]

    @cached_property
    def patients(self) -> list[str]:
        """Names of the P patients."""
        return list(dict.fromkeys(row.patient for row in self.rows))

    @cached_property
    def row_patient(self) -> np.ndarray:
        """(rows,) index of each volume's patient."""
        index = {patient: number for number, patient in enumerate(self.patients)}
        return np.array([index[row.patient] for row in self.rows])

    @cached_property
    def slice_patient(self) -> np.ndarray:
        """(slices,) index of each slice's patient."""
        return np.repeat(self.row_patient, [len(row.truth) for row in self.rows])

    @cached_property
    def weights(self) -> np.ndarray:
        """(resamples, P) how often each patient is drawn."""
        return draw_weights(len(self.patients))

    @property
    def labels(self) -> list[str]:
        """Foreground labels; none for a classifier."""
        return list(self.rows[0].labels)

    @property
    def unit(self) -> str:
        """`mm` where every volume's spacing is known, else `px`."""
        return "mm" if all(row.spacing is not None for row in self.rows) else "px"

    def join(self, name: str) -> np.ndarray:
        """Put one value a slice of all volumes in one array."""
        return np.concatenate([getattr(row, name) for row in self.rows])

    def mean_by_patient(self, values: np.ndarray) -> np.ndarray:
        """Average one value a volume (rows,) within each patient, as (P,)."""
        number = np.bincount(self.row_patient, minlength=len(self.patients))
        return np.bincount(self.row_patient, weights=values, minlength=len(self.patients)) / number

    def select(self, patients: set[str]) -> "Cohort":
        """Keep the volumes of some patients."""
        return Cohort([row for row in self.rows if row.patient in patients])
