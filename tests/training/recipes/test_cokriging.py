from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from morse_molecule import SWAP, frames

from fidsel.arrays import FloatArray
from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import MACE, SGDML, Ensemble, ForceField, Sum, load
from fidsel.models.contract import Prediction
from fidsel.models.networks.painn import PaiNN
from fidsel.testing import check_force_field
from fidsel.training.recipes.cokriging import Cokriging
from fidsel.training.stage import Stage, Trained, TrainingData

cheap = partial(frames, depth=3.0, level="cheap")
TEST = frames(50, seed=99)


def sgdml(_: int) -> ForceField:
    return SGDML([4.0, 8.0, 16.0], 1e-10, nus=[2.5], refine=0, metric="identity")


def smooth(_: int) -> ForceField:
    return SGDML([8.0], 1e-6)


def solved(solver: str, _: int) -> ForceField:
    return SGDML([4.0, 8.0, 16.0], refine=0, solver=solver)


def tiny_network(seed: int) -> ForceField:
    return PaiNN(features=8, layers=1, radial=8, seed=seed)


def data(n: int = 8, n_cheap: int = 80) -> TrainingData:
    return TrainingData(frames(n, seed=1), frames(10, seed=2), (cheap(n_cheap, seed=3),))


def force_mae(model: ForceField, test: Frames = TEST) -> float:
    return float(np.abs(model.predict(test).forces - test.forces).mean())


def test_cheap_labels_help_and_energies_are_at_the_accurate_level() -> None:
    trained = Cokriging()(data(), sgdml, 0)
    alone, _ = SGDML([8.0]).fit(data().train, frames(0))
    assert force_mae(trained.model) < 0.7 * force_mae(alone)
    assert trained.model.level == "morse"
    assert trained.model.predict(TEST).energy == pytest.approx(TEST.energy, abs=0.1)
    check_force_field(trained.model, TEST[:3], swap=SWAP)


def test_a_constant_between_levels_changes_nothing() -> None:
    plain = data()
    shifted = TrainingData(
        plain.train, plain.validation, (plain.cheap[0].replace(energy=plain.cheap[0].energy + 500.0),)
    )
    a, b = (Cokriging()(d, sgdml, 0).model.predict(TEST) for d in (plain, shifted))
    assert a.energy == pytest.approx(b.energy, abs=1e-8)
    assert a.forces == pytest.approx(b.forces, abs=1e-10)


def test_the_record_says_what_was_done() -> None:
    trained = Cokriging()(data(), sgdml, 0)
    surrogate, residual, alone = trained.histories
    assert (surrogate.stage, residual.stage, alone.stage) == ("surrogate cheap", "residual", "standard")
    assert set(trained.diagnostics["validation_error"]) == {"residual", "surrogate", "standard"}
    assert residual.notes["sigma"] in (4.0, 8.0, 16.0)
    assert residual.notes["permutations"] == surrogate.notes["permutations"] == 2
    (level,) = trained.diagnostics["levels"]
    assert (level["level"], level["train"] + level["validation"], level["dropped"]) == ("cheap", 80, 0)
    validation = trained.diagnostics["validation"]
    assert validation["force_mae"] == pytest.approx(force_mae(trained.model, data().validation))
    assert validation["force_mae"] < trained.diagnostics["surrogate_validation"]["force_mae"]
    assert residual.notes["validation_force_rmse"] == pytest.approx(validation["force_rmse"])


def test_the_surrogate_has_not_seen_its_own_validation_frames() -> None:
    (surrogate,) = Cokriging()(data(), sgdml, 0).surrogates
    assert surrogate.level == surrogate.model.level == "cheap"
    unseen = np.isin(data().cheap[0].ids, surrogate.unseen)
    assert 0 < unseen.sum() < 40
    seen = data().cheap[0][~unseen]
    assert force_mae(surrogate.model, seen) < 0.5 * force_mae(surrogate.model, data().cheap[0][unseen])


def surrogate_frames(model: ForceField) -> int:
    part = model.parts[0] if isinstance(model, Sum) else model
    assert isinstance(part, SGDML)
    assert part.fitted is not None
    return len(part.fitted.train)


def test_the_frames_that_validated_a_surrogate_are_learnt_in_the_end() -> None:
    both = data()
    trained = Cokriging()(both, sgdml, 0)
    (surrogate,) = trained.surrogates
    assert surrogate_frames(surrogate.model) == 80 - len(surrogate.unseen) < 80
    assert surrogate_frames(trained.model) == 80
    assert isinstance(trained.model, Sum)
    test = cheap(50, seed=98)
    assert force_mae(trained.model.parts[0], test) < force_mae(surrogate.model, test)
    weighed = Cokriging(bias_weights=True)(data(20), smooth, 0)
    assert surrogate_frames(weighed.model) == surrogate_frames(weighed.surrogates[0].model)


