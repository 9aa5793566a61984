"""Contract checks anyone can run on their own source, model or picker."""

from fidsel.testing.model import check_fittable, check_force_field
from fidsel.testing.picker import check_error_source, check_picker
from fidsel.testing.source import check_source

__all__ = [
    "check_error_source",
    "check_fittable",
    "check_force_field",
    "check_picker",
    "check_source",
]
