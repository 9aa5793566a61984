import pytest
from small_task import kernel

from fidsel.exceptions import UsageError
from fidsel.models import PaiNN
from fidsel.selector import error_source
from fidsel.tasks.select import refuse_unable


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("committee", "needs models that can disagree, a sgdml model is one"),
        ("latent", "needs a network, a sgdml model has no latent features"),
    ],
)
def test_source_that_the_model_cannot_serve_is_refused(error: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        refuse_unable(error_source(error), kernel())


def test_sources_that_ask_nothing_of_a_model_go_with_any() -> None:
    refuse_unable(error_source("probe"), kernel())
    refuse_unable(error_source("latent"), PaiNN(features=4, layers=1))
