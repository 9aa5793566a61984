"""Several findings that one mistake explains."""

from collections.abc import Iterable

from fidsel.data.checks.finding import Finding

SCALE = ("energy-force", "energy-scale", "bond-scale", "force-scale")
"""Rules that all see a wrong unit or sign, each by another yardstick."""


def one_cause(findings: Iterable[Finding]) -> str:
    """Return a sentence where several findings have one cause, "" where none have.

    Examples
    --------
    >>> sign = "forces have the wrong sign (gradients?), negate them"
    >>> one_cause([Finding("error", "energy-force", sign), Finding("error", "bond-scale", sign)])
    'energy-force and bond-scale see one mistake: forces have the wrong sign. Mend it and check again'
    """
    told = [found for found in findings if found.rule in SCALE and found.severity != "note"]
    rules = list(dict.fromkeys(found.rule for found in told))
    if len(rules) < 2:
        return ""
    names = f"{', '.join(rules[:-1])} and {rules[-1]}"
    if all("wrong sign" in found.message for found in told):
        return f"{names} see one mistake: forces have the wrong sign. Mend it and check again"
    return f"{names} are likely to see one mistake, in the units of the file. Mend it and check again"
