import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from morse_molecule import SWAP, frames

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import SGDML, load
from fidsel.models.sgdml.factor import PANEL_ROWS

NONE = frames(0)
TEST = frames(20, seed=9)


def kernel_model() -> SGDML:
    return SGDML([10.0], 1e-9, symmetries=[SWAP])


def fitted(n: int) -> SGDML:
    return kernel_model().fit(frames(n), NONE)[0]


def assert_same(model: SGDML, other: SGDML, relative: float = 1e-6) -> None:
    a, b = model.predict(TEST), other.predict(TEST)
    assert np.abs(a.forces - b.forces).max() < relative * np.abs(b.forces).max()
    assert np.abs(a.energy - b.energy).max() < relative


@settings(deadline=None, max_examples=15)
@given(sizes=st.lists(st.integers(1, 12), min_size=2, max_size=5), rows=st.integers(6, 30))
def test_additions_equal_one_fit(sizes: list[int], rows: int) -> None:
    all_frames, ends = frames(sum(sizes)), np.cumsum(sizes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PANEL_ROWS, "cpu", rows)
        model, _ = kernel_model().fit(all_frames[: ends[0]], NONE)
        for start, stop in pairwise(ends):
            model, record = model.update(all_frames[start:stop])
            assert (record["refit"], record["frames"], record["added"]) == ("", stop, stop - start)
    assert_same(model, kernel_model().fit(all_frames, NONE)[0])


def test_weights_count_as_in_a_fit() -> None:
    weights = np.linspace(0.2, 1.8, 30) ** 2
    weights[:20] /= weights[:20].mean()
    loose = SGDML([10.0], 1e-4, symmetries=[SWAP])
    model, record = loose.fit(frames(30)[:20], NONE, weights[:20])[0].update(frames(30)[20:], weights[20:])
    fresh, _ = SGDML([10.0], 1e-4 / weights.mean(), symmetries=[SWAP]).fit(frames(30), NONE, weights)
    assert_same(model, fresh)
    dropped, record = model.update(frames(5, seed=4), np.array([0.0, 1, 0, 1, 0]))
    assert (record["added"], record["left_out"]) == (2, 3)
    assert_same(dropped, model.update(frames(5, seed=4)[[1, 3]])[0])


def test_a_model_can_be_continued_twice() -> None:
    start, left, right = fitted(15), frames(4, seed=1), frames(6, seed=2)
    before = start.predict(TEST).forces
    first, second = start.update(left)[0], start.update(right)[0]
    longer, _ = first.update(right)
    for model, more in ((first, left), (second, right), (longer, left + right)):
        assert_same(model, kernel_model().fit(frames(15) + more, NONE)[0])
    assert np.array_equal(start.predict(TEST).forces, before)


def test_frames_that_are_there_are_left_out() -> None:
    model, new = fitted(10), frames(3, seed=1)
    swapped = new[[0]].replace(positions=new[[0]].positions[SWAP], forces=new[[0]].forces[SWAP])
    updated, record = model.update(frames(10)[[3]] + new + swapped + new)
    assert (record["frames"], record["added"], record["left_out"]) == (13, 3, 5)
    assert_same(updated, kernel_model().fit(frames(10) + new, NONE)[0])
    again, record = updated.update(new)
    assert (record["added"], record["left_out"], record["refit"]) == (0, 3, "")
    assert np.array_equal(again.predict(TEST).energy, updated.predict(TEST).energy)
    assert updated.update(NONE)[1]["added"] == 0


def test_the_energy_constant_is_of_all_frames() -> None:
    model = kernel_model().fit(frames(10).replace(energy=None), NONE)[0]
    updated, record = model.update(frames(10, seed=1))
    assert record["energies"] == 10
    assert np.abs(updated.predict(TEST).energy - TEST.energy).max() < 0.02
    shifted, _ = updated.update(frames(10, seed=2).replace(energy=frames(10, seed=2).energy + 3.0))
    assert (shifted.predict(TEST).energy - TEST.energy).mean() == pytest.approx(1.5, abs=0.02)
    off, record = updated.update(frames(5, seed=2).replace(energy=frames(5, seed=2).energy + 3.0))
    assert (off.predict(TEST).energy - TEST.energy).mean() == pytest.approx(0.0, abs=0.02)
    assert (record["energies"], record["energy_outliers"]) == (10, 5)


def test_a_model_from_a_file_is_factorised_once(tmp_path: Path) -> None:
    model, record = load(fitted(12).save(tmp_path)).update(frames(3, seed=1))
    assert record["refit"] == "no factor"
    assert_same(model, fitted(12).update(frames(3, seed=1))[0])
    assert model.update(frames(3, seed=2))[1]["refit"] == ""


def test_copies_do_not_carry_the_factor() -> None:
    model = fitted(60)
    data = pickle.dumps(model)
    again = pickle.loads(data)
    assert len(data) < 4 * 360**2
    assert np.array_equal(again.predict(TEST).forces, model.predict(TEST).forces)
    assert again.update(frames(2, seed=1))[1]["refit"] == "no factor"
    assert model.update(frames(2, seed=1))[1]["refit"] == ""


def test_a_model_that_need_not_move_keeps_the_factor() -> None:
    model, _ = SGDML([10.0], 1e-9, symmetries=[SWAP], device="cpu:0").fit(frames(12), NONE)
    for same in (model, model.to("cpu"), model.to("cpu:0")):
        assert same.update(frames(3, seed=1))[1]["refit"] == ""


def test_an_ill_conditioned_addition_is_a_new_fit_and_says_so() -> None:
    train, shift = frames(30), 1e-5 * np.random.default_rng(0).normal(size=(120, 3))
    loose = SGDML([100.0], 1e-19, symmetries=False)
    model, fit = loose.fit(train, NONE)
    updated, record = model.update(train.replace(positions=train.positions + shift))
    assert (fit["jitter"], record["refit"], record["added"]) == (1, "ill-conditioned", 30)
    assert record["jitter"] > 1
    assert record["lam"] == pytest.approx(1e-19 * record["jitter"])
    assert np.abs(updated.predict(train).forces - train.forces).max() < 0.1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (frames(2).replace(forces=None), "learns from forces"),
        (frames(2, level="other"), "is of level 'morse', got frames of 'other'"),
        (frames(2).replace(pbc=True), "is for molecules"),
        (Frames.stack([8, 1, 1], np.eye(3)[None], forces=np.zeros((1, 3, 3))), "one molecule"),
        (frames(2).replace(positions=np.full((8, 3), np.inf)), "positions must be finite"),
    ],
)
def test_unusable_additions_are_refused(more: Frames, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fitted(3).update(more)


def test_only_a_fitted_model_can_be_continued() -> None:
    with pytest.raises(UsageError, match="has not been fitted"):
        kernel_model().update(frames(2))
    with pytest.raises(UsageError, match="weights must be 2 numbers"):
        fitted(3).update(frames(2, seed=1), np.array([1.0, -1.0]))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.gpu
def test_additions_on_a_device() -> None:
    there = SGDML([10.0], 1e-9, symmetries=[SWAP], device="cuda").fit(frames(20), NONE)[0]
    updated, record = there.update(frames(10, seed=1))
    assert record["refit"] == ""
    assert there.to("cuda").update(frames(2, seed=1))[1]["refit"] == ""
    assert_same(updated, fitted(20).update(frames(10, seed=1))[0], 1e-5)
