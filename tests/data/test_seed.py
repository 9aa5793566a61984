import pytest

from fidsel.data.seed import LARGEST, checked_seed
from fidsel.exceptions import UsageError


@pytest.mark.parametrize("seed", [0, 1, 2**31, LARGEST])
def test_seeds_that_every_library_takes(seed: int) -> None:
    assert checked_seed(seed) == seed


@pytest.mark.parametrize("seed", [-1, -(2**70), LARGEST + 1, 10**30])
def test_seeds_that_some_library_refuses(seed: int) -> None:
    with pytest.raises(UsageError, match=r"from 0 to 2\^62, got"):
        checked_seed(seed)
