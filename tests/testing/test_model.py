"""The contract checks of a force field fail, naming the rule, for models that break one."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES, DEFAULT, REFERENCE, network
from morse_molecule import SWAP, frames

from fidsel.data import Frames
from fidsel.models import SGDML, ForceField, NetworkForceField, Prediction
from fidsel.models.contract import Tensors
from fidsel.testing import check_force_field
from fidsel.testing import model as contract

FRAMES = frames(3, seed=5)

Change = Callable[[Frames, Prediction], Prediction]


class Changed(ForceField):
    """A person's model on the CPU, in a precision that nobody can ask for: another's with one mistake."""

    kind = "changed"

    def __init__(self, inner: ForceField, change: Change) -> None:
        super().__init__(inner.level)
        self.inner, self.change = inner, change

    def predict(self, frames: Frames, level: str | None = None) -> Prediction:
        return self.change(frames, self.inner.predict(frames, level))

    def state(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        return self.inner.state()

    @classmethod
    def from_state(cls, settings: Mapping[str, Any], tensors: Tensors) -> Self:
        raise NotImplementedError


def scaled(factor: float) -> Change:
    return lambda _, p: replace(p, forces=factor * p.forces)


def pushed(frames: Frames, p: Prediction) -> Prediction:
    """One component of one atom per molecule is off by 0.1 %."""
    forces = p.forces.copy()
    forces[2::4, 1] += 1e-3 * np.sqrt(np.mean(p.forces**2))
    return replace(p, forces=forces)


def outward(frames: Frames, p: Prediction) -> Prediction:
    """A force that vanishes at the frames the molecules start from, and grows away from them."""
    return replace(p, forces=p.forces + (frames.positions - FRAMES.positions))


@pytest.mark.parametrize("kind", sorted(ARCHITECTURES))
def test_right_forces_pass_in_either_precision_and_wrong_ones_do_not(kind: str) -> None:
    single = DEFAULT[kind]("morse").replace(reference=REFERENCE)
    for model, smallest in ((single, 2e-3), (single.to(dtype=torch.float64), 1e-4)):
        contract.check_forces_are_gradients(Changed(model, scaled(1.0)), FRAMES)
        for factor in (1 + smallest, 1 - smallest):
            with pytest.raises(AssertionError, match=r"must be −∇E to 0.0001: frame \d is off by"):
                contract.check_forces_are_gradients(Changed(model, scaled(factor)), FRAMES)


@pytest.mark.parametrize("change", [pushed, outward])
def test_one_wrong_component_and_a_wrong_curvature_are_found(change: Change) -> None:
    with pytest.raises(AssertionError, match="forces must be −∇E"):
        contract.check_forces_are_gradients(Changed(network("schnet"), change), FRAMES)


def test_energies_without_digits_are_told_from_wrong_forces() -> None:
    def rounded(frames: Frames, p: Prediction) -> Prediction:
        return replace(p, energy=p.energy.astype(np.float32).astype(np.float64))

    with pytest.raises(AssertionError, match=r"energies must be smooth: .* in float64"):
        contract.check_forces_are_gradients(Changed(network("schnet"), rounded), FRAMES)


@pytest.mark.parametrize("smaller", [True, False])
def test_what_padding_changes_is_found(*, smaller: bool) -> None:
    def padded(frames: Frames, p: Prediction) -> Prediction:
        sizes = frames.sizes
        there = sizes < sizes.max() if smaller else sizes > sizes.min()
        return replace(p, energy=p.energy + 1e-3 * there)

    contract.check_padding(network("schnet"), FRAMES, 1e-9)
    with pytest.raises(
        AssertionError, match="molecules of other sizes in a batch must change nothing: energy"
    ):
        contract.check_padding(Changed(network("schnet"), padded), FRAMES)


@pytest.mark.parametrize("rise", [0.0, 1e-3])
def test_single_atoms_are_padded_by_pairs(rise: float) -> None:
    def padded(frames: Frames, p: Prediction) -> Prediction:
        return replace(p, energy=p.energy + rise * (frames.sizes < frames.sizes.max()))

    atoms = Frames.stack([8], np.arange(6.0).reshape(2, 1, 3), level="morse")
    with nullcontext() if rise == 0 else pytest.raises(AssertionError, match="other sizes in a batch"):
        contract.check_padding(Changed(network("schnet"), padded), atoms, 1e-9)


def test_a_model_of_one_molecule_needs_no_padding() -> None:
    kernel, _ = SGDML([10.0]).fit(frames(10), frames(0))
    contract.check_padding(kernel, FRAMES)


@pytest.mark.parametrize("kind", sorted(ARCHITECTURES))
def test_networks_keep_the_contract_as_they_are_made(kind: str) -> None:
    model: NetworkForceField = ARCHITECTURES[kind]("morse").replace(reference=REFERENCE)
    assert model.dtype == torch.float32
    check_force_field(model, FRAMES, swap=SWAP, tolerance=1e-4)
