from dataclasses import replace

import numpy as np
import pytest
from morse_molecule import frames

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import SGDML, PaiNN
from fidsel.training.evaluate import validation_error
from fidsel.training.optimise.fit import fit
from fidsel.training.stage import Stage, TrainingData
from fidsel.training.weights.teachers import Teachers, Teaching, teach

STAGE = Stage("identify", steps=120, batch=6, learning_rate=5e-3, validate_every=40)
DATA = TrainingData(frames(12, 0), frames(8, 1))
SHORT = Stage("short", steps=3, batch=4, validate_every=3)


def painn(seed: int) -> PaiNN:
    return PaiNN("morse", features=8, layers=2, radial=6, seed=seed)


def taught(stage: Stage = STAGE, **how: int | bool) -> Teachers:
    return teach(painn, DATA, stage, Teaching(**how), 3)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def committee() -> Teachers:
    return taught(members=3, subtract_error=True)


def test_one_teacher_is_a_fit() -> None:
    alone, history = fit(painn(3), DATA.train, DATA.validation, SHORT, seed=3)
    single = taught(SHORT)
    probe = frames(5, 9)
    np.testing.assert_array_equal(single.predict(probe).forces, alone.predict(probe).forces)
    assert single.history.validation == history.validation
    assert single.report() == {"members": 1, "folds": 0}
    apart = np.abs(alone.predict(probe).forces - probe.forces).reshape(5, -1)
    np.testing.assert_allclose(single.bias(probe).values, apart.mean(1))


def test_committee_of_equal_starts_is_refused() -> None:
    with pytest.raises(UsageError, match="must start from different parameters"):
        teach(lambda _: painn(3), DATA, SHORT, Teaching(members=2, subtract_error=True), 3)


def test_a_committee_is_its_mean_and_its_best_is_the_best(committee: Teachers) -> None:
    probe = frames(5, 9)
    answers = [network.predict(probe).forces for network in committee.networks]
    assert np.std(answers, axis=0).mean() > 0
    np.testing.assert_allclose(committee.predict(probe).forces, np.mean(answers, axis=0))
    scores = [validation_error(network, DATA.validation) for network in committee.networks]
    assert validation_error(committee.best, DATA.validation) == min(scores)


def test_without_its_own_error_a_teacher_sees_little_bias_in_right_labels(committee: Teachers) -> None:
    right = frames(60, 9)
    wrong = frames(60, 10)
    wrong = wrong.replace(forces=wrong.forces + np.random.default_rng(0).normal(size=wrong.forces.shape))
    own, other = committee.bias(right), committee.bias(wrong)
    assert own.measured is not None
    assert np.median(own.values) < 0.5 * np.median(own.measured)
    # |N(0, 1)| is 0.8 on average; the error of the teacher inflates it, and taking it out does not undo more
    assert abs(np.median(other.values) - 0.8) < 0.1
    assert own.report()["within_teacher_error"] > 0.2


@pytest.mark.slow
def test_folds_judge_their_own_frames_as_any_other() -> None:
    def ratio(teachers: Teachers) -> float:
        """Return B of accurate configurations among the cheap ones over B of others, all labels right."""
        return float(teachers.bias(data.train).values.mean() / teachers.bias(frames(60, 9)).values.mean())

    data, stage = TrainingData(frames(12, 100), DATA.validation), replace(STAGE, steps=240)
    assert ratio(teach(painn, data, stage, Teaching(), 0)) < 0.75
    assert 0.8 < ratio(teach(painn, data, stage, Teaching(folds=3), 0)) < 1.5


def test_a_frame_is_judged_by_those_who_have_not_learnt_it() -> None:
    twice = DATA.train + DATA.train
    data = TrainingData(twice, DATA.validation)
    folds = teach(painn, data, SHORT, Teaching(folds=2, members=2, subtract_error=True), 0)
    assert len(folds.networks) == 4
    pairs = np.array(
        [[m.predict(DATA.train).forces for m in c] for c in (folds.networks[:2], folds.networks[2:])]
    )
    apart = np.abs(pairs.mean(1) - DATA.train.forces).reshape(2, 12, -1).mean(2)
    bias = folds.bias(twice)
    assert bias.measured is not None
    np.testing.assert_allclose(bias.measured[:12], bias.measured[12:])
    # every frame has one judge, and each of the two judges half of the frames
    mine = np.isclose(apart, bias.measured[:12])
    assert mine.sum(0).tolist() == [1] * 12
    assert mine.sum(1).tolist() == [6, 6]


def test_energies_alone_are_judged_by_energies() -> None:
    def bare(side: Frames) -> Frames:
        return side.replace(forces=None)

    data = TrainingData(bare(DATA.train), bare(DATA.validation))
    teachers = teach(painn, data, SHORT, Teaching(members=2, subtract_error=True), 0)
    cheap = frames(20, 5, depth=3.6)
    bias = teachers.bias(cheap.replace(energy=cheap.energy + 90.0))
    assert bias.unit == "eV/atom"
    assert bias.typical < 1.0


def test_teachers_that_cannot_judge_are_refused() -> None:
    with pytest.raises(UsageError, match="folds must be 0 or at least 2, got 1"):
        Teaching(folds=1)
    with pytest.raises(UsageError, match="needs a committee that can disagree"):
        Teaching(subtract_error=True)
    with pytest.raises(UsageError, match="20 folds need as many accurate frames, got 12"):
        taught(SHORT, folds=20)
    with pytest.raises(UsageError, match="or recipe 'cokriging'"):
        teach(lambda seed: SGDML([10.0]), DATA, SHORT, Teaching(), 0)  # noqa: ARG005
