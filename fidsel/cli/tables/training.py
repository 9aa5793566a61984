"""What `train` says of the stages it went through, and what they came to."""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any

from fidsel.cli.output import note
from fidsel.cli.tables.campaign import force_words

FLAT = 0.02
"""Part of the validation loss that a stage's second half takes off where it has settled all the same."""


def training_notes(found: Mapping[str, Any]) -> None:
    """Tell what a training on files did, what it ended with and where."""
    for line in (*stage_lines(found), trained_line(found)):
        note(line)


def trained_line(found: Mapping[str, Any]) -> str:
    """Return one line on a training on files."""
    mae = found["validation_force_mae"]
    shown = "energies only" if mae is None else f"validation force MAE {force_words(mae)}"
    if found["validation_energy_mae"] is not None:
        atom = [1000 * found[f"validation_energy_{name}_per_atom"] for name in ("mae", "rmse")]
        shown += f", energy MAE {atom[0]:.3g} and RMSE {atom[1]:.3g} meV/atom"
    return f"{found['recipe']} on {found['train']} accurate labels: {shown}; model in {found['model']}"


def stage_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line on each stage of a training on files, then its warnings and notes."""
    for stage in found["stages"]:
        told = "; ".join(_told(stage["notes"]))
        yield f"{stage['stage']}: {told + '; ' if told else ''}{stage['seconds']:.3g} s"
    yield from _more(found["stages"])
    yield from (*found["warnings"], *found["notes"])


def _more(stages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what to give where the validation loss of a stage was still falling at its end."""
    each = [(stage, one) for stage in stages for one in (stage["notes"], *stage["notes"].get("each", ()))]
    ends = [(stage["stage"], one) for stage, one in each if "settled" in one]
    short = dict.fromkeys(name for name, one in ends if not one["settled"] and one["second_half"] > FLAT)
    if short:
        minutes = ceil(2 * sum(stage["seconds"] for stage in stages) / 60)
        yield (
            f"the validation loss had not settled at the end of {' and '.join(short)}: twice the time, "
            f"--minutes {minutes}, may lower it further"
        )


def _told(notes: Mapping[str, Any]) -> Iterator[str]:
    if "each" in notes:
        yield f"{len(notes['each'])} members"
        sigmas = sorted({one["sigma"] for one in notes["each"] if "sigma" in one})
        if sigmas:
            yield f"σ = {', '.join(f'{sigma:.4g}' for sigma in sigmas)} 1/Å"
    if "sigma" in notes:
        yield _width(notes)
    if "weights" in notes:
        yield "weights " + ", ".join(f"{share:.2f} {kind}" for kind, share in notes["weights"])
    if "settled" in notes:
        yield f"{notes['steps']} steps{', settled' if notes['settled'] else ''}"
        if notes["second_half"] > 0:
            yield f"their second half took {notes['second_half']:.0%} off the validation loss"
    if "best_validation" in notes:
        yield f"best validation loss {notes['best_validation']:.4g}"
    if count := notes.get("energy_outliers"):
        yield f"energies left out of the energy constant, as they are far from all others: {count}"


def _width(notes: Mapping[str, Any]) -> str:
    """Return σ, ν and λ, and which metric."""
    sigmas = [one["sigma"] for one in notes["tried"]]
    text = f"σ = {notes['sigma']:.4g} 1/Å"
    if len(set(sigmas)) > 1:
        text += f" of {len(set(sigmas))} from {min(sigmas):.3g} to {max(sigmas):.3g}"
    metric = ", learnt metric" if notes["metric"] == "learnt" else ""
    return f"{text}, ν = {notes['nu']:g}, λ = {notes['lam']:.3g}{metric}"
