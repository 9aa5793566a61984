"""Error sources by name."""

from fidsel.selector.errors import Cheap, Committee, Probe, Reference
from fidsel.selector.latent import Latent
from fidsel.selector.pool import ErrorSource

ERROR_SOURCES: dict[str, type[ErrorSource]] = {
    "reference": Reference,
    "cheap": Cheap,
    "probe": Probe,
    "committee": Committee,
    "latent": Latent,
}
