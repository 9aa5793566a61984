import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import write_campaign

from fidsel.campaign import iterate
from fidsel.config.build import open_campaign


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign whose only round is done; not to be written to."""
    folder = write_campaign(tmp_path_factory.mktemp("finished") / "campaign")
    for _ in iterate(open_campaign(folder)):
        pass
    return folder


@pytest.fixture
def copy_of_finished(finished: Path, tmp_path: Path) -> Callable[[], Path]:
    return lambda: Path(shutil.copytree(finished, tmp_path / "campaign"))
