"""Where dynamics start: frames of a file, or those that a campaign trained on."""

from pathlib import Path

import numpy as np

from fidsel.campaign.journal import Journal
from fidsel.campaign.records.best import best_round
from fidsel.campaign.records.folder import CampaignFolder
from fidsel.campaign.settings import Campaign
from fidsel.config.build import open_finished
from fidsel.config.load import FILE
from fidsel.data import Frames
from fidsel.data.label_file import LabelFile, Labels
from fidsel.exceptions import UsageError
from fidsel.fidelity.store.labels import LabelStore


def read_starts(starts: Labels) -> Frames:
    """Return frames of molecules: of a file, or those that the best round of a campaign trained on.

    Raises a `UsageError` where there are none, some are periodic or of no element, or not finite.
    """
    file = LabelFile.of(starts)
    if file.frames is None and Path(file.text).is_dir():
        frames = training_frames(Path(file.text))
    else:
        frames = file.read("start", labelled=False)
    if len(frames) == 0:
        raise UsageError(f"at least one frame is needed, {file.name} has none")
    finite = np.isfinite(frames.positions).all(axis=1)
    if not finite.all():
        i = int(frames.per_frame(np.logical_and, finite).argmin())
        raise UsageError(f"positions must be finite, those of frame {i} of {file.name} are not")
    if not frames.numbers.all():
        raise UsageError(f"atoms must be of an element, {file.name} has atoms X")
    if frames.pbc.any():
        raise UsageError(f"dynamics are for molecules, {file.name} has periodic frames: take ASE for them")
    return frames


def training_frames(folder: Path) -> Frames:
    """Return the accurate frames that a round of a campaign trained on, or its best round.

    Parameters
    ----------
    folder : of the campaign, or of one of its rounds.
    """
    found = round_of(folder)
    if found is None:
        raise UsageError(f"starts are a file of frames or the folder of a campaign or a round, got {folder}")
    campaign, index = found
    with LabelStore(campaign.folder.store) as store:
        ids = Journal(store).training_ids(index).accurate
        return store.labelled(campaign.accurate, store.label_ids(campaign.accurate, ids)).unlabelled()


def round_of(folder: Path) -> tuple[Campaign, int] | None:
    """Return the campaign that a folder is, or is in, and the round: this one, or the best one.

    None for any other folder; raises a `UsageError` where no round is finished.

    Parameters
    ----------
    folder : of the campaign, of one of its rounds, or of the model of a round.
    """
    folder = folder.resolve()
    home = next((one for one in (folder, *folder.parents[:3]) if (one / FILE).exists()), None)
    if home is None:
        return None
    kept = CampaignFolder(home)
    rounds = kept.read_rounds()
    best = best_round(rounds)
    if best is None:
        raise UsageError(f"no round of {home} is finished, so it has neither model nor training frames yet")
    places = {home: best.index}
    for one in rounds:
        place = kept.round(one.index).resolve()
        places |= {place: one.index, place / "model": one.index}
    return (open_finished(home, (), places[folder]), places[folder]) if folder in places else None
