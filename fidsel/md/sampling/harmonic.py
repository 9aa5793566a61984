"""Pools from thermal displacements along normal modes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np
from ase.data import atomic_masses
from ase.units import invcm, kB

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import FidselError, unknown
from fidsel.fidelity.molecules.molecule import Molecule
from fidsel.fidelity.sources.openmm import OpenMMSource, evaluate, reference_context
from fidsel.md.langevin import check_request
from fidsel.md.physical import PhysicalRange
from fidsel.md.sampling.pool import as_frames, join, prepared, split_evenly
from fidsel.md.sampling.report import Sample, SampleReport, TrajectoryReport
from fidsel.md.vibrations import HBAR, vibrations, wavenumbers

if TYPE_CHECKING:
    import openmm

STEP = 1e-3
"""Å, displacement of the finite differences."""

LARGEST_FORCE = 1e-3
"""eV/Å left at what counts as a minimum."""

LIMITS = PhysicalRange()

Statistics = Literal["classical", "quantum"]


@dataclass(frozen=True, eq=False)
class Modes:
    """A minimum and its harmonic vibrations.

    ============ =========== ========= ====================================================
    field        shape       unit      meaning
    ============ =========== ========= ====================================================
    minimum      (N, 3)      Å         optimised geometry
    wavenumbers  (m,)        1/cm      rising; without translations and rotations
    vectors      (m, N, 3)   1/√u      Cartesian displacement per mass-weighted coordinate
    ============ =========== ========= ====================================================
    """

    minimum: FloatArray
    wavenumbers: FloatArray
    vectors: FloatArray

    def widths(self, temperature: float, statistics: Statistics, softest: float) -> FloatArray:
        """Return (m,) the standard deviation of each mass-weighted coordinate, √u·Å.

        Classical: σ² = kT/ω². Quantum: σ² = ħ/2ω · coth(ħω/2kT), zero-point motion included.

        Parameters
        ----------
        temperature : K.
        softest : 1/cm; softer modes move as if they had this wavenumber.
        """
        omega = np.maximum(self.wavenumbers, softest) * invcm / HBAR
        if statistics == "classical":
            return np.asarray(np.sqrt(kB * temperature) / omega)
        return np.asarray(np.sqrt(HBAR / (2 * omega) / np.tanh(HBAR * omega / (2 * kB * temperature))))


def modes_of(source: OpenMMSource, numbers: Sequence[int], start: FloatArray) -> Modes:
    """Return the minimum next to `start` (N, 3) Å and its modes, by finite differences of the forces.

    Raises `FidselError` where no minimum is found.
    """
    import openmm

    context = reference_context(source.system(), openmm.VerletIntegrator(0.001))
    context.setPositions(start / 10)
    openmm.LocalEnergyMinimizer.minimize(context, 1e-3, 0)
    minimum = context.getState(getPositions=True).getPositions(asNumpy=True)._value * 10
    force = np.abs(evaluate(context, minimum)[1]).max()
    values, vectors = vibrations(_hessian(context, minimum), minimum, atomic_masses[np.asarray(numbers)])
    if force > LARGEST_FORCE or (values <= 0).any():
        raise FidselError(
            f"no minimum found: the largest force left is {force:.1e} eV/Å and {(values <= 0).sum()} modes "
            "have no restoring force; start from another geometry"
        )
    return Modes(minimum, wavenumbers(values), vectors)


def _hessian(context: "openmm.Context", minimum: FloatArray) -> FloatArray:
    """Return (3N, 3N) eV/Å² by central differences, symmetrised."""
    rows = []
    for i in np.ndindex(minimum.shape):
        shift = np.zeros_like(minimum)
        shift[i] = STEP
        ends = [evaluate(context, minimum + sign * shift)[1] for sign in (1, -1)]
        rows.append((ends[1] - ends[0]).ravel() / (2 * STEP))
    hessian = np.array(rows)
    return np.asarray((hessian + hessian.T) / 2)


def normal_modes(
    molecule: Molecule,
    frames: int,
    temperatures: Sequence[float],
    seed: int,
    *,
    conformers: int = 4,
    starts: FloatArray | None = None,
    source: OpenMMSource | None = None,
    statistics: Statistics = "classical",
    softest: float = 100.0,
    limits: PhysicalRange = LIMITS,
) -> Sample:
    """Return exactly `frames` thermal displacements along the normal modes of each conformer.

    Frames are independent. Motion is harmonic about each minimum, so large amplitudes of soft modes
    are only sketched: prefer molecular dynamics where it can run (Smith et al., Chem. Sci. 2017, 8,
    3192, DOI 10.1039/C6SC05720A use the same idea for their data).

    Parameters
    ----------
    frames : how many frames to return.
    temperatures : K.
    seed : the same seed gives the same frames.
    conformers : most conformers, made by ETKDG and MMFF94.
    starts : (k, N, 3) Å, starting geometries instead of conformers.
    source : energy surface; None = MMFF94.
    statistics : "classical", or "quantum" with zero-point motion.
    softest : 1/cm, softer modes move as if they had this wavenumber.
    limits : frames outside are drawn anew.

    Raises
    ------
    UsageError
        for arguments that cannot be, an atom alone, or a molecule MMFF94 does not describe.
    FidselError
        where no minimum is found or most draws are out of the physical range.
    """
    check_request(frames, temperatures)
    if statistics not in ("classical", "quantum"):
        raise unknown("statistics", statistics, ["classical", "quantum"])
    source, starts = prepared(molecule, source, starts, conformers, seed, limits)
    wells = [modes_of(source, molecule.numbers, start) for start in starts]
    runs = list(product(temperatures, range(len(wells))))
    rng, parts, reports, rejected = np.random.default_rng(seed), list[Frames](), [], 0
    for (temperature, well), share in zip(runs, split_evenly(frames, len(runs)), strict=True):
        group, modes = f"T{temperature:g}-c{well}", wells[well]
        widths = modes.widths(temperature, statistics, softest)
        positions, thrown = _draw(molecule, modes, widths, share, limits, rng)
        parts.append(as_frames(molecule, positions, group))
        reports.append(TrajectoryReport(group, temperature, share))
        rejected += thrown
    return Sample(join(parts), SampleReport("normal-modes", seed, tuple(reports), rejected))


def _draw(
    molecule: Molecule,
    modes: Modes,
    widths: FloatArray,
    n: int,
    limits: PhysicalRange,
    rng: np.random.Generator,
) -> tuple[FloatArray, int]:
    """Return n displaced geometries in range, (n, N, 3) Å, and how many draws were thrown away."""
    kept, thrown = [modes.minimum[None][:0]], 0
    while (missing := n - sum(map(len, kept))) > 0:
        amplitudes = rng.normal(size=(missing, len(widths))) * widths
        drawn = modes.minimum + np.tensordot(amplitudes, modes.vectors, axes=1)
        reasons = limits.reasons(molecule.numbers, drawn, molecule.bonds)
        good = np.array([not reason for reason in reasons])
        kept.append(drawn[good])
        thrown += int((~good).sum())
        if thrown > 9 * n + 90:
            raise FidselError(
                f"{thrown} of {thrown + n} draws along the normal modes of {molecule} are out of the "
                "physical range; lower the temperature or raise `softest`"
            )
    return np.concatenate(kept), thrown
