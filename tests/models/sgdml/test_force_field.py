from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from morse_molecule import SWAP, frames

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import SGDML, PaiNN, load
from fidsel.models.sgdml import force_field as module
from fidsel.models.sgdml.factor import IndefiniteError
from fidsel.models.sgdml.fitted import distinct
from fidsel.models.sgdml.force_field import SIGMAS
from fidsel.models.sgdml.search import fit as fitting

NONE = frames(0)


def force_mae(model: SGDML, test: Frames) -> float:
    return float(np.abs(model.predict(test).forces - test.forces).mean())


def test_errors_fall_with_training_frames_and_energies_follow() -> None:
    test = frames(50, seed=1)
    errors = [force_mae(SGDML([10.0]).fit(frames(n), NONE)[0], test) for n in (5, 20, 80)]
    assert errors[0] > 1.3 * errors[1] > 3 * 1.3 * errors[2]
    model, _ = SGDML([10.0]).fit(frames(80), NONE)
    assert np.abs(model.predict(test).energy - test.energy).mean() < 2e-3


def test_training_forces_are_reproduced() -> None:
    train = frames(20)
    model, _ = SGDML([5.0], 1e-12).fit(train, NONE)
    assert model.predict(train).forces == pytest.approx(train.forces, abs=1e-4)


def test_sigma_and_lambda_are_chosen_on_validation() -> None:
    model, record = SGDML([0.5, 2.0, 8.0, 32.0], [1e-6, 1e-10], refine=2).fit(frames(20), frames(20, seed=1))
    best = min(record["tried"], key=lambda entry: entry["force_rmse"])
    assert (record["sigma"], record["lam"]) == (best["sigma"], best["lam"])
    assert model.fitted is not None
    assert model.fitted.matern.sigma == best["sigma"]
    rmse = np.sqrt(((model.predict(frames(20, seed=1)).forces - frames(20, seed=1).forces) ** 2).mean())
    assert record["validation_force_rmse"] == pytest.approx(rmse)


def rippled(n: int, seed: int) -> Frames:
    """Return frames whose energy Σ x² + 0.5 sin(150 x)/150, x = 1/r, has waves too short to be learnt."""
    positions = frames(n, seed).dense().positions
    first, second = np.triu_indices(4, 1)
    bond = positions[:, first] - positions[:, second]
    x = 1 / np.linalg.norm(bond, axis=2)
    pull = ((2 * x + 0.5 * np.cos(150 * x)) * x**3)[..., None] * bond
    forces = np.zeros_like(positions)
    for pair, (i, j) in enumerate(zip(first, second, strict=True)):
        forces[:, i] += pull[:, pair]
        forces[:, j] -= pull[:, pair]
    return Frames.stack([6, 8, 1, 1], positions, forces=forces)


def test_a_walk_downhill_would_end_in_a_local_minimum() -> None:
    given = rippled(10, 0), rippled(30, 1)
    _, record = SGDML(metric="identity").fit(*given)

    def rmse(sigma: float) -> float:
        return float(SGDML([sigma]).fit(*given)[1]["validation_force_rmse"])

    sigma = 5.0
    while rmse(sigma / 2) < rmse(sigma):
        sigma /= 2
    assert rmse(sigma) < min(rmse(2 * sigma), rmse(4 * sigma))
    assert record["sigma"] > 160
    assert record["validation_force_rmse"] < 0.75 * rmse(sigma)


def test_the_built_in_grid_is_widened_and_a_given_one_is_not() -> None:
    far, validation = frames(12), frames(10, 1)
    _, record = SGDML(SIGMAS, 1e-10).fit(far, validation)
    tried = sorted({one["sigma"] for one in record["tried"]})
    assert record["sigma"] == min(record["tried"], key=lambda one: one["score"])["sigma"]
    assert set(SIGMAS) <= set(tried), "all of the grid is looked at"
    assert (record["sigma_at_edge"], "warning" in record) == (False, False)
    _, own = SGDML([80.0, 160.0], 1e-10, nus=[2.5], refine=0, metric="identity").fit(far, validation)
    assert sorted(one["sigma"] for one in own["tried"]) == [80.0, 160.0]
    assert own["sigma_at_edge"]
    assert own["warning"].startswith("the best σ of a kernel, 80 1/Å, is the smallest that was tried")


def test_a_best_width_beyond_the_grid_is_gone_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIGMAS", (0.25, 0.5))
    _, record = SGDML((0.25, 0.5), 1e-10, nus=[2.5], refine=0, metric="identity").fit(
        frames(20), frames(10, 1)
    )
    assert [one["sigma"] for one in record["tried"]][:3] == [0.25, 0.5, 1.0]
    assert record["sigma"] > 0.5
    assert len(record["tried"]) <= 2 + module.WIDEN


