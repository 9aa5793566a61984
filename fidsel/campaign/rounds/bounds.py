"""Bounds of a model's errors in each cluster, from labels that it has not learnt from."""

import numpy as np

from fidsel.arrays import FloatArray, IntArray
from fidsel.campaign.records.folder import CampaignFolder
from fidsel.campaign.records.round import HeldOut
from fidsel.campaign.rounds.held_out import HeldOutErrors
from fidsel.campaign.rounds.measure import Regions
from fidsel.campaign.settings import Campaign
from fidsel.campaign.workspace import Workspace
from fidsel.exceptions import UsageError
from fidsel.fidelity.store.labels import LabelStore
from fidsel.md.dynamics.stops import ClusterBounds
from fidsel.models import ForceField
from fidsel.selector.conformal import calibrate, least_frames
from fidsel.training.evaluate import frame_errors


def bounds_before(ws: Workspace, model: ForceField, index: int) -> ClusterBounds:
    """Return the bounds of the model of the round before `index`.

    They are learnt from the validation labels and the probes that were drawn before it was trained; test
    labels decide nothing in a campaign.

    Parameters
    ----------
    model : of that round.
    """
    accurate, held = ws.campaign.accurate, ws.journal.require(HeldOut)
    labelled = ws.labelled(accurate, (*held.validation, *ws.journal.probes(index - 1)))
    regions = Regions.kept(ws.campaign, ws.pool)
    clusters = regions.of(labelled.unlabelled()).clusters
    return _bounds(ws.campaign, regions, frame_errors(model, labelled), clusters)


def round_bounds(campaign: Campaign, index: int) -> ClusterBounds:
    """Return the bounds of the model of a finished round, from the errors it was reported with.

    Raises a `UsageError` where these are of energies, or too few, and a `FidselError` where its files are
    damaged.
    """
    folder: CampaignFolder = campaign.folder
    tested = HeldOutErrors.load(folder.round(index))
    with LabelStore(folder.store) as store:
        regions = Regions.kept(campaign, store.frames())
    return _bounds(campaign, regions, tested.errors, tested.clusters)


def _bounds(campaign: Campaign, regions: Regions, errors: FloatArray, clusters: IntArray) -> ClusterBounds:
    """Return conformal bounds; clusters with fewer frames than one takes share it, see `calibrate`."""
    if not campaign.accurate.forces:
        raise UsageError(
            f"errors of {campaign.accurate.name} are of energies, as it has no forces: dynamics cannot be "
            "stopped by them, limit the distance outside of training"
        )
    coverage = campaign.rules.coverage or campaign.rules.stopping.coverage
    ones, every = np.ones(len(errors)), np.ones(len(errors), dtype=bool)
    found = calibrate(
        ones,
        errors,
        clusters,
        every,
        coverage=coverage,
        minimum=least_frames(coverage),
        merges=regions.clusters.merges,
    )
    names = np.arange(len(regions.clusters))
    return ClusterBounds(found.bound(np.ones(len(names)), names), lambda frames: regions.of(frames).clusters)
