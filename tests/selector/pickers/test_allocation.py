import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.selector.pickers.allocation import in_proportion

GROUPS = st.lists(st.tuples(st.floats(0, 1e3), st.integers(0, 30)), min_size=1, max_size=12)


@given(groups=GROUPS, fraction=st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_sums_to_the_total_within_the_limits(groups: list[tuple[float, int]], fraction: float) -> None:
    shares, limits = np.array([g[0] for g in groups]), np.array([g[1] for g in groups])
    total = int(fraction * limits.sum())
    given_out = in_proportion(total, shares, limits)
    assert given_out.sum() == total
    assert ((given_out >= 0) & (given_out <= limits)).all()
    others = (shares > 0) & (given_out < limits)
    assert not (others.any() and given_out[shares == 0].any())


@given(shares=st.lists(st.floats(0.01, 10), min_size=1, max_size=8), total=st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_without_limits_each_is_within_one_of_its_quota(shares: list[float], total: int) -> None:
    weights = np.array(shares)
    given_out = in_proportion(total, weights, np.full(len(shares), 1000))
    assert (np.abs(given_out - total * weights / weights.sum()) < 1 + 1e-9).all()


def test_largest_remainder_by_hand() -> None:
    """Quotas 4.7, 2.9, 1.4: the two missing seats go to 0.9 and 0.7."""
    assert in_proportion(9, np.array([4.7, 2.9, 1.4]), np.full(3, 9)).tolist() == [5, 3, 1]
    assert in_proportion(1, np.array([1.0, 1.0]), np.full(2, 9)).tolist() == [1, 0]
