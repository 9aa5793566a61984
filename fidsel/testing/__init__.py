"""Contract checks anyone can run on their own source, model or picker."""

from fidsel.testing.model import check_force_field
from fidsel.testing.picker import check_error_source, check_picker
from fidsel.testing.source import check_source
from fidsel.testing.trainable import check_fittable, check_trainable

__all__ = [
    "check_error_source",
    "check_fittable",
    "check_force_field",
    "check_picker",
    "check_source",
    "check_trainable",
]
