"""After a complete pathway, no reader can find a band, ref, alias or dossier number that it may not see."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from jalons.embedded.stack import Stack
from schemas.catalogue import TYPES
from schemas.topics import DIRECTORY, TOPICS
from tests.support.broker import login
from tests.support.days import day
from tests.support.network import PROFILE, Network, eventually

LOCAL_REF = "DOSSIER-7-"
BANDS = ("lower_secondary", "alone_children", "25-29", "garde_enfants")
WHY = ("lift_obstacle", "work_experience")


def _played(network: Network) -> tuple[str, list[str], str]:
    """Play a pathway with recognisable values; returns the ref, the other partners' aliases and the reference."""
    hotton, trusquin, home = network["cpas-hotton"], network["le-trusquin"], network["home-hotton"]
    referral = hotton.refer(
        "le-trusquin",
        person={"profile": PROFILE, "local_ref": f"{LOCAL_REF}{uuid.uuid4().hex[:8]}"},
        agreement={"channel": "paper", "attributes": ["age_band", "education", "obstacles"]},
        reason="work_experience",
        goal="lift_obstacle",
    )
    ref = referral["beneficiary"]
    alias = trusquin.done("GET", f"/referrals/{referral['ref']}")["beneficiary"]
    trusquin.done("POST", f"/referrals/{referral['ref']}/accept", {"first_contact_on": day(4)})
    need = {"domain": "garde_enfants", "kind": "obstacle", "source": "public", "commune_nis": "83028"}
    hotton.done("POST", "/needs", need | {"beneficiary": ref})
    elsewhere = hotton.refer("le-trusquin", beneficiary=ref, moment="projet")
    trusquin.done("POST", f"/referrals/{elsewhere['ref']}/decline", {"reason": "childcare", "declined_by": "person"})
    agreed = {"partners": ["home-hotton"], "purposes": ["employer"], "channel": "paper"}
    hotton.done("POST", f"/beneficiaries/{ref}/consents", agreed)
    proposed = {
        "beneficiary": ref,
        "employer": "home-hotton",
        "kind": "cdd",
        "goal": "lift_obstacle",
        "chosen_by": "person",
        "planned_start": day(13),
    }
    placement = hotton.done("POST", "/placements", proposed)
    seen = home.done("GET", f"/placements/{placement['ref']}")
    home.done("POST", f"/placements/{placement['ref']}/confirm", {})
    assert len({ref, alias, seen["beneficiary"]}) == 3, "each partner has its own id of the person"
    eventually(lambda: len((network.pathway("cpas-hotton", ref) or {"events": []})["events"]) == 12)
    eventually(lambda: any(placement["ref"] in mail["subject"] for mail in network.mails()[-3:]))
    return ref, [alias, seen["beneficiary"]], referral["ref"]


def _bus(stack: Stack) -> str:
    """Every record of every topic, keys and headers included."""
    client = KafkaConsumer(**login(stack), group_id=None, consumer_timeout_ms=3000)
    try:
        partitions = [TopicPartition(topic.name, n) for topic in TOPICS for n in range(topic.partitions)]
        client.assign(partitions)
        client.seek_to_beginning()
        return "\n".join(
            f"{record.key!r} {record.headers!r} {(record.value or b'').decode('utf-8', 'replace')}" for record in client
        )
    finally:
        client.close()


def _absent(text: str, *secrets: str) -> None:
    # A band such as 25-29 may stand inside a random id; a secret is found only where a word begins with it.
    found = [secret for secret in secrets if re.search(rf"(?<![0-9A-Za-z]){re.escape(secret)}", text)]
    assert not found, f"in clear: {found}"


def test_no_personal_data_is_in_clear_on_kafka_or_in_logs_mails_metrics_and_stream(
    network: Network, stack: Stack
) -> None:
    ref, aliases, reference = _played(network)

    bus = _bus(stack)
    assert ref in bus, "the scan sees the records: the ref is their key"
    _absent(bus, LOCAL_REF, *BANDS, *WHY, *aliases)

    logs = "\n".join(path.read_text("utf-8", "replace") for path in _logs(stack.folder.path))
    _absent(logs, ref, LOCAL_REF, *BANDS, *WHY, *aliases)

    mails = str(network.mails())
    assert reference in mails
    _absent(mails, ref, LOCAL_REF, *BANDS, *WHY, *aliases)

    for service in ("referrals", "observation", "notifications"):
        metrics = network.http.get(f"{stack.info[service]}/metrics").text
        assert "jalons_" in metrics
        _absent(metrics, ref, LOCAL_REF, *BANDS, *WHY, *aliases, reference)

    _absent(_stream(network, "integra-plus"), ref, LOCAL_REF, *BANDS, *WHY, *aliases)


def test_each_reader_of_a_log_sees_only_events_visible_to_it(network: Network) -> None:
    earlier = {event["id"] for event in _about_persons(network, "home-hotton")}
    ref, (operators, employers), _reference = _played(network)
    trusquin = str(_about_persons(network, "le-trusquin"))
    _absent(trusquin, ref, employers, LOCAL_REF, "causationid", "'sequence'", "'home'")
    assert operators in trusquin
    pathways = [event for event in _about_persons(network, "home-hotton") if event["id"] not in earlier]
    assert pathways
    employer = str(pathways)
    assert {event["type"].split(".")[1] for event in pathways} <= {"placement", "referral", "consent", "beneficiary"}
    _absent(employer, ref, operators, employers, LOCAL_REF, *BANDS, *WHY, "causationid")
    assert [event for event in pathways if "partner" in event or "subject" in event] == []
    assert _about_persons(network, "forem-marche") == [], "a stranger"
    coordinator = str(_log(network, "integra-plus"))
    _absent(coordinator, ref, operators, employers, LOCAL_REF, *BANDS, *WHY)


def _logs(folder: Path) -> list[Path]:
    found = [path for path in (folder / "log").iterdir() if path.is_file() and path.suffix != ".lck"]
    assert len(found) >= 5
    return found


def _about_persons(network: Network, who: str) -> list[dict[str, Any]]:
    """Events about persons that a partner may see."""
    return [event for event in _log(network, who) if TYPES[event["type"]].TOPIC != DIRECTORY]


def _log(network: Network, who: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    after = 0
    while True:
        page = network[who].done("GET", f"/events?after={after}&limit=1000")
        events += page["items"]
        if page["next"] == after:
            return events
        after = page["next"]


def _stream(network: Network, who: str) -> str:
    """Everything that the stream has sent so far."""
    headers = {"Authorization": f"Bearer {network[who].token()}", "Last-Event-ID": "0"}
    lines: list[str] = []
    with network.http.stream("GET", f"{network.info['observation']}/stream", headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            lines.append(line)
            if "placement.confirmed" in line:
                break
    return "\n".join(lines)
