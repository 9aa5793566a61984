"""States on disk."""

from pathlib import Path

import numpy as np
import pytest

from fidsel.exceptions import FidselError
from fidsel.md.dynamics.samples import Samples
from fidsel.md.langevin import Replicas

MASSES = np.array([1.0, 2.0])


def state(step: int, rows: list[int]) -> Replicas:
    """Return a state of two atoms that knows its step."""
    shape = (len(rows), 2, 3)
    values = [np.full(shape, step + part) for part in (0.1, 0.2, 0.3)]
    return Replicas(np.array(rows), *values, np.full(len(rows), 1.0), np.full(len(rows), 0.5), step)


def test_samples_come_back_in_order_and_the_last_ones_can_be_forgotten(tmp_path: Path) -> None:
    samples = Samples(tmp_path / "new" / "run.samples", 2)
    assert len(samples.read()) == 0
    for step, rows in ((0, [0, 1]), (5, [0, 1]), (10, [1])):
        samples.append(state(step, rows), MASSES)
    again = Samples(samples.path, 2)
    found = again.read()
    assert found["step"].tolist() == [0, 0, 5, 5, 10]
    assert found["replica"].tolist() == [0, 1, 0, 1, 1]
    np.testing.assert_array_equal(found["velocities"][4], np.full((2, 3), 10.2))
    np.testing.assert_allclose(found["kinetic"][0], 0.5 * 3.0 * 3 * 0.2**2)
    np.testing.assert_allclose(found["loss"], 0.5 + found["kinetic"])
    again.cut(3)
    assert [len(piece) for piece in again.pieces()] == [3]
    assert samples.read()["step"].tolist() == [0, 0, 5]


def test_what_grows_beyond_its_limit_is_thinned_out(tmp_path: Path) -> None:
    samples = Samples(tmp_path / "run.samples", 2, most=7 * 184)
    assert samples.row.itemsize == 184
    for time in range(40):
        if time % samples.stride == 0:
            samples.append(state(5 * time, [0, 1]), MASSES)
        assert samples.path.stat().st_size <= 7 * 184
    assert samples.stride == 16
    found = samples.read()
    assert found["step"].tolist() == [0, 0, 80, 80, 160, 160]
    np.testing.assert_array_equal(found["velocities"][5], np.full((2, 3), 160.2))


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    samples = Samples(tmp_path / "run.samples", 2)
    samples.path = Path("/dev/full")
    with pytest.raises(FidselError, match="could not write /dev/full: No space left on device"):
        samples.append(state(0, [0, 1]), MASSES)
