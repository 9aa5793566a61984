from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from morse_molecule import frames
from morse_source import LEVELS, Morse

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity.source import Label, LabelError, LabelSource, Value
from fidsel.models import SGDML, ModelSource
from fidsel.models.combinations import labels as module
from fidsel.models.combinations.labels import BaselineError, Outcome, SourceLabels

CHEAP = Morse("cheap")
TEST = frames(4, seed=9)


@dataclass(frozen=True)
class Counted:
    """Notes every frame it labels."""

    inner: LabelSource = CHEAP
    calls: list[float] = field(default_factory=list)
    concurrent: bool = False

    @property
    def forces(self) -> bool:
        return self.inner.forces

    def settings(self) -> Mapping[str, Value]:
        return self.inner.settings()

    def label(self, atoms: Atoms) -> Label:
        self.calls.append(float(atoms.positions[0, 0]))
        return self.inner.label(atoms)


@dataclass(frozen=True)
class NoOxygen(Counted):
    """Refuses an element."""

    def label(self, atoms: Atoms) -> Label:
        if 8 in atoms.numbers:
            raise LabelError("no parameters for O", cause="refused")
        return super().label(atoms)


def test_what_it_says_is_what_the_source_says() -> None:
    found = SourceLabels(CHEAP).of(TEST)
    each = [CHEAP.label(atoms) for atoms in TEST]
    assert np.array_equal(found.energy, [label.energy for label in each])
    assert np.array_equal(found.forces, np.concatenate([label.forces for label in each]))
    nothing = SourceLabels(CHEAP).of(TEST[:0])
    assert (nothing.energy.shape, nothing.forces.shape) == ((0,), (0, 3))


@pytest.mark.parametrize("concurrent", [False, True])
def test_a_frame_is_labelled_once(concurrent: bool) -> None:
    source = Counted(concurrent=concurrent)
    labels, many = SourceLabels(source), frames(20, seed=4)
    first = labels.of(many + many[:3])
    again = labels.of(many[[2, 0]] + frames(1, seed=10))
    assert len(source.calls) == 21
    assert np.array_equal(again.energy[:2], first.energy[[2, 0]])
    assert np.array_equal(first.energy[20:], first.energy[:3])
    assert np.array_equal(first.energy[:20], SourceLabels(CHEAP).of(many).energy)


def test_only_the_very_same_coordinates_share_a_label() -> None:
    labels = SourceLabels(CHEAP)
    near = TEST.replace(positions=TEST.positions + 1e-9 * np.arange(1.0, 49.0).reshape(16, 3))
    assert near.ids == TEST.ids
    labels.of(TEST)
    assert np.array_equal(labels.of(near).forces, SourceLabels(CHEAP).of(near).forces)
    assert not np.array_equal(labels.of(near).forces, labels.of(TEST).forces)


@pytest.mark.parametrize("change", ["charge", "spin", "pbc", "cell"])
def test_the_state_of_a_frame_counts(change: str) -> None:
    source = Counted()
    labels = SourceLabels(source)
    cells = np.tile(9 * np.eye(3), (4, 1, 1))
    other = {"charge": 1, "spin": 2, "pbc": True, "cell": cells}[change]
    labels.of(TEST)
    labels.of(TEST.replace(**{change: other}))
    assert len(source.calls) == 8


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 16)  # atoms: four frames
    source = Counted()
    labels, many = SourceLabels(source), frames(5, seed=11)
    labels.of(many)
    labels.of(many[[-1, 0]])
    assert source.calls[5:] == [float(many.positions[0, 0])]


def test_labels_that_are_there_already_are_not_computed() -> None:
    source = Counted()
    labels = SourceLabels(source)
    known = frames(4, seed=9, depth=LEVELS["cheap"][0], width=LEVELS["cheap"][1])
    half = known.forces.copy()
    half[-4:] = np.nan
    labels.know(known.replace(forces=half))
    found = labels.of(TEST)
    assert source.calls == [float(TEST.positions[12, 0])]
    assert np.array_equal(found.forces[:12], known.forces[:12])
    labels.know(known[:0])


