"""A query parameter that a call does not know is refused: a filter that is misspelt would return everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from fastapi import Request

from jalons.web.problems import Problem


def refuse_unknown_parameters(request: Request) -> None:
    """Raise Problem 422 for a query parameter that the API document does not name, or one that stands twice.

    Pages are exempt: whoever follows a link to which a mail program added something gets the page.
    """
    query = request.query_params
    if not query:
        return
    operation = _operation(request)
    if operation is None or _is_page(operation):
        return
    known = {each["name"]: each["schema"] for each in operation.get("parameters", ()) if each["in"] == "query"}
    unknown = [name for name in query if name not in known]
    if unknown:
        raise Problem(
            422,
            "unknown_parameter",
            "The call does not know one of the query parameters.",
            f"Parameters of this call: {', '.join(known) or 'none'}.",
            known=sorted(known),
        )
    times = Counter(name for name, _ in query.multi_items())
    if any(count > 1 and "array" not in str(known[name]) for name, count in times.items()):
        raise Problem(422, "parameter_twice", "A query parameter stands twice.", "Send each parameter once.")


def _operation(request: Request) -> Mapping[str, Any] | None:
    """What the API document says of the operation that is called; an empty one for a route that it leaves out."""
    path = getattr(request.scope.get("route"), "path", None)
    method = "get" if request.method == "HEAD" else request.method.lower()
    found: Mapping[str, Any] | None = request.app.openapi()["paths"].get(path, {}).get(method, {})
    return found


def _is_page(operation: Mapping[str, Any]) -> bool:
    answers = operation.get("responses", {}).values()
    return any("text/html" in answer.get("content", {}) for answer in answers)
