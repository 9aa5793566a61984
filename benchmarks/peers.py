"""What fidsel's models are set against: MACE by its own functions, and the sgdml package."""

import importlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from cells import KCAL

from fidsel.data import Frames

CUTOFF = 5.0
"""Å."""


class Mace:
    """A MACE of 128x0e + 128x1o features and 2 layers, float32, else as its command line sets it up.

    Parameters
    ----------
    frames : what it is trained on.
    batch : frames per step.
    degree, correlation : of its messages; the command line has 3 and 3.
    """

    done = False
    """Its learning rate stays, so training has no end."""

    def __init__(
        self, frames: Frames, batch: int, degree: int, correlation: int, device: torch.device
    ) -> None:
        importlib.import_module("mace")  # lets torch read e3nn's files
        from e3nn import o3
        from mace import data, modules, tools
        from torch_ema import ExponentialMovingAverage

        torch.manual_seed(0)
        torch.set_default_dtype(torch.float32)
        self.device = device
        self.table = tools.get_atomic_number_table_from_zs(frames.numbers.tolist())
        block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
        n_atoms = len(frames.numbers) // len(frames)
        per_atom = np.full(len(self.table), frames.energy.mean() / n_atoms)
        self.data = data
        self.model = modules.ScaleShiftMACE(
            r_max=CUTOFF, num_bessel=8, num_polynomial_cutoff=5, max_ell=degree, correlation=correlation,
            interaction_cls=block, interaction_cls_first=block, num_interactions=2,
            num_elements=len(self.table), atomic_numbers=self.table.zs,
            hidden_irreps=o3.Irreps("128x0e + 128x1o"), MLP_irreps=o3.Irreps("16x0e"),
            gate=torch.nn.functional.silu, atomic_energies=per_atom,
            avg_num_neighbors=n_atoms - 1.0, radial_type="bessel",
            atomic_inter_scale=float(np.sqrt(np.mean(frames.forces**2))), atomic_inter_shift=0.0,
        ).to(self.device)  # fmt: skip
        self.loss = modules.WeightedEnergyForcesLoss(energy_weight=1.0, forces_weight=100.0)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=0.01, amsgrad=True)
        self.average = ExponentialMovingAverage(self.model.parameters(), decay=0.99)
        self.loader = self.load(frames, batch, shuffle=True)
        self.queue: Iterator[Any] = iter(())

    def load(self, frames: Frames, batch: int, *, shuffle: bool) -> Any:
        """Return MACE's loader of some frames, their graphs made once."""
        from mace.tools import torch_geometric

        dense, weights = frames.dense(), {"energy": 1.0, "forces": 1.0}
        items = [
            self.data.AtomicData.from_config(
                self.data.Configuration(
                    atomic_numbers=dense.numbers, positions=x, properties={"energy": e, "forces": f},
                    property_weights=weights, pbc=(False,) * 3, cell=np.zeros((3, 3)),
                ),
                z_table=self.table, cutoff=CUTOFF,
            )
            for x, e, f in zip(dense.positions, dense.energy, dense.forces, strict=True)
        ]  # fmt: skip
        loader = torch_geometric.dataloader.DataLoader
        return loader(items, batch_size=batch, shuffle=shuffle, drop_last=shuffle)

    def take(self) -> None:
        """Take a step."""
        from mace.tools.train import take_step

        batch = next(self.queue, None)
        if batch is None:
            self.queue = iter(self.loader)
            batch = next(self.queue)
        wanted = {"forces": True, "virials": False, "stress": False}
        take_step(self.model, self.loss, batch, self.optimiser, self.average, wanted, 10.0, self.device)

    def predict(self, batches: Sequence[Any]) -> list[torch.Tensor]:
        """Return the forces of some batches."""
        return [
            self.model(b.to(self.device).to_dict(), compute_force=True)["forces"].detach() for b in batches
        ]

    def error(self, frames: Frames) -> float:
        """Return the force MAE of the averaged parameters, kcal/mol/Å."""
        with self.average.average_parameters():
            forces = torch.cat(self.predict(list(self.load(frames, 32, shuffle=False))))
        return float(np.abs(forces.cpu().numpy() - frames.forces).mean() / KCAL)


def import_sgdml() -> tuple[Any, Any]:
    """Return sgdml's training and prediction classes."""
    if not hasattr(np, "in1d"):
        vars(np)["in1d"] = np.isin  # sgdml 1.0.3 calls what NumPy 2.4 removed
    from sgdml.predict import GDMLPredict
    from sgdml.train import GDMLTrain

    return GDMLTrain, GDMLPredict


def sgdml_dataset(frames: Frames) -> dict[str, Any]:
    """Return frames as sgdml's dataset dictionary."""
    from sgdml.utils import io

    dense = frames.dense()
    dataset = {
        "type": "d", "code_version": "1.0.3", "name": np.array("frames"), "theory": np.array("level"),
        "R": dense.positions, "z": dense.numbers, "E": dense.energy / KCAL, "F": dense.forces / KCAL,
        "r_unit": "Ang", "e_unit": "kcal/mol",
    }  # fmt: skip
    dataset["md5"] = io.dataset_md5(dataset)
    return dataset
