"""`fidsel sample`: make the pool of candidate configurations."""

from pathlib import Path

from fidsel.cli.output import AsJson, Folder, Overrides, document, note


def sample(folder: Folder = Path(), settings: Overrides = None, as_json: AsJson = False) -> None:
    """Sample the pool into the campaign's store; a pool that exists is kept."""
    from fidsel.campaign import sample_pool
    from fidsel.config.build import open_campaign

    frames = sample_pool(open_campaign(folder, settings or ()))
    if as_json:
        document({"frames": len(frames), "groups": sorted(set(frames.group.tolist()))})
    else:
        note(
            f"pool: {len(frames)} configurations of {', '.join(frames.composition())} in {folder / 'labels.db'}"
        )
