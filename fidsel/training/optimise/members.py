"""Several parameter sets of one network, evaluated and differentiated side by side."""

from collections.abc import Callable, Sequence
from functools import partial
from math import inf

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, grad_and_value, vmap

from fidsel.exceptions import UsageError
from fidsel.models.networks.base import NetworkForceField
from fidsel.training.optimise.loss import LabelledBatch, Objective, weighted_loss
from fidsel.training.stage import Loss

Parameters = dict[str, Tensor]
PER_MEMBER = LabelledBatch(atoms=None, energy=0, forces=None, energy_weight=0, force_weight=0)  # type: ignore[arg-type]
"""Which labels have a leading member axis: reference energies and weights differ, frames do not."""

FEWEST = {"cpu": 3, "cuda": 2}
"""Members from which one program may beat one member after the other, by device."""

TOGETHER = {"cpu": 1 << 13, "cuda": inf}
"""Atom pairs of all members' frames up to which it does.

Gradients of PaiNN on one CPU core, one program against one member after the other: ethanol and
malonaldehyde (9 atoms, batch 10) 0.76 to 0.98 of the time with 4 or 8 members, 1.0 to 1.4 with 2; aspirin
(21 atoms) 0.7 with batch 2, 1.0 to 1.2 with batch 10 or 16. EGNN and SchNet, 4 or 8 members, batch 10: 0.8 to
1.1 for ethanol, 1.0 to 1.25 for aspirin."""


