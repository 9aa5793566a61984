"""The loop of a stage: steps, validations, each member's best, and what a checkpoint holds of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fidsel.arrays import BoolArray, FloatArray, IntArray
from fidsel.exceptions import FidselError
from fidsel.models.checkpoints import Kept
from fidsel.models.watch import PIECE, Task
from fidsel.training.labels import Labelled, Usable
from fidsel.training.optimise.loss import LabelledBatch, Objective
from fidsel.training.optimise.members import Members
from fidsel.training.optimise.schedule import MARGIN, Schedule, second_half
from fidsel.training.optimise.step import Steps
from fidsel.training.stage import History, Loss, Stage

POINTS = 200
"""Most points a history keeps."""


def mean_losses(
    members: Members, free: torch.Tensor, chunks: Sequence[LabelledBatch], loss: Loss | Objective
) -> FloatArray:
    """Return the mean loss of each member over frames, (k,), at parameters `free` (k, P)."""
    total = torch.zeros(len(members), dtype=torch.float64, device=free.device)
    for chunk in chunks:
        total += members.losses(free, chunk, loss).double() * chunk.energy.shape[1]
    mean: FloatArray = total.cpu().numpy() / sum(chunk.energy.shape[1] for chunk in chunks)
    return mean


def batches(n: int, size: int, steps: int | None, seed: int) -> Iterator[torch.Tensor]:
    """Yield the rows of each step, always min(size, n) of them: random epochs, one after the other.

    Parameters
    ----------
    steps : how many; None = without end.
    """
    rng, size = np.random.default_rng(seed), min(size, n)
    queue = np.empty(0, dtype=np.int64)
    for _ in count() if steps is None else range(steps):
        while len(queue) < size:
            queue = np.concatenate([queue, rng.permutation(n)])
        rows, queue = queue[:size], queue[size:]
        yield torch.from_numpy(rows)


@dataclass(frozen=True)
class _Point:
    """One validation: mean training loss since the one before, and validation loss, each (k,)."""

    step: int
    train: FloatArray
    validation: FloatArray


class Run:
    """A training run: its steps, and each member's best so far, a row of (k, P).

    What it knows between two steps can be kept and taken up again: a run that was killed then does the same
    steps as one that was not.
    """

    def __init__(
        self,
        members: Members,
        stage: Stage,
        loss: Usable[Loss] | Usable[Objective],
        data: Labelled,
        held_out: Labelled,
    ) -> None:
        self.members, self.stage, self.loss, self.data = members, stage, loss, data
        self.schedule = Schedule(stage, len(data))
        self.held_out = held_out.chunks()
        self.best = members.free.clone()
        self.best_loss = np.full(len(members), np.inf)
        self.best_step = np.zeros(len(members), dtype=np.int64)
        self.waited = np.zeros(len(members), dtype=np.int64)
        self.mark = self.best_loss  # of the last improvement that counts
        self.plateaus = 0
        self.points: list[_Point] = []
        self.step, self.seconds = 0, 0.0
        self._recent = np.empty((0, len(members)))

    def train(self, seed: int, task: Task) -> None:
        """Run the stage until it is over for every member; see `Schedule`."""
        kept = task.load()
        if kept is not None:
            self._restore(kept)
        if not self._over():
            steps = Steps(self.members, self.data, self.loss.train, self.stage)
            if kept is None:
                self.best_loss = self.mark = self._validation_loss(steps.average)
            else:
                steps.restore(kept[1], self.step)
            for _ in self._pieces(steps, seed):
                if self._over():
                    break
                self._tell(task)
                if task.due():
                    task.save(*self._state(steps))
            task.finish(*self._state())
        task.tell(self.step, self.step, loss=self._loss())

    def _tell(self, task: Task) -> None:
        """Say how far the stage is, and what the last steps brought."""
        share = self._share()
        most = self.schedule.most or round(self.step / share)
        gain = second_half(*self._course()) if len(self.points) > 1 else None
        task.tell(self.step, max(most, self.step + 1), loss=self._loss(), share=share, gain=gain)

    def _loss(self) -> float | None:
        """Return the members' mean validation loss at the last validation, None before the first."""
        return float(self.points[-1].validation.mean()) if self.points else None

    def _course(self) -> tuple[IntArray, FloatArray]:
        """Return the steps of the validations, and the members' mean losses at them."""
        steps = np.array([point.step for point in self.points])
        return steps, np.array([point.validation.mean() for point in self.points])

    def _share(self) -> float:
        return self.schedule.share(self.step, self.seconds)

    def _pieces(self, steps: Steps, seed: int) -> Iterator[None]:
        """Take steps, some `PIECE` seconds of them at a time, and validate where it is due."""
        rows = batches(len(self.data), self.stage.batch, self.schedule.most, seed)
        next(islice(rows, self.step, self.step), None)  # those of steps done earlier
        size = 1
        while not self._over():
            until = self.stage.validate_every - self.step % self.stage.validate_every
            began, piece = perf_counter(), list(islice(rows, min(size, until)))
            losses = steps.block(self.step + 1, torch.stack(piece), self._rates(len(piece)))
            self.step += len(piece)
            self._recent = np.concatenate([self._recent, losses])
            size = max(1, min(2 * size, round(PIECE * len(piece) / (perf_counter() - began))))
            self.seconds += (took := perf_counter() - began)
            if self.step % self.stage.validate_every == 0 or self._share() == 1:
                self._validate(steps.average)
                self.seconds += perf_counter() - began - took
            yield

    def _rates(self, n: int) -> list[float]:
        """Return the learning rates of the next steps."""
        numbers = range(self.step + 1, self.step + n + 1)
        shares = [self.schedule.share(step, self.seconds) for step in numbers]
        return [self.schedule.rate(*each, self.plateaus) for each in zip(numbers, shares, strict=True)]

    def _state(self, steps: Steps | None = None) -> Kept:
        """Return what is to be kept; without steps the run is over, and its best is what is left."""
        values = {
            "step": self.step,
            "seconds": self.seconds,
            "best_step": self.best_step.tolist(),
            "waited": self.waited.tolist(),
            "plateaus": self.plateaus,
            "points": [point.step for point in self.points],
        }
        arrays = {
            "best_loss": self.best_loss,
            "mark": self.mark,
            "recent": self._recent,
            "train": np.array([point.train for point in self.points]).reshape(-1, len(self.members)),
            "validation": np.array([p.validation for p in self.points]).reshape(-1, len(self.members)),
        }
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()} | {"best": self.best}
        return values, tensors if steps is None else tensors | steps.state()

    def _restore(self, kept: Kept) -> None:
        values, tensors = kept
        self.step, self.seconds, self.plateaus = (values[k] for k in ("step", "seconds", "plateaus"))
        self.best_step, self.waited = (np.array(values[name]) for name in ("best_step", "waited"))
        self.best.copy_(tensors["best"])
        self.best_loss, self.mark = (tensors[name].numpy() for name in ("best_loss", "mark"))
        self._recent = tensors["recent"].numpy()
        rows = zip(values["points"], tensors["train"].numpy(), tensors["validation"].numpy(), strict=True)
        self.points = [_Point(*row) for row in rows]

    def _over(self) -> bool:
        return self._share() == 1 or self._settled()

    def _settled(self) -> bool:
        return self.plateaus == self.schedule.plateaus

    def histories(self, notes: Mapping[str, Any]) -> list[History]:
        """Return each member's history, evenly thinned to at most `POINTS` points."""
        gain = second_half(*self._course())
        notes = {**notes, "steps": self.step, "settled": self._settled(), "second_half": gain}
        last = len(self.points) - 1
        points = [
            self.points[i] for i in np.unique(np.linspace(0, last, min(POINTS, last + 1)).round().astype(int))
        ]
        return [
            History(
                stage=self.stage.name,
                step=tuple(p.step for p in points),
                train=tuple(float(p.train[i]) for p in points),
                validation=tuple(float(p.validation[i]) for p in points),
                best_step=int(self.best_step[i]),
                seconds=self.seconds,
                notes={**notes, "best_validation": float(self.best_loss[i])},
            )
            for i in range(len(self.members))
        ]

    def _validate(self, average: Tensor) -> None:
        """Keep the averaged parameters (k, P) of the members that improved."""
        recent, self._recent = self._recent, self._recent[:0]
        self._require_finite("training", self.step - len(recent) + 1, recent)
        current = self._validation_loss(average)
        better = (current < self.best_loss) & ~self._finished()
        rows = torch.from_numpy(better).to(self.best.device)
        self.best[rows] = average[rows]
        self.best_loss = np.where(better, current, self.best_loss)
        self.best_step = np.where(better, self.step, self.best_step)
        counts = (current < self.mark - MARGIN * np.abs(self.mark)) & ~self._finished()
        self.mark = np.where(counts, current, self.mark)
        self.waited = np.where(counts, 0, self.waited + 1)
        self.points.append(_Point(self.step, recent.mean(0), current))
        if (self.waited >= self.schedule.patience).all():
            self.plateaus, self.waited = self.plateaus + 1, 0 * self.waited

    def _finished(self) -> BoolArray:
        """Return which members are at the end of their last phase, (k,)."""
        last = self.plateaus == self.schedule.plateaus - 1
        return (self.waited >= self.schedule.patience) & last

    def _validation_loss(self, average: Tensor) -> FloatArray:
        """Return the loss of averaged parameters (k, P) on the validation frames, (k,)."""
        losses = mean_losses(self.members, average, self.held_out, self.loss.validation)
        self._require_finite("validation", self.step, losses[None])
        return losses

    def _require_finite(self, what: str, first: int, losses: FloatArray) -> None:
        """Raise a `FidselError` for the first loss of (n_steps, k), from step `first`, that is not finite."""
        bad = np.argwhere(~np.isfinite(losses))
        if len(bad):
            raise FidselError(
                f"the {what} loss of stage {self.stage.name!r} must stay finite, member {bad[0][1]} has "
                f"{losses[tuple(bad[0])]} at step {first + bad[0][0]}: lower learning_rate "
                f"({self.stage.learning_rate}) or clip ({self.stage.clip}), and look for frames with "
                "atoms too close to each other or huge forces"
            )
