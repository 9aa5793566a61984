"""Charge and spin that are given for frames, beside those that their file names."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fidsel.arrays import BoolArray, IntArray
from fidsel.data.frames import Frames
from fidsel.exceptions import UsageError

NAMES = {"charge": "charge", "spin": "number of unpaired electrons (2S)"}


@dataclass(frozen=True)
class State:
    """Charge and spin of frames for which a file names none.

    Parameters
    ----------
    charge, spin : total charge, e, and number of unpaired electrons (2S); None = as the file says.
    others : whether frames may name others, and keep them.

    Examples
    --------
    >>> water = Frames.stack([8, 1, 1], np.zeros((2, 3, 3)))
    >>> State(-2).given_to(water, {"charge": np.array([False, False])}, "water.xyz").charge.tolist()
    [-2, -2]
    """

    charge: int | None = None
    spin: int | None = None
    others: bool = False

    def given_to(self, frames: Frames, named: Mapping[str, BoolArray], where: str) -> Frames:
        """Return frames with this state where their file names none.

        Raises `UsageError` unless `others`: where the file names another state, or this one leaves
        electrons that no system has.

        Parameters
        ----------
        frames : as they were read; charge and spin are 0 where the file names none.
        named : "charge" and "spin" → (n_frames,) whether the file names it; missing = for none.
        where : the file, for messages.
        """
        changes = {}
        for name in ("charge", "spin"):
            if (given := getattr(self, name)) is not None:
                told = named.get(name, np.zeros(len(frames), dtype=bool))
                changes[name] = np.where(told, getattr(frames, name), given)
                if not self.others:
                    _refuse_other(name, given, changes[name], where)
        out = frames.replace(**changes) if changes else frames
        if changes and not self.others:
            _require_electrons(out, where)
        return out


def electrons(frames: Frames) -> tuple[IntArray, BoolArray, BoolArray]:
    """Return the number of electrons of each frame, and what is wrong with it.

    Returns
    -------
    count : (n_frames,) ΣZ − charge.
    odd : (n_frames,) True where count and spin (2S) are not both even or both odd.
    impossible : (n_frames,) True where the count is negative, or so many electrons cannot be unpaired.
    """
    count = frames.sum_per_frame(frames.numbers) - frames.charge
    impossible = (count < 0) | (frames.spin < 0) | (frames.spin > count)
    return count, (count - frames.spin) % 2 != 0, impossible


def _refuse_other(name: str, given: int, found: BoolArray, where: str) -> None:
    other = np.flatnonzero(found != given)
    if other.size:
        raise UsageError(
            f"{where} names the {NAMES[name]} {found[other[0]]} for {other.size} of {len(found)} frames, the "
            f"first is frame {other[0]}, but {given} was given: leave out {name}, or correct the file"
        )


def _require_electrons(frames: Frames, where: str) -> None:
    """Raise unless every frame has a number of electrons that goes with its spin."""
    count, odd, impossible = electrons(frames)
    wrong = np.flatnonzero(impossible | odd)
    if wrong.size:
        i = int(wrong[0])
        raise UsageError(
            f"charge {frames.charge[i]} leaves {count[i]} electrons in frame {i} of {where}, of which "
            f"{frames.spin[i]} cannot be unpaired: give another charge, or spin, the number of unpaired "
            "electrons (2S)"
        )
