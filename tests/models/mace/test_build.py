import os
from pathlib import Path

import pytest
import torch
from mace_checkpoint import checkpoint

from fidsel.exceptions import MissingExtraError, UsageError
from fidsel.models.mace.build import UNSAFE, build, read_checkpoint


def test_without_mace_the_extra_is_named_and_the_process_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(UNSAFE, "0")
    monkeypatch.setitem(__import__("sys").modules, "e3nn", None)
    dtype = torch.get_default_dtype()
    with pytest.raises((MissingExtraError, ImportError)):
        build({}, 5.0)
    assert os.environ[UNSAFE] == "0"
    assert torch.get_default_dtype() == dtype


def test_a_checkpoint_is_built_again(tmp_path: Path) -> None:
    mace = pytest.importorskip("mace", reason="needs pip install 'fidsel[mace]'")
    found = read_checkpoint(checkpoint(mace, tmp_path / "a.model"), None)
    network = build(found.config, found.cutoff)
    network.load_state_dict(dict(found.tensors))
    assert sorted(found.energies) == [1, 6, 8, 29]
    assert found.cutoff == 4.0


def test_what_is_no_checkpoint_is_told(tmp_path: Path) -> None:
    pytest.importorskip("mace", reason="needs pip install 'fidsel[mace]'")
    (tmp_path / "a.model").write_bytes(b"no model")
    with pytest.raises(UsageError, match=r"a\.model must be a \*\.model file of MACE"):
        read_checkpoint(tmp_path / "a.model", None)
    torch.save({"state": 1}, tmp_path / "b.model")
    with pytest.raises(UsageError, match="must hold a ScaleShiftMACE, got dict"):
        read_checkpoint(tmp_path / "b.model", None)
