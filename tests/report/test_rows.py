import numpy as np
from selected import COUNT, water_report, water_table

from fidsel.report import Report
from fidsel.report.rows import cluster_rows
from fidsel.selector import cluster_errors


def test_the_worst_cluster_comes_first() -> None:
    worst, other = cluster_rows(water_report())
    assert (worst.cluster, other.cluster) == (1, 0)
    assert worst.rmse > other.rmse
    assert (worst.before, worst.overall) == (2 * worst.rmse, other.overall)
    assert (worst.size, worst.measured) == (COUNT // 5, COUNT // 5)
    assert worst.described is not None
    assert worst.described.cluster == 1


def test_errors_without_descriptions_and_the_other_way() -> None:
    errors = cluster_errors(np.array([3, 3, 5]), np.array([0.3, 0.1, 0.4]))
    rows = cluster_rows(Report("x", errors=errors))
    assert [(row.cluster, row.size, row.described) for row in rows] == [(5, 1, None), (3, 2, None)]
    assert [row.cluster for row in cluster_rows(Report("x", clusters=water_table()))] == [1, 0]


def test_clusters_of_unknown_error_come_last() -> None:
    errors = cluster_errors(np.array([1, 7]), np.array([0.2, np.nan]))
    rows = cluster_rows(Report("x", errors=errors, clusters=water_table()))
    assert [row.cluster for row in rows] == [1, 0, 7]
    assert np.isnan([row.rmse for row in rows[1:]]).all()
    assert [row.measured for row in rows] == [1, 0, 0]
    assert cluster_rows(Report("x")) == ()