def test_a_width_without_a_factor_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    solve = fitting.solve_exact

    def fails_when_wide(system: Any, panels: Any, lam: float) -> Any:
        if len(calls) % 2:
            calls.append(0)
            raise IndefiniteError("the kernel matrix is not positive definite")
        calls.append(0)
        return solve(system, panels, lam)

    calls: list[int] = []
    monkeypatch.setattr(fitting, "solve_exact", fails_when_wide)
    _, record = SGDML([5.0, 10.0], 1e-10, nus=[2.5], refine=0, metric="identity").fit(
        frames(10), frames(5, 1)
    )
    assert record["sigma"] == 5.0
    assert [one["force_rmse"] is None for one in record["tried"]] == [False, True]


@pytest.mark.parametrize(
    ("position", "rule"),
    [
        (np.nan, r"positions must be finite, those of atoms \[0\] of frame 1 are NaN"),
        (frames(3, seed=1).positions[6], r"atoms must be apart, atoms \[0, 2\] of frame 1 are nearer"),
    ],
)
def test_misplaced_atoms_are_refused_wherever_they_come_in(position: FloatArray | float, rule: str) -> None:
    spoilt, (model, _) = frames(3, seed=1), SGDML([10.0]).fit(frames(10), NONE)
    positions = spoilt.positions.copy()
    positions[4] = position
    spoilt = spoilt.replace(positions=positions)
    for ask in (model.predict, model.update, model.covariance):
        with pytest.raises(UsageError, match=rule):
            ask(spoilt)
    with pytest.raises(UsageError, match=f"others: {rule}"):
        model.covariance(frames(2), spoilt)
    with pytest.raises(UsageError, match=f"training frames: {rule}"):
        SGDML([10.0]).fit(spoilt, frames(3))
    with pytest.raises(UsageError, match=f"validation frames: {rule}"):
        SGDML([5.0, 10.0]).fit(frames(10), spoilt)


def test_validation_frames_are_of_the_charge_and_spin_of_training_frames() -> None:
    for name in ("charge", "spin"):
        with pytest.raises(UsageError, match=f"does not see the {name}: all frames"):
            SGDML([10.0]).fit(frames(4), frames(4).replace(**{name: 1}))


def test_symmetries_help_and_hold() -> None:
    test = frames(50, seed=1)
    with_, record = SGDML([10.0]).fit(frames(15), NONE)
    without, _ = SGDML([10.0], symmetries=False).fit(frames(15), NONE)
    assert record["permutations"] == 2
    assert force_mae(with_, test) < force_mae(without, test)
    given_, _ = SGDML([10.0], symmetries=[SWAP]).fit(frames(15), NONE)
    assert np.array_equal(given_.permutations, with_.permutations)
    assert np.array_equal(given_.predict(test).forces, with_.predict(test).forces)


def test_many_frames_are_searched_on_some_and_fitted_on_all(monkeypatch: pytest.MonkeyPatch) -> None:
    train, validation = frames(40), frames(20, seed=1)
    part = np.linspace(0, 39, 10).round().astype(int)
    model = SGDML(lam=[1e-6, 1e-10], nus=[2.5], metric="identity")
    _, alone = model.fit(train[part], validation)
    monkeypatch.setattr(fitting, "SEARCH_ROWS", 10 * 6 + 5)
    monkeypatch.setattr(fitting, "SOME_ROWS", 0)
    model, record = model.fit(train, validation)
    assert (record["searched"], record["frames"], alone["searched"]) == (10, 40, 10)
    assert record["sigma"] == alone["sigma"]
    assert record["validation_force_rmse"] < 0.7 * alone["validation_force_rmse"]
    whole, _ = SGDML([record["sigma"]], record["lam"]).fit(train, validation)
    assert model.predict(validation).forces == pytest.approx(whole.predict(validation).forces, abs=1e-7)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_frames_and_one_for_validation(n: int) -> None:
    for atoms in (slice(0, 2), slice(0, 4)):
        rest = frames(n + 1, seed=n).dense()
        forces = rest.forces[:, atoms] - rest.forces[:, atoms].mean(axis=1, keepdims=True)
        some = Frames.stack(rest.numbers[atoms], rest.positions[:, atoms], forces=forces)
        model, record = SGDML().fit(some[:n], some[n:])
        assert np.isfinite(model.predict(some).forces).all()
        assert (record["frames"], len(model.predict(some).energy)) == (n, n + 1)
        assert model.permutations[0].tolist() == list(range(4))[atoms]


