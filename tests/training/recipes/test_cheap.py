import numpy as np
import pytest
from morse_molecule import frames

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.models import SGDML
from fidsel.training.holdout import HELD_OUT
from fidsel.training.recipes.cheap import CheapPart, cheap_parts


def cheap_part(
    cheap: Frames, validation: Frames, reference: Frames | None, held_out: float = 0.2
) -> CheapPart:
    (part,) = cheap_parts([cheap], validation, reference, held_out=held_out, seed=0)
    return part


def test_frames_that_coincide_with_validation_frames_are_dropped_and_counted() -> None:
    cheap = frames(40, 0)
    validation = cheap[[3, 7]].replace(positions=cheap[[3, 7]].positions + 1e-5)
    part = cheap_part(cheap, validation, None, held_out=0.25)
    assert part.dropped == 2
    used = set(part.train.ids) | set(part.validation.ids)
    assert used == set(cheap.ids) - {cheap.ids[3], cheap.ids[7]}
    assert not set(part.train.ids) & set(part.validation.ids)
    assert part.report()["dropped"] == 2
    with pytest.raises(UsageError, match="2 of 2 coincide"):
        cheap_part(cheap[[3, 7]], validation, None, held_out=0.25)


def test_energies_are_aligned_replaced_or_dropped() -> None:
    accurate, cheap = frames(10, 1), frames(20, 0)
    cheap = cheap.replace(energy=cheap.energy + 50.0)
    part = cheap_part(cheap, frames(3, 2), accurate)
    assert abs(part.train.energy.mean() - accurate.energy.mean()) < 1.0
    own = dict(zip(cheap.ids, cheap.energy, strict=True))
    np.testing.assert_allclose(part.own_energies().energy, [own[i] for i in part.train.ids])
    teacher = SGDML([10.0]).fit(accurate, frames(0))[0]
    assert part.labelled_by("aligned", teacher) is part
    taught = part.labelled_by("teacher", teacher)
    np.testing.assert_array_equal(taught.train.energy, teacher.predict(part.train).energy)
    assert np.isnan(part.labelled_by("none", None).validation.energy).all()
    with pytest.raises(UsageError, match="needs a teacher"):
        part.labelled_by("teacher", None)


def test_validation_never_takes_more_than_it_needs() -> None:
    part = cheap_part(frames(2200, 0), frames(1, 2), None)
    assert len(part.validation) == HELD_OUT


def test_validation_comes_from_all_along_the_trajectories() -> None:
    cheap = frames(600, 0).replace(group=np.repeat(["hot", "warm", "cold"], 200))
    part = cheap_part(cheap, frames(1, 2), None)
    assert set(part.validation.group.tolist()) == {"hot", "warm", "cold"}
    assert (len(part.train), len(part.validation)) == (480, 120)
    place = {frame: row for row, frame in enumerate(cheap.ids)}
    rows = np.array([place[frame] for frame in part.validation.ids])
    assert (np.diff(rows) > 1).sum() <= 12


def test_few_frames_still_give_both_sides() -> None:
    part = cheap_part(frames(2, 0), frames(1, 2), None, held_out=0.1)
    assert (len(part.train), len(part.validation)) == (1, 1)
    twice = frames(3, 0) + frames(3, 0)
    part = cheap_part(twice, frames(1, 2), None, held_out=0.1)
    assert (len(part.train), len(part.validation)) == (4, 2)
    with pytest.raises(UsageError, match="held_out must be a fraction"):
        cheap_part(frames(9, 0), frames(1, 2), None, held_out=1.0)


def test_frames_held_out_of_one_level_are_trained_on_at_none() -> None:
    low, accurate = frames(60, 0, level="low"), frames(10, 1)
    middle = frames(60, 0, level="middle")[::2]
    validation = accurate + frames(60, 0)[[4, 8]]
    parts = cheap_parts([low, middle], validation, accurate, held_out=0.2, seed=0)
    assert [(part.level, part.dropped) for part in parts] == [("low", 2), ("middle", 2)]
    held = {name for part in parts for name in part.validation.ids}
    for part, level in zip(parts, (low, middle), strict=True):
        assert not held & set(part.train.ids)
        assert held & set(level.ids) == set(part.validation.ids)
        assert part.alignment is not None
        assert set(part.train.level.tolist()) == {part.level}
