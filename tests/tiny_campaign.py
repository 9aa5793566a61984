"""A campaign of seconds: a molecule of Morse bonds, labels from tables or computed, one kernel width."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
from morse_molecule import NUMBERS, frames, morse
from morse_source import LEVELS

from fidsel.campaign import Round, iterate
from fidsel.campaign.plans.prepare import ensure_pool
from fidsel.campaign.records.folder import CampaignFolder
from fidsel.campaign.settings import Campaign, silent
from fidsel.campaign.workspace import Workspace, open_workspace
from fidsel.config.build import open_campaign
from fidsel.fidelity import LabelStore, Ledger
from fidsel.fidelity.budget import counted

TESTS = Path(__file__).parent

CONFIG = """\
[campaign]
name = "tiny"
test = 10
validation = 5
rounds = 2
control = "off"

[pool]
source = "file"
path = "pool.npz"
units = "eV,Angstrom"

[[fidelity]]
name = "cheap"
{cheap}
price = {{ per = "label", value = 0.05 }}

[[fidelity]]
name = "accurate"
{accurate}
price = {{ per = "label", value = 1 }}

[model]
kind = "sgdml"
sigmas = [10.0]

[recipe]
kind = "cokriging"

[selector]
clusters = 4
energy_clusters = 2
fine_clusters = 20

[budget]
total = 22
unit = "label"

[engine]
workers = 1

[tracking]
enabled = false
"""
REAL = """\
[campaign]
name = "real"
test = 4
validation = 3
rounds = 2
control = "off"

[pool]
source = "normal-modes"
smiles = "C=O"
frames = 80
temperature = [500.0]

[[fidelity]]
name = "mmff94"
kind = "openmm"
price = { per = "label", value = 0.02 }

[[fidelity]]
name = "hf"
kind = "pyscf"
method = "hf"
basis = "sto-3g"
price = { per = "label", value = 1 }

[model]
kind = "sgdml"
sigmas = [10.0]

[recipe]
kind = "cokriging"

[budget]
total = 20
unit = "label"

[tracking]
enabled = false
"""
TABLE = 'kind = "table"\npath = "pool.npz"\nunits = "eV,Angstrom"\nenergy_key = "E_{0}"\nforces_key = "F_{0}"'
COMPUTED = 'kind = "morse_source:Morse"\noptions = {{ {1} }}\n'


def write_campaign(folder: Path, n: int = 120, cheap: str = "", accurate: str = "") -> Path:
    """Write fidsel.toml and the pool with its labels; `cheap` and `accurate` are options of `Morse`."""
    folder.mkdir(parents=True, exist_ok=True)
    pool = frames(n)
    dense = pool.positions.reshape(n, 4, 3)
    low, high = (morse(dense, *LEVELS[level]) for level in ("cheap", "accurate"))
    np.savez(
        folder / "pool.npz", z=NUMBERS, R=dense, E_cheap=low[0] - 3000.0, F_cheap=low[1],
        E_accurate=high[0] - 3000.0, F_accurate=high[1],
    )  # fmt: skip
    options = {"cheap": cheap, "accurate": accurate}
    levels = {
        name: (COMPUTED if text else TABLE).format(name, text and f'level = "{name}", {text}')
        for name, text in options.items()
    }
    (folder / "fidsel.toml").write_text(CONFIG.format(**levels))
    return folder


def run(folder: Path, *overrides: str) -> list[Round]:
    """Run a campaign in this process and return all its rounds."""
    finish(open_campaign(folder, overrides))
    return rounds(folder)


def finish(campaign: Campaign) -> None:
    """Run a campaign to its end."""
    for _ in iterate(campaign):
        pass


@contextmanager
def opened(folder: Path, *overrides: str) -> Iterator[Workspace]:
    """Hold a campaign open whose pool is sampled, and nothing else done."""
    with open_workspace(open_campaign(folder, overrides), silent) as ws:
        ensure_pool(ws.campaign, ws.journal)
        yield ws


def rounds(folder: Path) -> list[Round]:
    return list(CampaignFolder(folder).read_rounds())


def picks(folder: Path) -> list[list[tuple[str, str]]]:
    """Return frames and reasons of all picks, round by round."""
    return [[(pick.frame, pick.reason) for pick in record.picks] for record in rounds(folder)]


def labels(folder: Path) -> set[tuple[str, str]]:
    """Return the (frame, fidelity key) pairs that have a label."""
    with LabelStore(folder / "labels.db", read_only=True) as store:
        return set(store.query("SELECT frame_id, key FROM labels"))


def check_consistent(folder: Path) -> None:
    """Check that nothing is labelled twice, the ledger adds up, and nothing is left open or half-made."""
    with LabelStore(folder / "labels.db", read_only=True) as store:
        assert store.query("PRAGMA quick_check") == [("ok",)]
        assert store.query("SELECT * FROM attempts WHERE status = 'open'") == []
        done = "SELECT frame_id, key, count(*) AS n FROM attempts WHERE status = 'done' GROUP BY 1, 2"
        assert store.query(f"SELECT * FROM ({done}) WHERE n > 1") == []
        paid = """SELECT a.frame_id, a.key, count(*) AS n FROM ledger l JOIN attempts a ON a.id = l.attempt
            WHERE l.kind = 'label' GROUP BY 1, 2"""
        assert store.query(f"SELECT * FROM ({paid}) WHERE n > 1") == []
        lines = Ledger(store).lines()
        assert Ledger(store).spent() == pytest.approx(sum(x.amount for x in lines if counted(x.account)))
    assert not list((folder / "rounds").glob(".*"))
    assert not (folder / "labels.db.lock").exists()


def command(folder: Path, *overrides: str) -> list[str]:
    return [sys.executable, "-m", "fidsel", "iterate", "-C", str(folder), *overrides]


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    return os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def start(folder: Path, *overrides: str) -> subprocess.Popen[str]:
    """Start `fidsel iterate` as a process group of its own."""
    return subprocess.Popen(
        command(folder, *overrides), env=environment(), text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def outcome(folder: Path, *overrides: str) -> tuple[int, str]:
    """Run `fidsel iterate` and return its exit status and what it wrote to stderr."""
    child = start(folder, *overrides)
    _, text = child.communicate()
    return child.returncode, text


def all_gone(session: int) -> bool:
    """Return whether every process of a session ends within ten seconds."""
    end = monotonic() + 10
    while processes_of(session) and monotonic() < end:
        sleep(0.02)
    return not processes_of(session)


def processes_of(session: int) -> list[int]:
    """Return the processes that live in a session."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(entry.name))
    return found
