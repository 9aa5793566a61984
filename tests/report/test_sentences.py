"""Sentences of a report: exact, and none where there is nothing to say."""

import numpy as np
import pytest
from selected import stretched_water, water_report, water_table

from fidsel.data import Frames
from fidsel.report import Picked, Report, as_text, describe_clusters, findings
from fidsel.report.sentences import number, percent
from fidsel.selector import ClusterErrors, cluster_errors


def words(report: Report, unit: str = "meV/Å") -> list[str]:
    return [as_text(sentence, unit) for sentence in findings(report)]


def test_the_worst_cluster_in_words() -> None:
    worst, changes, picks = words(water_report())
    assert worst.startswith(
        "Cluster 1 holds 20 % of the frames and is the worst: its error is 101 meV/Å, 2.1 × the overall "
        "error of 48.6 meV/Å. What marks it: O0–H2 is 1.46 ± 0.02 Å against 0.96 ± 0.02 Å elsewhere; "
    )
    assert "In energy it is high: its median, 1.04 eV above the lowest frame, exceeds 100 %" in worst
    assert "rests on" not in worst, "20 frames are enough"
    assert changes == (
        "Between round 0 and round 3 the error over all frames fell from 97.2 meV/Å to 48.6 meV/Å (0.50 ×); "
        "that of the worst cluster fell from 201 meV/Å to 101 meV/Å (0.50 ×)."
    )
    assert picks == "12 frames were picked from cluster 1."


def test_numbers_in_words_are_those_of_the_report() -> None:
    report = water_report()
    assert report.errors is not None
    worst = words(report, "kcal/mol/Å")[0]
    kcal = 1 / 0.0433641
    assert f"its error is {report.errors.worst * kcal:.2f} kcal/mol/Å" in worst
    assert f"{report.errors.worst / report.errors.overall:.1f} × the overall" in worst


def test_few_measured_frames_are_said_and_the_next_is_named() -> None:
    frames, clusters, errors = stretched_water()
    errors[(clusters == 1) & (np.arange(100) > 10)] = np.nan
    report = Report("x", clusters=describe_clusters(frames, clusters, errors))
    assert words(report)[0].endswith(
        "The error of cluster 1 rests on 3 frames only; of clusters with at least 20 the worst is 0, "
        "20.5 meV/Å."
    )


def test_a_cluster_that_no_distance_marks() -> None:
    rng = np.random.default_rng(0)
    x = np.array([[[0, 0, 0], [1, 0, 0]]]) + np.zeros((40, 2, 3))
    x[:, 1, 0] += 0.1 * rng.standard_normal(40)
    same = describe_clusters(Frames.stack([1, 1], x), np.arange(40) % 2, 0.1 + 0.1 * (np.arange(40) % 2))
    told = words(Report("x", clusters=same))[0]
    assert "No distance sets it apart; the one that differs most: H0–H1 is " in told


@pytest.mark.parametrize(
    ("shift", "where"), [(1.0, "high"), (-1.0, "low"), (0.0, "neither high nor low")]
)  # fmt: skip
def test_energies_in_words(shift: float, where: str) -> None:
    frames, clusters, errors = stretched_water()
    energies = np.linspace(0, 1, 100)[np.argsort(np.arange(100) * 37 % 100)] + shift * clusters
    told = words(Report("x", clusters=describe_clusters(frames, clusters, errors, energies)))[0]
    assert f"In energy it is {where}: " in told


def test_little_to_say() -> None:
    assert words(Report("nothing")) == []
    table = water_table()
    alone = cluster_errors(np.array([3]), np.array([0.05]))
    assert words(Report("x", errors=alone)) == ["There is one cluster, 3; its error is 50.0 meV/Å."]
    frames, clusters, errors = stretched_water()
    unknown = describe_clusters(frames, clusters, errors * np.nan)
    assert words(Report("x", clusters=unknown)) == ["The error of no cluster is known."]
    assert len(words(Report("x", clusters=table))) == 1
    random = Report("x", picks=(Picked("3", -1, "at random"),))
    assert words(random) == ["1 frame was picked."]


@pytest.mark.parametrize(
    ("clusters", "drawn", "told"),
    [
        (range(9), 6, "9 frames were picked from 9 clusters (6 more at random)."),
        ([1, 1, 2, 3], 0, "4 frames were picked from 3 clusters; cluster 1 gave the most, 2."),
        ([1, 1, 1, 2, 3], 1, "5 frames were picked from 3 clusters (1 more at random); most of them, 3, from "
         "cluster 1."),
        ([4, 2, 2, 4, 7], 0, "5 frames were picked from 3 clusters; clusters 2, 4 gave the most, 2 each."),
        ([5, 5, -1], 0, "3 frames were picked, 2 of them from cluster 5."),
        ([-1, -1], 3, "2 frames were picked (3 more at random)."),
        ([], 2, "2 frames were drawn at random."),
    ],
)  # fmt: skip
def test_where_picks_are_from(clusters: list[int], drawn: int, told: str) -> None:
    chosen = [Picked(str(i), cluster, "") for i, cluster in enumerate(clusters)]
    random = [Picked(str(100 + i), -1, "", at_random=True) for i in range(drawn)]
    assert words(Report("x", picks=(*random, *chosen))) == [told]


def test_errors_without_descriptions() -> None:
    errors = ClusterErrors((0, 1), (0.0, 0.0), (30, 30), (30, 30), 0.0)
    assert words(Report("x", errors=errors, before=errors)) == [
        "Cluster 0 is the worst: its error is 0 meV/Å.",
        "Between before and after the error over all frames stayed at 0 meV/Å; "
        "that of the worst cluster stayed at 0 meV/Å.",
    ]


def test_energies_as_errors_have_units_of_energy() -> None:
    assert words(water_report(unit="eV", quantity="energy MAE"), "meV")[0].count(" meV") == 2
    assert " meV/Å" not in words(water_report(unit="eV"), "meV")[0]


@pytest.mark.parametrize("value", [1234567.0, 999.6, 54.0, 1.0, 0.0999, 1e-4, 3e-9, 0.0, -2.5])
def test_numbers_keep_three_digits(value: float) -> None:
    assert float(number(value)) == pytest.approx(value, rel=5e-3, abs=0)


def test_shares_are_never_rounded_to_none_or_all() -> None:
    assert [percent(s) for s in (0.0, 1e-9, 0.001, 0.5, 0.9999999, 1.0)] == [
        "0 %", "< 0.1 %", "0.1 %", "50 %", "> 99.9 %", "100 %",
    ]  # fmt: skip
