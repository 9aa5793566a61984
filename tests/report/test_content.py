from dataclasses import replace

import numpy as np
from selected import water_table

from fidsel.report import picked
from fidsel.selector import Picks, Pool


def test_picks_of_a_pool_carry_level_and_estimated_error() -> None:
    pool = Pool(
        np.zeros((3, 1)), np.arange(3), np.array([0.1, np.nan, 0.3]), np.zeros(3), np.ones((3, 2)),
        np.zeros(3, bool), levels=("dft", "cc"),
    )  # fmt: skip
    picks = Picks(np.array([2, 1]), np.array([1, 0]), np.array([2, 1]), ("worst", "next"))
    rows = picked(picks, pool, in_round=4)
    assert [(r.frame, r.cluster, r.level, r.round) for r in rows] == [("2", 2, "cc", 4), ("1", 1, "dft", 4)]
    assert rows[0].error == 0.3
    assert np.isnan(rows[1].error)
    assert [row.level for row in picked(picks, replace(pool, levels=()))] == ["", ""]


def test_shares_of_clusters_add_up() -> None:
    table = water_table()
    assert len(table) == 2
    assert [row.share for row in table.rows] == [0.2, 0.8]
