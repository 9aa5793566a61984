import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from morse_molecule import frames

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import SGDML, ForceField
from fidsel.training.weights.bias import Bias, frame_bias, level_bias, weights_from_bias


@pytest.fixture(scope="module")
def teacher() -> ForceField:
    return SGDML([10.0]).fit(frames(30), frames(0))[0]


def labelled_by(teacher: ForceField, error: np.ndarray) -> Frames:
    """Return frames whose labels are the teacher's but for a force error (n,) on every component."""
    cheap = frames(len(error), 7)
    prediction = teacher.predict(cheap)
    return cheap.replace(energy=prediction.energy, forces=prediction.forces + np.repeat(error, 4)[:, None])


def test_bias_is_the_mean_force_difference_of_each_frame(teacher: ForceField) -> None:
    error = np.array([0.0, 0.3, -0.2])
    cheap = labelled_by(teacher, error)
    bias = frame_bias(teacher.predict(cheap), cheap)
    assert bias.unit == "eV/Å"
    np.testing.assert_allclose(bias.values, np.abs(error), atol=1e-12)


def test_energies_alone_give_the_difference_per_atom(teacher: ForceField) -> None:
    cheap = labelled_by(teacher, np.zeros(3))
    cheap = cheap.replace(energy=cheap.energy + np.array([0.4, 0.0, -0.8]))
    for frames_, energies_only in ((cheap.replace(forces=None), False), (cheap, True)):
        bias = frame_bias(teacher.predict(frames_), frames_, energies_only=energies_only)
        assert bias.unit == "eV/atom"
        np.testing.assert_allclose(bias.values, [0.1, 0.0, 0.2], atol=1e-9)
    with pytest.raises(UsageError, match="bias weights need forces"):
        frame_bias(teacher.predict(cheap), cheap.unlabelled())


@settings(max_examples=30, deadline=None)
@given(
    bias=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=30),
    gamma=st.sampled_from([0.1, 0.5, 1.0, 2.0]),
)
def test_weights_have_mean_one_and_fall_with_the_bias(bias: list[float], gamma: float) -> None:
    values = np.array(bias)
    found = weights_from_bias(values, gamma)
    assert found.weights.mean() == pytest.approx(1.0)
    assert (np.diff(found.weights[np.argsort(values, kind="stable")]) <= 1e-12).all()
    assert 1.0 - 1e-9 <= found.effective <= len(values) * (1 + 1e-9)
    # Relative γ: the unit of the bias does not matter.
    np.testing.assert_allclose(weights_from_bias(values * 23.06, gamma).weights, found.weights, rtol=1e-6)


def test_bias_of_energies_does_not_see_the_scale_of_the_level() -> None:
    accurate = frames(20, 0)
    teacher = SGDML([10.0]).fit(accurate, frames(0))[0]
    cheap = frames(30, 5, depth=3.6).replace(forces=None)
    here, there = (level_bias(teacher, cheap.replace(energy=cheap.energy + e), accurate) for e in (0.0, 90.0))
    assert here.unit == there.unit == "eV/atom"
    np.testing.assert_allclose(here.values, there.values, atol=1e-9)
    assert np.median(here.values) < 0.1
    known = frames(30, 5, depth=3.6)
    assert level_bias(teacher, known, accurate).unit == "eV/Å"
    assert level_bias(teacher, known, accurate.replace(forces=None)).unit == "eV/atom"


def test_weights_follow_the_exponential() -> None:
    bias = np.array([0.1, 0.2, 0.4])
    absolute, relative = weights_from_bias(bias, 0.5, "absolute"), weights_from_bias(bias, 0.5)
    np.testing.assert_allclose(absolute.weights[0] / absolute.weights[2], np.exp(0.3 / 0.5))
    np.testing.assert_allclose(relative.weights[0] / relative.weights[2], np.exp(0.3 / 0.1))
    assert absolute.effective == pytest.approx(absolute.weights.sum() ** 2 / (absolute.weights**2).sum())


def test_a_large_bias_on_all_frames_does_not_underflow() -> None:
    assert weights_from_bias(np.full(5, 1e4), 0.1, "absolute").weights.tolist() == [1.0] * 5


def test_what_is_left_without_the_error_of_the_teacher_is_the_bias_of_the_label() -> None:
    rng = np.random.default_rng(0)
    label, teacher_ = rng.uniform(0.0, 1.0, size=(400, 1)), rng.uniform(0.1, 1.0, size=(400, 1))
    apart = label * rng.normal(size=(400, 300)) + teacher_ * rng.normal(size=(400, 300))
    measured = Bias(np.abs(apart).mean(1), "eV/Å")
    true, expected = (x[:, 0] * np.sqrt(2 / np.pi) for x in (label, teacher_))
    own = measured.less(expected)
    assert np.abs(own.values - true).mean() < 0.2 * np.abs(measured.values - true).mean()
    assert own.typical == measured.typical == np.median(measured.values)
    assert own.report()["within_teacher_error"] == np.mean(own.values == 0) > 0


def test_gamma_is_relative_to_what_was_measured_where_nothing_is_left_of_it() -> None:
    own = Bias(np.full(4, 0.2), "eV/Å").less(np.array([0.3, 0.3, 0.3, 0.0]))
    found = weights_from_bias(own.values, 0.5, median=own.typical)
    assert found.scale == pytest.approx(0.1)
    np.testing.assert_allclose(found.weights[0] / found.weights[3], np.exp(2.0))


def test_few_effective_frames_are_warned_about() -> None:
    bias = np.append(np.linspace(1.0, 2.0, 99), 0.0)
    assert "effective 1.0 of 100" in str(weights_from_bias(bias, 0.01).warning())
    assert weights_from_bias(bias, 2.0).warning() is None


def test_gamma_and_bias_must_make_sense() -> None:
    with pytest.raises(UsageError, match="gamma must be positive"):
        weights_from_bias(np.ones(3), 0.0)
    with pytest.raises(UsageError, match="finite and ≥ 0"):
        weights_from_bias(np.array([np.nan]), 1.0)
    with pytest.raises(UsageError, match="median bias is zero"):
        weights_from_bias(np.zeros(3), 1.0)
