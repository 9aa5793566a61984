"""`fidsel sample`: make the pool of candidate configurations."""

from pathlib import Path

from fidsel.cli.options import BreakLock
from fidsel.cli.output import AsJson, Folder, Overrides, document, note
from fidsel.cli.progress import progress


def sample(
    folder: Folder = Path(),
    settings: Overrides = None,
    break_lock: BreakLock = False,
    as_json: AsJson = False,
) -> None:
    """Sample the pool into the campaign's store; a pool that exists is kept."""
    from fidsel.campaign import sample_pool
    from fidsel.campaign.molecules import Members
    from fidsel.config.build import open_campaign

    with progress() as report:
        report("pool", 0, 1)
        campaign = open_campaign(folder, settings or (), as_named=True)
        frames = sample_pool(campaign, break_lock)
        report("pool", 1, 1)
    if as_json:
        groups = sorted(set(frames.group.tolist()))
        document({"frames": len(frames), "groups": groups})
    else:
        members = Members.among(frames, campaign.molecules)
        each = [f"{name} {count}" for name, count in zip(members.names, members.counts(), strict=True)]
        kinds = ", ".join(each if len(members) > 1 else members.names)
        note(f"pool: {len(frames)} configurations of {kinds} in {folder / 'labels.db'}")