def test_distinct_keeps_the_first_of_equal_frames() -> None:
    positions = torch.tensor(frames(4).dense().positions)[[0, 1, 0, 2, 1, 3, 0]]
    keep = distinct(positions, torch.tensor([[0, 1, 2, 3]]))
    assert keep.tolist() == [True, True, False, True, False, True, False]


def test_forces_alone_give_forces() -> None:
    train = frames(20)
    model, record = SGDML([10.0]).fit(train.replace(energy=None), NONE)
    assert record["energies"] == 0
    reference, _ = SGDML([10.0]).fit(train, NONE)
    assert np.array_equal(model.predict(train).forces, reference.predict(train).forces)


def test_level_comes_from_the_labels() -> None:
    model, _ = SGDML([10.0], level="other").fit(frames(5), NONE)
    assert model.level == "morse"
    with pytest.raises(UsageError, match="not 'dft'"):
        model.predict(frames(1), "dft")


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (frames(4).replace(forces=None), "learns from forces"),
        (frames(4).replace(pbc=True), "is for molecules"),
        (frames(4) + Frames.stack([8, 1, 1], np.eye(3)[None]), "one molecule"),
        (frames(4, level="a") + frames(4, level="b"), "one level of theory"),
        (NONE, "needs training frames"),
        (frames(4) + frames(4).replace(charge=1), "does not see the charge"),
        (frames(4).replace(positions=np.full((16, 3), np.nan)), "positions must be finite"),
        (Frames.stack([2], np.zeros((1, 1, 3)), forces=np.zeros((1, 1, 3))), "two atoms"),
    ],
)
def test_unusable_frames_are_refused(train: Frames, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SGDML([10.0]).fit(train, NONE)


class Own(SGDML):
    """A user's kernel, which may learn in a way of its own."""


def test_validation_frames_are_learnt_where_a_factor_grows(tmp_path: Path) -> None:
    train, held = frames(20), frames(5, 1)
    exact, iterative = (SGDML(lam=1e-6, solver=kind).fit(train, held)[0] for kind in ("exact", "iterative"))
    test, whole = frames(3, 2), exact.completed(held)
    assert np.array_equal(whole.predict(test).forces, exact.update(held)[0].predict(test).forces)
    resumed = load(exact.save(tmp_path)).completed(held).predict(test).forces
    assert resumed == pytest.approx(whole.predict(test).forces, abs=1e-6)
    assert iterative.completed(held) is iterative
    own = Own(fitted=exact.fitted, level="morse")
    assert own.completed(held) is own


def test_bad_arguments_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="sigmas must be positive and finite"):
        SGDML([0.0])
    with pytest.raises(UsageError, match=r"max_perms of sgdml must be a whole number ≥ 1, got 1\.5"):
        SGDML(max_perms=1.5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="tolerance of sgdml must be a finite number > 0 and < 1, got 1"):
        SGDML(tolerance=1)
    with pytest.raises(UsageError, match="or two different training frames"):
        SGDML([1.0, 2.0]).fit(frames(1), NONE)
    assert len(SGDML([1.0, 2.0]).fit(frames(2), NONE)[1]["tried"]) > 2
    with pytest.raises(UsageError, match="weights must be 5 numbers"):
        SGDML([1.0]).fit(frames(5), NONE, np.ones(4))
    with pytest.raises(UsageError, match="has not been fitted"):
        SGDML().predict(frames(1))
    monkeypatch.setattr(module, "device_memory", lambda _: 1000)
    with pytest.raises(UsageError, match=r"needs .* GiB"):
        SGDML([1.0]).fit(frames(5), NONE)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf, []])
def test_lengths_and_regularisations_are_positive_numbers(wrong: float) -> None:
    with pytest.raises(UsageError, match="lam must be positive and finite, at least one, got"):
        SGDML([1.0], wrong)
    with pytest.raises(UsageError, match="sigmas must be positive and finite, at least one, got"):
        SGDML(np.atleast_1d(wrong).tolist())
    assert SGDML([1.0], np.float32(0.5)).lam == SGDML([1.0], [0.5]).lam == (0.5,)


@pytest.mark.parametrize("wrong", [1.5, 3.0, np.inf, np.nan, []])
def test_smoothness_is_a_half_integer(wrong: float) -> None:
    with pytest.raises(UsageError, match="nus must be half-integers"):
        SGDML(nus=np.atleast_1d(wrong).tolist())


def test_one_smoothness_is_kept(tmp_path: Path) -> None:
    model, record = SGDML(nus=[3.5], metric="identity").fit(frames(20), frames(5, 1))
    assert {one["nu"] for one in record["tried"]} == {record["nu"]} == {3.5}
    again = load(model.save(tmp_path))
    assert isinstance(again, SGDML)
    assert again.nus == (3.5,)
    assert np.array_equal(again.predict(frames(3, 2)).forces, model.predict(frames(3, 2)).forces)


