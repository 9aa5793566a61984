"""Contract checks anyone can run on their own source, model, picker, recipe or engine.

==================== ===================================================================
check                of
==================== ===================================================================
`check_source`       a label source, on one frame
`check_force_field`  a model that can predict, on a few frames of one molecule
`check_trainable`    a model that learns, by training small ones a few times
`check_fittable`     the same of a model with a closed-form fit
`check_picker`       a picker, on a pool of points
`check_error_source` an error source, on a pool with true errors
`check_recipe`       a recipe, by training small models with it
`check_engine`       an engine, by labels that behave and misbehave
==================== ===================================================================

`example_frames` makes labelled frames to try things on, `example_campaign` a campaign of seconds.

Each runs the single checks of its module, which can be had alone, and raises an `AssertionError` naming
the first rule that is broken. They look at rules, not at quality: that forces are the slope of the model's
own energy, not that either is accurate; that a picker keeps its promises, not that its picks are good.
"""

from fidsel.testing.engine import check_engine
from fidsel.testing.example import example_campaign, example_frames
from fidsel.testing.model import check_force_field
from fidsel.testing.picker import check_error_source, check_picker
from fidsel.testing.recipe import check_recipe
from fidsel.testing.source import check_source
from fidsel.testing.trainable import check_fittable, check_trainable

__all__ = [
    "check_engine",
    "check_error_source",
    "check_fittable",
    "check_force_field",
    "check_picker",
    "check_recipe",
    "check_source",
    "check_trainable",
    "example_campaign",
    "example_frames",
]
