from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.exceptions import UsageError
from fidsel.fidelity.planner.cost import CostModel, Guess, exponent_of, size_of
from fidsel.fidelity.source import Label, Value


@dataclass(frozen=True)
class Plain:
    forces: bool = True

    def settings(self) -> Mapping[str, Value]:
        return {}

    def label(self, atoms: Atoms) -> Label:
        return Label(0.0, np.zeros((len(atoms), 3)), 1.0)


@dataclass(frozen=True)
class Scaled(Plain):
    cost_exponent: float = 7.0

    def size(self, atoms: Atoms) -> float:
        return float(atoms.numbers.sum())


def draw(
    rng: np.random.Generator, exponent: float, n: int, scatter: float = 0.15
) -> tuple[np.ndarray, np.ndarray]:
    sizes = rng.uniform(20, 200, n)
    return sizes, 0.01 * (sizes / 50) ** exponent * np.exp(scatter * rng.normal(size=n))


@pytest.mark.parametrize("exponent", [1.0, 2.4, 5.5])
def test_the_exponent_is_learned_from_many_sizes(exponent: float) -> None:
    model = CostModel.fit(*draw(np.random.default_rng(0), exponent, 60), exponent_prior=3)
    assert model.exponent == pytest.approx(exponent, abs=0.15)
    assert np.sqrt(model.variance) == pytest.approx(0.15, abs=0.04)
    assert model.predict([50.0]).mean[0] == pytest.approx(0.01, rel=0.15)


@settings(deadline=None, max_examples=20)
@given(st.sampled_from([1.0, 3.0, 7.0]), st.floats(5, 500), st.floats(1e-3, 1e4), st.integers(1, 8))
def test_one_composition_leaves_the_exponent_at_its_prior(
    exponent: float, size: float, seconds: float, n: int
) -> None:
    model = CostModel.fit([size] * n, [seconds] * n, exponent)
    assert model.exponent == pytest.approx(exponent)
    cost = model.predict([size, 2 * size])
    assert cost.mean[0] == pytest.approx(seconds, rel=0.035)
    assert cost.mean[1] / cost.mean[0] == pytest.approx(2**exponent)
    assert cost.upper[1] / cost.mean[1] > cost.upper[0] / cost.mean[0] > 1


def test_the_upper_bound_holds_for_95_percent_of_new_labels() -> None:
    rng = np.random.default_rng(1)
    below = []
    for _ in range(300):
        sizes, seconds = draw(rng, 2.5, 8, scatter=0.3)
        model = CostModel.fit(sizes[:6], seconds[:6], exponent_prior=3)
        below.extend(seconds[6:] <= model.predict(sizes[6:]).upper)
    assert 0.92 < np.mean(below) < 0.98


def test_more_labels_narrow_the_bound() -> None:
    few, many = (CostModel.fit([10] * n, [1.0, 1.2] * (n // 2), 3).predict([10]) for n in (2, 40))
    assert many.upper[0] < few.upper[0]


def test_units_of_time_and_size_do_not_matter() -> None:
    sizes, seconds = draw(np.random.default_rng(2), 3.0, 5)
    model = CostModel.fit(sizes, seconds, 3).predict([80.0])
    other = CostModel.fit(10 * sizes, 60 * seconds, 3).predict([800.0])
    np.testing.assert_allclose(other.mean, 60 * model.mean)
    np.testing.assert_allclose(other.upper, 60 * model.upper)


def test_a_guess_stands_in_until_labels_are_measured() -> None:
    guess = Guess(seconds=100.0, size=30)
    alone = CostModel.fit([], [], 3, guess)
    assert alone.measured == 0
    assert alone.predict([30]).mean[0] == pytest.approx(100, rel=0.05)
    assert alone.predict([30]).upper[0] > 500
    measured = CostModel.fit([30] * 3, [10.0, 11.0, 9.0], 3, guess)
    assert measured.predict([30]).mean[0] == pytest.approx(10, rel=0.2)
    assert measured.predict([30]).upper[0] < 100


def test_free_labels_cost_nothing_to_speak_of() -> None:
    assert CostModel.fit([10, 10], [0.0, 0.0], 1).predict([10]).upper[0] < 1e-5


def test_sources_say_how_their_cost_grows_or_atoms_are_counted() -> None:
    water = Atoms("H2O", np.eye(3))
    assert (size_of(Plain(), water), exponent_of(Plain())) == (3.0, 1.0)
    assert (size_of(Scaled(), water), exponent_of(Scaled())) == (10.0, 7.0)


def test_what_is_unknown_is_said() -> None:
    with pytest.raises(UsageError, match="label a few pilot frames"):
        CostModel.fit([], [], 3)
    with pytest.raises(UsageError, match="sizes must be finite and > 0"):
        CostModel.fit([0.0], [1.0], 3)
    with pytest.raises(UsageError, match="same length, got 2 and 1"):
        CostModel.fit([1.0, 2.0], [1.0], 3)
    with pytest.raises(UsageError, match="seconds must be finite"):
        CostModel.fit([1.0], [float("nan")], 3)
