from pathlib import Path

import numpy as np
import pytest
import torch
from morse_molecule import NUMBERS, SWAP, frames, morse

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import SGDML, load
from fidsel.models.files import write_state
from fidsel.models.sgdml.fitted import Examples
from fidsel.models.sgdml.kernel import describe, geometry, kernel
from fidsel.models.sgdml.matern import Matern
from fidsel.models.sgdml.posterior import signal_variance
from fidsel.models.sgdml.search.fit import FEW, SOME
from fidsel.models.sgdml.search.metric import (
    LEAST,
    Evaluation,
    MetricProblem,
    learn_metric,
    metric_gradient,
    pair_classes,
)
from fidsel.models.sgdml.symmetry import pair_indices
from fidsel.testing import check_fittable, check_force_field

WIDE = Matern(5.0)
NONE, TEST = frames(0), frames(40, seed=9)
PAIRS = torch.from_numpy(pair_indices(np.array([[0, 1, 2, 3], SWAP])))
CH, HH = np.array([False, True, True, False, False, False]), 5


def only_ch(n: int, seed: int = 0) -> Frames:
    """Return frames of a molecule whose C–H distances alone make forces."""
    made = frames(n, seed).dense()
    energy, forces = morse(made.positions, 4.0 * CH, 1.5)  # type: ignore[arg-type]
    return Frames.stack(NUMBERS, made.positions, energy=energy, forces=forces, level="ch")


def problem(some: Frames, matern: Matern = WIDE) -> MetricProblem:
    dense = some.dense()
    positions, forces = (torch.tensor(array) for array in (dense.positions, dense.forces))
    train = Examples(positions, forces, torch.tensor(some.energy), torch.ones(len(some)).double())
    return MetricProblem.of(train, PAIRS, describe(positions).mean(0), matern, 1e-10)


def learnt(n: int = 20, validation: int = 10, **more: object) -> SGDML:
    model, record = SGDML(symmetries=[SWAP], **more).fit(only_ch(n), only_ch(validation, 1))  # type: ignore[arg-type]
    assert record["metric"] == "learnt"
    return model


def weights(model: SGDML) -> np.ndarray:
    assert model.fitted is not None
    return np.asarray(model.fitted.metric)


def test_classes_are_the_orbits_of_pairs() -> None:
    assert pair_classes(PAIRS).tolist() == [0, 1, 1, 2, 2, 3]
    turns = pair_indices(np.array([[0, 1, 2, 3], [0, 2, 3, 1], [0, 3, 1, 2]]))
    assert pair_classes(torch.from_numpy(turns)).tolist() == [0, 0, 0, 1, 1, 1]


def test_the_gradient_is_that_of_the_kernel() -> None:
    dense = torch.tensor(frames(4).dense().positions)
    centre, rng = torch.full((6,), 0.7).double(), np.random.default_rng(0)
    pull = torch.from_numpy(rng.normal(size=(24, 24)))
    pull = pull + pull.mT
    logs = torch.tensor([0.3, -0.4, -0.4, 0.2, 0.2, 0.5]).double().requires_grad_()

    def total(metric: torch.Tensor) -> torch.Tensor:
        one = geometry(dense, centre, metric.detach())
        return (pull * kernel(one, one, PAIRS, Matern(1.5))).sum()

    found = metric_gradient(geometry(dense, centre, logs.detach().exp()), PAIRS, Matern(1.5), pull)
    for of_class in ([0], [1, 2], [3, 4], [5]):
        step = torch.zeros(6).double()
        step[of_class] = 1e-5
        with torch.no_grad():
            slope = (total((logs + step).exp()) - total((logs - step).exp())) / 2e-5
        assert float(found[of_class].sum()) == pytest.approx(float(slope), rel=1e-6)


def test_the_gradient_of_the_leave_one_out_error() -> None:
    one, at = problem(frames(12)), torch.tensor([0.3, -0.4, 0.2, 0.5]).double()
    _, gradient = one(at)
    for k in range(4):
        step = torch.zeros(4).double()
        step[k] = 1e-4
        assert float(gradient[k]) == pytest.approx((one(at + step)[0] - one(at - step)[0]) / 2e-4, rel=1e-4)


def test_distances_that_no_force_depends_on_get_small_weights() -> None:
    found = weights(learnt())
    assert found[~CH].max() < found[CH].min() / 3
    assert np.square(found).mean() == pytest.approx(1.0)