def test_weights_may_be_any_sequence() -> None:
    weights = [0.5, 1.0, 1.0, 2.0]
    model = SGDML([10.0])
    first, second = (model.fit(frames(4), NONE, some)[0] for some in (weights, np.array(weights)))  # type: ignore[arg-type]
    grown = first.update(frames(4, seed=1), weights)[0]  # type: ignore[arg-type]
    np.testing.assert_array_equal(
        grown.predict(frames(2, seed=2)).forces,
        second.update(frames(4, seed=1), np.array(weights))[0].predict(frames(2, seed=2)).forces,
    )


def test_an_unfitted_model_keeps_its_settings(tmp_path: Path) -> None:
    again = load(SGDML([1.0, 2.0], [1e-8], symmetries=[SWAP], refine=3, metric="identity").save(tmp_path))
    assert isinstance(again, SGDML)
    assert (again.sigmas, again.lam, again.symmetries, again.refine) == ((1.0, 2.0), (1e-8,), [SWAP], 3)
    assert again.metric == "identity"


def test_no_frames_no_predictions() -> None:
    prediction = SGDML([10.0]).fit(frames(3), NONE)[0].predict(NONE)
    assert prediction.energy.shape == (0,)
    assert prediction.forces.shape == (0, 3)


def test_published_accuracy_on_ethanol(data_folder: Path) -> None:
    """The sgdml package (1.0.3) has 1.2503684 kcal/mol/Å on these frames with σ = 20, λ = 1e-10."""
    data = np.load(data_folder / "rmd17" / "ethanol.npz")
    rows = np.random.default_rng(0).permutation(len(data["R"]))
    kcal = 0.0433641
    ethanol = Frames.stack(data["z"], data["R"][rows], forces=data["F_pbe"][rows] * kcal)
    model, _ = SGDML([20.0]).fit(ethanol[:100], ethanol[:0])
    assert force_mae(model, ethanol[-500:]) / kcal == pytest.approx(1.2503684, rel=1e-5)


def test_a_fitted_model_treats_the_charge_and_spin_it_has_learnt_alone(tmp_path: Path) -> None:
    cations = frames(8).replace(charge=1, spin=1)
    model, _ = SGDML([10.0]).fit(cations[:5], NONE)
    for same in (model, load(model.save(tmp_path)), model.update(cations[5:])[0]):
        assert isinstance(same, SGDML)
        assert np.isfinite(same.predict(cations).energy).all()
        for ask in (same.predict, same.update, same.covariance):
            with pytest.raises(UsageError, match=r"learnt frames of charge 1 .* cannot treat charge 0;"):
                ask(cations[:2].replace(charge=0))
    with pytest.raises(UsageError, match=r"learnt frames of spin 1 .*atoms.info\['spin'\]"):
        model.predict(cations.replace(spin=0))


def test_files_that_do_not_tell_charge_and_spin_are_of_any() -> None:
    settings, tensors = SGDML([10.0]).fit(frames(5), NONE)[0].state()
    known = {name: settings["fitted"][name] for name in ("sigma", "nu", "lam", "constant")}
    model = SGDML.from_state(settings | {"level": "morse", "fitted": known}, tensors)
    assert np.isfinite(model.predict(frames(2).replace(charge=1)).energy).all()


def test_the_leave_one_out_error_is_that_of_fits_without_each_frame(tmp_path: Path) -> None:
    some, every, squares = frames(8), np.arange(8), []
    for i in range(8):
        without, _ = SGDML([8.0], 1e-8, symmetries=[SWAP]).fit(some[every != i], NONE)
        squares.append(np.mean((without.predict(some[[i]]).forces - some[[i]].forces) ** 2))
    model, _ = SGDML([8.0], 1e-8, symmetries=[SWAP]).fit(some, NONE)
    right = pytest.approx(np.sqrt(np.mean(squares)), rel=1e-4)
    assert model.leave_one_out() == right
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").leave_one_out() == right, "without the factor"


def test_what_takes_more_fits_has_no_leave_one_out_error(monkeypatch: pytest.MonkeyPatch) -> None:
    iterated, _ = SGDML([8.0], 1e-8, solver="iterative").fit(frames(8), NONE)
    assert iterated.leave_one_out() is None
    assert PaiNN().leave_one_out() is None
    model, _ = SGDML([8.0], 1e-8).fit(frames(8), NONE)
    monkeypatch.setattr(module, "INVERSE_ROWS", 10)
    assert model.leave_one_out() is None
