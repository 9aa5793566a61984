"""`fidsel check`: whether a file of labels is fit to train on."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fidsel.cli.output import AsJson, document, progress, table


def check(
    file: Annotated[Path, typer.Argument(help="npz, extxyz or ASE database.")],
    units: Annotated[str | None, typer.Option(help="energy,length, e.g. kcal/mol,Angstrom.")] = None,
    energy_key: Annotated[str | None, typer.Option(help="Name of the energies in the file.")] = None,
    forces_key: Annotated[str | None, typer.Option(help="Name of the forces in the file.")] = None,
    forces: Annotated[bool, typer.Option(help="Whether forces are expected.")] = True,
    as_json: AsJson = False,
) -> None:
    """Check labels for missing values, duplicates, clashes, wrong signs and implausible units."""
    from fidsel.data import Units
    from fidsel.data.finding import few
    from fidsel.fidelity.inspect import inspect_file

    parsed = Units.parse(units) if units else None
    with progress():
        frames, findings = inspect_file(file, parsed, energy_key, forces_key, forces)
    if as_json:
        document({"file": str(file), "frames": len(frames), "findings": [asdict(f) for f in findings]})
    else:
        rows = [(f.severity, f.rule, f.message, few(f.frames)) for f in findings]
        table(f"{file}: {frames!r}", ("severity", "rule", "finding", "frames"), rows, text=4)
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)
