"""Schemathesis asks each call what its document allows and what it excludes: no failure, no undocumented answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.generation import GenerationMode
from schemathesis.python import asgi
from schemathesis.specs.openapi import checks

from jalons.clock import now
from jalons.process.settings import SERVICES
from services.referrals.identity.signing import SigningKeys
from tests.support.apps import SECRET, Apps

EXAMPLES = 3
"""Of each kind, for each call; what it comes to grows with the calls."""
ELSEWHERE = {"/stream", "/signing-keys/rotate", "/health/ready"}
"""A stream does not end, what is signed with a key that was turned twice is refused, and no broker is here: each has
tests of its own."""
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
ALL = ("partner", "coordinator", "read:counts", "operator", "hub")


@pytest.mark.parametrize("service", SERVICES)
def test_no_call_fails_or_answers_what_its_document_does_not_say(
    playground: Apps, real: dict[str, str], service: str
) -> None:
    app = playground.services[service].app
    keys = SigningKeys(playground.engines["referrals"], SECRET)
    token = keys.token("http://127.0.0.1:8001", "anybody", "cpas-hotton", ALL, now())
    document = schemathesis.openapi.from_asgi("/openapi.json", app)
    calls = [each.ok() for each in document.get_all_operations()]
    wrong, asked = [], 0
    with asgi.get_client(app) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        for call in calls:
            if call.path not in ELSEWHERE:
                wrong += list(_tried(call, client, real))
                asked += 1
    assert asked > 10
    assert not wrong, "\n".join(wrong)


def _tried(call: Any, client: Any, real: dict[str, str]) -> Iterator[str]:
    """What schemathesis finds wrong with a call; half of the time it names what is there."""
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=call.as_strategy(mode), known=st.booleans())
        def ask(case: Any, known: bool) -> None:
            for name in list(case.path_parameters or ()) if known else ():
                noun = call.path.split("/")[1] if name == "id" else name
                case.path_parameters[name] = real.get(noun, case.path_parameters[name])
            case.validate_response(case.call(session=client), checks=CHECKS)

        try:
            ask()
        except Unsatisfiable:
            pass  # nothing that its document excludes can be sent to it
        except BaseExceptionGroup as found:
            yield f"{call.label}: {found} {found.exceptions}"
