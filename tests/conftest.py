"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Folder with the reference data, or skip."""
    folder = Path(os.environ.get("FIDSEL_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no reference data in {folder}; set FIDSEL_DATA to the folder that holds it")
    return folder.resolve()
