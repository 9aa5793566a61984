"""`fidsel sample`: make the pool of candidate configurations."""

from pathlib import Path

from fidsel.cli.options import BreakLock
from fidsel.cli.output import AsJson, Folder, Overrides, document, note, progress


def sample(
    folder: Folder = Path(),
    settings: Overrides = None,
    break_lock: BreakLock = False,
    as_json: AsJson = False,
) -> None:
    """Sample the pool into the campaign's store; a pool that exists is kept."""
    from fidsel.campaign import ignored_pool_settings, sample_pool
    from fidsel.config.build import open_campaign

    with progress() as report:
        report("pool", 0, 1)
        campaign = open_campaign(folder, settings or ())
        frames = sample_pool(campaign, break_lock)
        ignored = ignored_pool_settings(campaign)
        report("pool", 1, 1)
    for name, (then, now) in ignored.items():
        note(
            f"warning: the pool exists with {len(frames)} configurations and is kept: {name} = {now} changes "
            f"nothing (sampled with {then}); for another pool begin a campaign in another folder"
        )
    if as_json:
        groups = sorted(set(frames.group.tolist()))
        document({"frames": len(frames), "groups": groups, "ignored": sorted(ignored)})
    else:
        kinds = ", ".join(frames.composition())
        note(f"pool: {len(frames)} configurations of {kinds} in {folder / 'labels.db'}")
