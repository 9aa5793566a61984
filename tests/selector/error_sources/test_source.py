import numpy as np
import pytest
from error_pools import big_pool

from fidsel.arrays import FloatArray
from fidsel.config.selectors import SELECTOR_SECTIONS
from fidsel.exceptions import UsageError
from fidsel.selector import ERROR_SOURCES, ErrorSource, Evidence, Pool, error_source
from fidsel.selector.error_sources.source import NOTHING
from fidsel.testing.picker import check_error_source, example_pool


@pytest.mark.parametrize("name", sorted(ERROR_SOURCES))
def test_unusable_errors_are_refused(name: str) -> None:
    pool, source = example_pool(), error_source(name)
    told = Evidence(lambda: pool.errors, lambda: pool.errors, lambda: (pool.features, pool.features))
    with pytest.raises(UsageError, match=r"known must have shape \(60,\)"):
        source.estimate(pool, pool.errors[1:], told)
    with pytest.raises(UsageError, match="finite errors ≥ 0"):
        source.estimate(pool, -pool.errors, told)
    with pytest.raises(UsageError, match="finite errors ≥ 0"):
        source.estimate(pool, pool.errors * np.inf, told)


@pytest.mark.parametrize("name", sorted(ERROR_SOURCES))
def test_sources_that_learn_want_frames_and_all_can_draw_some(name: str) -> None:
    pool, source = big_pool(), error_source(name)
    assert source.name == name
    assert len(source.wants(pool, 10, np.random.default_rng(0))) == (10 if source.needs_probes else 0)
    drawn = source.draw(pool, 10, np.random.default_rng(0))
    assert len(set(drawn.tolist())) == 10
    assert not pool.labelled[drawn].any()


def test_unknown_source_is_told_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown error source 'cheep', did you mean 'cheap'"):
        error_source("cheep")


def test_model_is_asked_once_and_only_where_it_must_be() -> None:
    pool, asked = example_pool(), list[str]()

    def cheap() -> FloatArray:
        asked.append("cheap")
        return pool.errors

    def never() -> FloatArray:
        raise AssertionError("nobody needs the disagreement")

    evidence = Evidence(cheap, never)
    for _ in range(2):
        error_source("cheap").estimate(pool, pool.errors, evidence)
    assert asked == ["cheap"]


class Distance(ErrorSource):
    """A source of somebody's own: frames far from the mean are expected to be wrong."""

    name = "distance"

    def estimate(self, pool: Pool, known: FloatArray, evidence: Evidence = NOTHING) -> FloatArray:  # noqa: ARG002
        far = np.linalg.norm(pool.features - pool.features.mean(axis=0), axis=1)
        return np.where(np.isnan(known), far, known)


def test_source_of_ones_own_is_one_class_and_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ERROR_SOURCES, "distance", Distance)
    assert SELECTOR_SECTIONS["cluster-error"](error="distance").error == "distance"
    check_error_source(error_source("distance"), example_pool(), example_pool().errors)
