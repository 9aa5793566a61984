"""The contract of a label source: one configuration in, energy and forces out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from ase import Atoms

from fidsel.data.frames import BoolArray, FloatArray, Frames
from fidsel.errors import FidselError

Value = str | int | float | bool | None
"""What a setting or a provenance entry may be."""


@dataclass(frozen=True, eq=False)
class Label:
    """Energy and forces of one configuration at one level of theory.

    ========== =========== ====== ==========================================================
    field      shape       unit   meaning
    ========== =========== ====== ==========================================================
    energy     ()          eV     total energy
    forces     (N, 3)      eV/Å   F = −∇E; None when the level declares `forces = False`
    seconds    ()          s      core-seconds this label took (wall time × threads used)
    provenance             mixed  program, version, diagnostics and flags, as plain values
    ========== =========== ====== ==========================================================
    """

    energy: float
    forces: FloatArray | None
    seconds: float
    provenance: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not np.isfinite(self.energy) or (self.forces is not None and not np.isfinite(self.forces).all()):
            raise LabelError("the source returned NaN or infinite numbers", self.seconds)


class LabelError(FidselError):
    """A configuration could not be labelled; the time it took is charged all the same.

    Parameters
    ----------
    message : why, and what to do about it.
    seconds : core-seconds spent until it failed.
    kind : "failed" (the calculation itself, e.g. not converged), "timeout", "crashed" (the
        worker process died) or "lost" (the driver died before the result was stored).
    """

    def __init__(self, message: str, seconds: float = 0.0, kind: str = "failed") -> None:
        super().__init__(message)
        self.seconds, self.kind = seconds, kind

    def __reduce__(self) -> tuple[type["LabelError"], tuple[str, float, str]]:
        return type(self), (str(self), self.seconds, self.kind)


@runtime_checkable
class LabelSource(Protocol):
    """Labels configurations at one level of theory.

    A source is a frozen, picklable value that holds settings only; an expensive set-up (an OpenMM
    Context, say) lives in a per-process cache keyed by the source. The same configuration always
    gives the same label: nothing is carried over from one call to the next.
    """

    @property
    def forces(self) -> bool:
        """Whether labels carry forces."""
        ...

    def settings(self) -> Mapping[str, Value]:
        """Return every setting that changes the number, and none that does not (threads, memory)."""
        ...

    def label(self, atoms: Atoms) -> Label:
        """Return the label of one configuration (`atoms.info` carries `charge` and `spin` = 2S).

        Raises
        ------
        LabelError
            where the calculation fails or does not converge; its time is in the error.
        """
        ...


@runtime_checkable
class Scaling(Protocol):
    """What a label source may offer the cost model: how its time grows with the size of a frame.

    seconds ∝ size(atoms) ** cost_exponent is the cost model's prior, corrected by measured labels.
    """

    @property
    def cost_exponent(self) -> float:
        """Formal power of the cost: 1 force field, 3 HF and DFT, 5 MP2, 6 CCSD, 7 CCSD(T)."""
        ...

    def size(self, atoms: Atoms) -> float:
        """Return the size the cost grows with: basis functions, or atoms where there are none."""
        ...


@runtime_checkable
class Coverage(Protocol):
    """What a label source may offer where it has labels of some configurations only, as a table has."""

    def covers(self, frames: Frames) -> BoolArray:
        """Return (n_frames,) whether each frame can be labelled."""
        ...


def check_positions(atoms: Atoms) -> None:
    """Raise unless the frame has atoms and all its positions and cell vectors are finite.

    Raises
    ------
    LabelError
        naming the first atom without a position; no time is charged.
    """
    if len(atoms) == 0:
        raise LabelError("a frame must have at least one atom, got none")
    if not np.isfinite(atoms.positions).all():
        i = int(np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1))[0])
        raise LabelError(f"positions must be finite, got {atoms.positions[i].tolist()} for atom {i}")
    if not np.isfinite(atoms.cell.array).all():
        raise LabelError(f"the cell must be finite, got {atoms.cell.array.tolist()}")
