"""MACE through mace-torch, for molecules and crystals: trained here, or fine-tuned from a checkpoint."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, Self

import torch
from torch import Tensor
from torch.nn.functional import pad

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models.mace.build import Config, build, read_checkpoint
from fidsel.models.networks.base import Network, NetworkForceField, seeded
from fidsel.models.networks.batch import Batch
from fidsel.models.networks.edges import edges
from fidsel.models.reference import EnergyReference
from fidsel.models.require import require_at_least, require_electrons, require_finite, require_positive

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
    """Higher-order equivariant message passing (Batatia et al. 2022), for molecules and crystals.

    A `ScaleShiftMACE` of mace-torch; DOI 10.48550/arXiv.2206.07697. Needs `pip install 'fidsel[mace]'`.
    Atomic energies are left to the float64 reference energies.

    Parameters
    ----------
    level : level of theory it predicts.
    elements : atomic numbers it can treat. Every layer has weights for each of them: name those
        of your data and no more.
    channels : features per atom, of each degree.
    max_l : highest degree of the features that atoms exchange: 0 invariant, 1 also vectors, ...
    layers : interactions.
    correlation : neighbours that one message couples; body order − 1.
    cutoff : Å, reach of one interaction.
    radial : number of radial basis functions.
    neighbours : mean number within the cutoff, which scales the messages; None = counted when
        training starts.
    seed : decides the initial parameters.
    """

    kind = "mace"
    architecture = MACENetwork
    network: MACENetwork

    def __init__(
        self,
        level: str = "",
        *,
        elements: Sequence[int] = (1, 6, 7, 8),
        channels: int = 64,
        max_l: int = 1,
        layers: int = 2,
        correlation: int = 3,
        cutoff: float = 5.0,
        radial: int = 8,
        neighbours: float | None = None,
        seed: int = 0,
    ) -> None:
        require_at_least(
            self.kind,
            elements=(len(elements), 1),
            channels=(channels, 1),
            max_l=(max_l, 0),
            layers=(layers, 1),
            correlation=(correlation, 1),
            radial=(radial, 1),
        )
        require_positive(self.kind, "Å", cutoff=cutoff)
        degrees = range(max_l + 1)
        config = DEFAULTS | {
            "atomic_numbers": sorted({int(z) for z in elements}),
            "atomic_energies": [0.0] * len(set(elements)),
            "hidden_irreps": " + ".join(f"{channels}x{degree}{'eo'[degree % 2]}" for degree in degrees),
            "num_interactions": layers,
            "correlation": correlation,
            "num_bessel": radial,
            "avg_num_neighbors": neighbours,
        }
        super().__init__(seeded(seed, lambda: MACENetwork(config, cutoff).to(torch.float32)), level)

    @classmethod
    def from_checkpoint(
        cls, path: Path | str, *, trust: bool = False, level: str = "", head: str | None = None
    ) -> Self:
        """Return the model in a file of MACE's own, such as a foundation model; it can be trained on.

        Parameters
        ----------
        path : a `*.model` file.
        trust : such a file is a pickle, which can run any code when it is read: say that you trust it.
        level : level of theory it predicts.
        head : which of the file's levels of theory, where it has several.
        """
        if not trust:
            raise UsageError(
                f"{path} is a pickle, which can run any code when it is read: "
                "set trust = true if you know where it comes from"
            )
        found = read_checkpoint(Path(path), head)
        network = MACENetwork(found.config, found.cutoff).to(found.dtype)
        network.mace.load_state_dict(found.tensors)
        model = cls.__new__(cls)
        reference = EnergyReference(found.energies, len(found.energies))
        NetworkForceField.__init__(model, network, level, references=[reference])
        return model

    def check_frames(self, frames: Frames) -> None:
        """Accept molecules and crystals of the charge and spin it was trained on."""
        require_finite(frames)
        require_electrons(frames, self.electrons, self.kind)

    def with_heads(self, levels: Sequence[str], level: str | None = None) -> NoReturn:
        """Refuse: a MACE network has one level of theory here."""
        wanted = ", ".join([*levels] if level is None else [*levels, f"default {level}"])
        raise UsageError(f"a MACE model predicts one level of theory, not {wanted}: train them in stages")
