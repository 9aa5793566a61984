from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from morse_molecule import frames
from morse_source import LEVELS, Morse

from fidsel.data import Frames, Units
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.sources.table import TableSource
from fidsel.models import SGDML, Baseline, ForceField, load
from fidsel.models.networks.painn import PaiNN
from fidsel.training.recipes.delta import DeltaLearning
from fidsel.training.stage import Recipe, Stage, TrainingData

cheap = partial(frames, depth=LEVELS["cheap"][0], width=LEVELS["cheap"][1], level="cheap")
SOURCE = Morse("cheap")
TEST = frames(50, seed=99)


def sgdml(_: int) -> ForceField:
    return SGDML([8.0], 1e-8)


def tiny_network(seed: int) -> ForceField:
    return PaiNN(features=8, layers=1, radial=8, seed=seed)


def data(n: int = 10, *levels: Frames) -> TrainingData:
    """Return accurate frames with the cheap labels of the same ones, and of others, in another order."""
    paired = (cheap(n, seed=1) + cheap(10, seed=2) + cheap(30, seed=3))[::-1]
    return TrainingData(frames(n, seed=1), frames(10, seed=2), levels or (paired,))


def force_mae(model: ForceField, test: Frames = TEST) -> float:
    return float(np.abs(model.predict(test).forces - test.forces).mean())


def test_it_beats_learning_from_the_accurate_labels_alone() -> None:
    recipe: Recipe = DeltaLearning(source=SOURCE)
    trained = recipe(data(), sgdml, 0)
    alone, _ = SGDML([8.0], 1e-8).fit(data().train, frames(0))
    assert force_mae(trained.model) < 0.5 * force_mae(alone)
    assert trained.model.level == "morse"
    assert trained.model.predict(TEST).energy == pytest.approx(TEST.energy, abs=0.1)


def test_the_correction_learns_the_difference_of_each_pair() -> None:
    trained = DeltaLearning(source=SOURCE)(data(), sgdml, 0)
    assert isinstance(trained.model, Baseline)
    pair, known = frames(10, seed=1), cheap(10, seed=1)
    learnt = trained.model.correction.predict(pair)
    assert learnt.forces == pytest.approx(pair.forces - known.forces, abs=1e-2)
    assert learnt.energy == pytest.approx(pair.energy - known.energy, abs=1e-2)


def test_labels_are_paired_through_few_digits_and_across_a_shift_of_energies() -> None:
    exact = data()
    given = exact.cheap[0]
    short = given.replace(positions=given.positions.round(5), energy=given.energy + 700.0)
    a = DeltaLearning()(exact, sgdml, 0).model
    b = DeltaLearning()(TrainingData(exact.train, exact.validation, (short,)), sgdml, 0).model
    assert isinstance(a, Baseline)
    assert isinstance(b, Baseline)
    a, b = a.with_source(SOURCE), b.with_source(SOURCE)
    assert force_mae(a) == pytest.approx(force_mae(b), rel=1e-3)
    assert a.predict(TEST).energy - b.predict(TEST).energy == pytest.approx(700.0, abs=1e-3)


def test_the_record_says_what_was_paired_and_what_was_left_to_learn() -> None:
    trained = DeltaLearning(source=SOURCE)(data(), sgdml, 0)
    found = trained.diagnostics
    assert found["level"] == "cheap"
    assert found["labels"] == {
        "training": {"paired": 10, "computed": 0},
        "validation": {"paired": 10, "computed": 0},
    }
    difference = frames(10, seed=1).forces - cheap(10, seed=1).forces
    assert found["difference"]["force_rms"] == pytest.approx(np.sqrt(np.mean(difference**2)))
    assert found["difference"]["force_rms"] < 0.5 * found["accurate"]["force_rms"]
    validation = data().validation
    assert found["validation"]["force_mae"] == pytest.approx(force_mae(trained.model, validation))
    without = np.abs(cheap(10, seed=2).forces - validation.forces).mean()
    assert found["cheap_validation"]["force_mae"] == pytest.approx(without)
    energy = np.abs(trained.model.predict(validation).energy - validation.energy).mean()
    assert found["validation"]["energy_mae"] == pytest.approx(energy)
    (history,) = trained.histories
    assert history.stage == "correction"


def test_a_correction_that_makes_things_worse_is_not_kept() -> None:
    honest = data()
    held = cheap(10, seed=2).replace(level="morse", energy=cheap(10, seed=2).energy + 7.0)
    wrong = honest.train.replace(forces=-3 * honest.train.forces, energy=cheap(10, seed=1).energy + 7.0)
    trained = DeltaLearning(source=SOURCE)(TrainingData(wrong, held, honest.cheap), sgdml, 0)
    assert trained.diagnostics["kept"] == "cheap level"
    assert "the state after 'cheap level' is kept" in trained.diagnostics["warnings"][0]
    assert trained.diagnostics["validation"]["force_mae"] == pytest.approx(0, abs=1e-9)
    assert force_mae(trained.model, held) == pytest.approx(0, abs=1e-9)
    assert trained.model.level == "morse"
    assert trained.model.predict(held).energy == pytest.approx(held.energy, abs=1e-6)


def test_without_source_it_trains_but_does_not_predict() -> None:
    whole, bare = DeltaLearning(source=SOURCE)(data(), sgdml, 0), DeltaLearning()(data(), sgdml, 0)
    assert bare.diagnostics["validation"] == whole.diagnostics["validation"]
    with pytest.raises(UsageError, match="has no source"):
        bare.model.predict(TEST)
    assert isinstance(bare.model, Baseline)
    assert force_mae(bare.model.with_source(SOURCE)) == force_mae(whole.model)


