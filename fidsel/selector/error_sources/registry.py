"""Error sources by name."""

from fidsel.exceptions import unknown
from fidsel.selector.error_sources.cheap import Cheap
from fidsel.selector.error_sources.committee import Committee
from fidsel.selector.error_sources.latent import Latent
from fidsel.selector.error_sources.probe import Probe
from fidsel.selector.error_sources.reference import Reference
from fidsel.selector.error_sources.shift import Shift
from fidsel.selector.error_sources.source import ErrorSource

ERROR_SOURCES: dict[str, type[ErrorSource]] = {
    source.name: source for source in (Reference, Cheap, Probe, Committee, Latent, Shift)
}


def error_source(name: str) -> ErrorSource:
    """Return the error source of a name.

    Raises
    ------
    UsageError
        where there is none of that name.
    """
    if name not in ERROR_SOURCES:
        raise unknown("error source", name, ERROR_SOURCES)
    return ERROR_SOURCES[name]()
