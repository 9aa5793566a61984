"""MACE through mace-torch, for molecules and crystals: trained here, or fine-tuned from a checkpoint."""

from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.nn.functional import pad

from fidsel.arguments import Bound, NonNegativeInt, PositiveFloat, PositiveInt
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.mace.build import Config, build, read_checkpoint
from fidsel.models.networks.base import Network, NetworkForceField, seeded
from fidsel.models.networks.batch import Batch
from fidsel.models.networks.edges import edges
from fidsel.models.reference import EnergyReference
from fidsel.models.require import counts_of, length_of, require_electrons, require_finite

DEFAULTS: Config = {
    "interaction_cls": "RealAgnosticResidualInteractionBlock",
    "interaction_cls_first": "RealAgnosticResidualInteractionBlock",
    "readout_cls": "NonLinearReadoutBlock",
    "max_ell": 3,
    "num_polynomial_cutoff": 5,
    "radial_MLP": [64, 64, 64],
    "MLP_irreps": "16x0e",
    "gate": "silu",
    "use_reduced_cg": True,
    "atomic_inter_scale": 1.0,
    "atomic_inter_shift": 0.0,
}
"""What MACE's own training chooses where it is not told, without statistics of the labels."""


class MACENetwork(Network):
    """Interaction energy of molecules and crystals; see `MACE`.

    Parameters
    ----------
    config : arguments of `ScaleShiftMACE` as JSON values; no `avg_num_neighbors` = to be counted.
    """

    arguments = ("config",)
    vectorised = False

    def __init__(self, config: Config, cutoff: float, heads: int = 1, reach: float | None = None) -> None:
        super().__init__(cutoff, heads, reach)
        self.config = dict(config)
        self.mace: Any = build(config, cutoff)  # Any: a class of mace-torch

    def energy(self, batch: Batch) -> Tensor:
        """Return energies without atomic energies, (B,) eV."""
        energies: Tensor = self._run(batch)["interaction_energy"]
        return energies

    forward = energy

    def latent(self, batch: Batch) -> Tensor:
        """Return the scalar features after each interaction, (B, N, layers · channels)."""
        irreps = [product.linear.irreps_out for product in self.mace.products]
        features = self._run(batch)["node_feats"].split([x.dim for x in irreps], -1)
        scalars = torch.cat([f[:, : x.count("0e")] for f, x in zip(features, irreps, strict=True)], -1)
        dense = scalars.new_zeros(*batch.mask.shape, scalars.shape[1])
        dense[batch.mask] = scalars
        return dense

    def calibrate(self, batch: Batch) -> None:
        """Count the mean number of neighbours, which scales the messages, if it is not known yet."""
        if self.config["avg_num_neighbors"] is None:
            mean = max(1.0, edges(batch, self.reach)[0].shape[1] / int(batch.mask.sum()))
            self.config = self.config | {"avg_num_neighbors": mean}
            for interaction in self.mace.interactions:
                interaction.avg_num_neighbors = mean

    def extend(self, reach: float) -> None:
        """Let the envelope end at another distance, Å."""
        self.reach = reach
        self.mace.radial_embedding.cutoff_fn.r_max.fill_(reach)

    def _run(self, batch: Batch) -> Any:
        """Return what MACE computes: `interaction_energy` (B,), `node_feats` (n_atoms, all irreps), ..."""
        numbers, sizes = batch.numbers[batch.mask], batch.mask.sum(1)
        element: Tensor = numbers[:, None] == self.mace.atomic_numbers
        if not bool(element.any(1).all()):
            raise UsageError(
                f"this MACE model is for elements {self.config['atomic_numbers']}, frames have "
                f"{sorted(set(numbers.tolist()))}: build it with `elements` that contain them, e.g. "
                f"model.elements={sorted(set(numbers.tolist()))}"
            )
        index, shifts = edges(batch, self.reach)
        graph = {
            "positions": batch.positions[batch.mask],
            "node_attrs": element.to(batch.positions.dtype),
            "edge_index": index,
            "shifts": shifts,
            "cell": batch.cell.flatten(0, 1),
            "batch": torch.repeat_interleave(sizes),
            "ptr": pad(sizes.cumsum(0), (1, 0)),
        }
        return self.mace(graph, compute_force=False)


