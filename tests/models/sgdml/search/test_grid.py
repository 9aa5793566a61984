import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fidsel.models.sgdml.search.grid import Grid


@settings(deadline=None, max_examples=30)
@given(best=st.floats(0.5, 500), refine=st.integers(0, 3), widen=st.integers(0, 3))
def test_the_search_finds_the_nearest_point_of_its_grid(best: float, refine: int, widen: int) -> None:
    called: list[float] = []

    def error(sigma: float) -> float:
        called.append(sigma)
        return abs(np.log(sigma / best))

    found = Grid([1, 4, 16, 64, 256], refine, widen).minimum(error)
    assert len(called) == len(set(called))
    assert found == min(called, key=lambda sigma: (abs(np.log(sigma / best)), sigma))
    if 4.0**-widen <= best <= 256 * 4.0**widen:
        assert abs(np.log(found / best)) <= np.log(4) / 2 ** (refine + 1) + 1e-9
    assert min(called) >= 4.0**-widen
    assert max(called) <= 256 * 4.0**widen


def test_the_lowest_of_several_minima_is_found_wherever_it_is() -> None:
    errors = {2.5: 1.40, 5.0: 1.44, 10.0: 1.47, 20.0: 1.48, 40.0: 1.5, 80.0: 1.3, 160.0: 1.19, 320.0: 1.25}
    assert Grid(list(errors)[:-1], refine=0, widen=4).minimum(errors.__getitem__) == 160.0


def test_a_grid_finds_the_lowest_of_several_minima() -> None:
    asked: list[float] = []

    def error(point: float) -> float:
        asked.append(point)
        return min(abs(point - 2.0) + 1.0, abs(point - 100.0))

    assert Grid([1, 2, 4, 50, 100, 200], refine=0).minimum(error) == 100.0
    assert asked == sorted(set(asked)), "each point once"


def test_a_grid_is_refined_and_widened_in_its_own_ratio() -> None:
    assert Grid([4, 16], refine=2).minimum(lambda point: abs(point - 8.0)) == 8.0
    assert Grid([8, 16], refine=0, widen=2).minimum(lambda point: point) == 2.0
    assert Grid([8], refine=0, widen=2).minimum(lambda point: point) == 8.0


def test_equal_errors_give_the_smallest_width() -> None:
    assert Grid([20, 5, 10], refine=0).minimum(dict.fromkeys((5.0, 10.0, 20.0), 0.0).__getitem__) == 5.0
