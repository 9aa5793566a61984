"""What `md` prints."""

from collections.abc import Mapping
from math import isnan
from typing import Any

from fidsel.cli.output import note, table

Record = Mapping[str, Any]  # Any: plain values


def dynamics_tables(found: Record) -> None:
    """Print each run, which replicas ended and why, and how far distances are from a reference."""
    columns = ("model", "molecule", "step fs", "time ps", "replicas", "survived %", "ended by", "mean T K",
               "drift meV/atom/ps", "ns/day")  # fmt: skip
    table("dynamics", columns, [_row(one) for one in found["runs"]], text=2)
    ended = [
        (run["model"], run["system"], one["cause"], one["detail"], one["replica"], run["timestep_fs"],
         one["step"], one["time_fs"])
        for run in found["runs"]
        for one in run["replicas"]
        if one["cause"] is not None
    ]  # fmt: skip
    if ended:
        names = ("model", "molecule", "cause", "value", "replica", "step fs", "step", "time fs")
        table("replicas that ended", names, ended[:20], text=4)
        if len(ended) > 20:
            note(f"{len(ended) - 20} more ended: --json lists all")
    for model, step in found["largest_stable_step_fs"].items():
        told = "none is stable" if step is None else f"{step:g} fs is the largest stable one"
        note(f"{model}: of the time steps tried, {told}")
    if compared := found.get("against_reference"):
        names = (
            "run",
            "h(r)",
            "bonds Å",
            "their spread",
            "angles °",
            "their spread",
            "frames",
            "of reference",
        )
        rows = [(name, *one.values()) for name, one in compared.items()]
        table("mean absolute difference from the reference", names, rows)
    for text in found["notes"]:
        note(text)
    if "candidates" in found:
        note(f"{found['candidates']} frames the model was unsure of")


def _row(run: Record) -> list[object]:
    drift = run["drift_mev_per_atom_ps"]
    causes = ", ".join(f"{count} {cause}" for cause, count in sorted(run["causes"].items()))
    return [
        run["model"],
        run["system"],
        run["timestep_fs"],
        run["time_fs"] / 1000,
        len(run["replicas"]),
        100 * run["survived"],
        causes or None,
        run["mean_temperature"],
        None if drift is None or isnan(drift) else drift,
        run["ns_per_day"],
    ]


def check_table(known: Record) -> None:
    """Print how geometries, frequencies, torsions and conformers of models compare with a source."""
    columns = (
        "model",
        "molecule",
        "RMSD Å",
        "bonds Å",
        "angles °",
        "frequencies 1/cm",
        "largest",
        "lowest of it",
    )
    rows = [
        [one["model"], one["system"], one["rmsd"], one["bond_mae"], one["angle_mae"], one["frequency_mae"],
         one["frequency_max"], next(iter(one["frequencies"]), None)]
        for one in known["checks"]
    ]  # fmt: skip
    table(f"relaxed geometry and harmonic frequencies against {known['source']}", columns, rows, text=2)
    turns = [
        (one["model"], one["system"], turn["bond"], len(turn["angles"]), 1000 * turn["mae"],
         1000 * turn["barrier"], 1000 * turn["reference_barrier"])
        for one in known["checks"]
        for turn in one["torsions"]
    ]  # fmt: skip
    if turns:
        names = ("model", "molecule", "bond", "geometries", "MAE meV", "barrier meV", "of the source")
        table(f"rigid rotation about bonds against {known['source']}", names, turns, text=3)
    others = [
        (one["model"], one["system"], found["count"], 1000 * found["mae"], 1000 * found["range"],
         "yes" if found["same_lowest"] else "no")
        for one in known["checks"]
        if (found := one["conformers"])["count"]
    ]  # fmt: skip
    if others:
        heads = ("model", "molecule", "conformers", "MAE meV", "highest meV", "same lowest")
        table(f"energies of conformers against {known['source']}", heads, others, text=2)
