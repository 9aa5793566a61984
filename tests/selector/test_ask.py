from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from fidsel.exceptions import UsageError
from fidsel.selector import PICKERS, CostAware, Picks, Pool
from fidsel.selector.ask import ask
from fidsel.testing.picker import example_pool, with_covariance

POOL = example_pool()
FREE, TAKEN = np.flatnonzero(~POOL.labelled), np.flatnonzero(POOL.labelled)
GOOD = Picks(FREE[:3], np.zeros(3, int), np.full(3, -1), ("a", "b", "c"))


@dataclass
class Own:
    """A user's picker, which returns what it is told to."""

    found: Any

    def pick(self, pool: Pool, n: int, rng: np.random.Generator) -> Any:  # noqa: ARG002
        return self.found


def asked(found: object, n: int = 3) -> Picks:
    return ask(Own(found), POOL, n, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (None, r"Picks\(indices, fidelity, cluster, reason\) .*, got NoneType 'None'"),
        ([1, 2, 3], "got list"),
        (FREE[:3], "got ndarray"),
        (replace(GOOD, indices=FREE[[0, 0, 1]]), rf"rows that come twice, got \[{FREE[0]}\]"),
        (replace(GOOD, indices=TAKEN[:3]), rf"rows that are labelled, got \[{TAKEN[0]}, "),
        (replace(GOOD, indices=-FREE[1:4]), "lie outside of the pool of 60, got"),
        (replace(GOOD, indices=FREE[:3] + 60), "lie outside of the pool of 60, got"),
        (replace(GOOD, indices=FREE[:3] * 1.0), r"numbers of shape \(k,\), got float"),
        (replace(GOOD, indices=FREE[:3] > 1), r"as indices an array of whole numbers .*, got bool"),
        (replace(GOOD, indices=FREE[:3, None]), r"of shape \(k,\), got int64 of shape \(3, 1\)"),
        (replace(GOOD, indices=[[1], [2, 3], 4]), "as indices an array of whole numbers"),
        (replace(GOOD, fidelity=np.full(3, 7)), r"fidelity columns of Pool.costs, 0 to 1, got \[7, 7, 7\]"),
        (replace(GOOD, fidelity=np.zeros(2, int)), r"as fidelity an array of whole numbers of shape \(3,\)"),
        (replace(GOOD, cluster=np.full(3, 9)), "as cluster that of the pool, or −1"),
        (replace(GOOD, reason=("a", "b")), "as reason 3 texts, one for each row"),
        (replace(GOOD, reason=("a", "b", "")), "as reason 3 texts, one for each row"),
    ],
)  # fmt: skip
def test_what_is_no_pick_is_refused_by_the_name_of_its_picker(found: object, message: str) -> None:
    with pytest.raises(UsageError, match=rf"^Own\.pick must .*{message}"):
        asked(found)


@pytest.mark.parametrize("n", [2, 4])
def test_as_many_as_were_asked_for_must_come(n: int) -> None:
    with pytest.raises(UsageError, match=f"Own.pick must return the {n} rows it was asked for, got 3"):
        asked(GOOD, n)


def test_lists_of_rows_are_taken_as_arrays() -> None:
    cluster = [-1, -1, int(POOL.clusters[FREE[2]])]
    lists: Any = Picks(FREE[:3].tolist(), [0, 1, 0], cluster, ["a", "b", "c"])  # type: ignore[arg-type]
    found = asked(lists)
    assert found.indices.dtype == found.fidelity.dtype == found.cluster.dtype == np.int64
    assert (found.indices.tolist(), found.reason) == (FREE[:3].tolist(), ("a", "b", "c"))
    assert len(asked(Picks([], [], [], ()), 0)) == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(PICKERS))
def test_what_fidsels_own_pickers_return_is_taken_as_it_is(name: str) -> None:
    pool, picker = with_covariance(POOL), PICKERS[name]()
    for n in (0, 5, len(FREE)):
        plain = picker.pick(pool, n, np.random.default_rng(1))
        found = ask(picker, pool, n, np.random.default_rng(1))
        for field in ("indices", "fidelity", "cluster"):
            np.testing.assert_array_equal(getattr(plain, field), getattr(found, field))
        assert (plain.reason, plain.notes) == (found.reason, found.notes)


def test_a_picker_inside_another_is_asked_alike() -> None:
    with pytest.raises(UsageError, match=r"Own\.pick must not return rows that are labelled"):
        CostAware(Own(replace(GOOD, indices=TAKEN[:3])), (1.0, 1.0), breadth=1).pick(POOL, 3, 0)
