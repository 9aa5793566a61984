"""What every network force field shares: dense batches, levels, reference energies, forces by autograd."""

import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from fidsel.arguments import Bound
from fidsel.arrays import FloatArray, IntArray
from fidsel.data import Frames
from fidsel.data.given import require_frames
from fidsel.exceptions import UsageError
from fidsel.models.contract import ForceField, Prediction, Surface, Tensors
from fidsel.models.device import building, gradients, resolve
from fidsel.models.networks.batch import PAIRS, Batch, chunks, pad
from fidsel.models.networks.pairs import ELEMENTS
from fidsel.models.networks.readout import Readout
from fidsel.models.ranges import ElementRanges, Ranges
from fidsel.models.reference import EnergyReference
from fidsel.models.require import (
    Electrons,
    require_apart,
    require_electrons,
    require_elements,
    require_finite,
    require_level,
    require_molecules,
)

CALIBRATION = 32
"""Most frames that an untrained network is calibrated on."""


class Network(nn.Module, ABC):
    """The energy of a dense batch; forces, files and reference energies come from elsewhere.

    The energy must be twice differentiable, invariant to translation, rotation and the order of
    equal atoms, and independent of padding. Subclasses give `arguments`, `latent` and `readout`.

    Parameters
    ----------
    cutoff : Å, reach of one interaction, and the length its radial functions are made for.
    heads : levels of theory that share the body.
    reach : Å, where the envelope ends, if not at the cutoff; see `NetworkForceField.with_cutoff`.
    """

    arguments: tuple[str, ...] = ()
    """Names of a subclass's own arguments, each also an attribute."""
    readout: Readout
    vectorised = True
    """Whether `torch.func.vmap` can run several parameter sets of the network at once."""
    first_modules: tuple[str, ...] = ()
    """Names of the embeddings and the first block, see `fidsel.refine`; none = it cannot be refined so."""

    @property
    def last_modules(self) -> tuple[str, ...]:
        """Names of the last block and the read-out."""
        return ("readout",)

    def __init__(self, cutoff: float, heads: int = 1, reach: float | None = None) -> None:
        super().__init__()
        self.cutoff, self.heads, self.reach = cutoff, heads, cutoff if reach is None else reach

    def settings(self) -> dict[str, Any]:
        """Return the JSON-able arguments that rebuild the network."""
        return {name: getattr(self, name) for name in (*self.arguments, "cutoff", "heads", "reach")}

    @abstractmethod
    def latent(self, batch: Batch) -> Tensor:
        """Return invariant features of each atom, (B, N, d)."""

    def calibrate(self, batch: Batch) -> None:
        """Adapt an untrained network to the scale of its features on a batch; does nothing by default.

        Called before a training that freezes nothing. What was adapted once must stay as it is.
        """

    def extend(self, reach: float) -> None:
        """Let the envelope end at another distance, Å."""
        self.reach = reach

    def energy(self, batch: Batch) -> Tensor:
        """Return energies without reference, (B,) eV, each at its frame's level."""
        atomic: Tensor = self.readout(self.latent(batch))
        total = (atomic * batch.mask[..., None]).sum(1)
        return total[:, 0] if self.heads == 1 else total.gather(1, batch.head[:, None])[:, 0]

    forward = energy


def seeded(seed: int, build: Callable[[], Network]) -> Network:
    """Return a network whose initial parameters depend on `seed` alone, a whole number or a `UsageError`."""
    with torch.random.fork_rng(devices=[]), building():
        torch.manual_seed(Bound(ge=0, lt=2**64).require("a seed", seed, whole=True))
        return build()


