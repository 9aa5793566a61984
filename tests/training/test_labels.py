"""Labels as a training takes them: what they allow, and what is refused."""

import numpy as np
import pytest
import torch
from morse_molecule import frames

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import PaiNN
from fidsel.training.labels import Labelled, centred, prepare, usable_loss
from fidsel.training.optimise.fit import fit
from fidsel.training.stage import Loss, Stage

STAGE = Stage(steps=60, learning_rate=5e-3, batch=5, validate_every=10)
TRAIN, VALIDATION = frames(20, 0), frames(10, 1)


def painn(seed: int = 0) -> PaiNN:
    return PaiNN(features=8, layers=2, radial=6, seed=seed)


def test_what_cannot_be_trained_on_is_refused() -> None:
    half = TRAIN.replace(forces=np.where(np.arange(80)[:, None] < 40, TRAIN.forces, np.nan))
    with pytest.raises(UsageError, match="10 of 20 training and 0 of 10 validation frames lack"):
        fit(painn(), half, VALIDATION, STAGE)
    with pytest.raises(UsageError, match="none of the 20 training frames has any"):
        fit(painn(), TRAIN.unlabelled(), VALIDATION.unlabelled(), STAGE)
    with pytest.raises(UsageError, match="learns one level of theory at a time"):
        fit(painn(), TRAIN + frames(2, level="other"), VALIDATION, STAGE)
    with pytest.raises(UsageError, match="does not see the charge"):
        fit(painn(), TRAIN + TRAIN[:2].replace(charge=1), VALIDATION, STAGE)
    with pytest.raises(UsageError, match=r"one level of theory at a time, got \['morse', 'other'\]"):
        fit(painn(), TRAIN, frames(2, level="other"), STAGE)
    for name in ("charge", "spin"):
        with pytest.raises(UsageError, match=rf"does not see the {name}: .* got \[0, 1\]"):
            fit(painn(), TRAIN, VALIDATION.replace(**{name: 1}), STAGE)
        with pytest.raises(UsageError, match=f"does not see the {name}"):
            fit(painn().with_heads(["low", "morse"]), TRAIN, VALIDATION.replace(**{name: 1}), STAGE)
    with pytest.raises(UsageError, match="fit_members takes one row per member"):
        fit(painn(), TRAIN, VALIDATION, STAGE, np.ones((2, 20)))
    with pytest.raises(UsageError, match="weights must have shape"):
        fit(painn(), TRAIN, VALIDATION, STAGE, np.ones(3))
    with pytest.raises(UsageError, match="finite, ≥ 0"):
        fit(painn(), TRAIN, VALIDATION, STAGE, -np.ones(20))
    with pytest.raises(UsageError, match="training needs models"):
        fit(painn(), TRAIN, VALIDATION[:0], STAGE)


def test_some_frames_without_a_label_are_refused_with_what_helps() -> None:
    first = np.arange(len(TRAIN)) < 5
    no_forces = TRAIN.replace(forces=np.where(np.repeat(first, 4)[:, None], np.nan, TRAIN.forces))
    no_energy = TRAIN.replace(energy=np.where(first, np.nan, TRAIN.energy))
    for lacking, rho in ((no_forces, 1), (no_energy, 0)):
        with pytest.raises(UsageError, match=rf"leave these out \(frames\[.*recipe\.stage\.rho={rho} in"):
            usable_loss(Loss(rho=0.1), lacking, VALIDATION)
        assert usable_loss(Loss(rho=float(rho)), lacking, VALIDATION).train.rho == rho
    assert len(no_forces[no_forces.has_forces]) == len(no_energy[np.isfinite(no_energy.energy)]) == 15


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("positions", np.nan, r"those of atoms \[0, 1, 2, 3\] of frame 2 are NaN"),
        ("positions", 0.5, r"atoms \[0, 1, 2, 3\] of frame 2 are nearer"),
        ("numbers", 119, r"atoms \[0, 1, 2, 3\] of frame 2 are \[119\]"),
    ],
)
def test_frames_that_are_refused_are_counted_within_their_set(field: str, value: float, rule: str) -> None:
    for i, what in enumerate(("training", "validation")):
        pair = [TRAIN, VALIDATION]
        array = getattr(pair[i], field).copy()
        array[8:12] = value
        pair[i] = pair[i].replace(**{field: array})
        with pytest.raises(UsageError, match=f"^{what} frames: .*{rule}"):
            fit(painn(), *pair, STAGE)


def test_a_term_of_the_loss_goes_where_no_frame_has_its_label() -> None:
    loss = Loss(0.1)
    assert usable_loss(loss, TRAIN, VALIDATION) == (loss, loss, {})
    alone = usable_loss(loss, TRAIN.replace(forces=None), VALIDATION.replace(forces=None))
    assert (alone.train.rho, alone.validation.rho) == (1.0, 1.0)
    assert alone.notes == {"loss": "energies only: no frame has forces"}
    mixed = usable_loss(loss, TRAIN, VALIDATION.replace(energy=None, level="other"))
    assert (mixed.train.rho, mixed.validation.rho) == (0.1, 0.0)
    assert mixed.notes == {"validation": "by forces only"}


def test_missing_labels_have_weight_zero_and_the_others_more() -> None:
    lacking = TRAIN.replace(energy=np.where(np.arange(20) < 5, np.nan, TRAIN.energy))
    found = prepare([centred(painn(), TRAIN)], lacking, np.ones((1, 20)))
    assert found.energy_weight[0].tolist() == pytest.approx([0.0] * 5 + [20 / 15] * 15)
    assert found.force_weight[0].tolist() == [1.0] * 20
    assert (found.energy[0, :5] == 0).all()
    np.testing.assert_allclose(found.forces.numpy().reshape(-1, 3), TRAIN.forces, rtol=1e-5)
    assert sum(len(chunk.forces) for chunk in found.chunks()) == len(found) == 20


def of_sizes(*atoms: int) -> Labelled:
    """Return labels of clouds of hydrogen atoms, so many in each."""
    rng = np.random.default_rng(0)
    clouds = [
        Frames.stack([1] * n, 9 * rng.random((1, n, 3)), energy=[-1.0], forces=np.ones((1, n, 3)))
        for n in atoms
    ]
    some = sum(clouds[1:], clouds[0])
    return prepare([centred(painn(), some)], some, np.ones((1, len(some))))


def test_batches_are_taken_in_pieces_where_padding_costs_more() -> None:
    data = of_sizes(4, 40, 5, 39)
    pieces = data.pieces(torch.tensor([0, 1, 2, 3, 0, 1]))
    assert [piece.forces.shape[:2] for piece in pieces] == [(3, 40), (3, 5)]
    assert [piece.atoms.mask.sum(1).tolist() for piece in pieces] == [[40, 40, 39], [5, 4, 4]]
    for piece in pieces:
        assert torch.equal(piece.forces.any(-1), piece.atoms.mask), "labels stay with their atoms"
    (whole,) = of_sizes(4, 5, 6).pieces(torch.arange(3))
    assert whole.forces.shape[:2] == (3, 6), "a further batch costs more than some padding"


def test_frames_of_one_size_are_one_batch_in_their_order() -> None:
    data = of_sizes(4, 4, 4)
    (piece,) = data.pieces(torch.tensor([2, 0]))
    assert torch.equal(piece.atoms.positions, data.atoms.positions[[2, 0]])
