import numpy as np
import pytest
import torch
from architectures import REFERENCE
from morse_molecule import SWAP, frames
from scipy.spatial.transform import Rotation

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import PaiNN
from fidsel.models.networks.painn import Block
from fidsel.testing import check_force_field


@pytest.mark.parametrize("layers", [1, 3])
def test_first_and_last_interactions_may_coincide_or_have_others_between(layers: int) -> None:
    model = PaiNN("toy", features=8, layers=layers, radial=6).to(dtype=torch.float64)
    check_force_field(model.replace(reference=REFERENCE), frames(2), swap=SWAP, tolerance=1e-9)


@pytest.mark.parametrize(("first", "last"), [(True, False), (False, False), (False, True)])
def test_an_interaction_turns_vectors_and_leaves_scalars(*, first: bool, last: bool) -> None:
    torch.manual_seed(0)
    block = Block(4, 3, first=first, last=last).double()
    s, v, basis, unit = (
        torch.randn(shape, dtype=torch.float64)
        for shape in ((1, 5, 4), (1, 5, 3, 4), (1, 5, 5, 3), (1, 5, 3, 5))
    )
    turn = torch.from_numpy(Rotation.random(random_state=0).as_matrix())
    s1, v1 = block(s, None if first else v, basis, unit)
    s2, v2 = block(s, None if first else turn @ v, basis, turn @ unit)
    torch.testing.assert_close(s2, s1)
    torch.testing.assert_close(v2, turn @ v1)
    assert (v1 - v).abs().max() > 0.1


def test_one_interaction_sees_the_angle_between_bonds() -> None:
    model = PaiNN("toy", features=8, layers=1, radial=6, cutoff=1.2).to(dtype=torch.float64)
    bent, straight = (
        [[0, 0, 0], [0.96, 0, 0], [0.96 * np.cos(angle), 0.96 * np.sin(angle), 0]] for angle in (1.6, np.pi)
    )
    # The hydrogens are beyond each other's reach, so that distances within it are the same.
    energy = model.replace(reference=REFERENCE).energies(Frames.stack([8, 1, 1], [bent, straight]))
    assert abs(energy[0] - energy[1]) > 1e-3


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match="layers of painn must be a whole number ≥ 1, got 0"):
        PaiNN(layers=0)
    with pytest.raises(UsageError, match="cutoff of painn, in Å, must be a finite number > 0"):
        PaiNN(cutoff=-1.0)
