"""What a result that came from an engine really is: a label, or the error it has to count as."""

from dataclasses import dataclass, replace

import numpy as np

from fidsel.fidelity.attempt import Attempt
from fidsel.fidelity.engine.task import Task, Usage
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.source import Label, LabelError, LabelSource

NEARLY = 0.98
"""A limit counts as reached from here on: an engine looks at it now and then."""


@dataclass(frozen=True)
class PurchaseEvent:
    """A label arrived and is stored, or failed.

    Parameters
    ----------
    frame_id : which.
    error : why it failed; None where it is labelled.
    seconds : core-seconds it took.
    finished, total : labels that ended so far, of how many asked for and not owned.
    """

    frame_id: str
    error: str | None
    seconds: float
    finished: int
    total: int


def checked(
    fidelity: Fidelity, task: Task, result: Label | LabelError, seconds: float, over: bool
) -> Label | LabelError:
    """Return the result, or the error it really is, with the core-seconds it is charged for.

    Parameters
    ----------
    fidelity : the level it is a label of.
    task, result : as an engine gave them.
    seconds : core-seconds on the clock of its price.
    over : whether it has used what the budget could pay for (see `past_budget`).
    """
    if isinstance(result, LabelError):
        if result.cause == "timeout" and over:
            text = f"stopped after {seconds:.3g} core-s, which is what the budget could pay for"
            return LabelError(text, seconds, "cancelled")
        return LabelError(str(result), seconds, result.cause)
    if not fidelity.forces:
        return replace(result, forces=None, seconds=seconds)
    shape = None if result.forces is None else np.shape(result.forces)
    if shape != task.atoms.positions.shape:
        wanted = f"{fidelity.name} declares forces of shape {task.atoms.positions.shape}"
        return LabelError(f"{wanted}, the source returned {shape or 'none'}", seconds, "invalid")
    return replace(result, seconds=seconds)


def past_budget(attempt: Attempt, own_limit: float | None, usage: Usage) -> bool:
    """Return whether a label has used what the budget could pay for, which is less than its level allows."""
    if attempt.price.per == "allocated-second":
        used, own, paid = usage.wall, own_limit, attempt.time_limit
    else:
        used, paid = usage.cpu, attempt.cpu_limit
        own = None if own_limit is None else attempt.threads * own_limit
    if own is not None and used >= NEARLY * own:
        return False
    return paid is not None and used >= NEARLY * paid


def stated_seconds(source: LabelSource) -> float | None:
    """Return the core-seconds that a source's settings say a label takes, None where it is to be measured.

    A table states them, to practise a campaign on labels owned; looking labels up is free else.
    """
    stated = float(getattr(source, "seconds_per_label", 0.0))
    return stated if stated > 0 or getattr(source, "in_process", False) else None
