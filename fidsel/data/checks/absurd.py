"""`absurd`: labels that no calculation of these frames can mean, so that nobody trains on them unseen."""

from collections.abc import Sequence

import numpy as np

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.data.checks.limits import (
    CLOSED,
    ENERGY_LEAST,
    ENERGY_LIMIT,
    ENERGY_PER_ATOM,
    ENERGY_SIGMAS,
    FORCE_LIMIT,
    energy_room,
    force_sizes,
)
from fidsel.data.checks.robust import FEWEST, excess_energy, largest_forces, net_share, spread
from fidsel.data.frames import Frames
from fidsel.exceptions import UsageError

Reasons = list[str | None]

GAP_SIGMAS, GAP_LEAST, GAP_PER_ATOM, GAP_STRAIN = 20.0, 3.0, 0.2, 2.0
"""The same limits of accurate − cheap energy, which varies less; strained frames have twice their strain as
room."""

NET_SHARE, NET_LEAST = 0.5, 1.0
"""A net force of a closed system is absurd at half the norm of all forces, and above 1 eV/Å."""

STRONG = 0.7
"""eV/Å; root-mean-square forces below which two levels may point in different directions."""
COMPARABLE = 3.0
"""Directions are compared where norms differ by less: a force field of fixed bonds can err by far more."""
LIKE, UNLIKE, DROP = 0.7, 0.5, 1.6
"""Where the median correlation r of two levels' forces is above `LIKE`, one is looked at that is below
`UNLIKE` and so much lower in Fisher's variable artanh r."""
FARTHER, FARTHER_SIGMAS = 3.0, 6.0
"""It is absurd where the forces differ by 3 × more than usual, and by 6 σ of the logarithm."""
OPPOSITE = -0.8
"""A median correlation below says that one of the two levels has the wrong sign throughout."""
SCALE, FAINT, FIERCE = 15.0, 0.2, 10.0
"""Forces so many times weaker or stronger, in proportion to the cheap ones, are absurd where their root mean
square is below 0.2 or above 10 eV/Å too."""

RECENT = 2000
"""Known labels that are looked at, the last ones."""


def absurd(
    energy: FloatArray,
    forces: FloatArray | Sequence[FloatArray | None],
    numbers: IntArray,
    offsets: IntArray,
    known: Frames | None = None,
    cheap: Frames | None = None,
    *,
    known_cheap: Frames | None = None,
    charge: IntArray | None = None,
) -> list[str | None]:
    """Return for each new label None, or in words why it cannot be meant.

    Limits are wide on purpose: hot, strained and dissociated configurations pass. What is usual is the
    median over known and new labels together, of which at least `FEWEST` are needed; it holds as long as
    more than half of them are right.

    ============ ==================================================================================
    always       NaN, infinite; a force above 1e4 eV/Å; more than 1e6 eV per atom
    labels       largest force 30 × the usual one (on top of 6 σ of its logarithm); energy beyond
                 30 σ and 5 eV + 1 eV per atom of its composition; net force
    cheap labels accurate − cheap energy beyond 20 σ and 3 eV + 0.2 eV per atom of its composition;
                 forces that point elsewhere than the cheap ones, or are 15 × weaker or stronger
    ============ ==================================================================================

    Raises `UsageError` where shapes do not fit, or rows of `cheap` hold other atoms than the labels.

    Parameters
    ----------
    energy : (n,) eV.
    forces : (n_atoms, 3) eV/Å, NaN for labels without forces; or n arrays (atoms of the frame, 3) or None.
    numbers : (n_atoms,) atomic numbers of all frames, one after the other.
    offsets : (n + 1,) first atom of each frame.
    known : labels of the same level that are trusted so far.
    cheap : labels of another level of the n new configurations, row by row; NaN where there are none.
    known_cheap : the same of `known`, row by row.
    charge : (n,) e, total charges; 0 where not given.
    """
    packed = _packed(forces, offsets)
    new = Frames.pack(
        numbers, np.zeros((len(numbers), 3)), offsets, energy=energy, forces=packed, charge=charge
    )
    first = 0 if known is None else max(len(known) - RECENT, 0)
    both = new if known is None else known[first:] + new
    other = _aligned(new, cheap, "cheap")
    if known is not None:
        other = _aligned(known, known_cheap, "known_cheap")[first:] + other
    reasons: Reasons = [None] * len(both)
    sound = _impossible(both, reasons)
    judged = both.replace(
        energy=np.where(sound, both.energy, np.nan),
        forces=np.where(np.repeat(sound, both.sizes)[:, None], both.forces, np.nan),
    )
    if len(both):
        _unusual_forces(judged, reasons)
        limits = (ENERGY_SIGMAS, ENERGY_LEAST, ENERGY_PER_ATOM)
        _unusual_energies(judged, judged.energy, reasons, limits, "")
        gap = judged.energy - other.energy
        strain = np.maximum(np.nan_to_num(excess_energy(other, other.energy)), 0.0)
        room = (GAP_SIGMAS, GAP_LEAST + GAP_STRAIN * strain, GAP_PER_ATOM)
        _unusual_energies(judged, gap, reasons, room, " minus that of the cheap level")
        _unlike_cheap(judged, other, reasons)
    return reasons[len(both) - len(new) :]


def _packed(forces: FloatArray | Sequence[FloatArray | None], offsets: IntArray) -> FloatArray:
    if isinstance(forces, np.ndarray) and forces.dtype != object:
        return forces
    if len(forces) != len(offsets) - 1:
        raise UsageError(f"forces must be one array for each of {len(offsets) - 1} labels, got {len(forces)}")
    rows = [
        np.full((size, 3), np.nan) if found is None else np.asarray(found, dtype=np.float64).reshape(size, 3)
        for found, size in zip(forces, np.diff(offsets).tolist(), strict=True)
    ]
    return np.concatenate([np.empty((0, 3)), *rows])


