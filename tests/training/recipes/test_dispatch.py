import numpy as np
import pytest
from morse_molecule import frames
from scipy.stats import spearmanr

from fidsel.exceptions import UsageError
from fidsel.models import SGDML, Average, Ensemble, PaiNN, Sum
from fidsel.training.evaluate import errors
from fidsel.training.recipes.dispatch import require_network, train_one
from fidsel.training.stage import Stage

STAGE = Stage("short", steps=4, validate_every=2)


def test_closed_form_fits_and_networks_are_trained_alike() -> None:
    for model in (SGDML([10.0]), PaiNN(features=4, radial=3)):
        trained, history = train_one(model, frames(8), frames(4, 1), STAGE, seed=1)
        assert trained.kind == model.kind
        assert trained.level == "morse"
        assert history.stage == "short"
        assert history.notes


@pytest.mark.parametrize("model", [SGDML([10.0]), PaiNN(features=4, radial=3)], ids=["kernel", "network"])
def test_weights_may_be_any_sequence(model: SGDML | PaiNN) -> None:
    weights = [0.0, *[1.0] * 7]
    one, two = (
        train_one(model, frames(8), frames(4, 1), STAGE, some, seed=1)[0]
        for some in (weights, np.array(weights))  # type: ignore[arg-type]
    )
    np.testing.assert_array_equal(one.predict(frames(3, 2)).forces, two.predict(frames(3, 2)).forces)


def test_a_model_that_only_predicts_is_refused() -> None:
    with pytest.raises(UsageError, match="a sum model only predicts"):
        train_one(Sum([SGDML()]), frames(2), frames(2), STAGE)


def painn(seed: int) -> PaiNN:
    return PaiNN(features=6, layers=2, radial=4, seed=seed)


def kernel(_: int) -> SGDML:
    return SGDML([10.0])


def test_networks_of_an_ensemble_are_trained_as_one_program() -> None:
    weights, stage = np.linspace(0.5, 1.5, 12), Stage(steps=20, batch=4, validate_every=10)
    start = Ensemble.of(painn, 3, seed=2)
    model, history = train_one(start, frames(12), frames(4, 1), stage, weights, seed=5)
    assert isinstance(model, Ensemble)
    assert model.level == "morse"
    assert history.notes["members"] == len(history.notes["each"]) == 3
    alone = [train_one(m, frames(12), frames(4, 1), stage, weights, seed=5) for m in start.members]
    test = frames(5, 3)
    for trained, (expected, _) in zip(model.members, alone, strict=True):
        np.testing.assert_allclose(trained.predict(test).forces, expected.predict(test).forces, atol=2e-4)
    np.testing.assert_allclose(history.validation, np.mean([h.validation for _, h in alone], 0), rtol=1e-4)
    assert history.best_step == max(h.best_step for _, h in alone)
    assert model.disagreement(test).frame_forces.min() > 1e-3


def test_kernels_of_an_ensemble_see_different_frames_and_disagree_where_they_are_wrong() -> None:
    train, test = frames(20), frames(100, 3)
    start = Ensemble.of(kernel, 4, seed=0)
    model, history = train_one(start, train, frames(4, 1), STAGE, seed=1)
    again, _ = train_one(start, train, frames(4, 1), STAGE, seed=1)
    assert isinstance(model, Ensemble)
    assert [notes["frames"] for notes in history.notes["each"]] == [18] * 4
    np.testing.assert_array_equal(model.predict(test).forces, again.predict(test).forces)
    wrong, apart = errors(model, test).per_frame_force_rmse, model.disagreement(test).frame_forces
    assert spearmanr(wrong, apart).statistic > 0.5
    single = SGDML([10.0]).fit(train, frames(4, 1))[0]
    assert wrong.mean() < 1.5 * errors(single, test).per_frame_force_rmse.mean()


def test_kernel_members_take_the_weights_of_their_own_frames() -> None:
    weights, start = np.r_[np.ones(10), np.zeros(10)], Ensemble.of(kernel, 2, seed=0)
    _, history = train_one(start, frames(20), frames(4, 1), STAGE, weights, seed=1)
    left = [20 - 2 - notes["frames"] for notes in history.notes["each"]]
    assert all(8 <= n <= 10 for n in left)


def test_kernel_members_never_leave_the_same_frames_out_and_keep_no_factor() -> None:
    train = frames(20)
    model, _ = train_one(Ensemble.of(kernel, 13, seed=0), train, frames(4, 1), STAGE)
    assert isinstance(model, Ensemble)
    fitted = [member.fitted for member in model.members if isinstance(member, SGDML)]
    seen = [one.train.positions.numpy().tobytes() for one in fitted if one is not None]
    assert len(set(seen)) == 13
    assert [one.solved for one in fitted if one is not None] == [None] * 13


def test_committee_of_equal_starts_is_refused() -> None:
    """Members that see the same batches from the same start agree, however wrong they are."""
    start = Ensemble([painn(3), painn(4), painn(3)])
    with pytest.raises(UsageError, match="must start from different parameters"):
        train_one(start, frames(10), frames(4, 1), STAGE)


def test_ensembles_of_a_kernel_and_a_network_are_trained_too() -> None:
    model, history = train_one(Ensemble([SGDML([10.0]), painn(0)]), frames(10), frames(4, 1), STAGE)
    assert isinstance(model, Ensemble)
    assert model.predict(frames(2)).energy.shape == (2,)
    assert history.notes["each"][0]["frames"] == 9


def test_recipes_in_stages_refuse_an_ensemble() -> None:
    with pytest.raises(UsageError, match="'asteroid' trains one network, not an ensemble"):
        require_network(Ensemble.of(painn, 2, 0), "asteroid")
    with pytest.raises(UsageError, match=r"at least as many training frames, .*, got 1"):
        train_one(Ensemble([SGDML([10.0])] * 2), frames(1), frames(4, 1), STAGE)


def test_an_average_is_kept_where_it_validates_better_than_its_members() -> None:
    train, validation = frames(4), frames(30, 1)
    members = [SGDML([2.0]), PaiNN(features=8, layers=2, radial=6)]
    stage = Stage(steps=200, batch=4, learning_rate=1e-2, validate_every=40)
    model, history = train_one(Average(members), train, validation, stage, seed=1)
    alone = [train_one(member, train, validation, stage, seed=1)[0] for member in members]
    *single, together = history.notes["validation_errors"]
    assert single == [errors(one, validation).force_mae for one in alone]
    assert isinstance(model, Average)
    assert together == errors(model, validation).force_mae < 0.99 * min(single)
    assert history.notes["weights"] == [["sgdml", model.weights[0]], ["painn", model.weights[1]]]


def test_the_best_member_is_kept_where_an_average_gains_nothing() -> None:
    members = [SGDML([10.0]), PaiNN(features=4, radial=3)]
    model, history = train_one(Average(members), frames(20), frames(8, 1), STAGE, seed=1)
    assert isinstance(model, SGDML)
    assert history.notes["weights"] == [["sgdml", 1.0], ["painn", 0.0]]
