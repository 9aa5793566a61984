"""What every network force field shares: dense batches, reference energies, forces by autograd."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from fidsel.data import Frames
from fidsel.data.frames import FloatArray, IntArray
from fidsel.errors import UsageError
from fidsel.models.contract import ForceField, Prediction, Tensors
from fidsel.models.reference import EnergyReference
from fidsel.models.require import require_level, require_molecules

PAIRS = {"cpu": 1 << 13, "cuda": 1 << 17}
"""Atom pairs of one predicted batch, by device: bounds the memory of the pair tensors."""


class Batch(NamedTuple):
    """Molecules padded to the largest: a dense batch of B frames with N atoms.

    ========== =========== ====== ================================================
    field      shape       unit   meaning
    ========== =========== ====== ================================================
    numbers    (B, N)             atomic numbers, 0 = padding
    positions  (B, N, 3)   Å      relative to the centre of each frame's atoms
    mask       (B, N)             True for atoms, False for padding
    ========== =========== ====== ================================================
    """

    numbers: Tensor
    positions: Tensor
    mask: Tensor

    def rows(self, rows: Tensor | slice) -> "Batch":
        """Return some frames of the batch."""
        return Batch(self.numbers[rows], self.positions[rows], self.mask[rows])


def pad(frames: Frames, dtype: torch.dtype, device: torch.device) -> Batch:
    """Return frames as one dense batch; centring in float64 keeps digits that float32 would lose."""
    sizes = np.diff(frames.offsets)
    mask = np.arange(sizes.max(initial=0)) < sizes[:, None]
    centre = np.add.reduceat(frames.positions, frames.offsets[:-1]) / sizes[:, None]
    positions = np.zeros((*mask.shape, 3))
    positions[mask] = frames.positions - np.repeat(centre, sizes, axis=0)
    numbers = np.zeros(mask.shape, dtype=np.int64)
    numbers[mask] = frames.numbers
    return Batch(
        torch.from_numpy(numbers).to(device),
        torch.from_numpy(positions).to(device, dtype),
        torch.from_numpy(mask).to(device),
    )


class Network(nn.Module, ABC):
    """The energy of a dense batch; forces, files and reference energies come from elsewhere.

    The energy must be twice differentiable, invariant to translation, rotation and the order of
    equal atoms, and independent of padding.
    """

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return the JSON-able arguments that rebuild the network."""

    @abstractmethod
    def latent(self, numbers: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """Return invariant features of each atom, (B, N, d)."""

    @abstractmethod
    def readout(self, latent: Tensor) -> Tensor:
        """Return each atom's contribution to the energy, (B, N) eV, from its features (B, N, d)."""

    def energy(self, numbers: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """Return energies without reference, (B,) eV.

        Parameters
        ----------
        numbers, positions, mask : a `Batch`.
        """
        return (self.readout(self.latent(numbers, positions, mask)) * mask).sum(1)

    forward = energy


class NetworkForceField(ForceField):
    """A force field E = E_ref + E_network, for molecules.

    Parameters
    ----------
    network : energy of a dense batch; its parameters are frozen here, training returns another model.
    level : level of theory it predicts.
    reference : float64 reference energies; a model that was never trained has none, and refuses to
        predict.
    """

    def __init__(self, network: Network, level: str = "", reference: EnergyReference | None = None) -> None:
        super().__init__(level)
        self.network = network.eval().requires_grad_(requires_grad=False)
        self.reference = EnergyReference() if reference is None else reference

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.network.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the network; energies are summed in float64 in any case."""
        return next(self.network.parameters()).dtype

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Self:
        """Return a copy on another device or with another precision."""
        return self.replace(network=copy.deepcopy(self.network).to(device=device, dtype=dtype))

    def replace(
        self,
        *,
        network: Network | None = None,
        reference: EnergyReference | None = None,
        level: str | None = None,
    ) -> Self:
        """Return a copy with some parts replaced."""
        other = copy.copy(self)
        other.network = (
            self.network if network is None else network.eval().requires_grad_(requires_grad=False)
        )
        other.reference = self.reference if reference is None else reference
        other.level = self.level if level is None else level
        return other

    def with_parameters(self, parameters: Mapping[str, Tensor]) -> Self:
        """Return a copy whose named parameters have new values; the others stay."""
        network = copy.deepcopy(self.network)
        own = dict(network.named_parameters())
        with torch.no_grad():
            for name, value in parameters.items():
                own[name].copy_(value)
        return self.replace(network=network)

    def predict(self, frames: Frames, level: str | None = None) -> Prediction:
        """Return energies (n_frames,) eV and forces (n_atoms, 3) eV/Å; see `ForceField.predict`."""
        require_level(level, self.level)
        self._require(frames)
        energy, forces = self.reference.of(frames), np.zeros_like(frames.positions)
        for rows, atoms, batch in self._batches(frames):
            x = batch.positions.requires_grad_()
            e = self.network(batch.numbers, x, batch.mask)
            (gradient,) = torch.autograd.grad(e.sum(), x)
            energy[rows] += e.detach().double().cpu().numpy()
            forces[atoms] = -gradient[batch.mask].double().cpu().numpy()
        return Prediction(energy, forces)

    def energies(self, frames: Frames) -> FloatArray:
        """Return energies (n_frames,) eV alone, at a third of the cost of `predict`."""
        self._require(frames)
        energy = self.reference.of(frames)
        with torch.no_grad():
            for rows, _, batch in self._batches(frames):
                energy[rows] += self.network(*batch).double().cpu().numpy()
        return energy

    def latent(self, frames: Frames) -> FloatArray:
        """Return invariant features of each atom, (n_atoms, d)."""
        self._require(frames)
        parts, order = [np.empty((0, 0))], [np.empty(0, dtype=np.int64)]
        with torch.no_grad():
            for _, atoms, batch in self._batches(frames):
                parts.append(self.network.latent(*batch)[batch.mask].double().cpu().numpy())
                order.append(atoms)
        features = np.concatenate(parts[1:] or parts)
        return features[np.argsort(np.concatenate(order))]

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the network's settings and parameters and the reference energies."""
        reference = {str(z): e for z, e in self.reference.per_element.items()}
        settings = {
            "network": self.network.settings(),
            "reference": {"per_element": reference, "rank": self.reference.rank},
        }
        return settings, dict(self.network.state_dict())

    def restored(self, settings: Mapping[str, Any], tensors: Tensors) -> Self:
        """Return a copy with the reference and the parameters that `state` gave."""
        saved = settings["reference"]
        per_element = {int(z): float(e) for z, e in saved["per_element"].items()}
        network = copy.deepcopy(self.network)
        network.load_state_dict(dict(tensors), assign=True)
        return self.replace(network=network, reference=EnergyReference(per_element, int(saved["rank"])))

    def _require(self, frames: Frames) -> None:
        require_molecules(frames, self.kind)
        if not self.reference.per_element:
            raise UsageError(f"this {self.kind} model was never trained: give it to training.fit first")

    def _batches(self, frames: Frames) -> Iterator[tuple[IntArray, IntArray, Batch]]:
        """Yield (rows, their atoms, batch): frames of like size together, few pairs at a time."""
        sizes = np.diff(frames.offsets)
        order, limit = np.argsort(sizes, kind="stable"), PAIRS[self.device.type]
        while len(order):
            # Sizes rise, so the last frame of a chunk decides the padding of all.
            padded = sizes[order].astype(np.int64) ** 2 * np.arange(1, len(order) + 1)
            count = max(1, int(np.searchsorted(padded, limit, side="right")))
            rows, order = order[:count], order[count:]
            starts = frames.offsets[rows]
            atoms = np.concatenate([np.arange(s, s + n) for s, n in zip(starts, sizes[rows], strict=True)])
            yield rows, atoms, pad(frames[rows], self.dtype, self.device)
