import numpy as np
import torch
from morse_molecule import NUMBERS, REST, SWAP, frames

from fidsel.models import SGDML
from fidsel.models.require import Electrons
from fidsel.models.sgdml.fitted import Fitted, descriptor_symmetries, distinct
from fidsel.models.sgdml.frames import labelled
from fidsel.models.sgdml.kernel import describe

PERMUTATIONS = torch.tensor([[0, 1, 2, 3], SWAP])


def fitted(n: int = 12) -> Fitted:
    model, _ = SGDML(sigmas=(10.0,)).fit(frames(n), frames(4, 1))
    assert isinstance(model, SGDML)
    found = model.fitted
    assert found is not None
    return found


def test_examples_are_chosen_and_joined() -> None:
    examples = labelled(frames(3), np.arange(1.0, 4.0), 4, "cpu")
    both = examples[torch.tensor([2, 0])] + examples[torch.tensor([1])]
    assert both.weights.tolist() == [3.0, 1.0, 2.0]
    assert torch.equal(both.positions[2], examples.positions[1])
    assert len(both) == 3


def test_entries_under_a_symmetry_are_those_of_the_permuted_molecule() -> None:
    x = torch.from_numpy(REST + 0.1 * np.random.default_rng(0).normal(size=(1, 4, 3)))
    symmetries = descriptor_symmetries(PERMUTATIONS)
    assert symmetries.shape == (2, 6)
    torch.testing.assert_close(describe(x)[:, symmetries[1]], describe(x[:, SWAP]))


def test_a_frame_and_its_mirror_image_are_one() -> None:
    x = frames(3).dense().positions
    turned = x[[0]][:, SWAP] * [1, 1, -1]
    positions = torch.from_numpy(np.concatenate([x, turned, x[[2]] + 1e-9]))
    assert distinct(positions, PERMUTATIONS).tolist() == [True, True, True, False, False]
    assert distinct(positions[:0], PERMUTATIONS).tolist() == []


def test_the_constant_is_that_of_most_energies() -> None:
    found = fitted()
    energy = found.train.energy.clone()
    energy[3] += 1e4
    energy[5] = torch.nan
    train = type(found.train)(found.train.positions, found.train.forces, energy, found.train.weights)
    again = Fitted(**{**vars(found), "train": train}).with_constant()
    assert again.outliers == 1
    assert abs(again.constant - found.with_constant().constant) < 0.05
    none = type(train)(train.positions, train.forces, torch.full_like(energy, torch.nan), train.weights)
    assert Fitted(**{**vars(found), "train": none}).with_constant().constant == found.constant


def test_what_was_learnt_is_restored() -> None:
    found = fitted()
    again = Fitted.restore(found.tensors(), found.scalars())
    assert again.electrons == Electrons(0, 0)
    x = torch.from_numpy(frames(2, 3).dense().positions.copy())
    for one, other in zip(found.expansion()(x), again.expansion()(x), strict=True):
        assert torch.equal(one, other)
    assert found.to("cpu") is found


def test_ranges_hold_the_symmetric_copies() -> None:
    found = fitted()
    swapped = frames(12).replace(positions=frames(12).dense().positions[:, SWAP].reshape(-1, 3))
    assert (NUMBERS[SWAP] == NUMBERS).all()
    if len(found.permutations) == 2:
        x = swapped.dense().positions
        apart = np.linalg.norm(x[:, :, None] - x[:, None], axis=-1)[:, *np.triu_indices(4, 1)]
        ranges = found.ranges()
        assert (apart >= ranges.low - 1e-12).all()
        assert (apart <= ranges.high + 1e-12).all()
