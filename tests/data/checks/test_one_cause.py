import pytest

from fidsel.data import Frames, check
from fidsel.data.checks.one_cause import one_cause
from fidsel.testing import example_frames

KCAL = 23.0605


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