class Rough(SGDML):
    """A surrogate with an error that nothing can be learnt of."""

    def fit(
        self, train: Frames, validation: Frames, weights: FloatArray | None = None
    ) -> tuple[SGDML, dict[str, Any]]:
        found, record = super().fit(train, validation, weights)
        return Rough(fitted=found.fitted, level=found.level), record

    def predict(self, frames: Frames, level: str | None = None) -> Prediction:
        found = super().predict(frames, level)
        return Prediction(found.energy, found.forces + 0.03 * np.sin(1e5 * frames.positions))


def test_where_a_frame_has_both_labels_the_residual_is_their_difference() -> None:
    def made(*cheap_frames: Frames) -> Trained:
        given = TrainingData(data().train, data().validation, (sum(cheap_frames[1:], cheap_frames[0]),))
        return Cokriging(surrogate=lambda _: Rough([8.0]))(given, sgdml, 0)

    def residual_error(trained: Trained) -> float:
        assert isinstance(trained.model, Sum)
        found = trained.model.parts[1].predict(TEST).forces
        return float(np.abs(found - TEST.forces + cheap(50, seed=99).forces).mean())

    apart, trains, validates = cheap(80, seed=3), cheap(8, seed=1), cheap(10, seed=2)
    without, trained_on, all_pairs = (
        made(*some) for some in ((apart,), (apart, trains), (apart, trains, validates))
    )
    assert residual_error(trained_on) < 0.6 * residual_error(without)
    assert all_pairs.histories[1].notes["sigma"] == trained_on.histories[1].notes["sigma"]
    errors = [one.histories[1].notes["validation_force_rmse"] for one in (all_pairs, trained_on, without)]
    assert errors == sorted(errors), "what validates has both labels, too"


def test_cheap_labels_that_say_nothing_do_no_harm() -> None:
    waves = cheap(20, seed=3).replace(forces=2.0 * np.sin(1e5 * cheap(20, seed=3).positions))
    few = TrainingData(frames(30, seed=1), frames(10, seed=2), (waves,))
    trained = Cokriging()(few, sgdml, 0)
    assert trained.diagnostics["kept"] == "standard"
    assert "after 'standard' it was" in trained.diagnostics["warnings"][0]
    assert isinstance(trained.model, SGDML)
    swaps = trained.model.permutations.tolist()
    alone, _ = SGDML([4.0, 8.0, 16.0], 1e-10, nus=[2.5], refine=0, metric="identity", symmetries=swaps).fit(
        few.train, few.validation
    )
    assert np.array_equal(trained.model.predict(TEST).forces, alone.predict(TEST).forces)


def test_a_network_is_not_trained_again_on_the_accurate_labels_alone() -> None:
    short = Stage("short", steps=2, batch=4)
    trained = Cokriging(stage=short, surrogate_stage=short)(data(), tiny_network, 0)
    assert set(trained.diagnostics["validation_error"]) == {"residual", "surrogate"}


def test_cheap_frames_at_validation_geometries_are_dropped() -> None:
    both = data()
    leaky = both.cheap[0] + cheap(10, seed=2)  # the geometries of the validation frames
    trained = Cokriging()(TrainingData(both.train, both.validation, (leaky,)), sgdml, 0)
    assert trained.diagnostics["levels"][0]["dropped"] == 10
    assert len(trained.surrogates[0].unseen) + trained.diagnostics["levels"][0]["train"] == 80


def test_three_levels_chain() -> None:
    middle = frames(40, seed=4, depth=3.6, level="middle")
    two = data()
    trained = Cokriging()(TrainingData(two.train, two.validation, (*two.cheap, middle)), sgdml, 0)
    assert isinstance(trained.model, Sum)
    assert [part.level for part in trained.model.parts] == ["cheap", "middle", "morse"]
    assert [surrogate.level for surrogate in trained.surrogates] == ["cheap", "middle"]
    assert force_mae(trained.surrogates[1].model) < force_mae(trained.surrogates[0].model)
    assert force_mae(trained.model) < force_mae(trained.surrogates[1].model)


def test_what_a_surrogate_has_not_seen_was_trained_on_at_no_level_below() -> None:
    two = data()
    middle = frames(40, seed=3, depth=3.6, level="middle")  # configurations of the level below
    trained = Cokriging()(TrainingData(two.train, two.validation, (*two.cheap, middle)), sgdml, 0)
    for below, surrogate in enumerate(trained.surrogates, start=1):
        unseen = two.cheap[0][np.isin(two.cheap[0].ids, surrogate.unseen)].dense().positions
        assert len(unseen) == len(surrogate.unseen) > 0
        parts = surrogate.model.parts if isinstance(surrogate.model, Sum) else [surrogate.model]
        assert len(parts) == below
        for part in parts:
            assert isinstance(part, SGDML)
            assert part.fitted is not None
            trained_on = part.fitted.train.positions.numpy()
            assert not (unseen[:, None] == trained_on).all((2, 3)).any()