class NetworkForceField(ForceField):
    """A force field E = E_ref + E_network, for molecules.

    Parameters
    ----------
    network : energy of a dense batch; its parameters are frozen here, training returns another model.
    level : level of theory it predicts by default.
    levels : level of each of the network's heads; None = `level` alone.
    references : float64 reference energies of each head; a head that was never trained has none, and
        refuses to predict.
    """

    architecture: type[Network]
    has_heads = True
    without_cell = True
    electrons: Electrons | None = None
    """Charge and spin of the frames it was trained on, the only ones it treats; None = any."""
    distances: ElementRanges | None = None
    """Of all molecules it was trained on; None = unknown, as of crystals."""

    def __init__(
        self,
        network: Network,
        level: str = "",
        levels: Sequence[str] | None = None,
        references: Sequence[EnergyReference] | None = None,
    ) -> None:
        super().__init__(level)
        self.network = network.eval().requires_grad_(requires_grad=False)
        self.levels = (level,) if levels is None else tuple(levels)
        self.references = (EnergyReference(),) * len(self.levels) if references is None else tuple(references)
        if not (len(set(self.levels)) == len(self.references) == network.heads) or level not in self.levels:
            raise UsageError(
                f"a network of {network.heads} heads needs as many different levels, {level!r} among them, "
                f"got {list(self.levels)}"
            )

    def facts(self) -> tuple[str, ...]:
        """Return size, reach and heads."""
        count = sum(parameter.numel() for parameter in self.network.parameters())
        trained = sum(bool(reference.per_element) for reference in self.references)
        state = () if trained else ("not trained",)
        heads = () if len(self.levels) == 1 else (f"heads {', '.join(self.levels)}",)
        return (f"{count} parameters", f"reach {self.network.reach:g} Å", *heads, *state)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.network.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the network; energies are summed in float64 in any case."""
        return next(self.network.parameters()).dtype

    @property
    def reference(self) -> EnergyReference:
        """Reference energies of the default level."""
        return self.references[self.levels.index(self.level)]

    @gradients()
    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Self:
        """Return a copy on another device, see `ForceField.to`, or with another precision."""
        there = None if device is None else resolve(device)
        return self._copy(network=copy.deepcopy(self.network).to(device=there, dtype=dtype))

    def replace(self, *, reference: EnergyReference | None = None, level: str | None = None) -> Self:
        """Return a copy with another default level, or other reference energies of that level.

        A network with one head takes any name for its level.
        """
        level = self.level if level is None else level
        levels = (level,) if len(self.levels) == 1 else self.levels
        if level not in levels:
            raise UsageError(f"the default level must be one of {list(levels)}, got {level!r}")
        references = [
            own if reference is None or name != level else reference
            for name, own in zip(levels, self.references, strict=True)
        ]
        return self._copy(level=level, levels=levels, references=tuple(references))

    def with_references(self, references: Sequence[EnergyReference]) -> Self:
        """Return a copy with other reference energies, one for each head."""
        return self._copy(references=tuple(references))

    def with_electrons(self, electrons: Electrons) -> Self:
        """Return a copy that treats frames of this charge and spin only."""
        return self._copy(electrons=electrons)

    @property
    def seen(self) -> tuple[Ranges, ...]:
        """Range of the distances of each pair of elements in training; see `ForceField.seen`."""
        return () if self.distances is None else (self.distances,)

    def having_seen(self, frames: Frames) -> Self:
        """Return a copy that knows the distances of further training frames."""
        if frames.pbc.any():
            return self._copy(distances=None)
        fresh = ElementRanges.of(frames, self.network.reach)
        return self._copy(distances=fresh if self.distances is None else self.distances | fresh)

    @gradients()
    def with_parameters(self, parameters: Mapping[str, Tensor]) -> Self:
        """Return a copy whose named parameters have new values; the others stay."""
        network = copy.deepcopy(self.network)
        own = dict(network.named_parameters())
        with torch.no_grad():
            for name, value in parameters.items():
                own[name].copy_(value)
        return self._copy(network=network)

    @gradients()
    def calibrated(self, frames: Frames) -> Self:
        """Return a copy whose network has seen the scale of its features on some frames, once.

        Frames are taken evenly from the given ones, as many as a prediction treats at a time
        and at most `CALIBRATION`.
        """
        limit = PAIRS[self.device.type] // int(frames.sizes.max()) ** 2
        count = max(1, min(len(frames), limit, CALIBRATION))
        rows = np.linspace(0, len(frames) - 1, count).round().astype(np.int64)
        network = copy.deepcopy(self.network)
        network.calibrate(pad(frames[rows], self.dtype, self.device))
        return self._copy(network=network)

    @building()
    def with_cutoff(self, cutoff: float) -> Self:
        """Return a copy whose envelope ends at another distance, Å; its parameters stay.

        The radial functions stay as trained, only the envelope is rescaled: with more reach than in
        training, atoms see further, with less, less far, and forces stay continuous either way.
        """
        if not cutoff > 0:
            raise UsageError(f"a cutoff must be positive Å, got {cutoff}")
        network = copy.deepcopy(self.network)
        network.extend(float(cutoff))
        return self._copy(network=network)

    @building()
    def with_heads(self, levels: Sequence[str], level: str | None = None) -> Self:
        """Return a copy with one head for each of the given levels on the same body.

        Parameters
        ----------
        levels : a level the model knows keeps its head, a new one starts from the default level's.
        level : default level of the copy; None = the last.
        """
        if not levels or len(set(levels)) < len(levels):
            raise UsageError(f"heads are for different levels, at least one, got {list(levels)}")
        rows = [self.levels.index(x if x in self.levels else self.level) for x in levels]
        network = copy.deepcopy(self.network)
        network.readout, network.heads = self.network.readout.select(rows), len(rows)
        return self._copy(
            network=network,
            level=levels[-1] if level is None else level,
            levels=tuple(levels),
            references=tuple(self.references[row] for row in rows),
        )

    def heads_of(self, frames: Frames) -> IntArray:
        """Return which head each frame's level belongs to, (n_frames,); one head takes any level.

        Raises
        ------
        UsageError
            where a frame has a level that none of several heads is for.
        """
        if len(self.levels) == 1:
            return np.zeros(len(frames), dtype=np.int64)
        if foreign := sorted(set(frames.level.tolist()) - set(self.levels)):
            raise UsageError(f"this model has heads for {list(self.levels)}, frames have levels {foreign}")
        heads: IntArray = np.array(
            [self.levels.index(level) for level in frames.level.tolist()], dtype=np.int64
        )
        return heads

    @gradients()
    def predict(self, frames: Frames, level: str | None = None) -> Prediction:
        """Return energies (n_frames,) eV and forces (n_atoms, 3) eV/Å; see `ForceField.predict`."""
        head = self._head(frames, level)
        energy, forces = self.references[head].energy(frames), np.zeros_like(frames.positions)
        for rows, atoms, batch in self._batches(frames, head):
            x = batch.positions.requires_grad_()
            e = self.network(batch)
            (gradient,) = torch.autograd.grad(e.sum(), x)
            energy[rows] += e.detach().double().cpu().numpy()
            forces[atoms] = -gradient[batch.mask].double().cpu().numpy()
        require_apart(frames, energy, forces)
        return Prediction(energy, forces)

    @gradients()
    def surface(self, like: Frames) -> Surface:
        """Return what predicts many configurations of the same atoms again and again; see `ForceField`.

        What is the same in all of them is made once.
        """
        head = self._head(like, None)
        size, reference = int(like.sizes[0]), float(self.references[head].energy(like[:1])[0])
        one = pad(like[:1], self.dtype, self.device, head)
        limit = max(1, PAIRS[self.device.type] // size**2)

        @gradients()
        def surface(positions: FloatArray) -> tuple[FloatArray, FloatArray]:
            parts = []
            centred = positions - positions.mean(axis=1, keepdims=True)
            for some in np.array_split(centred, max(1, -(-len(centred) // limit))):
                x = torch.from_numpy(some).to(self.device, self.dtype).requires_grad_()
                alike = (tensor.expand(len(some), *tensor.shape[1:]) for tensor in one)
                e = self.network(Batch(*alike)._replace(positions=x))
                (gradient,) = torch.autograd.grad(e.sum(), x)
                parts.append((e.detach(), gradient))
            energy, slope = (torch.cat(each).double().cpu().numpy() for each in zip(*parts, strict=True))
            return reference + energy, -slope

        return surface

    def energies(self, frames: Frames, level: str | None = None) -> FloatArray:
        """Return energies (n_frames,) eV alone, at a third of the cost of `predict`."""
        head = self._head(frames, level)
        energy = self.references[head].energy(frames)
        with torch.no_grad():
            for rows, _, batch in self._batches(frames, head):
                energy[rows] += self.network(batch).double().cpu().numpy()
        require_apart(frames, energy)
        return energy

    def latent(self, frames: Frames) -> FloatArray:
        """Return invariant features of each atom, (n_atoms, d)."""
        self._head(frames, None)
        parts, order = [np.empty((0, 0))], [np.empty(0, dtype=np.int64)]
        with torch.no_grad():
            for _, atoms, batch in self._batches(frames, 0):
                parts.append(self.network.latent(batch)[batch.mask].double().cpu().numpy())
                order.append(atoms)
        features = np.concatenate(parts[1:] or parts)
        require_apart(frames, features)
        return features[np.argsort(np.concatenate(order))]

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return the network's settings and parameters, levels and reference energies."""
        settings = {
            "network": self.network.settings(),
            "levels": list(self.levels),
            "references": [reference.state() for reference in self.references],
            "electrons": self.electrons and self.electrons._asdict(),
            "distances": self.distances and self.distances.state(),
        }
        return settings, dict(self.network.state_dict())

    @classmethod
    @building()
    def from_state(cls, settings: Mapping[str, Any], tensors: Tensors) -> Self:
        """Return the model that `state` came from, on the CPU."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # torch only warns of layers without parameters
            network = cls.architecture(**settings["network"])
        network.load_state_dict(dict(tensors), assign=True)
        references = [EnergyReference.from_state(state) for state in settings["references"]]
        model = cls.__new__(cls)
        NetworkForceField.__init__(model, network, str(settings["level"]), settings["levels"], references)
        known = settings["electrons"]
        model = model.with_electrons(Electrons(**known)) if known else model
        if distances := settings["distances"]:
            return model._copy(distances=ElementRanges.from_state(distances, network.reach))
        return model

    def check_frames(self, frames: Frames) -> None:
        """Raise a `UsageError` for frames the network cannot treat."""
        require_molecules(frames, self.kind)
        require_elements(frames, ELEMENTS - 1, self.kind)
        require_finite(frames)
        require_electrons(frames, self.electrons, self.kind)

    def _copy(self, **changes: Any) -> Self:  # Any: values of attributes
        other = copy.copy(self)
        for name, value in changes.items():
            setattr(other, name, value)
        other.network.eval().requires_grad_(requires_grad=False)
        return other

    def _head(self, frames: Frames, level: str | None) -> int:
        """Return the head of a level, once it is sure that it can predict the frames."""
        require_frames(frames)
        require_level(level, *self.levels)
        self.check_frames(frames)
        head = self.levels.index(self.level if level is None else level)
        if not self.references[head].per_element:
            raise UsageError(f"this {self.kind} model was never trained: give it to training.fit first")
        return head

    def _batches(self, frames: Frames, head: int) -> Iterator[tuple[IntArray, IntArray, Batch]]:
        """Yield (rows, their atoms, batch): frames of like size together, few pairs at a time."""
        for rows, atoms in chunks(frames, PAIRS[self.device.type]):
            yield rows, atoms, pad(frames[rows], self.dtype, self.device, head)
