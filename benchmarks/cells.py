"""What benchmarks share: options, resumable cells, data, and the machine they ran on."""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import astuple, fields
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, TypeVar

import numpy as np

from fidsel.data import Frames, Units, leaks, read

T = TypeVar("T")
Row = dict[str, Any]
KCAL = 0.0433641
"""eV per kcal/mol."""
PUBLISHED_KERNEL: Row = {"metric": "identity", "nus": [2.5], "lam": 1e-10}
"""Arguments of sGDML that leave only σ to be chosen, as published."""


def data_folder(*needed: str) -> Path:
    """Return the folder of the reference data: FIDSEL_DATA, or shared/data beside the repository.

    The process ends where one of the files that are needed is not in it.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("FIDSEL_DATA", beside)).resolve()
    if missing := [name for name in needed if not (folder / name).exists()]:
        sys.exit(f"{folder} has no {', '.join(missing)}: set FIDSEL_DATA to the folder that has")
    return folder


def md17(folder: Path, molecule: str, level: str) -> Frames:
    """Return all frames of a molecule of revised MD17 in time order, eV and Å, labelled "md17" or "pbe"."""
    file = np.load(folder / "rmd17" / f"{molecule}.npz")
    energy, forces = file[f"E_{level}"].ravel() * KCAL, file[f"F_{level}"] * KCAL
    return Frames.stack(file["z"], file["R"], energy=energy, forces=forces, level=level)


def formaldehyde(folder: Path) -> tuple[Frames, Frames]:
    """Return the same 4001 configurations labelled by CCSD(T)-F12 and by B3LYP, eV and Å."""
    path, units = folder / "h2co" / "h2co.npz", Units.parse("eV,Angstrom")
    accurate = read(path, units=units, level="ccsd(t)", energy_key="E_ccsdt", forces_key="F_ccsdt")
    return accurate, read(path, units=units, level="b3lyp", energy_key="E_b3lyp", forces_key="F_b3lyp")


def malonaldehyde(folder: Path) -> tuple[Frames, Frames]:
    """Return 1000 frames of malonaldehyde labelled by CCSD(T), and MD17's (PBE+TS), eV and Å.

    Some configurations are in both.
    """
    path = folder / "malonaldehyde_ccsd_t" / "malonaldehyde_ccsd_t.npz"
    units = Units.parse("kcal/mol,Angstrom")
    accurate = read(path, units=units, level="ccsd(t)", energy_key="E", forces_key="F")
    return accurate, md17(folder, "malonaldehyde", "md17")


def apart(cheap: Frames, accurate: Frames) -> Frames:
    """Return the cheap frames that coincide with no accurate one."""
    return cheap[np.setdiff1d(np.arange(len(cheap)), leaks(cheap, accurate, 1e-3))]


def shuffled(frames: Frames, seed: int) -> Frames:
    """Return frames in random order."""
    return frames[np.random.default_rng(seed).permutation(len(frames))]


def timed(work: Callable[[], T]) -> tuple[T, dict[str, float]]:
    """Return what some work returns, and how long it took: by the clock, and on the processor."""
    wall, cpu = perf_counter(), process_time()
    found = work()
    return found, {"wall": perf_counter() - wall, "cpu": process_time() - cpu}


def mean_and_error(values: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean and its standard error, None where there is one value alone."""
    spread = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return float(np.mean(values)), spread


def shown(mean: float, error: float | None, digits: int = 4) -> str:
    """Return a mean and its standard error for a table."""
    return f"{mean:.{digits}f}" + ("" if error is None else f" ± {error:.{digits}f}")


def arms(rows: Sequence[Row], *names: str) -> dict[tuple[Any, ...], list[Row]]:
    """Return the rows that agree in some entries, by these entries."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in names), []).append(row)
    return found


def peak_bytes() -> int:
    """Return the most memory this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def machine() -> Row:
    """Return the date and the hardware, for a record of results."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": platform.machine(),
        "processor": processor(),
        "cores": os.cpu_count(),
    }


def origin() -> Row:
    """Return the day and the commit of the code, for a row that is kept: a part file may outlive both."""
    here = Path(__file__).parent
    try:
        told = subprocess.run(
            ["git", "-C", here, "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):  # no git, or no checkout
        return {"date": machine()["date"], "commit": None}
    return {"date": machine()["date"], "commit": told.stdout.strip()}


def processor() -> str:
    """Return the name of the processor, where the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def options(doc: str, *, cells: bool = True) -> argparse.ArgumentParser:
    """Return a parser of the options that all benchmarks have; `cells` are kept and run side by side."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    if cells:
        parser.add_argument("--part", type=Path, help="file that keeps finished cells; run again to go on")
        parser.add_argument(
            "--workers", type=int, default=min(2, os.cpu_count() or 1), help="0 = tell what is finished"
        )
    return parser


def publish(benchmark: str, **parts: Any) -> None:
    """Print the JSON document of a benchmark."""
    print(json.dumps({"benchmark": benchmark, **machine(), **parts}, indent=1))


def finished(part: Path | None) -> list[Row]:
    """Return the cells of an earlier, interrupted run; a line it was stopped in is cut off the file."""
    if part is None or not part.exists():
        return []
    lines = part.read_bytes().splitlines(keepends=True)
    if lines and not lines[-1].endswith(b"\n"):
        part.write_bytes(b"".join(lines := lines[:-1]))
    return [json.loads(line) for line in lines]


def run_cells(
    cells: Sequence[Any],
    run: Callable[..., Row],
    part: Path | None,
    workers: int,
    *arguments: Any,
    alone: bool = False,
    settings: Callable[[Any], Row] = lambda _: {},
) -> list[Row]:
    """Run the cells that are not finished yet, several at a time, and return the rows of all.

    Each row tells the day and the commit of the code that made it, and its settings.

    Parameters
    ----------
    cells : flat dataclasses.
    run : called as run(cell, *arguments); its row repeats the fields of the cell.
    part : file that keeps a row as soon as it is there; run again to go on. None = none.
    workers : processes; 0 = only what is finished.
    alone : whether each cell has a process of its own, whose memory is that of the cell.
    settings : what else decides the result of a cell, as plain values; a row of others is made anew.
    """
    names = [field.name for field in fields(cells[0])]
    decided = {cell: json.loads(json.dumps(settings(cell))) for cell in cells}
    before = {
        (tuple(row[name] for name in names), json.dumps(row.get("settings", {}))): row
        for row in finished(part)
    }
    found = {cell: before.get((astuple(cell), json.dumps(decided[cell]))) for cell in cells}
    rows = [row for row in found.values() if row is not None]
    if not workers:
        return rows
    made = origin()
    with ProcessPoolExecutor(workers, max_tasks_per_child=1 if alone else None) as pool:
        wanted = {pool.submit(run, cell, *arguments): cell for cell, row in found.items() if row is None}
        for future in as_completed(wanted):
            told = {"settings": some} if (some := decided[wanted[future]]) else {}
            rows.append(row := future.result() | told | made)
            print(f"{len(rows)} of {len(cells)}: {row}", file=sys.stderr, flush=True)
            if part is not None:
                with part.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
    return rows
