"""Clusters are made once and kept."""

from pathlib import Path

import numpy as np
from tiny_campaign import rounds

from fidsel.campaign.rounds.measure import Regions
from fidsel.campaign.settings import Rules
from fidsel.data import read
from fidsel.models import load
from fidsel.training.evaluate import frame_errors

RULES = Rules(clusters=4, energy_clusters=2)


def made_once(finished: Path) -> Regions:
    """Return the clusters of a finished campaign."""
    folder = finished / "rounds" / "0000"
    return Regions.load(folder, RULES, load(folder / "model"), read(folder / "train.extxyz"))


def test_cluster_errors_come_from_the_clusters_of_round_0(finished: Path) -> None:
    regions = made_once(finished)
    known = set(range(len(regions.clusters)))
    for record in rounds(finished):
        assert set(record.cluster_errors["cluster"]) <= known
        assert sum(record.cluster_errors["population"]) == 10, "the test frames"
        assert {pick.cluster for pick in record.picks} <= known | {-1}


def test_new_candidates_join_clusters(finished: Path) -> None:
    regions = made_once(finished)
    frames = read(finished / "rounds" / "0002" / "train.extxyz")
    n = len(regions.energies)
    many = frames[np.resize(np.arange(len(frames)), n + 3)]
    view = regions.of_candidates(many)
    assert (view.clusters[:n] == regions.clusters.labels).all(), "the fitted ones stay where they are"
    assert (view.clusters[n:] == regions.of(many[n:]).clusters).all()


def test_frame_errors_in_either_unit(finished: Path) -> None:
    folder = finished / "rounds" / "0002"
    model, frames = load(folder / "model"), read(folder / "validation.extxyz")
    found = model.predict(frames)
    energies = frame_errors(model, frames.replace(forces=None))
    assert np.allclose(energies, abs(found.energy - frames.energy))
    square = ((found.forces - frames.forces) ** 2).reshape(len(frames), -1).mean(axis=1)
    assert np.allclose(frame_errors(model, frames), np.sqrt(square))
