"""Labels of geometries that a check asks a level for, each within limits of time and memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from ase import Atoms

from fidsel.exceptions import FidselError
from fidsel.fidelity.buying.reservations import patience
from fidsel.fidelity.engine.task import Engine, Result, Task
from fidsel.fidelity.level import Fidelity
from fidsel.fidelity.source import LabelError
from fidsel.models.combinations.labels import Outcome

KEY = "at rest "
"""Begins the keys of its tasks, which no purchase has."""


def asked(
    engine: Engine,
    level: Fidelity,
    frames: Sequence[Atoms],
    expected: float | None,
    remedy: str,
    stray: Callable[[Result], None],
) -> Iterator[Outcome]:
    """Yield what an engine makes of configurations at a level, in the order in which they are done.

    Raises a `FidselError` after a label that has passed its limit of time.

    Parameters
    ----------
    expected : core-seconds of a label, None = unknown: without a limit of the level's own, they set it.
    remedy : what is to be done about a label that takes too long.
    stray : takes what comes of other tasks of the engine.
    """
    limit = patience(level, expected or 0.0)
    tasks = (
        Task(
            str(row), atoms, level.source, limit, expected, level.threads,
            memory_limit=level.memory_limit, key=f"{KEY}{row}",
        )
        for row, atoms in enumerate(frames)
    )  # fmt: skip
    with closing(engine.run(tasks)) as results:
        for result in results:
            task, outcome, usage = result
            if not task.key.startswith(KEY):
                stray(result)
                continue
            yield int(task.frame_id), outcome, level.price.seconds(usage, level.threads)
            if isinstance(outcome, LabelError) and outcome.cause == "timeout":
                raise FidselError(f"a label took longer than {limit:g} s: {remedy}")
