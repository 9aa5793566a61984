"""What a round found of each held-out frame, kept beside its model."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.data.atomic import write_text
from fidsel.exceptions import FidselError

COLUMNS = ("frame", "cluster", "energy", "error")
FILE = "errors.csv"


@dataclass(frozen=True, eq=False)
class HeldOutErrors:
    """Errors of a model on held-out frames, one by one.

    Parameters
    ----------
    frames : (n) ids.
    clusters : (n,) broad cluster of each.
    energies : (n,) eV, of the model of round 0.
    errors : (n,) force RMSE in eV/Å, or |ΔE| in eV at a level without forces.
    """

    frames: tuple[str, ...]
    clusters: IntArray
    energies: FloatArray
    errors: FloatArray

    def save(self, folder: Path) -> None:
        """Write them into a round's folder as CSV, to the last digit."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        columns = (array.tolist() for array in (self.clusters, self.energies, self.errors))
        writer.writerows(zip(self.frames, *columns, strict=True))
        write_text(folder / FILE, out.getvalue())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return those that a round kept.

        Raises
        ------
        FidselError
            where its folder has none, or they are damaged.
        """
        path = folder / FILE
        if not path.exists():
            raise FidselError(f"there is no {path}, from which the report is made: put back a copy of it")
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            clusters = np.array([int(row["cluster"]) for row in rows], dtype=np.int64)
            energies, errors = (np.array([float(row[name]) for row in rows]) for name in COLUMNS[2:])
            return cls(tuple(row["frame"] for row in rows), clusters, energies, errors)
        except (ValueError, TypeError, KeyError, OverflowError, csv.Error) as error:
            raise FidselError(
                f"{path} is damaged ({error}): put back a copy of it, or move its round and later ones away "
                "to redo them from the labels that are bought"
            ) from error
