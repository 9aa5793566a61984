"""A trained model as one of torch-sim's, which runs many systems as one batch."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from fidsel.data import Frames
from fidsel.exceptions import MissingExtraError
from fidsel.models.networks.base import NetworkForceField

if TYPE_CHECKING:
    from torch_sim.models.interface import ModelInterface

    from fidsel.models.contract import ForceField


def torch_sim_model(model: "ForceField", *, charge: int = 0, spin: int = 0) -> "ModelInterface":
    """Return a model that torch-sim's integrators and optimisers take; its states must be in float64.

    Energies and forces are the model's own predictions, on the device that it computes on. There is no
    stress, so cells stay as they are. Needs the extra `torchsim`.

    Parameters
    ----------
    charge, spin : of every system, e and 2S: torch-sim's states have neither.

    Raises
    ------
    MissingExtraError
        where torch-sim is not installed.
    """
    try:
        from torch_sim.models.interface import ModelInterface
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torch_sim":
            raise
        raise MissingExtraError("torch-sim-atomistic", "torchsim") from error

    class Model(ModelInterface):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            super().__init__()
            self._device = model.device if isinstance(model, NetworkForceField) else torch.device("cpu")
            self._dtype = torch.float64
            self._compute_stress, self._compute_forces = False, True

        def forward(self, state: Any, **_: object) -> dict[str, Tensor]:  # Any: a class of torch-sim
            sizes = np.bincount(state.system_idx.cpu())
            frames = Frames.pack(
                state.atomic_numbers.cpu(),
                state.positions.detach().cpu(),
                np.concatenate([[0], np.cumsum(sizes)]),
                cell=state.row_vector_cell.detach().cpu(),
                pbc=np.broadcast_to(np.asarray(state.pbc), (len(sizes), 3)),
                charge=charge,
                spin=spin,
            )
            found = model.predict(frames)
            values = {"energy": found.energy, "forces": found.forces}
            return {name: torch.tensor(value, device=self._device) for name, value in values.items()}

    return Model()
