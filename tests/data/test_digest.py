import numpy as np
from morse_molecule import frames

from fidsel.data.digest import frames_digest


def test_whatever_a_data_set_holds_changes_its_hash() -> None:
    some = frames(4)
    others = [
        some[:3],
        some[[1, 0, 2, 3]],
        some.replace(energy=some.energy + 1e-9),
        some.replace(forces=np.where(np.arange(len(some.numbers))[:, None] == 0, np.nan, some.forces)),
        some.replace(group="other"),
        some.replace(charge=1),
    ]
    assert frames_digest(some) == frames_digest(some[:2] + some[2:])
    assert len({frames_digest(one) for one in [some, *others]}) == 1 + len(others)


def test_no_frames_have_a_hash() -> None:
    assert frames_digest(frames(2)[[]]) == frames_digest(frames(3)[[]])