def test_pairs_that_symmetries_map_onto_each_other_share_a_weight() -> None:
    found = weights(learnt())
    assert (found[1], found[3]) == (found[2], found[4])
    alone, _ = SGDML(symmetries=False).fit(only_ch(20), only_ch(10, 1))
    assert weights(alone)[1] != weights(alone)[2]


def test_a_learnt_metric_halves_the_error_of_h2co(data_folder: Path) -> None:
    data = np.load(data_folder / "h2co" / "h2co.npz")
    rows = np.random.default_rng(0).permutation(len(data["R"]))
    labelled = Frames.stack(data["z"], data["R"][rows], forces=data["F_ccsdt"][rows])
    train, validation, test = labelled[:50], labelled[50:62], labelled[-500:]
    models = [SGDML(metric=metric).fit(train, validation)[0] for metric in ("learnt", "identity")]
    learnt, identity = (np.abs(model.predict(test).forces - test.forces).mean() for model in models)
    assert learnt < 0.6 * identity


def test_the_identity_is_taken_where_it_validates_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """With weights that a search has led astray."""
    astray = torch.tensor([0.1, 0.1, 0.1, 2.0, 2.0, 2.0]).double()
    monkeypatch.setattr(
        "fidsel.models.sgdml.search.fit.learn_metric", lambda problem, *_: (astray, problem.matern.sigma)
    )
    given = only_ch(20), only_ch(FEW, 1)
    model, record = SGDML().fit(*given)
    plain, alone = SGDML(metric="identity").fit(*given)
    assert record["metric"] == "identity"
    assert {one["metric"] for one in record["tried"]} == {"learnt", "identity"}
    assert record["validation_force_rmse"] == alone["validation_force_rmse"]
    assert np.array_equal(model.predict(TEST).forces, plain.predict(TEST).forces)


def test_a_metric_never_validates_worse_than_the_identity() -> None:
    for n in (4, 8, 16):
        for some in (frames, only_ch):
            given = some(n, 3), some(FEW, 4)
            errors = [SGDML(metric=m).fit(*given)[1]["validation_force_rmse"] for m in ("learnt", "identity")]
            assert errors[0] <= errors[1]


def test_weights_of_one_are_the_published_model() -> None:
    model, record = SGDML([10.0], 1e-9).fit(frames(15), NONE)
    assert record["metric"] == "identity"
    assert (weights(model) == 1).all()


@pytest.mark.parametrize("solver", ["exact", "iterative"])
def test_it_is_saved_bit_by_bit(tmp_path: Path, solver: str) -> None:
    model = learnt(solver=solver)
    again = load(model.save(tmp_path))
    assert isinstance(again, SGDML)
    assert again.metric == "learnt"
    assert "learnt metric" in repr(again)
    assert np.array_equal(weights(again), weights(model))
    for part in ("energy", "forces"):
        assert np.array_equal(getattr(again.predict(TEST), part), getattr(model.predict(TEST), part))


def test_additions_keep_it(tmp_path: Path) -> None:
    model, more, test = learnt(), only_ch(10, 5), only_ch(40, 9)
    updated, record = model.update(more)
    assert (record["refit"], record["frames"]) == ("", 30)
    assert np.array_equal(weights(updated), weights(model))
    without_factor = load(model.save(tmp_path))
    assert isinstance(without_factor, SGDML)
    anew, _ = without_factor.update(more)
    assert anew.predict(TEST).forces == pytest.approx(updated.predict(TEST).forces, rel=1e-6, abs=1e-6)
    before, after = (np.abs(one.predict(test).forces - test.forces).mean() for one in (model, updated))
    assert after < before


def test_iteration_and_a_factor_agree() -> None:
    exact, iterative = (
        learnt(40, 20, lam=1e-6, solver=kind, tolerance=1e-9) for kind in ("exact", "iterative")
    )
    assert np.array_equal(weights(exact), weights(iterative))
    assert iterative.predict(TEST).forces == pytest.approx(exact.predict(TEST).forces, abs=1e-5)


def test_a_covariance_is_of_the_weighted_kernel() -> None:
    """f + C(x, A) (C(A, A) + N)⁻¹ (y − f(A)) with N = λ is the fit to both."""
    model, more, test = learnt(lam=1e-6), only_ch(4, 5), only_ch(6, 6)
    assert model.fitted is not None
    assert model.fitted.solved is not None
    residual = (more.forces - model.predict(more).forces).ravel()
    own, across = model.covariance(more), model.covariance(test, more)
    noise = 1e-6 * signal_variance(model.fitted, model.fitted.solved) * np.eye(len(own))
    moved = model.predict(test).forces.ravel() + across @ np.linalg.solve(own + noise, residual)
    assert moved == pytest.approx(model.update(more)[0].predict(test).forces.ravel(), abs=1e-6)


