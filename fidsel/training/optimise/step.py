"""The optimiser step: one sequence of operations, which a CUDA device replays as one graph."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from fidsel.arrays import FloatArray
from fidsel.training.labels import Labelled
from fidsel.training.optimise.compiled import compiled
from fidsel.training.optimise.graph import Recorded
from fidsel.training.optimise.loss import LabelledBatch, Objective
from fidsel.training.optimise.members import Members
from fidsel.training.stage import Loss, Stage

OPTIMISER = ("mean", "square", "largest")
"""What AdamW remembers of the gradients."""


def ema_share(stage: Stage, step: int) -> float:
    """Return by how much the averaged parameters move towards the present ones after a step (from 1)."""
    # A shorter memory at first: otherwise the average starts as the initial state.
    return 1 - min(stage.ema, step / (10 + step))


class Steps:
    """Parameters on their way through a stage: gradient, clipping, AdamW (amsgrad), moving average.

    A step finds its frames, its learning rate and the share of the average in tables on the device, at
    the row of a counter that it raises itself, and leaves its losses in another. So Python waits for
    the device once in a block of steps, and all steps are the same operations on the same memory.

    ========== ========= ============================================
    attribute  shape     meaning
    ========== ========= ============================================
    free       (k, P)    trained parameters
    average    (k, P)    their exponential moving average
    ========== ========= ============================================

    Parameters
    ----------
    stage : average, clipping, weight decay; a block has at most `validate_every` steps.
    graph : whether a CUDA device replays a recorded step. A network that `torch.func.vmap` cannot run
        has shapes that depend on the positions, and is never recorded.
    """

    def __init__(
        self, members: Members, data: Labelled, loss: Loss | Objective, stage: Stage, *, graph: bool = True
    ) -> None:
        self._data, self._stage = data, stage
        self.free, self.average = members.free.clone(), members.free.clone()
        self._mean, self._square, self._largest = (torch.zeros_like(self.free) for _ in range(3))
        device, block = self.free.device, stage.validate_every
        # The fused kernel of CUDA reads the learning rate and the count as float32.
        self._count = torch.zeros((), dtype=torch.float32, device=device)
        self._row = torch.zeros(1, dtype=torch.int64, device=device)
        self._rows = torch.zeros(block, min(stage.batch, len(data)), dtype=torch.int64, device=device)
        self._schedule = torch.zeros(block, 2, dtype=torch.float32, device=device)
        self._losses = self.free.new_zeros(block, len(members))

        translated = stage.compile and device.type == "cpu" and members.network.vectorised
        # Members one after the other would be translated one by one.
        together = True if translated and len(members) > 1 else None

        def gradient(free: Tensor, batch: LabelledBatch) -> tuple[Tensor, Tensor]:
            return members.gradient(free, batch, loss, together=together)

        self._gradient: Callable[[Tensor, LabelledBatch], tuple[Tensor, Tensor]] = gradient
        self._recorded: Recorded | None = None
        if translated:
            self._gradient = compiled(gradient, self.free, data.batch(self._rows[0]))
        self._drawn = {name: one for name, one in vars(data).items() if isinstance(one, torch.Generator)}
        if graph and device.type == "cuda" and members.network.vectorised:
            self._recorded = Recorded(device, self._drawn.values())
        # what is translated or recorded has batches of one shape, as molecules of one size have anyway
        self._fixed = translated or self._recorded is not None or data.one_size

    def block(self, first: int, rows: Tensor, rates: Sequence[float]) -> FloatArray:
        """Take a step for each row of frames and return the losses before each, (n, k).

        Parameters
        ----------
        first : number of the first step, from 1.
        rows : (n, B) frames of each step.
        rates : (n,) learning rate of each step.
        """
        schedule = [(rate, ema_share(self._stage, step)) for step, rate in enumerate(rates, first)]
        self._rows[: len(rows)] = rows.to(self._rows.device)
        self._schedule[: len(rows)] = self._schedule.new_tensor(schedule)
        self._row.zero_()
        for _ in rates:
            if self._recorded is None:
                self._take()
            else:
                self._recorded(self._take)
        losses: FloatArray = self._losses[: len(rows)].to("cpu", torch.float64, copy=True).numpy()
        return losses

    def state(self) -> dict[str, Tensor]:
        """Return what the next step depends on, beside its number."""
        drawn = {f"generator.{name}": one.get_state() for name, one in self._drawn.items()}
        return (
            {name: getattr(self, f"_{name}") for name in OPTIMISER}
            | drawn
            | {
                "free": self.free,
                "average": self.average,
            }
        )

    def restore(self, state: Mapping[str, Tensor], step: int) -> None:
        """Go on from what `state` returned after a step."""
        for name in OPTIMISER:
            getattr(self, f"_{name}").copy_(state[name])
        for name, one in self._drawn.items():
            one.set_state(state[f"generator.{name}"])
        self.free.copy_(state["free"])
        self.average.copy_(state["average"])
        self._count.fill_(step)

    def _mean_gradient(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of some frames (k,) and its gradient (k, P)."""
        if self._fixed:
            return self._gradient(self.free, self._data.batch(rows))
        losses, slope = torch.zeros_like(self._losses[0]), torch.zeros_like(self.free)
        for piece in self._data.pieces(rows):
            share = len(piece.forces) / len(rows)
            found = self._gradient(self.free, piece)
            losses, slope = losses + share * found[0], slope + share * found[1]
        return losses, slope

    def _take(self) -> None:
        """Take the next step of the block."""
        rate, share = self._schedule.index_select(0, self._row)[0]
        losses, slope = self._mean_gradient(self._rows.index_select(0, self._row)[0])
        norm = torch.linalg.vector_norm(slope, dim=1, keepdim=True)
        adamw(
            [self.free], [slope * (self._stage.clip / norm.clamp(min=self._stage.clip))],
            [self._mean], [self._square], [self._largest], [self._count],
            fused=True, amsgrad=True, beta1=0.9, beta2=0.999, lr=rate,
            weight_decay=self._stage.weight_decay, eps=1e-7, maximize=False,
        )  # fmt: skip
        self.average.lerp_(self.free, share.to(self.average.dtype))
        self._losses.index_copy_(0, self._row, losses[None])
        self._row += 1