def test_missing_cheap_labels_are_computed_and_counted() -> None:
    full = data()
    some = TrainingData(full.train, full.validation, (cheap(10, seed=1)[:7] + cheap(10, seed=2)[5:],))
    trained = DeltaLearning(source=SOURCE)(some, sgdml, 0)
    assert trained.diagnostics["labels"] == {
        "training": {"paired": 7, "computed": 3},
        "validation": {"paired": 5, "computed": 5},
    }
    # one more to compare the source with the labels there are
    assert trained.diagnostics["computed_seconds"] == pytest.approx(9 * SOURCE.seconds)
    whole = DeltaLearning(source=SOURCE)(full, sgdml, 0)
    assert force_mae(trained.model) == pytest.approx(force_mae(whole.model))
    none = DeltaLearning(source=SOURCE)(TrainingData(full.train, full.validation), sgdml, 0)
    assert none.diagnostics["labels"]["training"] == {"paired": 0, "computed": 10}
    assert force_mae(none.model) == pytest.approx(force_mae(trained.model))


def test_the_dearest_cheap_level_counts() -> None:
    worst = frames(20, seed=1, depth=1.0, level="worst")
    trained = DeltaLearning()(data(10, worst, data().cheap[0]), sgdml, 0)
    assert trained.diagnostics["level"] == "cheap"


def test_frames_without_a_cheap_label_are_counted() -> None:
    full = data()
    energies = cheap(10, seed=1).replace(forces=None)
    for known in (cheap(10, seed=2)[:8] + cheap(10, seed=1)[:4], cheap(10, seed=2)[:8]):
        missing = 6 if len(known) == 12 else 10
        both = TrainingData(full.train, full.validation, (energies[:2] + known,))
        with pytest.raises(UsageError, match=f"{missing} of 10 training and 2 of 10 validation frames"):
            DeltaLearning()(both, sgdml, 0)
    with pytest.raises(UsageError, match="10 of 10 training and 10 of 10 validation frames"):
        DeltaLearning()(data(10, cheap(0)), sgdml, 0)
    with pytest.raises(UsageError, match="or a source for them: got neither"):
        DeltaLearning()(TrainingData(full.train, full.validation), sgdml, 0)


def test_a_source_of_another_level_is_refused() -> None:
    with pytest.raises(UsageError, match="must compute the cheap level 'cheap': its label of one frame"):
        DeltaLearning(source=Morse("accurate"))(data(), sgdml, 0)
    with pytest.raises(UsageError, match="a baseline must have forces"):
        DeltaLearning(source=Morse("cheap", forces=False))(data(), sgdml, 0)


def test_a_frame_the_source_fails_for_is_named() -> None:
    @dataclass(frozen=True)
    class Failing(Morse):
        act: str = "raise"
        one_in: int = 1

    none = TrainingData(data().train, data().validation)
    with pytest.raises(
        FidselError,
        match=rf"could not label 10 of 10 frames, the first of them frame 0 \(CH2O, id {none.train.ids[0]}\)",
    ):
        DeltaLearning(source=Failing("cheap"))(none, sgdml, 0)


def test_energies_alone_train_the_correction_of_a_network() -> None:
    full = data()
    sides = (side.replace(forces=None) for side in (full.train, full.validation))
    recipe = DeltaLearning(source=SOURCE, stage=Stage(steps=20, validate_every=10))
    trained = recipe(TrainingData(*sides, full.cheap), tiny_network, 0)
    assert trained.histories[0].notes["loss"] == "energies only: no frame has forces"
    assert trained.diagnostics["validation"]["force_mae"] is None
    assert np.isfinite(trained.model.predict(TEST).forces).all()


def test_a_network_corrects_and_comes_back(tmp_path: Path) -> None:
    stage = Stage(steps=100, learning_rate=1e-2, batch=5, validate_every=20)
    trained = DeltaLearning(source=SOURCE, stage=stage)(data(), tiny_network, 3)
    again = DeltaLearning(source=SOURCE, stage=stage)(data(), tiny_network, 3)
    assert np.array_equal(trained.model.predict(TEST).forces, again.model.predict(TEST).forces)
    assert (
        trained.diagnostics["validation"]["force_mae"] < trained.diagnostics["cheap_validation"]["force_mae"]
    )
    loaded = load(trained.model.save(tmp_path))
    assert isinstance(loaded, Baseline)
    assert force_mae(loaded.with_source(SOURCE)) == force_mae(trained.model)


def test_formaldehyde(data_folder: Path) -> None:
    """25 CCSD(T) labels with B3LYP computed for every frame: 0.034 kcal/mol/Å, alone 0.17."""
    path = data_folder / "h2co" / "h2co.npz"
    raw, units = np.load(path), Units.parse("eV,Angstrom")
    rows = np.random.default_rng(0).permutation(len(raw["R"]))
    sides = []
    for at in (rows[:25], rows[25:75], rows[75:575]):
        energy, forces = raw["E_ccsdt"][at], raw["F_ccsdt"][at]
        sides.append(Frames.stack(raw["z"], raw["R"][at], energy=energy, forces=forces, level="ccsdt"))
    train, validation, test = sides
    source = TableSource(path, "E_b3lyp", "F_b3lyp", units)
    model = SGDML([5.0, 10.0, 20.0], refine=0)
    trained = DeltaLearning(source=source)(TrainingData(train, validation), lambda _: model, 0)
    kcal = 0.0433641
    assert force_mae(trained.model, test) / kcal < 0.05