def test_the_contracts_hold() -> None:
    model, _ = SGDML().fit(only_ch(20), only_ch(10, 1))
    check_force_field(model, only_ch(3, seed=5), swap=SWAP)
    check_fittable(SGDML([2.5, 5.0, 10.0], refine=0), frames(20), frames(10, seed=1))


def test_the_same_frames_give_the_same_metric() -> None:
    assert np.array_equal(weights(learnt()), weights(learnt()))


def test_a_search_that_was_stopped_goes_on() -> None:
    whole: list[Evaluation] = []
    metric, sigma = learn_metric(problem(only_ch(12)), whole, lambda: None)
    again, calls = whole[:3], []
    found = learn_metric(problem(only_ch(12)), again, lambda: calls.append(1))
    assert (torch.equal(found[0], metric), found[1]) == (True, sigma)
    assert (again, len(calls)) == (whole, len(whole) - 3)


def test_few_frames_are_enough_to_learn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [len(problem(only_ch(n)).importance) for n in (7, 170)] == [7, 150]
    monkeypatch.setattr("fidsel.models.sgdml.search.metric.ROWS", 10 * 6)
    one = problem(only_ch(40))
    assert len(one.importance) == 10
    found, sigma = learn_metric(one, [], lambda: None)
    start = one(torch.zeros(4).double())[0]
    again = MetricProblem(one.system, one.importance, one.symmetries, Matern(sigma), one.lam)
    assert again(found[[0, 1, 3, 5]].log())[0] < start


def test_few_validation_frames_choose_with_the_training_frames() -> None:
    train = frames(12)
    for n in (0, 1, SOME - 1, SOME):
        _, record = SGDML(metric="identity").fit(train, frames(n, 1))
        best = min(record["tried"], key=lambda one: one["score"])
        assert record["sigma"] == best["sigma"]
        by_error_alone = bool(np.isclose(best["score"], np.log(best["force_rmse"])))
        assert by_error_alone == (n >= SOME)


def test_no_validation_frames_leave_the_choice_to_the_training_frames() -> None:
    model, record = SGDML(symmetries=[SWAP]).fit(only_ch(20), NONE)
    assert np.isnan(record["validation_force_rmse"])
    assert record["metric"] == "learnt"
    assert weights(model)[~CH].max() < weights(model)[CH].min() / 3


def test_fewer_frames_keep_the_identity() -> None:
    for n in (2, LEAST - 1, LEAST):
        _, record = SGDML().fit(only_ch(n), only_ch(2, 1))
        assert ({one["metric"] for one in record["tried"]} == {"identity"}) == (n < LEAST)


def test_an_error_that_is_no_number_ends_the_search() -> None:
    one = problem(only_ch(12))
    with np.errstate(invalid="ignore"):
        broken = MetricProblem(one.system, one.importance * np.nan, one.symmetries, one.matern, one.lam)
        metric, sigma = learn_metric(broken, [], lambda: None)
    assert (metric.tolist(), sigma) == ([1.0] * 6, one.matern.sigma)


def test_a_gradient_in_parts_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    one, at = problem(frames(7)), torch.tensor([0.3, -0.4, 0.2, 0.5]).double()
    whole = one(at)[1]
    monkeypatch.setitem(metric_gradient.__globals__["BLOCK_BYTES"], "cpu", 4 * 7 * 6 * 6)
    torch.testing.assert_close(one(at)[1], whole)


def test_a_file_without_a_metric_is_refused(tmp_path: Path) -> None:
    settings, tensors = SGDML([10.0]).fit(frames(5), NONE)[0].state()
    del tensors["metric"]
    folder = write_state(tmp_path, settings | {"kind": "sgdml", "level": ""}, tensors)
    with pytest.raises(UsageError, match=r"does not describe a model .*metric.*train again"):
        load(folder)


def test_one_distance_has_no_weights() -> None:
    made = only_ch(8).dense()
    bond = made.positions[:, 1] - made.positions[:, 0]
    forces = np.stack([bond - 1.2, 1.2 - bond], axis=1)
    pair = Frames.stack([6, 8], made.positions[:, :2], forces=forces)
    assert SGDML().fit(pair[:5], pair[5:])[1]["metric"] == "identity"


def test_a_metric_is_one_of_two() -> None:
    with pytest.raises(UsageError, match="unknown metric 'learned', did you mean 'learnt'"):
        SGDML(metric="learned")
