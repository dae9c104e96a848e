"""The language of an answer is the one that its reader prefers among the hub's."""

from __future__ import annotations

import pytest

from jalons.web.asked import preferred


@pytest.mark.parametrize(
    ("header", "language"),
    [
        *(("fr", "fr"), ("fr-BE,fr;q=0.9,nl;q=0.8", "fr"), ("nl;q=0.3, de;q=0.7", "de"), ("DE-be", "de")),
        *(
            ("es, nl;q=0.1", "nl"),
            ("en, fr;q=1.0", "en"),
            ("fr;q=0, nl;q=0.1", "nl"),
            ("fr ; q=0.2 , nl ; q=0.4", "nl"),
        ),
        *(
            ("", None),
            ("*", None),
            ("es", None),
            ("fr;q=0", None),
            ("fr;q=x", None),
            (";;,,=", None),
            ("x" * 9_000, None),
        ),
    ],
)
def test_the_preferred_language_is_found(header: str, language: str | None) -> None:
    assert preferred(header) == language
