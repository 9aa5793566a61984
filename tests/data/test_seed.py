from typing import Any

import numpy as np
import pytest

from fidsel.data.seed import LARGEST, checked_seed, named_rng
from fidsel.exceptions import UsageError


@pytest.mark.parametrize("seed", [0, 1, 2**31, LARGEST])
def test_seeds_that_every_library_takes(seed: int) -> None:
    assert checked_seed(seed) == seed
    assert type(checked_seed(np.int64(seed))) is int


@pytest.mark.parametrize("seed", [-1, -(2**70), LARGEST + 1, 10**30, None, 1.5, 1.0, "1"])
def test_seeds_that_some_library_refuses(seed: Any) -> None:
    with pytest.raises(UsageError, match=r"from 0 to 2\^62, got"):
        checked_seed(seed)


def test_every_purpose_and_round_has_its_own_random_numbers() -> None:
    keys = [(0, "picks", 0), (1, "picks", 0), (0, "probe", 0), (0, "picks", 1)]
    drawn = [tuple(named_rng(*key).integers(2**31, size=4)) for key in keys]
    assert len(set(drawn)) == 4
    again = np.random.default_rng([0, 2085243080, 0]).integers(2**31, size=4)
    assert drawn[0] == tuple(again), "campaigns that have begun go on with the numbers they had"
