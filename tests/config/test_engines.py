"""`[engine]` of one machine and of a cluster."""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from fidsel.config.engines import Engine
from fidsel.fidelity.engine.cluster.remote import RemoteEngine
from fidsel.fidelity.engine.local import LocalEngine, available_cores

SLURM = {"kind": "parsl", "provider": "slurm", "cores_per_node": 16}


def built(section: dict[str, Any]) -> Any:  # Any: a class that makes engines
    return TypeAdapter(Engine).validate_python(section).build(Path())


def test_without_a_kind_it_is_this_machine() -> None:
    for section in ({}, {"workers": available_cores()}, {"kind": "local"}):
        with built(section).engine(1, Path(), None) as engine:
            assert isinstance(engine, LocalEngine)
            assert engine.workers == available_cores()


def test_workers_of_a_cluster_are_those_of_all_blocks(tmp_path: Path) -> None:
    pytest.importorskip("parsl")
    site = built({**SLURM, "nodes": 2, "blocks": 3, "memory_per_node": 64})
    with site.engine(4, tmp_path, None) as engine:
        assert isinstance(engine, RemoteEngine)
        assert engine.workers == 3 * 2 * 16 // 4
    assert site.memory(4) == 16e9
    assert built({**SLURM, "accelerators_per_node": 2}).workers_on_node(4) == 2
    assert list(tmp_path.iterdir()) == []


def test_trainings_have_cores_nodes_or_gpus_to_themselves(tmp_path: Path) -> None:
    pytest.importorskip("parsl")
    cores = available_cores()
    for section, trainings, workers, threads in (
        ({"workers": 1}, 1, 1, cores),
        ({"workers": 1}, cores, cores, 1),
        ({**SLURM, "blocks": 5, "workers_per_node": 8}, 3, 3, 16),
        ({**SLURM, "blocks": 5, "accelerators_per_node": 4}, 4, 4, 4),
        ({**SLURM, "blocks": 2}, 4, 2, 16),
    ):
        engine, each = built({**section, "trainings": trainings}).training_engine(trainings, tmp_path)
        with engine:
            assert (engine.workers, each) == (workers, threads)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"kind": "parsl", "provider": "slurm"}, "cores_per_node must be given with provider = 'slurm'"),
        ({**SLURM, "walltime": "1 h"}, "walltime must be written 'HH:MM:SS'"),
        ({**SLURM, "walltime": "00:01:00"}, "walltime must be more than 120 s"),
        ({**SLURM, "min_blocks": 2}, "min_blocks must be at most blocks = 1, got 2"),
        ({**SLURM, "provider": "slum"}, "provider"),
        ({"workers": 2, "provider": "slurm"}, "unknown key 'provider'"),
        ({"kind": "parcl"}, "'local', 'parsl'"),
    ],
)
def test_what_cannot_be_is_said(section: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        built(section)


def test_the_pages_templates_are_valid() -> None:
    page = (Path(__file__).parents[2] / "docs" / "clusters.md").read_text()
    found = [tomllib.loads(text)["engine"] for text in re.findall(r"```toml\n(.*?)```", page, re.DOTALL)]
    site, other, local = map(built, found)
    assert (site.provider, other.provider) == ("slurm", "pbspro")
    assert local.trainings == 4


def test_the_extra_is_named_where_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "parsl", None)
    with pytest.raises(Exception, match=r'^engine.kind = "parsl" needs .* pip install "fidsel\[parsl\]"$'):
        built(SLURM).engine(1, tmp_path)
