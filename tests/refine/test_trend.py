"""Errors against shift: what is known by construction."""

import json

import numpy as np
import pytest
from spring_systems import shaken, training

from fidsel.models import NetworkForceField
from fidsel.refine import error_shift
from fidsel.refine.diagnostics import shift


def test_errors_that_grow_with_the_distance_are_told(family: NetworkForceField) -> None:
    frames = shaken("CH3OH", 12, 1) + shaken("CH3CH2OH", 12, 2)
    known = training("accurate", 10)
    far = shift(family, frames, known).per_frame["latent"]
    rows = np.arange(1, 24)  # the first was trained on
    found = error_shift(family, frames, 0.1 * far, rows, known, "eV/Å")
    trend = found.trends["latent"]
    assert trend.rank == pytest.approx(1.0)
    assert trend.edges[0] == pytest.approx(far[1:].min())
    assert trend.edges[-1] == pytest.approx(far[1:].max())
    nearest = np.sort(0.1 * far[1:])[:6]
    assert trend.rmse[0] == pytest.approx(np.sqrt((nearest**2).mean()))
    rmse = [value for value in trend.rmse if value is not None]
    assert sorted(rmse) == rmse
    told = json.loads(json.dumps(found.to_dict()))
    assert told["trends"]["latent"]["rank_correlation"] == pytest.approx(1.0)
    assert [system["frames"] for system in told["systems"]] == [11, 12]


def test_a_measure_that_all_frames_share_has_no_rank(family: NetworkForceField) -> None:
    frames = shaken("CH3OH", 8, 1)
    found = error_shift(family, frames, np.arange(8.0), np.arange(8), training("accurate", 5), "eV/Å")
    trend = found.trends["composition"]
    assert trend.rank is None
    assert trend.rmse == (pytest.approx(np.sqrt((np.arange(8.0) ** 2).mean())), None, None, None)


def test_frames_without_error_are_left_out(family: NetworkForceField) -> None:
    errors = np.array([1.0, np.nan, 2.0, np.nan])
    found = error_shift(family, shaken("CH3OH", 4, 1), errors, np.arange(4), training("accurate", 5), "eV/Å")
    assert found.trends == {}, "two errors are too few"


def test_force_norms_count_by_how_far_they_are(family: NetworkForceField) -> None:
    known, frames = training("accurate", 5), shaken("CH3OH", 6, 1)
    found = error_shift(family, frames, np.ones(6), np.arange(6), known, "eV/Å")
    mean = found.shift.systems[0].measures["force norm"].mean
    norms = np.linalg.norm(frames.forces, axis=1)
    np.testing.assert_allclose(found.distances["force norm"], np.abs(frames.mean_per_frame(norms) - mean))