class Members:
    """k parameter sets θ_1 … θ_k of one architecture, each a row of one matrix.

    The optimiser, the moving average and the gradient norm act on rows of a matrix, so they cost a
    few operations however many tensors the network has. Members run one after the other through plain
    autograd, or, where that is quicker (`TOGETHER`), as one program through `torch.func.vmap` of the same
    loss, which gives the same numbers.

    ========== ========= ==============================================================
    attribute  shape     meaning
    ========== ========= ==============================================================
    free       (k, P)    trained parameters
    fixed      (k, Q)    frozen parameters
    ========== ========= ==============================================================

    Parameters
    ----------
    models : members, all of one architecture, precision and device.
    frozen : names of parameters that stay as they are, or of modules, as "blocks.0", all of whose do.
    """

    def __init__(self, models: Sequence[NetworkForceField], frozen: Sequence[str] = ()) -> None:
        if len({(m.kind, str(m.network.settings()), m.dtype, m.device) for m in models}) != 1:
            raise UsageError(
                "members must share one architecture, precision and device (and be at least one)"
            )
        self.models, self.network = list(models), models[0].network
        names = [name for name, _ in self.network.named_parameters()]
        if unused := [own for own in frozen if not any(_within(name, own) for name in names)]:
            raise UsageError(
                f"no parameter is {unused[0]!r} or part of it; the network has {', '.join(names)}"
            )
        self._fixed_names = [name for name in names if any(_within(name, own) for own in frozen)]
        self._free_names = [name for name in names if name not in set(self._fixed_names)]
        if not self._free_names:
            raise UsageError(f"frozen = {list(frozen)} leaves no parameter to train")
        self.free, self.fixed = self._stack(self._free_names), self._stack(self._fixed_names)

    def __len__(self) -> int:
        return len(self.models)

    def _stack(self, names: Sequence[str]) -> Tensor:
        empty = torch.empty(0, dtype=self.models[0].dtype, device=self.models[0].device)
        rows = [dict(model.network.named_parameters()) for model in self.models]
        return torch.stack([torch.cat([empty, *(row[name].flatten() for name in names)]) for row in rows])

    def _unstack(self, names: Sequence[str], row: Tensor) -> Parameters:
        own = dict(self.network.named_parameters())
        parts = torch.split(row, [own[name].numel() for name in names])
        return {name: part.view(own[name].shape) for name, part in zip(names, parts, strict=True)}

    def parameters(self, free: Tensor, fixed: Tensor) -> Parameters:
        """Return one member's named parameters from its rows, (P,) and (Q,)."""
        return self._unstack(self._free_names, free) | self._unstack(self._fixed_names, fixed)

    def model(self, member: int, free: Tensor) -> NetworkForceField:
        """Return a member's force field with the trained parameters of the given row, (P,)."""
        return self.models[member].with_parameters(self._unstack(self._free_names, free.detach()))

    def gradient(
        self, free: Tensor, batch: LabelledBatch, loss: Loss | Objective, *, together: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return each member's loss, (k,), and its gradient, (k, P), at parameters `free` (k, P).

        Parameters
        ----------
        batch : frames shared by the members; energy and weight (k, B).
        together : whether several members are one program; None = where that is quicker.
        """
        if not (self._together(batch) if together is None else together):
            pairs = [self._slope(free[i], self.fixed[i], _of(batch, i), loss) for i in range(len(self))]
            return torch.stack([value for value, _ in pairs]), torch.stack([slope for _, slope in pairs])
        functional = partial(self._loss, eager=False)
        call = vmap(grad_and_value(functional), in_dims=(0, 0, PER_MEMBER, None))
        slopes, values = call(free.detach(), self.fixed, batch, loss)
        return values, slopes

    def losses(self, free: Tensor, batch: LabelledBatch, loss: Loss | Objective) -> Tensor:
        """Return each member's loss, (k,), at parameters `free` (k, P)."""
        if not self._together(batch):
            rows = [
                self._loss(free[i].detach(), self.fixed[i], _of(batch, i), loss, keep=False)
                for i in range(len(self))
            ]
            return torch.stack(rows).detach()
        call = vmap(partial(self._loss, eager=False), in_dims=(0, 0, PER_MEMBER, None))
        values: Tensor = call(free.detach(), self.fixed, batch, loss)
        return values

    def _energy(self, free: Tensor, fixed: Tensor, batch: LabelledBatch) -> Callable[[Tensor], Tensor]:
        """Return the energy as a function of the positions."""
        parameters, atoms = self.parameters(free, fixed), batch.atoms
        return lambda x: functional_call(self.network, parameters, (atoms._replace(positions=x),))

    def _together(self, batch: LabelledBatch) -> bool:
        """Return whether members run as one program."""
        device, (frames, atoms) = batch.forces.device.type, batch.forces.shape[:2]
        quicker = len(self) >= FEWEST[device] and len(self) * frames * atoms**2 <= TOGETHER[device]
        return self.network.vectorised and quicker

    def _slope(
        self, free: Tensor, fixed: Tensor, batch: LabelledBatch, loss: Loss | Objective
    ) -> tuple[Tensor, Tensor]:
        """Return one member's loss and its gradient (P,)."""
        row = free.detach().requires_grad_()
        value = self._loss(row, fixed, batch, loss)
        (slope,) = torch.autograd.grad(value, row, materialize_grads=True)
        return value.detach(), slope

    def _loss(
        self,
        free: Tensor,
        fixed: Tensor,
        batch: LabelledBatch,
        loss: Loss | Objective,
        *,
        eager: bool = True,
        keep: bool = True,
    ) -> Tensor:
        """Return one member's loss.

        Parameters
        ----------
        eager : forces are plain autograd's, otherwise in a form that `vmap` can transform.
        keep : their graph, for a derivative by the parameters.
        """
        energy, x = self._energy(free, fixed, batch), batch.atoms.positions
        if not isinstance(loss, Loss):
            return loss(energy, batch, eager=eager)
        if loss.rho == 1:
            return weighted_loss(loss, energy(x), batch.forces, batch)
        if eager:
            x = x.detach().requires_grad_()
            e = energy(x)
            (slope,) = torch.autograd.grad(e.sum(), x, create_graph=keep)
        else:
            slope, e = grad(lambda y: _summed(energy(y)), has_aux=True)(x)
        return weighted_loss(loss, e, -slope, batch)


def _summed(energies: Tensor) -> tuple[Tensor, Tensor]:
    return energies.sum(), energies


def other_parameters(network: nn.Module, modules: Sequence[str]) -> tuple[str, ...]:
    """Return the names of a network's parameters that are none of some modules'."""
    names = [name for name, _ in network.named_parameters()]
    return tuple(name for name in names if not any(_within(name, own) for own in modules))


def _within(name: str, whole: str) -> bool:
    """Return whether a parameter has a name or is of the module that has it."""
    return f"{name}.".startswith(f"{whole}.")


def _of(batch: LabelledBatch, i: int) -> LabelledBatch:
    """Return the batch as one member sees it."""
    return batch._replace(
        **{name: getattr(batch, name)[i] for name in ("energy", "energy_weight", "force_weight")}
    )