def _aligned(frames: Frames, cheap: Frames | None, name: str) -> Frames:
    """Return the cheap labels of frames, all NaN where none are given."""
    if cheap is None:
        return frames.replace(energy=None, forces=None)
    if not (np.array_equal(cheap.offsets, frames.offsets) and np.array_equal(cheap.numbers, frames.numbers)):
        raise UsageError(f"{name} must hold the same {len(frames)} frames row by row, got {cheap!r}")
    return cheap


def _note(reasons: Reasons, bad: BoolArray, text: str, **values: FloatArray) -> None:
    """Give a reason to each marked frame that has none yet; {names} are the frame's values."""
    for i in np.flatnonzero(bad).tolist():
        if reasons[i] is None:
            reasons[i] = text.format(**{name: float(value[i]) for name, value in values.items()})


def _impossible(frames: Frames, reasons: Reasons) -> BoolArray:
    """Judge labels by themselves; return (n,) True where nothing was found."""
    _note(reasons, ~np.isfinite(frames.energy), "the energy is {energy}", energy=frames.energy)
    given = ~frames.per_frame(np.logical_and, np.isnan(frames.forces).all(axis=1))
    _note(reasons, given & ~frames.has_forces, "some forces are NaN or infinite")
    each = np.abs(frames.energy) / frames.sizes
    text = f"the energy is {{energy:.3g}} eV, more than {ENERGY_LIMIT:g} eV per atom"
    _note(reasons, each > ENERGY_LIMIT, text, energy=frames.energy)
    force = largest_forces(frames)
    text = f"the largest force is {{force:.3g}} eV/Å, more than {FORCE_LIMIT:g} eV/Å"
    _note(reasons, force > FORCE_LIMIT, text, force=force)
    return np.array([reason is None for reason in reasons])


def _unusual_forces(frames: Frames, reasons: Reasons) -> None:
    """Judge sizes of forces and net forces against those of the other frames."""
    size, usual, room = force_sizes(frames)
    if np.isnan(usual):
        return
    text = f"the largest force is {{force:.3g}} eV/Å, {{times:.3g}} times the usual {10**usual:.3g} eV/Å"
    _note(reasons, size > usual + room, text, force=10**size, times=10 ** (size - usual))
    net, share = net_share(frames)
    if spread(share)[0] < CLOSED:
        text = "the net force is {net:.3g} eV/Å, {share:.0%} of all forces, which add up to zero elsewhere"
        _note(reasons, (share > NET_SHARE) & (net > NET_LEAST), text, net=net, share=share)


def _unusual_energies(
    frames: Frames,
    energy: FloatArray,
    reasons: Reasons,
    limits: tuple[float, FloatArray | float, float],
    of: str,
) -> None:
    """Judge energies, or differences between levels, against what is usual for their composition.

    Parameters
    ----------
    energy : (n,) eV.
    limits : number of σ, eV and eV per atom, as `energy_room` takes them.
    of : what they are differences to.
    """
    excess, room, sigma = energy_room(frames, energy, *limits)
    text = f"the energy{of} is {{excess:+.4g}} eV from the usual of its composition (σ {{sigma:.3g}} eV)"
    _note(reasons, np.abs(excess) > room, text, excess=excess, sigma=sigma)


def _unlike_cheap(frames: Frames, cheap: Frames, reasons: Reasons) -> None:
    """Judge directions and sizes of forces against those of the cheap level."""
    own, theirs, apart = (
        _rms(frames, x) for x in (frames.forces, cheap.forces, frames.forces - cheap.forces)
    )
    alike = np.divide(own**2 + theirs**2 - apart**2, 2 * own * theirs, out=_nan(own), where=own * theirs > 0)
    ratio = np.divide(own, theirs, out=_nan(own), where=theirs > STRONG)
    strong = (own > STRONG) & (ratio < COMPARABLE) & (ratio > 1 / COMPARABLE)
    if strong.sum() < FEWEST:
        return
    usual, (middle, sigma) = spread(alike[strong])[0], spread(np.log10(apart[strong]))
    text = "the forces correlate by {alike:.2f} with those of the cheap level"
    _note(
        reasons,
        strong & (usual < OPPOSITE) & (alike < 0),
        f"{text}, as usual: one of the two has the wrong sign",
        alike=alike,
    )
    if usual < LIKE:
        return
    far = np.log10(np.maximum(apart, 1e-300)) > middle + max(np.log10(FARTHER), FARTHER_SIGMAS * sigma)
    text += f", {usual:.2f} is usual: wrong sign, other order of atoms, transposed, or of another frame?"
    limit = min(UNLIKE, float(np.tanh(np.arctanh(min(usual, 1 - 1e-9)) - DROP)))
    _note(reasons, strong & far & (alike < limit), text, alike=alike)
    middle = spread(ratio)[0]
    text = f"the forces are {{ratio:.3g}} times those of the cheap level, {middle:.3g} times is usual"
    faint = (ratio < middle / SCALE) & (own < FAINT)
    _note(reasons, faint | ((ratio > middle * SCALE) & (own > FIERCE)), text, ratio=ratio)


def _rms(frames: Frames, forces: FloatArray) -> FloatArray:
    """Return (n,) eV/Å, the root mean square over the atoms of each frame."""
    squares = frames.sum_per_frame((forces**2).sum(axis=1))
    return np.asarray(np.sqrt(squares / frames.sizes))


def _nan(like: FloatArray) -> FloatArray:
    return np.full(len(like), np.nan)