def test_bias_weights_reach_the_fit() -> None:
    both = data(20)
    noisy = np.arange(80) < 20
    wrong = both.cheap[0].forces + 2.0 * np.repeat(noisy, 4)[:, None] * np.sin(np.arange(320.0))[:, None]
    bad = TrainingData(both.train, both.validation, (both.cheap[0].replace(forces=wrong),))
    plain = Cokriging()(bad, smooth, 0)
    weighted = Cokriging(bias_weights=True)(bad, smooth, 0)
    report = weighted.diagnostics["levels"][0]["weights"]
    assert report["effective_sample_size"] < 70
    assert weighted.histories[0].stage == "teacher"
    assert force_mae(weighted.model) < force_mae(plain.model)
    assert not any("take a larger γ" in text for text in weighted.diagnostics["warnings"])


def test_kernels_are_solved_the_quick_way_to_the_same_forces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fidsel.models.sgdml.solver.solve.QUICK", 100)
    exact, quick = (Cokriging()(data(), partial(solved, solver), 0) for solver in ("exact", "auto"))
    kinds = [h.notes["solver"]["kind"] for h in (*exact.histories, *quick.histories)]
    assert kinds == [*["exact"] * 3, "iterative", "exact", "exact"]
    found, expected = (one.surrogates[0].model.predict(TEST).forces for one in (quick, exact))
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


class Own(SGDML):
    """A person's kernel, which counts its fits."""

    fits = 0

    def fit(
        self, train: Frames, validation: Frames, weights: FloatArray | None = None
    ) -> tuple[SGDML, dict[str, Any]]:
        Own.fits += 1
        return super().fit(train, validation, weights)


def test_kernels_of_a_persons_own_are_fitted_in_their_own_way() -> None:
    Cokriging()(data(), lambda _: Own([8.0]), 0)
    assert Own.fits == 3


def test_weights_that_leave_few_frames_are_warned_of() -> None:
    trained = Cokriging(bias_weights=True, gamma=1e-3)(data(20), smooth, 0)
    found = trained.diagnostics["levels"][0]["weights"]["effective_sample_size"]
    assert found < 0.1 * 72
    assert trained.diagnostics["warnings"][0].startswith(f"cheap: γ = 0.001 leaves an effective {found:.1f}")


def test_the_same_seed_gives_the_same_model() -> None:
    first, second = (Cokriging()(data(), sgdml, 7).model.predict(TEST) for _ in range(2))
    assert np.array_equal(first.forces, second.forces)


def test_a_network_can_be_the_surrogate(tmp_path: Path) -> None:
    stage = Stage(steps=200, learning_rate=5e-3, batch=8)
    trained = Cokriging(surrogate=tiny_network, surrogate_stage=stage)(data(4), sgdml, 0)
    assert isinstance(trained.model, Sum)
    assert [part.kind for part in trained.model.parts] == ["painn", "sgdml"]
    assert force_mae(trained.model) < force_mae(trained.surrogates[0].model)
    again = load(trained.model.save(tmp_path))
    assert np.array_equal(again.predict(TEST).forces, trained.model.predict(TEST).forces)


def test_what_it_cannot_use_is_refused() -> None:
    both = data()
    with pytest.raises(UsageError, match="recipe 'cokriging' needs cheap labels"):
        Cokriging()(TrainingData(both.train, both.validation), sgdml, 0)
    energies = TrainingData(both.train.replace(forces=None), both.validation, both.cheap)
    with pytest.raises(UsageError, match="learns from forces"):
        Cokriging()(energies, sgdml, 0)


def test_published_gain_on_formaldehyde(data_folder: Path) -> None:
    """25 CCSD(T) labels: 0.17 kcal/mol/Å alone, 0.036 with 600 B3LYP labels (here 300, for time)."""
    raw = np.load(data_folder / "h2co" / "h2co.npz")
    rows = np.random.default_rng(0).permutation(len(raw["R"]))

    def labelled(level: str, start: int, stop: int) -> Frames:
        at = rows[start:stop]
        return Frames.stack(
            raw["z"],
            raw["R"][at],
            energy=raw[f"E_{level}"][at],
            forces=raw[f"F_{level}"][at],
            level=level,
            group=[str(i) for i in at],  # the frames are no trajectory
        )

    train, validation, test = labelled("ccsdt", 0, 25), labelled("ccsdt", 25, 75), labelled("ccsdt", 75, 575)
    model = SGDML([5.0, 10.0, 20.0], 1e-10, nus=[2.5], refine=0, metric="identity")
    trained = Cokriging()(TrainingData(train, validation, (labelled("b3lyp", 575, 875),)), lambda _: model, 0)
    kcal = 0.0433641
    assert 0.12 < force_mae(model.fit(train, validation)[0], test) / kcal < 0.3
    assert force_mae(trained.model, test) / kcal < 0.06
    smooth = SGDML([5.0, 10.0, 20.0], refine=0, metric="identity").fit(train, validation)[0]
    assert force_mae(smooth, test) / kcal < 0.03, "a smoother kernel needs fewer labels"


