"""Whatever a person gets wrong ends in one paragraph and an exit code, and no label is lost."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from command_line import fidsel, write_campaign
from morse_molecule import frames

from fidsel.data import write
from fidsel.fidelity.store.lock import CampaignLock

TABLE = 'kind = "table", path = "pool.npz", energy_key = "E_accurate", forces_key = "F_accurate"'
PRICE = 'price = {per = "label", value = 1}'
MD = 'pool={source = "md", frames = 60, smiles = "%s"}'
MMFF = 'fidelity.0={name = "cheap", kind = "openmm", price = {per = "label", value = 0.1}}'


def pyscf(settings: str) -> str:
    return f'fidelity.1={{name = "accurate", kind = "pyscf", {PRICE}, {settings}}}'


@dataclass(frozen=True)
class Case:
    """One mistake: what is changed in a campaign, what is typed, what comes of it."""

    name: str
    arguments: str | tuple[str, ...]
    """Of `fidsel`, "CAMPAIGN" standing for the folder; text is an override of `iterate`."""
    message: str
    code: int = 2
    prepare: Callable[[Path], object] | None = None
    fresh: bool = False
    """Whether the campaign has yet to begin; else it is one that has labels."""
    skip: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        if isinstance(self.arguments, str):
            return (*RUN, *filter(None, [self.arguments]))
        return self.arguments


def change(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def change_pool(**arrays: object) -> Callable[[Path], object]:
    def edit(folder: Path) -> None:
        kept = dict(np.load(folder / "pool.npz")) | arrays
        np.savez(folder / "pool.npz", **{key: value for key, value in kept.items() if value is not None})

    return edit


def lose_a_position(folder: Path) -> None:
    positions = np.load(folder / "pool.npz")["R"]
    positions[3, 2, 1] = np.nan
    change_pool(R=positions)(folder)


def cut(folder: Path) -> None:
    content = (folder / "pool.npz").read_bytes()
    (folder / "pool.npz").write_bytes(content[: len(content) // 2])


def charged_pool(folder: Path) -> None:
    write(folder / "pool.extxyz", frames(80).unlabelled().replace(charge=1))


def periodic_pool(folder: Path) -> None:
    crystal = frames(80).replace(level="", pbc=True, cell=np.tile(8 * np.eye(3), (80, 1, 1)))
    write(folder / "pool.extxyz", crystal)


def no_such_element(folder: Path) -> None:
    text = "1\nProperties=species:S:1:pos:R:3\nXq 0 0 0\n"
    (folder / "pool.extxyz").write_text(text)


def read_only(folder: Path) -> None:
    folder.chmod(0o555)


def damaged_store(folder: Path) -> None:
    (folder / "labels.db").write_bytes(b"no database at all" * 100)


RUN = ("iterate", "-C", "CAMPAIGN")
OTHER_POOL = 'pool={source = "file", path = "pool.extxyz"}'
ALONE = (
    'fidelity=[{name = "accurate", kind = "table", path = "pool.extxyz", price = {per = "label", value = 1}}]'
)
STANDARD = 'recipe={kind = "standard"}'
CHEAP = 'price = {per = "label", value = 0.1}'
HF = f'fidelity.0={{name = "cheap", kind = "pyscf", method = "hf", basis = "3-21g", {CHEAP}}}'

CASES = [
    Case("unknown key", "budget.totl=3", "unknown key 'totl': did you mean 'total'"),
    Case("unknown section", "campain.name=x", "unknown key 'campain': did you mean 'campaign'"),
    Case(
        "unknown fidelity kind",
        "fidelity.1.kind=tabel",
        "unknown fidelity.1.kind 'tabel', did you mean 'table'",
    ),
    Case(
        "unknown picker",
        "selector.kind=cluster-eror",
        "unknown selector.kind .* did you mean 'cluster-error'",
    ),
    Case("unknown recipe", "recipe.kind=cokrigging", "unknown recipe.kind .* did you mean 'cokriging'"),
    Case("unknown model", "model.kind=pain", "unknown model.kind .* did you mean 'painn'"),
    Case("unknown strategy", "selector.strategy=worts", "unknown selector.strategy .* did you mean 'worst'"),
    Case("kind left out", "model={}", "model.kind is required, one of"),
    Case("text for a number", "campaign.test=many", "campaign.test must be a valid integer.*got 'many'"),
    Case("negative number", "campaign.test=-1", "campaign.test must be greater than or equal to 0, got -1"),
    Case("zero budget", "budget.total=0", "budget.total must be greater than 0, got 0"),
    Case("negative budget", "budget.total=-3", "budget.total must be greater than 0, got -3"),
    Case("NaN budget", "budget.total=nan", "budget.total must be a finite number"),
    Case("infinite limit", "fidelity.0.time_limit=inf", "fidelity.0.time_limit must be a finite number"),
    Case("negative price", "fidelity.0.price.value=-1", "price.value must be greater than or equal to 0"),
    Case("section is a number", "budget=3", "budget must be a section, got 3"),
    Case("no fidelity", "fidelity=[]", "fidelity must have at least 1 entry"),
    Case("unknown method", pyscf('method = "ccsdt", basis = "sto-3g"'), "unknown fidelity.1.method 'ccsdt'"),
    Case(
        "unknown functional",
        pyscf('method = "dft", xc = "b3lpy", basis = "sto-3g"'),
        "'accurate': unknown density functional 'b3lpy', did you mean",
    ),
    Case(
        "functional left out",
        pyscf('method = "dft", basis = "sto-3g"'),
        "'accurate': xc goes with method = 'dft'",
    ),
    Case("unknown basis", pyscf('method = "hf", basis = "6-32G"'), "'accurate': unknown basis set '6-32G'"),
    Case(
        "forces it has not",
        pyscf('method = "ccsd(t)", basis = "sto-3g", density_fit = true'),
        "gives no forces",
    ),
    Case(
        "missing extra",
        pyscf('method = "dft", xc = "pbe", basis = "sto-3g", dispersion = "d3bj"'),
        r"pip install 'fidsel\[d3\]'",
        skip=find_spec("pyscf.dispersion") is not None,
    ),
    Case(
        "unknown calculator",
        f'fidelity.1={{name = "accurate", kind = "calculator", calculator = "ocra", {PRICE}}}',
        "unknown ASE calculator 'ocra', did you mean 'orca'",
    ),
    Case(
        "no model there",
        f'fidelity.1={{name = "accurate", kind = "model", path = "rounds", {PRICE}}}',
        "a model is a folder with model.json",
    ),
    Case(
        "own class missing",
        f'fidelity.1={{name = "accurate", kind = "nowhere.at:All", {PRICE}}}',
        "'nowhere.at:All' cannot be imported",
    ),
    Case(
        "same name twice",
        "fidelity.0.name=accurate",
        "fidelity names must differ, got accurate more than once",
    ),
    Case("networks only", "recipe={kind = 'asteroid'}", "recipe 'asteroid' trains networks"),
    Case(
        "nothing cheap",
        f'fidelity=[{{name = "accurate", {TABLE}, {PRICE}}}]',
        "recipe 'cokriging' needs cheap labels",
    ),
    Case("price left out", f'fidelity.1={{name = "accurate", {TABLE}}}', "'accurate' needs `price`"),
    Case("reads all labels", "selector.error=reference", "take 'cheap' or 'probe'"),
    Case(
        "override without value",
        "budget.total",
        "an override is written section.key=value, got 'budget.total'",
    ),
    Case("override beyond a list", "fidelity.7.name=a", "must name an entry from 0 to 1 of a list, got '7'"),
    Case("override into a value", "budget.total.unit=a", "asks for a key inside 'total'"),
    Case("not TOML", "", "is not valid TOML", prepare=change("fidsel.toml", "[pool\n")),
    Case(
        "not text",
        "",
        "is not valid TOML",
        prepare=lambda folder: (folder / "fidsel.toml").write_bytes(b"\xff\xfe"),
    ),
    Case("no campaign", ("status", "-C", "CAMPAIGN/elsewhere"), "does not exist; `fidsel init` writes one"),
    Case("store damaged", "", "labels.db", 1, prepare=damaged_store, fresh=True),
    Case(
        "store is a folder",
        "",
        "labels.db",
        1,
        prepare=lambda folder: (folder / "labels.db").mkdir(),
        fresh=True,
    ),
    Case("read-only folder", "", "permissions", 1, prepare=read_only, fresh=True, skip=os.geteuid() == 0),
    Case("SMILES not valid", MD % "C1CC", "'C1CC' is not a valid SMILES"),
    Case("no MMFF94 type", (*RUN, MD % "CB(C)C", MMFF), "MMFF94"),
    Case(
        "pool missing", "pool.path=pol.npz", "there is no file .*pol.npz; did you mean pool.npz", fresh=True
    ),
    Case("pool not a format", "pool.path=fidsel.toml", "unknown file format", fresh=True),
    Case("pool cut off", "", "pool.npz", prepare=cut, fresh=True),
    Case("pool empty", "", "pool.npz is empty", prepare=change("pool.npz", ""), fresh=True),
    Case(
        "pool without units",
        "",
        "pool.npz does not say its units; give them: --units kcal/mol,Angstrom",
        prepare=change_pool(e_unit=None, r_unit=None),
        fresh=True,
    ),
    Case("units not written so", "pool.units=eV", "units must be written energy,length", fresh=True),
    Case(
        "unknown unit", "pool.units='kcal,Angstrom'", "unknown energy unit 'kcal', did you mean", fresh=True
    ),
    Case("position not a number", "", "positions", prepare=lose_a_position, fresh=True),
    Case("unknown element", (*RUN, OTHER_POOL), "Xq", prepare=no_such_element, fresh=True),
    Case(
        "forces not in the table",
        "fidelity.1.forces_key=F_none",
        "no frame of .* has a label under 'F_none'",
        fresh=True,
    ),
    Case("held out too much", "campaign.test=500", "the pool must hold at least", fresh=True),
    Case("budget too small", "budget.total=5", "budget of 5 labels cannot pay for this", fresh=True),
    Case("cheap is dear", "fidelity.0.price.value=5", "levels are written cheapest first"),
    Case(
        "charge that cannot be",
        (*RUN, OTHER_POOL, pyscf('method = "hf", basis = "sto-3g"'), STANDARD, HF),
        "CH2O with charge 1 has 15 electrons",
        1,
        prepare=charged_pool,
        fresh=True,
    ),
    Case(
        "crystal for a molecular model",
        (*RUN, OTHER_POOL, ALONE, STANDARD),
        "periodic",
        prepare=periodic_pool,
        fresh=True,
    ),
    Case("check: no file", ("check", "CAMPAIGN/none.npz"), "there is no file"),
    Case(
        "check: no such key",
        ("check", "CAMPAIGN/pool.npz", "--energy-key", "E"),
        "no frame of .* has a label under 'E'",
    ),
    Case(
        "train: unknown model",
        ("train", "CAMPAIGN/pool.npz:E_accurate:F_accurate", "--model", "painnn"),
        "unknown model.kind 'painnn', did you mean 'painn'",
    ),
    Case(
        "train: no labels",
        ("train", "CAMPAIGN/pool.npz"),
        "has no labels; name them as .*keys in the file: .*F_accurate",
    ),
    Case(
        "train: not so written",
        ("train", "CAMPAIGN/pool.npz:a:b:c"),
        "labels are written FILE or FILE:ENERGY_KEY:FORCES_KEY",
    ),
    Case(
        "train: nowhere to write",
        ("train", "CAMPAIGN/pool.npz:E_accurate:F_accurate", "--out", "CAMPAIGN/pool.npz/model"),
        "pool.npz",
        1,
    ),
    Case("init: exists", ("init", "CAMPAIGN", "--smiles", "CO"), "exists already and is kept"),
    Case(
        "init: no molecule",
        ("init", "CAMPAIGN/new"),
        "exactly one of --smiles, --molecules, --structure and --pool, got 0",
    ),
    Case("init: two molecules", ("init", "CAMPAIGN/new", "--smiles", "CO", "--pool", "pool.npz"), "got 2"),
    Case("init: SMILES not valid", ("init", "CAMPAIGN/new", "--smiles", "C((O"), "is not a valid SMILES"),
    Case(
        "init: no structure",
        ("init", "CAMPAIGN/new", "--structure", "none.xyz"),
        "there is no file .*none.xyz",
    ),
    Case(
        "init: unknown unit",
        ("init", "CAMPAIGN/new", "--smiles", "CO", "--budget", "2core-hours"),
        "unknown budget unit 'core-hours', did you mean",
    ),
    Case("plan: no price", ("plan", "--budget", "250", "--price", "dft"), "a price is written NAME=COST"),
    Case("plan: no name", ("plan", "--budget", "250", "--price", "=2"), "each with a name of its own"),
    Case("plan: no budget", ("plan", "--price", "dft=1"), "say what may be spent: --budget"),
    Case("plan: too small", ("plan", "--budget", "5", "--price", "dft=1"), "does not pay for"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_mistake_ends_in_one_paragraph(
    case: Case, finished: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if case.skip:
        pytest.skip("cannot be shown on this machine")
    folder = tmp_path / "campaign"
    write_campaign(folder) if case.fresh else shutil.copytree(finished, folder)
    if case.prepare:
        case.prepare(folder)
    before = None if case.fresh else stored(folder)
    try:
        found = fidsel(capfd, *(word.replace("CAMPAIGN", str(folder)) for word in case.words))
    finally:
        folder.chmod(0o755)
    assert "Traceback" not in found.err
    assert found.code == case.code, found.err
    *_, last = found.err.splitlines()
    assert last.startswith("fidsel: "), found.err
    assert found.err.count("fidsel: ") == 1
    assert re.search(case.message, last), last
    assert not found.out
    if before is not None:
        assert stored(folder) == before


def stored(folder: Path) -> list[object]:
    """Return the labels of a sound store."""
    with sqlite3.connect(f"file:{folder / 'labels.db'}?mode=ro", uri=True) as connection:
        assert connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
        rows = connection.execute("SELECT frame_id, key, energy FROM labels ORDER BY 1, 2").fetchall()
    connection.close()
    return rows


def test_second_process_is_told_who_drives(
    copy_of_finished: Callable[[], Path],
) -> None:
    folder = copy_of_finished()
    before = stored(folder)
    command = [sys.executable, "-m", "fidsel", "iterate", "-C", str(folder)]
    with CampaignLock(folder / "labels.db"):
        found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert found.returncode == 1
    assert re.search(rf"another process works on this campaign: pid {os.getpid()} on \S+", found.stderr)
    assert stored(folder) == before


@pytest.mark.parametrize(
    "words", [("bogus",), ("iterate", "--bogus"), ("train", "a.npz", "--seed", "x"), ("train",)]
)
def test_usage_errors_are_2(words: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    found = fidsel(capfd, *words)
    assert found.code == 2
    assert "Usage: fidsel" in found.err
    assert "Traceback" not in found.err
    assert not found.out


def test_exit_codes_reach_the_shell(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fidsel", "check", str(tmp_path / "nowhere.npz")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert found.stderr.startswith("fidsel: ")
    assert "Traceback" not in found.stderr
