"""Pools of configurations from molecular dynamics with MMFF94 or any OpenMM System."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from ase import Atoms

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.molecule import Molecule
from fidsel.fidelity.sources.openmm import MMFFSource, OpenMMSource
from fidsel.md.langevin import check_request
from fidsel.md.physical import PhysicalRange, check_within
from fidsel.md.sampling.conformer_search import conformers as embed
from fidsel.md.sampling.report import Sample, SampleReport, TrajectoryReport
from fidsel.md.sampling.trajectory import SamplingPlan, Walk

PLAN = SamplingPlan()


def sample(
    molecule: Molecule,
    frames: int,
    temperatures: Sequence[float],
    seed: int,
    *,
    conformers: int = 4,
    starts: FloatArray | None = None,
    source: OpenMMSource | None = None,
    plan: SamplingPlan = PLAN,
) -> Sample:
    """Return exactly `frames` configurations from Langevin dynamics, decorrelated.

    One trajectory runs from each conformer at each temperature, as long as it takes for its share of
    the frames to lie one integrated autocorrelation time of energy and geometry apart. Where it leaves
    the physical range it is cut and started anew.

    MMFF94 has a fixed bond graph: no bond breaks and no proton moves over. Sample molecules that do so
    with `refresh_pool` on a model trained for it.

    Parameters
    ----------
    frames : how many frames to return.
    temperatures : K.
    seed : the same seed gives the same frames.
    conformers : most starting conformers, made by ETKDG and MMFF94.
    starts : (k, N, 3) Å, starting geometries instead of conformers.
    source : energy surface; None = MMFF94.

    Raises
    ------
    UsageError
        for arguments that cannot be, an atom alone, or a molecule MMFF94 does not describe.
    FidselError
        where a trajectory leaves the physical range too often to give its frames.
    """
    check_request(frames, temperatures)
    source, starts = prepared(molecule, source, starts, conformers, seed, plan.limits)
    runs = list(product(temperatures, range(len(starts))))
    shares = split_evenly(frames, len(runs))
    seeds = np.random.SeedSequence(seed).spawn(len(runs))
    parts: list[Frames] = []
    reports: list[TrajectoryReport] = []
    for (temperature, start), share, sequence in zip(runs, shares, seeds, strict=True):
        name = f"T{temperature:g}-c{start}"
        walk = Walk(molecule, source, starts[start], temperature, name, plan)
        for positions, report in walk.trajectories(share, sequence):
            parts.append(as_frames(molecule, positions, report.group))
            reports.append(report)
    return Sample(join(parts), SampleReport("md", seed, tuple(reports), notes=notes_on(reports)))


def starts_of(molecule: Molecule, source: OpenMMSource, n: int, seed: int) -> FloatArray:
    """Return up to `n` conformers (k, N, 3) Å, optimised where the source is MMFF94."""
    return embed(molecule, n, seed, variant=source.variant if isinstance(source, MMFFSource) else None)


def prepared(
    molecule: Molecule,
    source: OpenMMSource | None,
    starts: FloatArray | None,
    conformers: int,
    seed: int,
    limits: PhysicalRange,
) -> tuple[OpenMMSource, FloatArray]:
    """Return source and starting geometries (k, N, 3) Å: those given, else MMFF94 and conformers.

    Raises `UsageError` for an atom alone, and unless both are of this molecule and the starts in range.
    """
    refuse_single(molecule)
    source = source or MMFFSource(molecule)
    if starts is None:
        starts = starts_of(molecule, source, conformers, seed)
    if starts.ndim != 3 or starts.shape[1:] != (len(molecule), 3) or len(starts) == 0:
        raise UsageError(f"starts must have shape (k, {len(molecule)}, 3) with k ≥ 1, got {starts.shape}")
    source.check(Atoms(molecule.numbers, starts[0], info={"charge": molecule.charge}))
    check_within(limits.reasons(molecule.numbers, starts, molecule.bonds))
    return source, starts


def refuse_single(molecule: Molecule) -> None:
    """Raise `UsageError` for an atom alone, all of whose configurations are the same."""
    if len(molecule) == 1:
        raise UsageError(
            f"an atom alone is the same wherever it lies, so a pool of {molecule} would hold one "
            "configuration again and again: take a molecule or a cluster, for example [Na+].O"
        )


def require_sampling(molecule: Molecule) -> None:
    """Raise `UsageError` unless a pool of a molecule can be sampled with MMFF94."""
    refuse_single(molecule)
    MMFFSource(molecule)


def split_evenly(total: int, parts: int) -> list[int]:
    """Return `parts` shares of `total` that differ by at most one.

    >>> split_evenly(10, 4)
    [3, 3, 2, 2]
    """
    return [total // parts + (i < total % parts) for i in range(parts)]


def as_frames(molecule: Molecule, positions: FloatArray, group: str) -> Frames:
    """Return unlabelled frames of a molecule about their centroids; positions (n, N, 3) Å."""
    centred = positions - positions.mean(axis=1, keepdims=True)
    return Frames.stack(molecule.numbers, centred, charge=molecule.charge, spin=molecule.spin, group=group)


def join(parts: Sequence[Frames]) -> Frames:
    """Return all frames in order."""
    first, *rest = parts
    return sum(rest, first)


def notes_on(reports: Sequence[TrajectoryReport]) -> tuple[str, ...]:
    """Return what the caller of some trajectories should know, as sentences."""
    notes = []
    if cut := [r for r in reports if r.left]:
        notes.append(
            f"{len(cut)} trajectories left the physical range and were cut there: lower pool.temperature "
            "if it happens often"
        )
    if slow := [r for r in reports if r.correlated and r.frames]:
        notes.append(
            f"frames of {len(slow)} trajectories are correlated: longest_interval is shorter than they need, "
            "so take fewer frames, which are then farther apart"
        )
    return tuple(notes)
