from pathlib import Path

import pytest
from program_outputs import job

from fidsel.data import read
from fidsel.exceptions import UsageError


def test_xtb_without_its_gradient_is_refused(tmp_path: Path) -> None:
    job(tmp_path, "xtb")
    (tmp_path / "gradient").unlink()
    with pytest.raises(UsageError, match="run xtb with --grad and keep the file 'gradient'"):
        read(tmp_path / "xtb.out")
