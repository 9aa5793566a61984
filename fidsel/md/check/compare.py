"""What a source says of a molecule at rest, and how near models come to it."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fidsel.data import Frames
from fidsel.data.typed import from_plain
from fidsel.md.check.conformers import Conformers
from fidsel.md.check.minimum import Relaxed, precise, relaxed
from fidsel.md.check.torsions import Scan, scans_of
from fidsel.md.surface import Labelled, surface_of

if TYPE_CHECKING:
    from fidsel.models.contract import ForceField


@dataclass(frozen=True, eq=False)
class Rest:
    """A molecule at rest, as a source has it.

    Parameters
    ----------
    start : one frame, that was relaxed.
    relaxed : its minimum and frequencies.
    scans : rotations about its bonds.
    conformers : others of its geometries; None = they were not asked for.
    """

    start: Frames
    relaxed: Relaxed
    scans: tuple[Scan, ...]
    conformers: Conformers | None = None

    @classmethod
    def of(cls, source: "ForceField | Labelled", start: Frames) -> Self:
        """Return what a source says of the molecule of a frame, relaxed from there.

        A label source labels some 30 + 6 N frames, up to 12 for each bond that can be turned about, and up to
        8 conformers.
        Raises a `FidselError` where no minimum is found.
        """
        source = precise(source)
        found = relaxed(source, start)
        numbers, (x,) = found.frame.dense()[:2]
        surface = surface_of(source, start)
        scans = scans_of(surface, numbers, x, found.bonds)
        return cls(start, found, scans, Conformers.of(surface, found.frame))

    def compared(self, model: "ForceField | Labelled") -> dict[str, Any]:  # Any: plain values
        """Return how a model compares, as plain values; raise a `FidselError` where it has no minimum."""
        model = precise(model)
        numbers, (x,) = self.relaxed.frame.dense()[:2]
        surface = surface_of(model, self.start)
        torsions = [one.compared(numbers, surface(one.positions(x))[0]) for one in self.scans]
        told = relaxed(model, self.start).compared(self.relaxed) | {"torsions": torsions}
        return told | ({} if self.conformers is None else {"conformers": self.conformers.compared(surface)})

    def to_dict(self) -> dict[str, Any]:  # Any: plain values
        """Return plain values that `from_dict` takes."""
        return {
            "numbers": self.start.numbers.tolist(),
            "start": self.start.positions.tolist(),
            "charge": int(self.start.charge[0]),
            "spin": int(self.start.spin[0]),
            "minimum": self.relaxed.frame.positions.tolist(),
            "bonds": [list(bond) for bond in self.relaxed.bonds],
            "frequencies": self.relaxed.frequencies.tolist(),
            "force": self.relaxed.force,
            "scans": [asdict(scan) for scan in self.scans],
            "conformers": None if self.conformers is None else asdict(self.conformers),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return what `to_dict` gave; raise `ValueError`, `KeyError` or `TypeError` for anything else."""
        start = Frames.stack(
            values["numbers"], [values["start"]], charge=values["charge"], spin=values["spin"]
        )
        frame = start.replace(positions=np.array(values["minimum"], dtype=np.float64))
        bonds = tuple((int(i), int(j)) for i, j in values["bonds"])
        frequencies = np.array(values["frequencies"], dtype=np.float64)
        scans = tuple(from_plain(Scan, scan) for scan in values["scans"])
        kept = values.get("conformers")  # files of before they were asked for have none
        found = None if kept is None else from_plain(Conformers, kept)
        return cls(start, Relaxed(frame, bonds, frequencies, float(values["force"])), scans, found)
