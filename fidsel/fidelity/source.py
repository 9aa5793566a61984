"""The contract of a label source: one configuration in, energy and forces out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, runtime_checkable

import numpy as np
from ase import Atoms

from fidsel.arrays import BoolArray, FloatArray, shown
from fidsel.data.formats.electrons import electrons_of_atoms
from fidsel.data.frames import Frames
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.label_values import energy_of, forces_of

OUTSIDE: Final = "inbox"
"""Kind, in their settings, of sources whose labels other people compute."""

Value = str | int | float | bool | None
"""What a setting or a provenance entry may be."""

Cause = Literal[
    "environment",
    "crashed",
    "memory",
    "timeout",
    "unconverged",
    "refused",
    "invalid",
    "failed",
    "cancelled",
    "lost",
]
"""Why there is no label, see `LabelError`."""


@dataclass(frozen=True, eq=False)
class Label:
    """Energy and forces of one configuration at one level of theory.

    ========== =========== ====== ==========================================================
    field      shape       unit   meaning
    ========== =========== ====== ==========================================================
    energy     ()          eV     total energy
    forces     (N, 3)      eV/Å   F = −∇E; None when the level declares `forces = False`
    seconds    ()          s      core-seconds it took, filled in by the engine that measured them; what a
                                  source claims is not charged
    provenance             mixed  program, version, diagnostics and flags, as plain values
    ========== =========== ====== ==========================================================

    Raises
    ------
    LabelError
        with cause "invalid", where the numbers are not real, finite numbers.
    """

    energy: float
    forces: FloatArray | None
    seconds: float = 0.0
    provenance: Mapping[str, Value] = field(default_factory=dict)
    __repr__ = shown

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "energy", energy_of(self.energy))
            if self.forces is not None:
                object.__setattr__(self, "forces", forces_of(self.forces))
        except ValueError as error:
            raise LabelError(str(error), cause="invalid") from error


class LabelError(FidselError):
    """A configuration could not be labelled; the time it took is charged all the same.

    =========== ==============================================================================
    cause       meaning
    =========== ==============================================================================
    environment a program, licence, file, permission or package is missing
    crashed     the process that labelled it died
    memory      out of memory, or past the label's memory limit
    timeout     past the label's limit of time
    unconverged an iteration did not converge, also with the tighter settings tried after it
    refused     the method or the table cannot treat this configuration
    invalid     the source returned something that is no label
    failed      anything else
    cancelled   stopped before it ended, through no fault of its own
    lost        the driver died before the result was stored
    =========== ==============================================================================

    Parameters
    ----------
    message : why, and what to do about it.
    seconds : core-seconds spent until it failed, filled in by the engine that measured them.
    cause : which of the above.
    """

    def __init__(self, message: str, seconds: float = 0.0, cause: Cause = "failed") -> None:
        super().__init__(message)
        self.seconds, self.cause = seconds, cause

    def __reduce__(self) -> tuple[type["LabelError"], tuple[str, float, Cause]]:
        return type(self), (str(self), self.seconds, self.cause)


@runtime_checkable
class LabelSource(Protocol):
    """Labels configurations at one level of theory.

    A source is a frozen, picklable value that holds settings only; an expensive set-up (an OpenMM
    Context, say) lives in a per-process cache keyed by the source, and is made by `warm_up` where there is
    one (see `WarmUp`). The same configuration always gives the same label: nothing is carried over from one
    call to the next.

    In fidsel itself the arguments of its constructor are the keys of a `[[fidelity]]` section, but for those
    marked `Internal`. Of these a campaign gives the ones that have such a name: `name`, of the level;
    `threads`, cores a label uses; `memory`, MB that a program may plan its arrays for; `molecules`, a
    function that returns the pool's; `state`, charge and spin of frames whose file names none.

    What it prints goes to a log that failures quote. Programs that it starts count as its own: their CPU time
    is charged, limits hold for all of them together, and those that are left in a session of their own end
    with the label, unless `warm_up` started them.
    """

    @property
    def forces(self) -> bool:
        """Whether labels carry forces."""
        ...

    def settings(self) -> Mapping[str, Value]:
        """Return every setting that changes the number, and none that does not (threads, memory)."""
        ...

    def label(self, atoms: Atoms) -> Label:
        """Return the label of one configuration (charge and spin as `state_of` finds them).

        Raises `LabelError` where the calculation fails, with its cause. Other errors become one: OSError
        and ImportError count as "environment", MemoryError as "memory", UsageError and NotImplementedError
        as "refused", the rest as "failed".
        """
        ...


@runtime_checkable
class WarmUp(Protocol):
    """What a label source may offer so that its start is no part of its first label.

    A worker process calls it once, before the first label of that source.
    """

    def warm_up(self, atoms: Atoms) -> None:
        """Import and build what labels of frames like this one need; label nothing.

        Raises anything: it becomes the `LabelError` of the label that was to follow.
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


@runtime_checkable
class Ready(Protocol):
    """What a label source may offer so that what it lacks is said before anything is bought."""

    def require_ready(self) -> None:
        """Raise `UsageError` where no label can be had, as from a table without any."""
        ...


def names_of(source: LabelSource) -> list[str]:
    """Return what a source calls its method in its settings, the most exact name first; none = nothing."""
    settings = source.settings()
    return [str(settings[key]) for key in ("method", "name", "kind") if key in settings]


def state_of(atoms: Atoms) -> tuple[int, int]:
    """Return charge, e, and spin = 2S of a frame; 0 where it names none.

    Raises `LabelError` with cause "refused" where they are not whole numbers, or are told in two ways.
    """
    try:
        found = electrons_of_atoms(atoms, "the frame")
    except UsageError as error:
        raise LabelError(str(error), cause="refused") from error
    return found.charge or 0, found.spin or 0


def check_positions(atoms: Atoms) -> None:
    """Raise unless the frame has atoms and all its positions and cell vectors are finite.

    Raises `LabelError` with cause "refused", naming the first atom without a position.
    """
    if len(atoms) == 0:
        raise LabelError("a frame must have at least one atom, got none", cause="refused")
    if not np.isfinite(atoms.positions).all():
        i = int(np.flatnonzero(~np.isfinite(atoms.positions).all(axis=1))[0])
        found = f"positions must be finite, got {atoms.positions[i].tolist()} for atom {i}"
        raise LabelError(found, cause="refused")
    if not np.isfinite(atoms.cell.array).all():
        raise LabelError(f"the cell must be finite, got {atoms.cell.array.tolist()}", cause="refused")
