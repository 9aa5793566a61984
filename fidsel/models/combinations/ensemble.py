"""`Ensemble`: a committee of force fields, its mean and how far its members disagree."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from math import inf
from threading import Lock
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, vmap

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.data.given import require_frames
from fidsel.data.seed import checked_seed
from fidsel.exceptions import UsageError
from fidsel.models.contract import Disagreement, ForceField, Prediction, Tensors
from fidsel.models.device import gradients
from fidsel.models.networks.base import NetworkForceField
from fidsel.models.networks.batch import PAIRS, Batch, chunks, pad
from fidsel.models.registry import join, part
from fidsel.models.require import counts_of, require_apart, require_level

TOGETHER = {"cpu": 1 << 12, "cuda": inf}
"""Atom pairs of all members below which one program beats one member after the other, by device.

On one CPU core few pairs are bound by the number of operations (H₂CO, 8 PaiNN: one frame 4–6×, ten
frames 2–3× as fast together), many by memory (100 frames: 1×, 500 frames: 0.8×)."""


class Ensemble(ForceField):
    """A committee: E(x) = mean_k E_k(x), F(x) = mean_k F_k(x), and the disagreement of its members.

    Networks of one architecture predict as one vectorised program where that is faster, other members
    one after the other. `fidsel.training.train_one` trains all members.

    Parameters
    ----------
    members : at least two force fields of one default level.

    Examples
    --------
    >>> Ensemble.of(lambda seed: PaiNN(seed=seed), members=4, seed=0)  # doctest: +SKIP
    Ensemble(4 × painn, level '')
    """

    kind = "ensemble"

    def __init__(self, members: Sequence[ForceField]) -> None:
        if len(members) < 2:
            raise UsageError(f"an ensemble needs at least two members to disagree, got {len(members)}")
        if len(levels := {member.level for member in members}) > 1:
            raise UsageError(
                f"the members of an ensemble must predict one level by default, got {sorted(levels)}"
            )
        super().__init__(members[0].level)
        self.members = tuple(members)

    @classmethod
    def of(cls, model: Callable[[int], ForceField], members: int, seed: int) -> Self:
        """Return an ensemble of untrained models.

        Parameters
        ----------
        model : builds a member from its seed.
        members : how many.
        seed : of the first; it decides those of the others.
        """
        many, first = counts_of("an ensemble", members=(members, 0))["members"], checked_seed(seed)
        more = np.random.SeedSequence(first).generate_state(max(1, many))[1:]
        return cls([model(int(own)) for own in (first, *more)][:many])

    def __repr__(self) -> str:
        kinds = sorted({member.kind for member in self.members})
        return f"Ensemble({len(self.members)} × {' or '.join(kinds)}, level {self.level!r})"

    @cached_property
    def networks(self) -> tuple[NetworkForceField, ...]:
        """The members where they are networks of one architecture, levels, precision and device; else ()."""
        networks = tuple(member for member in self.members if isinstance(member, NetworkForceField))
        alike = {(m.kind, str(m.network.settings()), m.levels, m.dtype, m.device) for m in networks}
        return networks if len(networks) == len(self.members) and len(alike) == 1 else ()

    def predict(self, frames: Frames, level: str | None = None) -> Prediction:
        """Return the mean of the members' predictions; see `ForceField.predict`."""
        energy, forces = self.each(frames, level)
        return Prediction(energy.mean(0), forces.mean(0))

    def disagreement(self, frames: Frames, level: str | None = None) -> Disagreement:
        """Return how far the members' predictions are apart; it costs as much as `predict`."""
        energy, forces = (values.std(0, ddof=1) for values in self.each(frames, level))
        square = frames.mean_per_frame((forces**2).mean(1))
        return Disagreement(energy, forces, np.sqrt(square))

    def each(self, frames: Frames, level: str | None = None) -> tuple[FloatArray, FloatArray]:
        """Return the members' energies (k, n_frames) eV and forces (k, n_atoms, 3) eV/Å.

        Raises
        ------
        UsageError
            see `ForceField.predict`.
        """
        require_frames(frames)
        if self._stack is not None and self._pairs(frames) <= TOGETHER[self.networks[0].device.type]:
            return self._together(self._stack, frames, level)
        answers = [member.predict(frames, level) for member in self.members]
        return np.stack([a.energy for a in answers]), np.stack([a.forces for a in answers])

    def latent(self, frames: Frames) -> FloatArray:
        """Return the members' features of each atom side by side, (n_atoms, k·d).

        Features of different members mean different things, so they are not averaged; squared
        distances between atoms are the sums of the members' own.

        Raises
        ------
        UsageError
            where a member has none.
        """
        return np.concatenate([member.latent(frames) for member in self.members], axis=1)

    @property
    def has_latent(self) -> bool:
        """Whether all members have features of their own."""
        return all(member.has_latent for member in self.members)

    def correcting(self, before: ForceField | None) -> ForceField:
        """Return an ensemble of members fit to learn a correction; see `ForceField.correcting`."""
        return type(self)([member.correcting(before) for member in self.members])

    def to(self, device: str) -> Self:
        """Return the ensemble of the members on a device; see `ForceField.to`."""
        return type(self)([member.to(device) for member in self.members])

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the members' states under their number."""
        settings, tensors = join({str(i): member for i, member in enumerate(self.members)})
        return {"members": settings}, tensors

    @classmethod
    def from_state(cls, settings: Mapping[str, Any], tensors: Tensors) -> Self:
        """Return the ensemble that `state` came from."""
        members = settings["members"]
        return cls([part(str(i), members, tensors) for i in range(len(members))])

    @cached_property
    @gradients()
    def _stack(self) -> "_Stack | None":
        networks = self.networks
        return _Stack(networks) if networks and networks[0].network.vectorised else None

    def _pairs(self, frames: Frames) -> int:
        return len(self.members) * int((frames.sizes**2).sum())

    @gradients()
    def _together(self, stack: "_Stack", frames: Frames, level: str | None) -> tuple[FloatArray, FloatArray]:
        first = self.networks[0]
        require_level(level, *first.levels)
        first.check_frames(frames)
        head = first.levels.index(first.level if level is None else level)
        references = [member.references[head] for member in self.networks]
        if not all(reference.per_element for reference in references):
            raise UsageError("this ensemble was never trained: give it to training.train_one first")
        energy = np.stack([reference.energy(frames) for reference in references])
        forces = np.zeros((len(references), *frames.positions.shape))
        for rows, atoms in chunks(frames, PAIRS[first.device.type] // len(references)):
            batch = pad(frames[rows], first.dtype, first.device, head)
            e, f = stack(batch)
            energy[:, rows] += e.double().cpu().numpy()
            forces[:, atoms] = f[:, batch.mask].double().cpu().numpy()
        require_apart(frames, energy, forces)
        return energy, forces


ONE_AT_A_TIME = Lock()
"""Held while the tensors of a network are replaced: threads, as of ASE's parallel NEB, would mix them up."""


class _Stack:
    """Networks of one architecture as one program: every tensor has a leading member axis."""

    def __init__(self, members: Sequence[NetworkForceField]) -> None:
        # one of its own: `functional_call` puts other tensors into it for the time of a call
        self.network, self.members = deepcopy(members[0].network), len(members)
        states = [member.network.state_dict() for member in members]
        self.tensors = {name: torch.stack([state[name] for state in states]) for name in states[0]}

    def __call__(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return energies without reference (k, B) eV and forces (k, B, N, 3) eV/Å."""

        def energy(tensors: dict[str, Tensor], positions: Tensor) -> Tensor:
            found: Tensor = functional_call(self.network, tensors, (batch._replace(positions=positions),))
            return found

        # Plain autograd through the vectorised energy: faster than a derivative inside of vmap.
        x = batch.positions.expand(self.members, *batch.positions.shape).clone().requires_grad_()
        with ONE_AT_A_TIME:
            e = vmap(energy)(self.tensors, x)
        (gradient,) = torch.autograd.grad(e.sum(), x)
        return e.detach(), -gradient
