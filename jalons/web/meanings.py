"""What a parameter means, by its name; a route that means something else by it describes its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ID = "The id, as the call that made it answered it"

MEANINGS: Mapping[str, str] = {
    "action": "What is done with it",
    "activity_id": _ID,
    "after_sequence": "With `subject`: only what follows this number of that subject",
    "authorization": "`Basic` with client id and secret, instead of the form's two fields (RFC 6749, 2.3.1)",
    "beneficiary": "The person, by the name that the hub gave you: another partner has another one",
    "box": "As what you are party to them",
    "channel": "How it is sent",
    "client_id": "The client, as `GET /partners/{partner}/clients` lists it",
    "code": "The code, as it is printed or listed",
    "consent_id": _ID,
    "convention_id": _ID,
    "cursor": "`next` of the page before; without it the first page",
    "delivery_id": _ID,
    "from": "The first day",
    "import_id": _ID,
    "kind": "Only what is of a partner of this kind",
    "language": "The language of labels",
    "letter_id": _ID,
    "limit": "How many items a page has at most",
    "list": "The closed list, as `GET /codes` names it",
    "measure": "One of the measures that `GET /counts/measures` lists",
    "moment": "Only what is for this moment",
    "need_id": _ID,
    "nis": "The commune, by its NIS code",
    "offer": "The offer, by its name",
    "outcome": "Only rows that ended so",
    "partner": "The partner, by its name",
    "receipt_id": _ID,
    "resolved": "Those that are settled, instead of those that are open",
    "scope": "`own`: what you may see one by one; `network`: everything, in closed periods",
    "status": "Only what has this status",
    "to": "The last day",
    "token": "What the link in a mail holds; it opens this one thing",
    "type": "Only what is of this type",
}


def add_meanings(document: dict[str, Any]) -> None:
    """Describe each parameter of an OpenAPI document that has no description of its own."""
    for methods in document["paths"].values():
        for operation in methods.values():
            for each in operation.get("parameters", ()):
                own = each.get("description") or each["schema"].get("description")
                each["description"] = own or MEANINGS.get(each["name"], "")
