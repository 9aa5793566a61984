"""Training on what a baseline lacks: every recipe, whether it is worth it, what is refused."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from morse_molecule import frames
from morse_source import Morse
from spring_systems import Springs, training

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import SGDML, Baseline, Ensemble, ForceField, Offset, load
from fidsel.models.combinations.labels import BaselineError, SourceLabels
from fidsel.models.networks.painn import PaiNN
from fidsel.training.baseline import judge, train_over
from fidsel.training.recipes.asteroid import Asteroid
from fidsel.training.recipes.cokriging import Cokriging
from fidsel.training.recipes.delta import DeltaLearning
from fidsel.training.recipes.joint import Joint
from fidsel.training.recipes.standard import Standard
from fidsel.training.recipes.unlabelled import AsteroidUnlabelled
from fidsel.training.stage import ModelFactory, Recipe, Stage, TrainingData

middle = partial(frames, depth=3.9, width=1.52, level="middle")
SOURCE = Morse("cheap")
DATA = TrainingData(frames(12, seed=1), frames(8, seed=2), (middle(40, seed=3),))
TEST = frames(50, seed=99)


@dataclass(frozen=True)
class Noise(Morse):
    """The truth and a rough error as large as the forces themselves."""

    def label(self, atoms):  # type: ignore[no-untyped-def]
        found = super().label(atoms)
        rng = np.random.default_rng(int(abs(atoms.positions[0, 0]) * 1e9))
        return replace(found, forces=found.forces + rng.normal(size=(4, 3)))


def sgdml(_: int) -> ForceField:
    return SGDML([8.0], 1e-8)


def committee(_: int) -> ForceField:
    return Ensemble([SGDML([8.0], 1e-8), SGDML([8.0], 1e-8)])


def network(seed: int) -> ForceField:
    return PaiNN(features=8, layers=1, radial=8, seed=seed)


def force_mae(model: ForceField, test: Frames = TEST) -> float:
    return float(np.abs(model.predict(test).forces - test.forces).mean())


@pytest.mark.parametrize("recipe", [Standard(), Cokriging()], ids=lambda recipe: recipe.kind)
@pytest.mark.parametrize("model", [sgdml, committee])
def test_kernels_err_less_with_a_smooth_baseline(recipe: Recipe, model: ModelFactory) -> None:
    with_it = train_over(recipe, DATA, model, 0, SourceLabels(SOURCE)).model
    without = train_over(recipe, DATA, model, 0, None).model
    assert isinstance(with_it, Baseline)
    assert force_mae(with_it) < 0.8 * force_mae(without)
    assert with_it.level == "morse"
    assert with_it.predict(TEST).energy == pytest.approx(TEST.energy, abs=0.1)


@pytest.mark.parametrize(
    "recipe",
    [
        Standard(stage=Stage(steps=60)),
        Asteroid(pretrain=Stage(steps=40), finetune=Stage(steps=20)),
        Joint(stage=Stage(steps=60)),
        Cokriging(stage=Stage(steps=30), surrogate_stage=Stage(steps=30)),
    ],
    ids=lambda recipe: recipe.kind,
)
def test_networks_learn_what_a_baseline_lacks_in_every_recipe(recipe: Recipe, tmp_path: Path) -> None:
    baseline = SourceLabels(SOURCE)
    trained = train_over(recipe, DATA, network, 0, baseline)
    start = float(np.abs(baseline.of(TEST).forces - TEST.forces).mean())
    assert force_mae(trained.model) <= start
    told = trained.diagnostics["baseline"]
    assert (told["kind"], told["level"], told["unit"]) == ("morse", "cheap", "eV/Å")
    assert told["alone"] == pytest.approx(start, rel=0.3)
    for surrogate in trained.surrogates:
        assert isinstance(surrogate.model, Baseline)
        assert force_mae(surrogate.model, middle(50, seed=99)) < np.abs(TEST.forces).mean()
    loaded = load(trained.model.save(tmp_path / "model")).with_source(SOURCE)
    assert loaded.predict(TEST).forces == pytest.approx(trained.model.predict(TEST).forces, abs=1e-6)


def test_a_network_that_learnt_nothing_gives_way_to_the_baseline_alone() -> None:
    trained = train_over(Standard(stage=Stage(steps=1)), DATA, network, 0, SourceLabels(SOURCE))
    alone = SourceLabels(SOURCE).of(TEST)
    found = trained.model.predict(TEST)
    np.testing.assert_array_equal(found.forces, alone.forces)
    assert found.energy == pytest.approx(TEST.energy, abs=0.5)
    assert any("the state after 'none' is kept" in text for text in trained.warnings)


def test_without_a_baseline_it_is_the_recipe_itself() -> None:
    one, other = train_over(Standard(), DATA, sgdml, 0, None), Standard()(DATA, sgdml, 0)
    np.testing.assert_array_equal(one.model.predict(TEST).forces, other.model.predict(TEST).forces)
    assert "baseline" not in one.diagnostics


def test_energies_of_levels_far_apart_stay_those_of_the_accurate_one() -> None:
    far = replace(DATA, cheap=tuple(cheap.replace(energy=cheap.energy + 777.0) for cheap in DATA.cheap))
    model = train_over(Cokriging(), far, sgdml, 0, SourceLabels(SOURCE)).model
    assert model.predict(TEST).energy == pytest.approx(TEST.energy, abs=0.1)


def test_frames_that_a_baseline_fails_for_are_named() -> None:
    baseline = SourceLabels(Morse("cheap", act="raise", one_in=3))
    with pytest.raises(BaselineError, match=r"could not label .*did not converge"):
        train_over(Standard(), DATA, sgdml, 0, baseline)


@pytest.mark.parametrize(
    ("recipe", "why"),
    [
        (DeltaLearning(source=SOURCE), "a baseline already"),
        (AsteroidUnlabelled(temperature=300.0), "without labels"),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_recipes_without_use_for_a_baseline_refuse_it(recipe: Recipe, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        train_over(recipe, DATA, network, 0, SourceLabels(SOURCE))


def test_a_smooth_baseline_is_judged_to_help_and_a_rough_one_not() -> None:
    data = TrainingData(frames(30, seed=1), frames(8, seed=2))
    smooth, rough = judge(data, SourceLabels(SOURCE)), judge(data, SourceLabels(Noise("accurate")))
    assert smooth.used
    assert smooth.measured
    assert smooth.why.endswith("the baseline helps")
    assert not rough.used
    assert rough.measured


def test_with_few_labels_it_is_used_as_asked() -> None:
    few = TrainingData(DATA.train[:4], DATA.validation[:3])
    found = judge(few, SourceLabels(Noise("accurate")))
    assert (found.used, found.measured) == (True, False)
    assert "7 accurate labels with forces are fewer than 10" in found.why


def test_of_periodic_frames_nothing_is_measured() -> None:
    n = len(DATA.train)
    cell, pbc = np.tile(9 * np.eye(3), (n, 1, 1)), np.ones((n, 3), dtype=bool)
    periodic = TrainingData(DATA.train.replace(cell=cell, pbc=pbc), DATA.validation[:0])
    found = judge(periodic, SourceLabels(SOURCE))
    assert (found.used, found.measured) == (True, False)
    assert "periodic" in found.why


@pytest.mark.parametrize("below", [None, SourceLabels(Springs("below"))], ids=["alone", "above a baseline"])
def test_reference_energies_are_of_each_element_in_several_molecules(below: SourceLabels | None) -> None:
    """Water, ammonia and methane, whose energies differ by 100 eV an atom."""
    data = TrainingData(training("accurate", 12), training("accurate", 4, 50))
    stage = Stage(steps=2, validate_every=1)
    model = train_over(Standard(stage=stage), data, network, 0, below).model
    off = model.predict(data.train).energy - data.train.energy
    formulas = np.array(data.train.formulas)
    assert sorted(set(formulas)) == ["CH4", "H2O", "H3N"]
    for formula in set(formulas):
        assert abs(off[formulas == formula].mean()) < 0.5, "eV, of 300 to 500"
    learnt = model.correction if isinstance(model, Baseline) else model
    # two steps may not do better than the baseline at the energies of the labels
    reference = learnt.reference if isinstance(learnt, Offset) else learnt.references[0]  # type: ignore[attr-defined]
    assert set(reference.per_element) == {1, 6, 7, 8}


def test_a_baseline_is_judged_on_one_order_of_atoms_where_isomers_have_several() -> None:
    turned = frames(12, seed=4)
    order = np.concatenate([[1, 0, 2, 3] + 4 * np.arange(12)[:, None]]).ravel()
    isomer = turned.replace(
        numbers=turned.numbers[order], positions=turned.positions[order], forces=turned.forces[order]
    )
    both = TrainingData(frames(14, seed=1) + isomer, frames(8, seed=2))
    verdict = judge(both, SourceLabels(SOURCE))
    assert verdict.measured
    assert "on 22 frames" in verdict.why


@dataclass(frozen=True)
class Nothing(Standard):
    """Returns nothing, as a recipe of somebody's own may."""

    def __call__(self, *_: object, **__: object) -> None:  # type: ignore[override]
        return None


@pytest.mark.parametrize("below", [None, SourceLabels(Springs("below"))], ids=["alone", "above a baseline"])
def test_a_recipe_that_returns_nothing_is_named(below: SourceLabels | None) -> None:
    data = TrainingData(training("accurate", 12), training("accurate", 4, 50))
    with pytest.raises(
        UsageError, match=r"the recipe Nothing must return fidsel\.training\.Trained.* got None"
    ):
        train_over(Nothing(), data, network, 0, below)
