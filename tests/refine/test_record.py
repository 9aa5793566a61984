import json

import numpy as np
import pytest
from architectures import network

from fidsel.models import BySystem
from fidsel.refine.adaptation import Adapted
from fidsel.refine.radius import Radius
from fidsel.refine.record import Compared, Refinement, Status, SystemRecord


def record(name: str, before: list[float], after: list[float]) -> SystemRecord:
    status: Status = "kept" if before == after else "refined"
    return SystemRecord(name, len(before), status, compared=Compared(np.array(before), np.array(after), 0.5))


def refinement() -> Refinement:
    records = (
        record("A", [1.0, 3.0], [0.5, 1.5]),
        record("B", [2.0, 2.0], [2.0, 2.0]),
        record("C", [1.0, 1.0], [0.5, 2.5]),
        SystemRecord("D", 1, "refused", ("why",)),
    )
    return Refinement(BySystem(network("painn"), {}), records, np.array([0.2, np.nan, 0.7, 0.1, 0.4, 0, 0]))


def test_the_summary_has_medians_over_systems_and_better_frames() -> None:
    assert refinement().summary == {
        "refined": 2, "kept": 1, "refused": 1, "error_ratio_median": 1.0,
        "error_ratio_quartiles": [0.75, 1.25], "better_frames": pytest.approx(3 / 6), "worse_systems": 1,
    }  # fmt: skip


def test_candidates_have_the_largest_prior_error_left() -> None:
    assert refinement().candidates(3) == [2, 4, 0]
    assert refinement().candidates(100) == [2, 4, 0, 3, 5, 6]


def test_all_is_json() -> None:
    radius = Radius(3.0, 4.0, (3.0, 4.0), (0.1, 0.2), "wasserstein")
    adapted = Adapted(2.0, 1.0, 50, ((0, 2.0), (50, 1.0)))
    whole = SystemRecord("A", 2, "refined", (), radius, adapted, (0.3, 0.1), None, {"prior": 1.0})
    told = json.loads(json.dumps(whole.to_dict()))
    assert told["radius"]["distances"] == [0.1, 0.2]
    assert told["adapted"]["step"] == 50
    assert told["prior_error"] == [0.3, 0.1]
    assert json.loads(json.dumps(refinement().to_dict()))["summary"]["refined"] == 2
    assert refinement().systems[0].to_dict()["errors"] == {
        "force_mae_before": 2.0, "force_mae_after": 1.0, "force_mae_of_prior": 0.5, "better_frames": 1.0,
    }  # fmt: skip


def test_what_is_not_known_is_null() -> None:
    none = np.zeros(2)
    perfect = SystemRecord("A", 2, "kept", compared=Compared(none, none))
    found = Refinement(BySystem(network("painn"), {}), (perfect,), np.full(2, np.nan))
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["summary"]["error_ratio_median"] is told["summary"]["error_ratio_quartiles"] is None
    assert told["systems"][0]["errors"]["force_mae_of_prior"] is None