class MACE(NetworkForceField):
    """Higher-order equivariant message passing through mace-torch, also for crystals (extra `mace`).

    A `ScaleShiftMACE` (Batatia et al. 2022, DOI 10.48550/arXiv.2206.07697). Needs
    `pip install 'fidsel[mace]'`. Atomic energies are left to the float64 reference energies.

    Parameters
    ----------
    level : level of theory it predicts.
    elements : atomic numbers of the elements in the data; each costs weights and time.
    channels : feature channels per atom, of each degree.
    max_l : highest degree of the features that atoms exchange: 0 invariant, 1 also vectors, ...
    layers : interactions.
    correlation : neighbours that one message couples; body order − 1.
    cutoff : cutoff radius, Å: the reach of one interaction.
    radial : radial basis functions.
    neighbours : mean number within the cutoff, which scales the messages; by default counted when
        training starts.
    checkpoint : a `*.model` file of MACE's own to start from, such as a foundation model, in place of the
        sizes above.
    head : which of the checkpoint's levels of theory, where it has several.
    trust : whether the checkpoint's origin is trusted: reading such a file, a pickle, can run any code.
    seed : decides the initial parameters.
    """

    kind = "mace"
    has_heads = False
    without_cell = False
    architecture = MACENetwork
    network: MACENetwork

    def __init__(
        self,
        level: str = "",
        *,
        elements: Sequence[PositiveInt] = (1, 6, 7, 8),
        channels: PositiveInt = 64,
        max_l: NonNegativeInt = 1,
        layers: PositiveInt = 2,
        correlation: PositiveInt = 3,
        cutoff: PositiveFloat = 5.0,
        radial: PositiveInt = 8,
        neighbours: PositiveFloat | None = None,
        checkpoint: Path | None = None,
        head: str | None = None,
        trust: bool = False,
        seed: int = 0,
    ) -> None:
        sizes = {"channels": channels, "max_l": max_l, "layers": layers, "correlation": correlation}
        sizes |= {"radial": radial}
        if checkpoint is not None:
            given = {"elements": tuple(elements), "cutoff": cutoff, "neighbours": neighbours, **sizes}
            _refuse_sizes(given)
            network, reference = _read(checkpoint, head, trust=trust)
            super().__init__(network, level, references=[reference])
            return
        least = {name: (value, 0 if name == "max_l" else 1) for name, value in sizes.items()}
        counts_of(self.kind, elements=(len(elements), 1))
        own, reach = counts_of(self.kind, **least), length_of(self.kind, "cutoff", cutoff)
        if neighbours is not None:
            neighbours = float(Bound(gt=0).require(f"neighbours of {self.kind}", neighbours))
        config = DEFAULTS | {
            "atomic_numbers": sorted({int(z) for z in elements}),
            "atomic_energies": [0.0] * len(set(elements)),
            "hidden_irreps": " + ".join(
                f"{own['channels']}x{degree}{'eo'[degree % 2]}" for degree in range(own["max_l"] + 1)
            ),
            "num_interactions": own["layers"],
            "correlation": own["correlation"],
            "num_bessel": own["radial"],
            "avg_num_neighbors": neighbours,
        }
        super().__init__(seeded(seed, lambda: MACENetwork(config, reach).to(torch.float32)), level)

    def check_frames(self, frames: Frames) -> None:
        """Accept molecules and crystals of the charge and spin it was trained on."""
        require_finite(frames)
        require_electrons(frames, self.electrons, self.kind)

    def with_heads(self, levels: Sequence[str], level: str | None = None) -> NoReturn:
        """Refuse: a MACE network has one level of theory here."""
        wanted = ", ".join([*levels] if level is None else [*levels, f"default {level}"])
        raise UsageError(f"a MACE model predicts one level of theory, not {wanted}: train them in stages")


def _refuse_sizes(given: Mapping[str, Any]) -> None:
    """Raise a `UsageError` where sizes are given beside a checkpoint, which has its own."""
    usual = signature(MACE).parameters
    if mixed := sorted(name for name, value in given.items() if value != usual[name].default):
        raise UsageError(f"a checkpoint brings its own {', '.join(mixed)}: leave them out")


def _read(path: Path, head: str | None, *, trust: bool) -> tuple[MACENetwork, EnergyReference]:
    """Return network and atomic energies of a file of MACE's own."""
    if not trust:
        raise UsageError(
            f"{path} is a pickle, which can run any code when it is read: "
            "set trust = true if you know where it comes from"
        )
    found = read_checkpoint(path, head)
    network = MACENetwork(found.config, found.cutoff).to(found.dtype)
    network.mace.load_state_dict(found.tensors)
    return network, EnergyReference(found.energies, len(found.energies))
