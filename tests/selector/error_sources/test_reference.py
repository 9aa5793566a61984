import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.selector import Reference
from fidsel.testing.picker import example_pool


def test_reference_needs_every_unlabelled_error() -> None:
    pool = example_pool()
    known = np.where(pool.labelled, np.nan, pool.errors)
    np.testing.assert_array_equal(Reference().estimate(pool, known), known)
    known[np.flatnonzero(~pool.labelled)[0]] = np.nan
    with pytest.raises(UsageError, match="1 of 54 have none"):
        Reference().estimate(pool, known)