def test_labels_of_every_level_lose_the_same() -> None:
    accurate, cheap = frames(6), frames(6, depth=3.0, level="other")
    labels = SourceLabels(CHEAP)
    for level in (accurate, cheap):
        left, known = labels.subtract(level), labels.of(level)
        assert left.energy == pytest.approx(level.energy - known.energy, abs=1e-12)
        assert left.forces == pytest.approx(level.forces - known.forces, abs=1e-12)
        assert left.level.tolist() == level.level.tolist()
    energies = labels.subtract(accurate.replace(forces=None))
    assert np.isfinite(energies.energy).all()
    assert np.isnan(energies.forces).all()
    assert len(labels.subtract(accurate[:0])) == 0


def test_a_source_without_forces_is_refused() -> None:
    with pytest.raises(UsageError, match="a baseline must have forces"):
        SourceLabels(Morse("cheap", forces=False))


def test_an_element_it_lacks_is_said_before_all_else() -> None:
    source = NoOxygen()
    both = Frames.stack([1, 1], [[[0, 0, 0], [0, 0, 0.7 + 0.01 * i]] for i in range(50)]) + TEST
    with pytest.raises(UsageError, match=r"cannot treat these frames: no parameters for O\. Take another"):
        SourceLabels(source).subtract(both)
    assert len(source.calls) <= 1


def test_frames_it_fails_for_are_named_and_the_others_kept() -> None:
    many = frames(40, seed=2)
    source = Counted(Morse("cheap", act="raise", one_in=4))
    labels = SourceLabels(source)
    with pytest.raises(
        BaselineError, match=r"could not label \d+ of 40 frames, the first.*not converge"
    ) as e:
        labels.of(many)
    failed = sorted(e.value.failed)
    assert 0 < len(failed) < 40
    assert f"frame {failed[0]} (CH2O, id {many.ids[failed[0]]})" in str(e.value)
    good = np.setdiff1d(np.arange(40), failed)
    assert np.isfinite(labels.of(many[good]).forces).all()
    assert len(source.calls) == 40
    with pytest.raises(BaselineError, match="could not label frame 0 "):
        labels.of(many[failed[:1]])


def test_forces_of_another_shape_are_refused() -> None:
    @dataclass(frozen=True)
    class Short(Counted):
        def label(self, atoms: Atoms) -> Label:
            label = self.inner.label(atoms)
            return Label(label.energy, np.asarray(label.forces)[1:], label.seconds)

    with pytest.raises(BaselineError, match=r"forces.*\(3, 3\)"):
        SourceLabels(Short()).of(TEST)


def test_labels_are_computed_by_what_is_given() -> None:
    given: list[int] = []

    def run(frames: Sequence[Atoms]) -> Iterator[Outcome]:
        given.append(len(frames))
        for row in reversed(range(len(frames))):  # in any order
            yield row, CHEAP.label(frames[row]), 2.0

    labels = SourceLabels(CHEAP, run=run)
    labels.of(TEST[1:2])
    assert np.array_equal(labels.of(TEST).forces, SourceLabels(CHEAP).of(TEST).forces)
    assert given == [1, 3], "one label of each frame"


def test_a_trained_model_predicts_all_at_once(tmp_path: Path) -> None:
    model = SGDML([10.0]).fit(frames(20), frames(0))[0]
    labels = SourceLabels(ModelSource(model.save(tmp_path)))
    assert np.array_equal(labels.of(TEST).forces, model.predict(TEST).forces)


def test_time_is_counted() -> None:
    labels = SourceLabels(Morse("cheap", seconds=0.5))
    labels.of(TEST)
    labels.of(TEST)
    assert labels.seconds == pytest.approx(2.0)
    measured = SourceLabels(Morse("cheap", pause=-1.0, slow=0.02, seconds=0.02))
    measured.of(TEST)
    assert measured.seconds >= 0.08
