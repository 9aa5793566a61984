from functools import partial
from pathlib import Path

import numpy as np
import pytest
from morse_molecule import frames

from fidsel.data import Frames, write
from fidsel.data.label_file import LabelFile
from fidsel.exceptions import FidselError, UsageError
from fidsel.models import load
from fidsel.tasks.train import TrainedFiles, train_files


def train(accurate: LabelFile, cheap: list[LabelFile], out: Path, recipe: str | None = None) -> TrainedFiles:
    return train_files(accurate, out=out, cheap=tuple(cheap), recipe=recipe, settings=("model.sigmas=[10]",))


def test_recipe_follows_the_files(tmp_path: Path) -> None:
    accurate = LabelFile(str(write(tmp_path / "accurate.extxyz", frames(30, level="accurate"))))
    cheap = LabelFile(str(write(tmp_path / "cheap.npz", frames(60, 1, depth=3.8, level="cheap"))))
    alone = train(accurate, [], tmp_path / "a")
    both = train(accurate, [cheap], tmp_path / "b")
    assert (alone.recipe, both.recipe) == ("standard", "cokriging")
    assert (alone.train, alone.validation, both.cheap) == (24, 6, (60,))
    assert load(tmp_path / "b").level == "accurate"
    again = train(accurate, [cheap], tmp_path / "c")
    assert again.errors == both.errors


def test_frames_to_validate_on_are_not_trained_on(tmp_path: Path) -> None:
    some = frames(30, level="accurate")
    accurate = LabelFile(str(write(tmp_path / "accurate.extxyz", some)))
    turned = some[10:13].replace(positions=-some[10:13].positions, forces=-some[10:13].forces)
    held = LabelFile(str(write(tmp_path / "held.extxyz", turned + frames(5, 9))))
    with pytest.raises(UsageError, match=r"3 of 30 frames of .*accurate.extxyz \(10, 11, 12\) are among"):
        train_files(accurate, out=tmp_path / "model", validation=held)
    assert not (tmp_path / "model").exists()


def test_a_model_that_is_there_is_kept(tmp_path: Path) -> None:
    accurate = LabelFile(str(write(tmp_path / "accurate.extxyz", frames(30))))
    train(accurate, [], tmp_path / "model")
    before = (tmp_path / "model" / "model.json").read_bytes()
    with pytest.raises(UsageError, match="holds a model already, which is kept"):
        train_files(accurate, out=tmp_path / "model", settings=("model.sigmas=[20]",))
    assert (tmp_path / "model" / "model.json").read_bytes() == before
    train_files(accurate, out=tmp_path / "model", settings=("model.sigmas=[20]",), force=True)
    assert (tmp_path / "model" / "model.json").read_bytes() != before


def test_recipe_that_does_not_fit_the_files_is_refused(tmp_path: Path) -> None:
    accurate = LabelFile(str(write(tmp_path / "accurate.extxyz", frames(30))))
    with pytest.raises(UsageError, match="recipe 'cokriging' needs cheap labels"):
        train(accurate, [], tmp_path / "model", "cokriging")
    assert not (tmp_path / "model").exists()


def test_a_recipe_that_nobody_named_is_said_where_its_settings_are_wrong(tmp_path: Path) -> None:
    accurate = LabelFile(str(write(tmp_path / "accurate.extxyz", frames(20, level="accurate"))))
    train = partial(train_files, accurate, (accurate,), model="painn", settings=("recipe.pretrain.steps=3",))
    with pytest.raises(UsageError, match=r"pretrain.* \(recipe 'joint' is taken, as none is named\)"):
        train(out=tmp_path / "model")
    with pytest.raises(UsageError, match=r"unknown key 'pretrain'[^(]*$"):
        train(out=tmp_path / "model", recipe="joint")


def test_an_ensemble_of_kernels_takes_a_recipe_it_can_be_trained_by(tmp_path: Path) -> None:
    accurate = LabelFile(str(write(tmp_path / "accurate.extxyz", frames(20, level="accurate"))))
    cheap = LabelFile(str(write(tmp_path / "cheap.npz", frames(30, 1, depth=3.8, level="cheap"))))
    member = "model.member={kind='sgdml',sigmas=[10]}"
    found = train_files(
        accurate, out=tmp_path / "model", cheap=(cheap,), model="ensemble", settings=(member,)
    )
    assert found.recipe == "cokriging"


