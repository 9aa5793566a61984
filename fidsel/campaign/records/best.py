"""Which round of a campaign has the model to take."""

from collections.abc import Sequence
from pathlib import Path

from fidsel.campaign.records.round import Round


def best_round(rounds: Sequence[Round]) -> Round | None:
    """Return the round with the lowest error on the validation labels, None where there is none.

    The validation labels are the same in every round and the campaign decides by them; test labels only
    report, so that what they say stays honest. Of equal rounds the later one is taken, which saw more labels.

    The error is the force MAE, or the energy MAE at a level without forces.
    """
    return min(rounds, key=lambda record: (record.validation.headline, -record.index), default=None)


def best_words(best: Round, rounds: Sequence[Round], unit: str) -> str:
    """Return which round is best and by what.

    Parameters
    ----------
    unit : of the headline error, "eV/Å" or "eV".
    """
    what = "energy" if best.validation.force_mae is None else "force"
    return (
        f"{best.index} of 0 to {rounds[-1].index}: lowest validation {what} MAE, "
        f"{1000 * best.validation.headline:.3g} m{unit} over {best.validation.frames} labels"
    )


def python_lines(model: Path) -> tuple[str, str]:
    """Return two lines of Python that give ASE Atoms a saved model as their calculator."""
    return "import fidsel", f'atoms.calc = fidsel.load("{model.as_posix()}").calculator()'
