"""Rules of the data check about single labels far from all others."""

import numpy as np

from fidsel.arrays import BoolArray, FloatArray
from fidsel.data.checks.finding import Finding, Severity, about, by_level
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
from fidsel.data.checks.robust import FEWEST, largest_forces, net_share, spread
from fidsel.data.frames import Frames

DOUBTFUL = 0.6
"""Part of the limits of an error from which a label is worth a look."""

NAMED = 5
"""Frames whose values are told, as many as `few` shows the numbers of."""

OPEN, LEAST = 0.3, 0.5
"""Net forces above 30 % of all forces and 0.5 eV/Å are not of a closed system."""


def outliers(frames: Frames) -> tuple[list[Finding], BoolArray]:
    """Return frames whose energy or forces are far from those of the others, level by level.

    Energies are compared with the median of their composition and charge (of few frames with energies per
    element); largest forces by their logarithm. An energy far off in a frame whose forces are large too may
    be a strained configuration: it is a warning.

    Returns
    -------
    findings, and (n_frames,) True where an energy or force is not to be believed.
    """
    found: list[Finding] = []
    bad = np.zeros(len(frames), dtype=bool)
    for _, rows, of in by_level(frames):
        some, wrong = _of_level(frames[rows], of)
        found += [finding.within(rows) for finding in some]
        bad[rows] |= wrong
    return found, bad


def _of_level(frames: Frames, of: str) -> tuple[list[Finding], BoolArray]:
    found, wild, strained = _forces(frames, of)
    more, odd = _energies(frames, strained, of)
    tame = frames.replace(forces=np.where(np.repeat(wild, frames.sizes)[:, None], np.nan, frames.forces))
    return found + more + _closed(tame, of) + _zeros(tame, of), wild | odd


def _forces(frames: Frames, of: str) -> tuple[list[Finding], BoolArray, BoolArray]:
    """Return findings, where the largest force is an error, and where it is unusual."""
    largest, (size, usual, room) = largest_forces(frames), force_sizes(frames)
    bad = (size > usual + room) | (largest > FORCE_LIMIT)
    doubtful = (size > usual + DOUBTFUL * room) & ~bad
    compared = "" if np.isnan(usual) else f"; the usual one is {10**usual:.3g}"
    text = f"largest forces{of} are far too large in {{n}} frames: {{values}} eV/Å{compared}. "
    text += "Leave these frames out or relabel them"
    found = _told("error", "outliers", bad, text, largest)
    text = f"largest forces{of} are unusual in {{n}} frames: {{values}} eV/Å{compared}. Look at these frames"
    return found + _told("warning", "outliers", doubtful, text, largest), bad, bad | doubtful


def _energies(frames: Frames, strained: BoolArray, of: str) -> tuple[list[Finding], BoolArray]:
    """Return findings, and where the energy is an error."""
    huge = np.abs(frames.energy) > ENERGY_LIMIT * frames.sizes
    energy = np.where(huge, np.nan, frames.energy)
    excess, room, _ = energy_room(frames, energy, ENERGY_SIGMAS, ENERGY_LEAST, ENERGY_PER_ATOM)
    far, doubtful = np.abs(excess) > room, np.abs(excess) > DOUBTFUL * room
    bad = huge | (far & ~strained)
    text = f"energies{of} are far from the usual of their composition in {{n}} frames: {{values}} eV from "
    text += "it. Leave these frames out or relabel them"
    found = _told("error", "outliers", bad, text, np.where(np.isnan(excess), frames.energy, excess), "+")
    text = f"energies{of} are unusual for their composition in {{n}} frames: {{values}} eV from the usual. "
    text += "Look at these frames"
    return found + _told("warning", "outliers", (far | doubtful) & ~bad, text, excess, sign="+"), bad


def _closed(frames: Frames, of: str) -> list[Finding]:
    """Report net forces in frames of a set that has none."""
    net, share = net_share(frames)
    if np.isfinite(share).sum() < FEWEST:
        return []
    if (usual := spread(share)[0]) > OPEN:
        text = f"forces{of} do not add up to zero: the net force is {usual:.0%} of all forces. Are they of "
        text += "another order of atoms or transposed, are atoms missing, or is there an outer field?"
        return [Finding("warning", "net-force", text)]
    open_ = (share > OPEN) & (net > LEAST) & (usual < CLOSED)
    text = f"forces{of} do not add up to zero in {{n}} frames, as they do in the others: {{values}} eV/Å. "
    return _told("warning", "net-force", open_, text + "Relabel these frames or leave them out", net)


def _zeros(frames: Frames, of: str) -> list[Finding]:
    """Report frames without forces, written as zeros, among others that have some."""
    largest = largest_forces(frames)
    usual = spread(largest)[0]
    several = frames.sizes > 1
    zero = (largest == 0) & several & bool(usual > 0)
    text = f"all forces{of} are zero in {{n}} frames, and not in the others: leave these frames out where "
    return about("warning", "outliers", zero, text + "zero stands for a missing label")


def _told(
    severity: Severity, rule: str, bad: BoolArray, text: str, values: FloatArray, sign: str = ""
) -> list[Finding]:
    """Return a finding that tells the values of the first frames in place of {values}."""
    several = [f"{value:{sign}.4g}" for value in values[bad].tolist()]
    told = ", ".join(several[:NAMED]) + (" ..." if len(several) > NAMED else "")
    return about(severity, rule, bad, text.replace("{values}", told))
