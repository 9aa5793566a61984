"""`fidsel check`: whether a file of labels is fit to train on."""

from dataclasses import asdict
from typing import Annotated

import typer

from fidsel.cli.options import FileOptions, grouped
from fidsel.cli.output import AsJson, document, note, table
from fidsel.cli.progress import progress


@grouped
def check(
    file: Annotated[
        str,
        typer.Argument(
            help="Labels: FILE or FILE:ENERGY_KEY:FORCES_KEY; xyz, npz, ASE files, outputs of programs or a "
            "folder of them (docs/files.md)."
        ),
    ],
    files: FileOptions,
    forces: Annotated[bool, typer.Option(help="Whether forces are expected.")] = True,
    as_json: AsJson = False,
) -> None:
    """Check labels for missing values, duplicates, clashes, wrong signs and implausible units."""
    from fidsel.data.checks.finding import few, one_cause
    from fidsel.data.units import parse_units
    from fidsel.fidelity.inspect import inspect_file

    labels = files.labels(file)
    path, energy, force = labels.parts
    with progress():
        frames, findings = inspect_file(path, parse_units(labels.units), energy, force, forces, labels.state)
    if as_json:
        document({"file": str(file), "frames": len(frames), "findings": [asdict(f) for f in findings]})
    else:
        rows = [(f.severity, f.rule, f.message, few(f.frames)) for f in findings]
        table(f"{file}: {frames!r}", ("severity", "rule", "finding", "frames"), rows, text=4)
        if told := one_cause(findings):
            note(told)
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)
