import numpy as np

from fidsel.data.checks.finding import Finding, about, few


def test_a_finding_about_some_frames_is_one_about_all() -> None:
    rows = np.array([7, 3, 9])
    assert Finding("error", "labels", "wrong", (0, 2)).within(rows).frames == (7, 9)
    assert Finding("note", "labels", "the whole set").within(rows).frames == ()


def test_few_rows_are_named_and_the_rest_counted() -> None:
    assert few([4]) == "4"
    assert few(range(5)) == "0, 1, 2, 3, 4"
    assert few(range(6)) == "0, 1, 2, 3, 4 and 1 more"
    assert few(range(6), shown=2) == "0, 1 and 4 more"


def test_a_finding_tells_how_many_frames_and_which() -> None:
    assert about("warning", "distances", np.zeros(3, dtype=bool), "near in {n} frames") == []
    (found,) = about("warning", "distances", np.array([False, True, True]), "near in {n} frames")
    assert found == Finding("warning", "distances", "near in 2 of 3 frames", (1, 2))
