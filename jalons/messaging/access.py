"""Who may write and read which topic: every service its own, with a user of its own; the broker refuses the rest."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    UserScramCredentialUpsertion,
)
from kafka.errors import ClusterAuthorizationFailedError, KafkaError, KafkaTimeoutError, NoError, SecurityDisabledError

from jalons.messaging.kafka import client_options
from jalons.process.settings import SERVICES, Settings
from schemas.topics import TOPICS

_IN_FORCE_SECONDS = 10.0
EVERY = ACLFilter(
    None,
    None,
    ACLOperation.ANY,
    ACLPermissionType.ANY,
    ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY),
)


def rules() -> list[ACL]:
    """All that the services' users may do; on every host, for the broker is reached from the hub's machines only."""
    return [*_topics(), *(allow(each, ACLOperation.READ, ResourceType.GROUP, f"jalons-{each}") for each in SERVICES)]


def _topics() -> Iterator[ACL]:
    for topic in TOPICS:
        for service in topic.writers:
            yield allow(service, ACLOperation.WRITE, ResourceType.TOPIC, topic.name)
        for service in topic.readers:
            yield allow(service, ACLOperation.READ, ResourceType.TOPIC, topic.name)


def allow(user: str, operation: ACLOperation, kind: ResourceType, name: str) -> ACL:
    """A rule: what a user may do with one topic or group."""
    return ACL(f"User:{user}", "*", operation, ACLPermissionType.ALLOW, ResourcePattern(kind, name))


def make_access(settings: Settings) -> str:
    """Make the services' users, where their passwords are given, and write the rules; take back what they no longer
    say. Returns what was done, in a few words.

    Raises kafka.errors.KafkaError if the broker cannot be reached or refuses.
    """
    if not settings.kafka_security.startswith("SASL"):
        return "the broker asks for no password"
    admin = KafkaAdminClient(**client_options(settings, "jalons-migrate"), request_timeout_ms=20_000)
    try:
        users = _make_users(admin, settings)
        write_rules(admin)
    except SecurityDisabledError:
        return "the broker has no authorizer: whoever may log in may write every topic"
    except ClusterAuthorizationFailedError:
        return "this user may not write the broker's rules; docs/how-to/deploy.md lists them"
    finally:
        admin.close()
    return f"rules of {len(SERVICES)} services" + (f", users {', '.join(users)}" if users else "")


def _make_users(admin: KafkaAdminClient, settings: Settings) -> list[str]:
    """Give each service whose password is set that password, by SCRAM-SHA-512."""
    passwords = {service: getattr(settings, f"kafka_{service}_password") for service in SERVICES}
    given = {service: password.get_secret_value() for service, password in passwords.items() if password}
    made = [UserScramCredentialUpsertion(user, "SCRAM-SHA-512", password) for user, password in given.items()]
    refused = [why for why in admin.alter_user_scram_credentials(made).values() if why] if made else []
    if refused:
        raise KafkaError(refused[0])
    return list(given)


def write_rules(admin: KafkaAdminClient) -> None:
    """Have the broker hold these rules of the services' users, and no others of theirs."""
    wanted = rules()
    found, _ = admin.describe_acls(EVERY)
    ours = {f"User:{service}" for service in SERVICES}
    stale = [acl for acl in found if acl.principal in ours and acl not in wanted]
    if stale:
        _check([failed for _, _, failed in admin.delete_acls(stale)])
    _check(admin.create_acls(wanted)["failed"])
    _until_in_force(admin, wanted)


def _until_in_force(admin: KafkaAdminClient, wanted: Sequence[ACL]) -> None:
    """Wait until the broker has heard of the rules from its controller: a service that comes first would be refused."""
    until = time.monotonic() + _IN_FORCE_SECONDS
    while set(wanted) - set(admin.describe_acls(EVERY)[0]):
        if time.monotonic() > until:
            raise KafkaTimeoutError("the broker did not take the rules over")
        time.sleep(0.02)


def _check(outcomes: Sequence[type[KafkaError]]) -> None:
    """Raise the first outcome that is not `NoError`; kafka-python returns them as classes."""
    for outcome in outcomes:
        if outcome is not NoError:
            raise outcome
