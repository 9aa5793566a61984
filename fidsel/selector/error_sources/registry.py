"""Error sources by name."""

from fidsel.selector.error_sources.latent import Latent
from fidsel.selector.error_sources.sources import Cheap, Committee, Probe, Reference
from fidsel.selector.pool import ErrorSource

ERROR_SOURCES: dict[str, type[ErrorSource]] = {
    "reference": Reference,
    "cheap": Cheap,
    "probe": Probe,
    "committee": Committee,
    "latent": Latent,
}