def test_steps_and_minutes_bound_every_stage_of_a_network(tmp_path: Path) -> None:
    accurate = LabelFile(str(write(tmp_path / "accurate.extxyz", frames(20, level="accurate"))))
    cheap = LabelFile(str(write(tmp_path / "cheap.npz", frames(30, 1, depth=3.8, level="cheap"))))
    small = ("model.features=4", "model.layers=1", "model.radial=4")
    train = partial(train_files, accurate, (cheap,), model="painn", recipe="asteroid", settings=small)
    found = train(out=tmp_path / "steps", steps=6)
    assert [stage["notes"]["steps"] for stage in found.stages] == [6, 6]
    found = train(out=tmp_path / "minutes", minutes=0.01)
    assert not any(stage["notes"]["settled"] for stage in found.stages)
    assert min(stage["seconds"] for stage in found.stages) >= 0.3
    with pytest.raises(UsageError, match=r"steps of stage .* must be a whole number > 0, got 0"):
        train(out=tmp_path / "none", steps=0)
    with pytest.raises(UsageError, match="--minutes bound the training of a network, and sgdml is fitted in"):
        train_files(accurate, out=tmp_path / "kernel", minutes=1.0)


def test_too_few_labels_to_leave_some_out_need_a_file_to_validate_on(tmp_path: Path) -> None:
    two = LabelFile(str(write(tmp_path / "two.npz", frames(2))))
    with pytest.raises(UsageError, match=r"at least 3 configurations, .*two.npz has 2: .*with --validation"):
        train(two, [], tmp_path / "model")
    three = LabelFile(str(write(tmp_path / "three.npz", frames(3))))
    assert train(three, [], tmp_path / "model").validation == 1


def test_delta_says_which_labels_a_file_lacks(tmp_path: Path) -> None:
    accurate = LabelFile(str(write(tmp_path / "accurate.extxyz", frames(20, level="accurate"))))
    own = frames(20, depth=3.8, level="cheap")
    cheap = LabelFile(str(write(tmp_path / "cheap.npz", own[:17])))
    with pytest.raises(UsageError, match=r"3 of 20 are not in .*cheap.npz, to 1e-05 Å. .*'cokriging'"):
        train(accurate, [cheap], tmp_path / "model", "delta")
    bare = LabelFile(str(write(tmp_path / "bare.npz", own.replace(forces=None))))
    with pytest.raises(UsageError, match=r"20 of 20 are not in .*bare.npz"):
        train(accurate, [bare], tmp_path / "model", "delta")
    whole = LabelFile(str(write(tmp_path / "whole.npz", own)))
    assert train(accurate, [whole], tmp_path / "model", "delta").recipe == "delta"


def test_pairs_are_found_in_another_order_of_atoms(tmp_path: Path) -> None:
    accurate = LabelFile(str(write(tmp_path / "accurate.extxyz", frames(30, level="accurate"))))
    cheap = frames(30, depth=3.8, level="cheap")
    order = np.array([2, 3, 1, 0])
    atoms = (4 * np.arange(30)[:, None] + order).ravel()
    turned = cheap.replace(
        numbers=cheap.numbers[atoms], positions=cheap.positions[atoms], forces=cheap.forces[atoms]
    )
    files = [
        LabelFile(str(write(tmp_path / name, one))) for name, one in (("a.npz", cheap), ("b.npz", turned))
    ]
    found = [train(accurate, [file], tmp_path / file.text[-5], "delta") for file in files]
    assert found[0].errors["force_mae"] == pytest.approx(found[1].errors["force_mae"], rel=1e-6)


def outlying(n: int, seed: int = 0) -> Frames:
    """Return frames of which frame 3 has a wrong energy."""
    some = frames(n, seed)
    return some.replace(energy=some.energy + 1e4 * (np.arange(n) == 3))


