from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from morse_molecule import SWAP, frames
from morse_source import LEVELS, Morse

from fidsel.data import Frames
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.source import Label, LabelSource, Value
from fidsel.models import SGDML, Delta, ModelSource, load
from fidsel.models.combinations.delta import REMEMBERED
from fidsel.testing import model as contract

CHEAP = Morse("cheap")
TEST = frames(4, seed=9)


@dataclass(frozen=True)
class Counted:
    """Notes every frame it labels."""

    inner: LabelSource = CHEAP
    calls: list[float] = field(default_factory=list)

    @property
    def forces(self) -> bool:
        return self.inner.forces

    def settings(self) -> Mapping[str, Value]:
        return self.inner.settings()

    def label(self, atoms: Atoms) -> Label:
        self.calls.append(float(atoms.positions[0, 0]))
        return self.inner.label(atoms)


def lacking(n: int, seed: int = 0) -> Frames:
    """Return accurate − cheap labels of n frames."""
    depth, width = LEVELS["cheap"]
    accurate, cheap = frames(n, seed), frames(n, seed, depth=depth, width=width)
    return accurate.replace(energy=accurate.energy - cheap.energy, forces=accurate.forces - cheap.forces)


def correction(n: int = 30) -> SGDML:
    return SGDML([10.0]).fit(lacking(n), lacking(0))[0]


def delta(source: LabelSource | None = CHEAP) -> Delta:
    return Delta(correction(), "morse", source=source)


def test_it_keeps_the_contract_of_a_force_field() -> None:
    model = delta()
    contract.check_shapes(model, TEST)
    contract.check_inputs_unchanged(model, TEST)
    contract.check_deterministic(model, TEST)
    contract.check_forces_are_gradients(model, TEST)
    contract.check_translation(model, TEST)
    contract.check_rotation(model, TEST)
    contract.check_permutation(model, TEST, SWAP)
    contract.check_batch_equals_single(model, TEST)
    contract.check_moving(model, TEST)
    contract.check_calculator(model, TEST)
    contract.check_other_level_refused(model, TEST)
    contract.check_periodic_refused(model, TEST)


def test_cheap_label_and_correction_add_up_to_the_accurate_level() -> None:
    model, test = delta(), frames(50, seed=3)
    found, learnt = model.predict(test), model.correction.predict(test)
    cheap = [CHEAP.label(atoms) for atoms in test]
    assert found.energy == pytest.approx([label.energy for label in cheap] + learnt.energy)
    assert found.forces == pytest.approx(np.concatenate([label.forces for label in cheap]) + learnt.forces)
    alone = SGDML([10.0]).fit(frames(30), frames(0))[0].predict(test)
    error, before = (np.abs(p.forces - test.forces).mean() for p in (found, alone))
    assert error < 0.5 * before
    assert np.abs(found.energy - test.energy).mean() < 0.5 * np.abs(alone.energy - test.energy).mean()


def test_a_file_keeps_no_source_and_says_so(tmp_path: Path) -> None:
    model = delta()
    again = load(model.save(tmp_path))
    assert isinstance(again, Delta)
    assert again.source is None
    with pytest.raises(UsageError, match=r"level = 'cheap'\).* use the copy that with_source"):
        again.predict(TEST)
    whole = again.with_source(CHEAP)
    assert (again.source, whole.source, whole.level) == (None, CHEAP, "morse")
    for name in ("energy", "forces"):
        assert np.array_equal(getattr(whole.predict(TEST), name), getattr(model.predict(TEST), name))


def test_on_another_device_it_has_its_source_and_the_labels_it_knows() -> None:
    source = Counted()
    model = delta(source)
    expected = model.predict(TEST)
    moved = model.to("cpu")
    assert np.array_equal(moved.predict(TEST).forces, expected.forces)
    assert (moved.source, len(source.calls)) == (source, len(TEST))


def test_another_level_of_theory_is_refused(tmp_path: Path) -> None:
    again = load(delta().save(tmp_path / "delta"))
    assert isinstance(again, Delta)
    with pytest.raises(UsageError, match="that has level = 'cheap', the source given has level = 'accurate'"):
        again.with_source(Morse("accurate"))
    other = ModelSource(correction().save(tmp_path / "correction"))
    with pytest.raises(UsageError, match=r"kind = 'morse', level = 'cheap'.*kind = 'model', digest"):
        again.with_source(other)
    with pytest.raises(UsageError, match="the cheap level this Δ-model was trained with"):
        Delta(correction(), source=CHEAP, cheap={"kind": "morse", "level": "cheap", "basis": "sto-3g"})


def test_without_settings_the_first_source_settles_them(tmp_path: Path) -> None:
    unknown = load(delta(source=None).save(tmp_path))
    assert isinstance(unknown, Delta)
    with pytest.raises(UsageError, match="computes a cheap level for every frame"):
        unknown.predict(TEST)
    known = unknown.with_source(CHEAP)
    assert known.cheap == CHEAP.settings()
    with pytest.raises(UsageError, match="level = 'accurate'"):
        known.with_source(Morse("accurate"))


def test_a_source_without_forces_is_refused() -> None:
    with pytest.raises(UsageError, match="needs forces of its cheap level"):
        delta(Morse("cheap", forces=False))


def test_a_frame_is_labelled_once() -> None:
    source = Counted()
    model = delta(source)
    first = model.predict(TEST)
    again = model.predict(TEST[[2, 0]] + frames(1, seed=10))
    assert len(source.calls) == 5
    assert again.energy[:2] == pytest.approx(first.energy[[2, 0]], abs=1e-9)


def test_only_the_very_same_coordinates_share_a_label() -> None:
    model = delta()
    near = TEST.replace(positions=TEST.positions + 1e-9 * np.arange(1.0, 49.0).reshape(16, 3))
    assert near.ids == TEST.ids
    model.predict(TEST)
    assert np.array_equal(model.predict(near).forces, delta().predict(near).forces)
    assert not np.array_equal(model.predict(near).forces, model.predict(TEST).forces)


def test_what_is_remembered_is_bounded() -> None:
    source = Counted()
    model = delta(source)
    many = frames(REMEMBERED + 1, seed=11)
    model.predict(many)
    model.predict(many[[-1, 0]])
    assert source.calls[REMEMBERED + 1 :] == [float(many.positions[0, 0])]


def test_a_frame_the_source_cannot_label_is_named() -> None:
    failing = Morse("cheap", act="raise", one_in=1)
    with pytest.raises(FidselError, match=rf"frame 0 \(CH2O, id {TEST.ids[0]}\): did not converge"):
        delta(failing).predict(TEST)


def test_the_correction_refuses_before_anything_is_labelled() -> None:
    source = Counted()
    with pytest.raises(UsageError, match="one molecule"):
        delta(source).predict(TEST + Frames.stack([8, 1, 1], np.eye(3)[None]))
    assert source.calls == []


def test_forces_of_another_shape_are_refused() -> None:
    @dataclass(frozen=True)
    class Short(Counted):
        def label(self, atoms: Atoms) -> Label:
            label = self.inner.label(atoms)
            return Label(label.energy, np.asarray(label.forces)[1:], label.seconds)

    with pytest.raises(FidselError, match=r"shape \(4, 3\) for frame 0 .*got \(3, 3\)"):
        delta(Short()).predict(TEST)
