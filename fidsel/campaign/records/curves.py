"""The learning curve of a campaign: held-out error against spend, the control arm beside it."""

from collections.abc import Sequence
from pathlib import Path

from fidsel.campaign.records.round import Round, last_arms
from fidsel.campaign.rounds.measure import error_unit
from fidsel.fidelity.budget import Budget
from fidsel.report import LearningCurve, learning_curve_plot

CONTROL = {"bought": "random accurate labels, bought", "owned": "random accurate labels, extrapolated (90 %)"}


def plot_learning_curve(path: Path, rounds: Sequence[Round], budget: Budget) -> None:
    """Draw the headline error of every round against what had been spent."""
    forces = rounds[-1].metrics.force_mae is not None
    learning_curve_plot(
        learning_curves(rounds, budget),
        path,
        spend_label=spend_label(budget),
        unit=f"m{error_unit(forces)}",
        quantity=headline(forces),
    )


def spend_label(budget: Budget) -> str:
    """Return what a campaign's learning curve is drawn against."""
    return f"spent ({budget.scale[1]})"


def headline(forces: bool) -> str:
    """Return what a campaign's learning curve shows."""
    return "force MAE" if forces else "energy MAE"


def learning_curves(rounds: Sequence[Round], budget: Budget) -> tuple[LearningCurve, ...]:
    """Return the headline error of every round against what had been spent, and of the control arm.

    Of the control arm, the rounds that have it of its last kind: `campaign.control` can be edited.
    """
    size, _ = budget.scale
    ours = [record.metrics.headline for record in rounds]
    curves = [LearningCurve("campaign", [record.spent / size for record in rounds], ours)]
    arms = [arm for _, arm in last_arms(rounds)]
    if arms:
        kind = arms[-1].kind
        spent, errors = [arm.at / size for arm in arms], [arm.error for arm in arms]
        low, high = [arm.low for arm in arms], [arm.high for arm in arms]
        extrapolated = kind == "owned"
        band = (low, high) if extrapolated else ((), ())
        curves.append(
            LearningCurve(CONTROL[kind], spent, errors, extrapolated=extrapolated, low=band[0], high=band[1])
        )
    return tuple(curves)