def test_a_residual_that_makes_things_worse_is_not_kept() -> None:
    honest = data()
    # Training labels that are wrong everywhere; validation labels equal the cheap level but for a constant.
    wrong = honest.train.replace(forces=-3 * honest.train.forces)
    held = cheap(10, seed=2).replace(level="morse", energy=cheap(10, seed=2).energy + 7.0)
    spoilt = TrainingData(wrong.replace(energy=cheap(8, seed=1).energy + 7.0), held, honest.cheap)
    trained = Cokriging()(spoilt, sgdml, 0)
    assert trained.diagnostics["kept"] == "surrogate"
    assert "the state after 'surrogate' is kept" in trained.diagnostics["warnings"][0]
    assert force_mae(trained.model, held) < 0.05
    assert trained.model.level == "morse"
    assert trained.model.predict(held).energy == pytest.approx(held.energy, abs=0.1)


def test_without_accurate_energies_the_surrogate_that_is_kept_still_speaks_for_the_accurate_level() -> None:
    honest = data()
    held = cheap(10, seed=2).replace(level="morse", energy=None)
    wrong = honest.train.replace(forces=-3 * honest.train.forces, energy=None)
    trained = Cokriging()(TrainingData(wrong, held, honest.cheap), sgdml, 0)
    assert trained.diagnostics["kept"] == "surrogate"
    assert trained.model.level == "morse"
    assert force_mae(trained.model, held) < 0.05


@pytest.mark.parametrize("paired", [True, False])
def test_leave_one_out_errors_are_those_of_the_whole_sum(paired: bool) -> None:
    own = cheap(8, seed=1) if paired else cheap(8, seed=4)  # of the accurate frames, or of others
    given = TrainingData(frames(8, seed=1), frames(4, seed=2), (own + cheap(40, seed=3),))
    trained = Cokriging()(given, sgdml, 0)
    assert isinstance(trained.model, Sum)
    (surrogate,) = trained.surrogates
    held = given.cheap[0][np.isin(given.cheap[0].ids, surrogate.unseen)]
    unseen = float(np.sqrt(np.mean((surrogate.model.predict(held).forces - held.forces) ** 2)))
    residual = trained.model.parts[1].leave_one_out()
    assert residual is not None
    found = trained.diagnostics["leave_one_out_rmse"]
    # the residual of a pair does not show the error of the surrogate
    assert found["residual"] == pytest.approx(np.hypot(residual, unseen if paired else 0.0), rel=1e-6)
    assert set(found) == {"residual", "surrogate", "standard"}


def test_members_of_a_residual_committee_have_the_symmetries_of_the_surrogate() -> None:
    def committee(seed: int) -> ForceField:
        return Ensemble.of(lambda _: SGDML([8.0]), 3, seed)

    trained = Cokriging()(data(n=3), committee, 0)
    assert isinstance(trained.model, Sum)
    members = trained.model.parts[1].members if isinstance(trained.model.parts[1], Ensemble) else ()
    assert [len(m.permutations) for m in members if isinstance(m, SGDML)] == [2, 2, 2]


@pytest.mark.skipif(find_spec("mace") is None, reason="needs pip install 'fidsel[mace]'")
def test_crystals() -> None:
    def labelled(n: int, seed: int, level: str, shift: float) -> Frames:
        copper = Frames.from_atoms([bulk("Cu", cubic=True) for _ in range(n)], level=level)
        moved = 0.1 * np.random.default_rng(seed).normal(size=copper.positions.shape)
        atoms = copper.replace(positions=copper.positions + moved)
        return atoms.replace(energy=np.full(n, shift), forces=-moved)

    crystals = TrainingData(
        labelled(4, 0, "dear", 5.0), labelled(2, 1, "dear", 5.0), (labelled(6, 2, "cheap", 0.0),)
    )
    tiny = partial(MACE, elements=[29], channels=4, correlation=1, radial=4, cutoff=3.0)
    short = Stage("short", steps=2, batch=2)
    trained = Cokriging(stage=short, surrogate_stage=short)(crystals, lambda seed: tiny(seed=seed), 0)
    test = labelled(2, 2, "dear", 5.0)
    assert trained.model.level == "dear"
    assert trained.model.predict(test).energy == pytest.approx(5.0, abs=1.0)
