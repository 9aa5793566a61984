"""What the site of docs/ makes of docstrings and of links; `mkdocs build --strict` checks the rest."""

import runpy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from pages import HOME

REASON = "needs pip install 'fidsel[docs]'"


def functions(name: str) -> dict[str, Any]:
    return runpy.run_path(str(HOME / "docs" / name))


@pytest.fixture(scope="module")
def shown() -> Callable[[str], str]:
    """The function that changes a docstring, or skip."""
    pytest.importorskip("griffe", reason=REASON)
    return functions("docstrings.py")["shown"]


def test_parameters_have_a_description_and_no_type(shown: Callable[[str], str]) -> None:
    head, tail = "Do it.\n\nParameters\n----------\n", "\n\nRaises\n------\nX\n    a : b"
    written = "a, b : (n,) rows, as x : y.\nc : more,\n    of two lines."
    wanted = "a, b\n    (n,) rows, as x : y.\nc\n    more,\n    of two lines."
    assert shown(head + written + tail) == head + wanted + tail


def test_tables_with_and_without_a_head_are_markdown(shown: Callable[[str], str]) -> None:
    assert shown("==== =====\nname does\n==== =====\na    b | c\n==== =====") == (
        "| name | does |\n| --- | --- |\n| a | b \\| c |"
    )
    assert shown("= =====\na  b\n= =====").splitlines() == ["|  |  |", "| --- | --- |", "| a | b |"]


def test_doctests_in_running_text_are_fenced(shown: Callable[[str], str]) -> None:
    assert shown("One.\n\n>>> 1 + 1\n2\n\nTwo.") == "One.\n\n```pycon\n>>> 1 + 1\n2\n```\n\nTwo."
    assert shown("Examples\n--------\n>>> 1 + 1\n2") == "Examples\n--------\n>>> 1 + 1\n2"


def test_links_lead_to_where_files_are_on_the_site() -> None:
    pytest.importorskip("mkdocs", reason=REASON)
    rewrite = functions("repository.py")["on_page_markdown"]

    def seen(page: str, text: str) -> str:
        return rewrite(text, page=SimpleNamespace(file=SimpleNamespace(src_uri=page)))

    assert seen("index.md", "[a](docs/checks.md) [b](LICENSE)") == "[a](checks.md) [b](LICENSE)"
    assert seen("tutorials/demo.md", "[a](../choosing.md#speed) [b](../../README.md)") == (
        "[a](../choosing.md#speed) [b](../index.md)"
    )
    assert seen("checks.md", "[a](https://x.org/y) [b](#top)") == "[a](https://x.org/y) [b](#top)"