def test_wrong_labels_are_refused_by_frame_and_file(tmp_path: Path) -> None:
    wrong, good = (
        write(tmp_path / "wrong.extxyz", outlying(30)),
        write(tmp_path / "good.extxyz", frames(30, 1)),
    )
    pairs = [(wrong, good), (good, wrong)]
    for accurate, cheap in pairs:
        with pytest.raises(
            UsageError, match=r"wrong.extxyz cannot be trained on: energies .*frame 3.*--trust-labels"
        ):
            train(LabelFile(str(accurate)), [LabelFile(str(cheap))], tmp_path / "model", "cokriging")
    held = LabelFile(str(wrong))
    with pytest.raises(UsageError, match=r"wrong.extxyz cannot be trained on"):
        train_files(
            LabelFile(str(good)), out=tmp_path / "model", validation=held, settings=("model.sigmas=[10]",)
        )
    gradients = write(tmp_path / "gradients.extxyz", frames(30).replace(forces=-frames(30).forces))
    with pytest.raises(UsageError, match="forces have the wrong sign"):
        train(LabelFile(str(gradients)), [], tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_training_that_fails_leaves_nothing(tmp_path: Path) -> None:
    wild = ("model.features=4", "model.layers=1", "recipe.stage={steps=50,learning_rate=1e9}")
    with pytest.raises(FidselError, match=r"training loss .* must stay finite"):
        train_files(frames(20), model="painn", settings=wild, out=tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_trusted_labels_are_trained_on_and_what_is_odd_is_told(tmp_path: Path) -> None:
    wrong = LabelFile(str(write(tmp_path / "wrong.extxyz", outlying(30))), trusted=True)
    told: list[str] = []
    found = train_files(wrong, out=tmp_path / "model", settings=("model.sigmas=[10]",), say=told.append)
    assert len(told) == 1
    assert "(frame 3)" in told[0]
    assert list(found.odd) == told


def test_cheap_labels_and_a_setting_may_stand_alone(tmp_path: Path) -> None:
    accurate, cheap = frames(20, level="accurate"), frames(40, 1, depth=3.8, level="cheap")
    given = (cheap, write(tmp_path / "cheap.npz", cheap), str(tmp_path / "cheap.npz"))
    for number, one in enumerate(given):
        found = train_files(accurate, one, out=tmp_path / str(number), settings="model.sigmas=[10]")
        assert (found.recipe, found.cheap) == ("cokriging", (40,))


def test_from_python_what_is_odd_is_logged_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UsageError, match=r"frame 3.*trust_labels=True in Python"):
        train_files(outlying(30), out=tmp_path / "a", settings="model.sigmas=[10]")
    found = train_files(outlying(30), out=tmp_path / "a", settings="model.sigmas=[10]", trust_labels=True)
    assert [one.getMessage() for one in caplog.records] == list(found.odd)
    assert repr(found).endswith("; 1 note)")


def test_units_are_those_of_files_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.extxyz", frames(30))
    with pytest.raises(UsageError, match=r"units \(kcal/mol,Angstrom\) are those of files"):
        train_files(frames(30), out=tmp_path / "a", units="kcal/mol,Angstrom")
    plain, smaller = (
        train_files(path, out=tmp_path / name, units=units, settings="model.sigmas=[10]", trust_labels=True)
        for name, units in (("a", None), ("b", "meV,Angstrom"))
    )
    assert smaller.errors["force_mae"] == pytest.approx(plain.errors["force_mae"] / 1000, rel=0.05)


def test_validation_labels_are_of_the_level_that_is_trained_on(tmp_path: Path) -> None:
    some, cheap = frames(20, level="mp2"), frames(8, 1, level="cheap")
    with pytest.raises(UsageError, match="one level, got mp2 to train on and cheap to validate on"):
        train_files(some, validation=cheap, out=tmp_path / "a")
    found = train_files(
        some, validation=cheap.replace(level=""), out=tmp_path / "a", settings="model.sigmas=[10]"
    )
    assert (found.model.level, found.validation) == ("mp2", 8)


def test_frames_that_repeat_stay_on_one_side(tmp_path: Path) -> None:
    """A copy of the data beside it, moved, would validate on what is trained on."""
    some = frames(40)
    twice = some + some.replace(positions=some.positions + 7.5)
    once, both = (
        train_files(labels, out=tmp_path / name, settings="model.sigmas=[10]")
        for name, labels in (("a", some), ("b", twice))
    )
    assert both.errors["force_mae"] == pytest.approx(once.errors["force_mae"], rel=0.02)
    assert (both.train, both.validation) == (2 * once.train, 2 * once.validation)
