import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from damage import damaged, damaged_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from morse_molecule import frames, morse

from fidsel.exceptions import FidselError, UsageError
from fidsel.models import SGDML, PaiNN
from fidsel.models.files import content_digest, read_state, write_state
from fidsel.models.registry import load

SETTINGS = {"kind": "toy", "level": "ccsd(t)", "x": 0.1 + 0.2, "parts": {"0": {"a": [1, 2]}}}
TENSORS = {
    "a": torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)),
    "n": torch.arange(3),
}


def test_what_is_written_is_read_to_the_bit(tmp_path: Path) -> None:
    folder = write_state(tmp_path / "new" / "model", SETTINGS, TENSORS)
    settings, tensors = read_state(folder)
    assert settings == SETTINGS
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "model.safetensors"]


def test_views_and_shared_storage_can_be_saved(tmp_path: Path) -> None:
    base = torch.arange(6.0)
    write_state(tmp_path, SETTINGS, {"whole": base, "turned": base.view(2, 3).T})
    assert torch.equal(read_state(tmp_path)[1]["turned"], base.view(2, 3).T)


def test_saving_again_replaces(tmp_path: Path) -> None:
    write_state(tmp_path, SETTINGS, TENSORS)
    write_state(tmp_path, SETTINGS, {"a": TENSORS["a"] + 1})
    assert list(read_state(tmp_path)[1]) == ["a"]


def test_a_torn_write_is_noticed(tmp_path: Path) -> None:
    write_state(tmp_path / "old", SETTINGS, TENSORS)
    write_state(tmp_path / "new", SETTINGS, {"a": TENSORS["a"] + 1})
    (tmp_path / "new" / "model.safetensors").replace(tmp_path / "old" / "model.safetensors")
    with pytest.raises(UsageError, match="interrupted or partial"):
        read_state(tmp_path / "old")


@pytest.mark.parametrize("file", ["model.json", "model.safetensors"])
@pytest.mark.parametrize("damage", ["truncate", "empty", "delete"])
def test_damaged_files_are_refused(tmp_path: Path, file: str, damage: str) -> None:
    path = write_state(tmp_path, SETTINGS, TENSORS) / file
    content = path.read_bytes()
    path.unlink()
    if damage != "delete":
        path.write_bytes(content[: len(content) // 2] if damage == "truncate" else b"")
    with pytest.raises(UsageError, match=r"damaged|interrupted|cannot read"):
        read_state(tmp_path)


def test_a_folder_without_a_model_is_not_called_damaged(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"^a model is a folder with .*, cannot read .*nomodel/model\.json: No such"
    ):
        read_state(tmp_path / "nomodel")


@pytest.mark.parametrize("content", [[], {"format": "other"}, {"kind": "toy"}])
def test_a_foreign_json_file_is_refused(tmp_path: Path, content: object) -> None:
    (tmp_path / "model.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match="saved by fidsel"):
        read_state(tmp_path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = write_state(tmp_path, SETTINGS, TENSORS) / "model.json"
    path.write_text(path.read_text().replace('"version": 2', '"version": 99'))
    with pytest.raises(UsageError, match="must have format version 2, got 99"):
        read_state(tmp_path)


def test_nan_settings_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="without NaN"):
        write_state(tmp_path / "model", {"kind": "toy", "x": float("nan")}, TENSORS)
    assert not (tmp_path / "model").exists()


def test_an_unknown_kind_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    write_state(tmp_path, SETTINGS | {"kind": "sgmdl"}, TENSORS)
    with pytest.raises(UsageError, match="did you mean 'sgdml'"):
        load(tmp_path)


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    first = content_digest(write_state(tmp_path / "a", SETTINGS, TENSORS))
    same = content_digest(write_state(tmp_path / "b", SETTINGS, TENSORS))
    other = content_digest(write_state(tmp_path / "c", SETTINGS | {"x": 1.0}, TENSORS))
    changed = content_digest(write_state(tmp_path / "d", SETTINGS, {"a": TENSORS["a"] + 1}))
    assert first == same
    assert len({first, other, changed}) == 3


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A fitted kernel and a small network, as they are saved."""
    pool, folder = frames(12), tmp_path_factory.mktemp("models")
    dense = pool.dense()
    energy, forces = morse(dense.positions, 4.0, 1.5)
    labelled = pool.replace(energy=energy, forces=forces.reshape(-1, 3), level="toy")
    kernel, _ = SGDML(sigmas=(10.0,)).fit(labelled[:8], labelled[8:])
    network = PaiNN(features=4, layers=1, seed=1)
    return {model.kind: model.save(folder / model.kind) for model in (kernel, network)}


def copied(model: Path, folder: Path, description: Any) -> Path:
    """Copy a model with another description; the check of it is left as it is."""
    content = description if isinstance(description, bytes) else json.dumps(description).encode()
    (folder / "model.json").write_bytes(content)
    (folder / "model.safetensors").write_bytes((model / "model.safetensors").read_bytes())
    return folder


def test_a_network_without_features_is_none(models: dict[str, Path], tmp_path: Path) -> None:
    told, tensors = read_state(models["painn"])
    network = {**told["network"], "features": 0}
    write_state(tmp_path, {**told, "network": network}, tensors)
    with pytest.raises(UsageError, match="does not describe a model"):
        load(tmp_path)


@pytest.mark.parametrize("kind", ["sgdml", "painn"])
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_of_the_description_is_told(
    models: dict[str, Path], tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    whole = (models[kind] / "model.json").read_bytes()
    description = data.draw(damaged(json.loads(whole)) | damaged_bytes(whole))
    folder = copied(models[kind], tmp_path, description)
    told = json.loads(whole)["settings"]
    with suppress(FidselError):
        load(folder)
        # what was loaded all the same is what was saved: only words that no model is made of were changed
        assert json.loads((folder / "model.json").read_bytes())["settings"] == told


@pytest.mark.parametrize("kind", ["sgdml", "painn"])
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_settings_that_describe_no_model_are_told(
    models: dict[str, Path], tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    """As they would be in a file whose own check was made for them."""
    told, tensors = read_state(models[kind])
    changed = data.draw(damaged(told))
    with suppress(FidselError):
        write_state(tmp_path, changed, tensors)
        load(tmp_path)
