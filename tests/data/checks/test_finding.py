import numpy as np
import pytest

from fidsel.data import Frames, check
from fidsel.data.checks.finding import Finding, about, few, one_cause
from fidsel.testing import example_frames

KCAL = 23.0605


def test_a_finding_about_some_frames_is_one_about_all() -> None:
    rows = np.array([7, 3, 9])
    assert Finding("error", "labels", "wrong", (0, 2)).within(rows).frames == (7, 9)
    assert Finding("note", "labels", "the whole set").within(rows).frames == ()


def test_few_rows_are_named_and_the_rest_counted() -> None:
    assert few([4]) == "4"
    assert few(range(5)) == "0, 1, 2, 3, 4"
    assert few(range(6)) == "0, 1, 2, 3, 4 and 1 more"
    assert few(range(6), shown=2) == "0, 1 and 4 more"


def test_a_finding_tells_how_many_frames_and_which() -> None:
    assert about("warning", "distances", np.zeros(3, dtype=bool), "near in {n} frames") == []
    (found,) = about("warning", "distances", np.array([False, True, True]), "near in {n} frames")
    assert found == Finding("warning", "distances", "near in 2 of 3 frames", (1, 2))


def wrong(mistake: str) -> Frames:
    frames = example_frames(100)
    scale = {"sign": -1.0, "forces in kcal/mol/Å": KCAL, "none": 1.0}[mistake]
    return frames.replace(forces=scale * frames.forces)


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        ("sign", "energy-force and bond-scale see one mistake: forces have the wrong sign. "),
        ("forces in kcal/mol/Å", "energy-force and bond-scale are likely to see one mistake, in the units"),
        ("none", ""),
    ],
)
def test_one_mistake_is_told_once(mistake: str, told: str) -> None:
    said = one_cause(check(wrong(mistake)))
    assert said.startswith(told)
    assert bool(said) == bool(told)


def test_rules_about_other_things_are_no_cause() -> None:
    twice = example_frames(5) + example_frames(5).replace(energy=float("inf"))
    assert one_cause(check(twice)) == ""
