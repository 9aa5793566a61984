"""Which round of a campaign has the model to take."""

from collections.abc import Sequence
from math import sqrt
from pathlib import Path

from fidsel.campaign.records.round import Round

SPREAD = 0.1
"""How much the ratio of two rounds' errors differs from one validation frame to another, relative."""


def best_round(rounds: Sequence[Round]) -> Round | None:
    """Return the last round whose error on the validation labels is as good as the lowest; None of none.

    The validation labels are the same in every round and the campaign decides by them; test labels only
    report, so that what they say stays honest. Errors within `SPREAD` / √n of each other are equal, as
    n labels cannot tell them apart, and of equal rounds the last one saw most labels.

    The error is the force MAE, or the energy MAE at a level without forces.
    """
    if not rounds:
        return None
    lowest = min(record.validation.headline for record in rounds)
    return next(r for r in reversed(rounds) if r.validation.headline <= lowest * (1 + _noise(r)))


def best_words(best: Round, rounds: Sequence[Round], unit: str) -> str:
    """Return which round is best and by what.

    Parameters
    ----------
    unit : of the headline error, "eV/Å" or "eV".
    """
    what = "energy" if best.validation.force_mae is None else "force"
    lowest = min(record.validation.headline for record in rounds)
    which = "lowest" if best.validation.headline == lowest else "last of those with the lowest"
    return (
        f"{best.index} of 0 to {rounds[-1].index}: {which} validation {what} MAE, "
        f"{1000 * best.validation.headline:.3g} m{unit} over {best.validation.frames} labels"
    )


def _noise(record: Round) -> float:
    return SPREAD / sqrt(max(record.validation.frames, 1))


def python_lines(model: Path) -> tuple[str, str]:
    """Return two lines of Python that give ASE Atoms a saved model as their calculator."""
    return "import fidsel", f'atoms.calc = fidsel.load("{model.as_posix()}").calculator()'
