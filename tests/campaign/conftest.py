"""Campaigns that several tests look at."""

from pathlib import Path

import pytest
from tiny_campaign import run, write_campaign


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an undisturbed campaign on tables, bought control arm; look, do not change."""
    folder = write_campaign(tmp_path_factory.mktemp("finished"))
    run(folder, "campaign.control=bought")
    return folder
