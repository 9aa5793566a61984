"""How far a training is, and where it is kept: handed to recipes, stages and fits, which tell and save."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from time import perf_counter
from typing import Any, Protocol, Self, TypeVar

from torch import Tensor

from fidsel.models.checkpoints import Checkpoint, Checkpoints, Kept

BETWEEN = 0.2
"""Seconds between two messages of a task, at least."""
PIECE = 2.0
"""Seconds of work after which a task tells how far it is."""


@dataclass(frozen=True)
class Progress:
    """How far one part of a training is.

    Parameters
    ----------
    stage : which part, e.g. "pre-train mmff94".
    step, of : what is done, of how much; an iteration's end is an estimate.
    unit : what is counted: "steps", "iterations", "rows" or "columns" of a kernel matrix, "fits" and
        "weightings" of distances that a kernel tries.
    loss : validation loss of a network, validation error or residual of a kernel, where there is any.
    gain : part of a network's loss that the second half of the steps so far took off.
    left : seconds until this part is done, as far as can be told.

    Examples
    --------
    >>> Progress("fine-tune", 1200, 4000, loss=0.0123, left=75).detail
    'steps, loss 0.0123, 1 min 15 s left'
    """

    stage: str
    step: int
    of: int
    unit: str = "steps"
    loss: float | None = None
    left: float | None = None
    gain: float | None = None

    @property
    def detail(self) -> str:
        """What to say beside stage, step and end."""
        gained = "" if self.gain is None else f" ({self.gain:.0%} off by the second half so far)"
        loss = [] if self.loss is None else [f"loss {self.loss:.3g}{gained}"]
        left = [] if self.left is None or self.step >= self.of else [f"{spoken(self.left)} left"]
        return ", ".join([self.unit, *loss, *left])


OnProgress = Callable[[Progress], None]
T = TypeVar("T")


class SideBySide(Protocol):
    """Runs trainings that do not depend on each other; see `fidsel.training.apart.Trainer`."""

    def __call__(self, calls: Mapping[str, Callable[[], Any]]) -> list[Any]:
        """Return what they come to, in their order; `calls` are by their names."""
        ...

    def heard(self, listener: OnProgress) -> OnProgress:
        """Return a callback for a training of the next call: what that tells it, the listener hears here."""
        ...


def unheard(progress: Progress) -> None:
    """Tell nobody."""


def spoken(seconds: float) -> str:
    """Return a time in words, in two units at most.

    >>> spoken(8.2), spoken(75), spoken(7300)
    ('8 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@dataclass(frozen=True)
class Watch:
    """Who hears how far a training is, and where its checkpoints are kept.

    A recipe hands it to its stages, a stage to its members; each asks for a `task` once.

    Parameters
    ----------
    on_progress : called now and then, from the thread that trains or one that follows trainings elsewhere.
    checkpoints : of this training, None = a killed one begins anew. For one run of one recipe.
    stage : the part of the training this is for.
    trainer : runs parts that do not depend on each other, None = they run here, one after the other.
    """

    on_progress: OnProgress = unheard
    checkpoints: Checkpoints | None = None
    stage: str = ""
    trainer: SideBySide | None = None

    @property
    def idle(self) -> bool:
        """Whether it neither tells nor keeps anything."""
        return self.on_progress is unheard and self.checkpoints is None

    def part(self, name: str) -> Self:
        """Return the watch of a part."""
        return replace(self, stage=f"{self.stage}, {name}" if self.stage else name)

    def each(self, calls: Mapping[str, Callable[..., T]]) -> list[T]:
        """Return what parts of the training come to that do not depend on each other, in their order.

        Parameters
        ----------
        calls : by the names of the parts; each takes its `watch`, and is sent to another process where there
            is a trainer.
        """
        trainer = self.trainer
        if trainer is None:
            return [call(watch=self.part(name)) for name, call in calls.items()]
        apart = {name: partial(call, watch=self._apart(name, trainer)) for name, call in calls.items()}
        return trainer(apart)

    def _apart(self, name: str, trainer: SideBySide) -> "Watch":
        """Return the watch of a part in another process."""
        kept = None if self.checkpoints is None else self.checkpoints.apart()
        return Watch(trainer.heard(self.on_progress), kept, self.part(name).stage)

    def task(self, facts: object) -> "Task":
        """Return what tells and keeps one task of the training.

        Parameters
        ----------
        facts : what the task is beside its stage, see `Checkpoints.task`.
        """
        found = None if self.checkpoints is None else self.checkpoints.task([self.stage, facts])
        return Task(self, found)


QUIET = Watch()
"""Tells nobody and keeps nothing."""


class Task:
    """One stage of a network, or one fit of a kernel, under watch.

    Parameters
    ----------
    watch : who hears of it.
    checkpoint : what is kept of it, None = nothing.
    """

    def __init__(self, watch: Watch = QUIET, checkpoint: Checkpoint | None = None) -> None:
        self._watch, self._checkpoint = watch, checkpoint
        self._unit, self._begun, self._told = "", (0.0, 0.0), -inf

    def load(self) -> Kept | None:
        """Return what was kept of the task, None where it begins anew."""
        return None if self._checkpoint is None else self._checkpoint.load()

    def due(self) -> bool:
        """Return whether it is time for a checkpoint."""
        return self._checkpoint is not None and self._checkpoint.due()

    def save(self, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Keep plain values and tensors."""
        if self._checkpoint is not None:
            self._checkpoint.save(values, tensors)

    def finish(self, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Keep what the task ended with, unless that is quickly had again."""
        if self._checkpoint is not None and not self._checkpoint.brief():
            self._checkpoint.save(values, tensors)

    def tell(
        self,
        step: int,
        of: int,
        unit: str = "steps",
        loss: float | None = None,
        share: float | None = None,
        gain: float | None = None,
    ) -> None:
        """Say how far the task is; most calls between begin and end of a unit are not passed on.

        Parameters
        ----------
        step, of, unit, loss, gain : see `Progress`.
        share : part of the time that is over, None = step / of.
        """
        now, share = perf_counter(), step / of if share is None else share
        if unit != self._unit:
            self._unit, self._begun, self._told = unit, (now, share), -inf
        if step < of and now - self._told < BETWEEN:
            return
        self._told = now
        begun, first = self._begun
        left = (now - begun) * (1 - share) / (share - first) if share > first else None
        self._watch.on_progress(Progress(self._watch.stage, step, of, unit, loss, left, gain))
