"""The broker of docker-compose.yml, run from the same jars with its settings, wants passwords and keeps the rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import eventually
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from jalons.embedded.folder import DataFolder
from jalons.embedded.kafka import Kafka
from jalons.messaging.access import make_access
from jalons.messaging.kafka import client_options, make_topics
from jalons.process.settings import SERVICES, Settings
from tests.support.broker import answers_a_stranger, lets_in

COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"
NOT_PROPERTIES = {"KAFKA_HEAP_OPTS", "KAFKA_JVM_PERFORMANCE_OPTS"}


def _filled(text: str) -> str:
    """Every password is its variable's name."""
    return re.sub(r"\$\{(\w+):[?-][^}]*\}", r"\1", text)


def _properties(environment: dict[str, str], ports: dict[str, int]) -> str:
    """As the image's own program makes them of the environment."""
    lines = []
    for name, value in environment.items():
        if name.startswith("KAFKA_") and name not in NOT_PROPERTIES:
            key = name.removeprefix("KAFKA_").lower().replace("_", ".").replace("...", "-").replace("..", "_")
            text = _filled(value).replace("/var/lib/kafka/data", "store").replace("://:", "://127.0.0.1:")
            text = text.replace("kafka:9092", f"127.0.0.1:{ports['kafka']}").replace(":9092", f":{ports['kafka']}")
            text = text.replace("kafka:9093", f"127.0.0.1:{ports['controller']}")
            lines.append(f"{key}={text.replace(':9093', ':' + str(ports['controller']))}\n")
    return "".join(lines)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
    return loaded


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory, compose: dict[str, Any]) -> Iterator[dict[str, int]]:
    folder = DataFolder(tmp_path_factory.mktemp("compose") / "data")
    folder.open()
    ports = folder.ports("kafka", "controller")
    broker = _ComposeBroker(folder.path / "kafka", ports["kafka"], ports["controller"], {"broker": ""}, quiet=True)
    broker.text = _properties(compose["kafka"]["environment"], ports)
    broker.prepare()
    process = broker.launch()
    eventually(broker.ready, 60)
    yield ports
    process.terminate()
    process.wait(20)
    folder.close()


class _ComposeBroker(Kafka):
    quorum = ()  # the settings name the voters
    text = ""

    def _write(self, name: str, store: str) -> None:
        (self.folder / name).write_text(self.text.replace("log.dirs=store", f"log.dirs={store}"))


def _settings(compose: dict[str, Any], name: str, ports: dict[str, int]) -> Settings:
    given = {key: _filled(value) for key, value in compose[name]["environment"].items()}
    values = {key.removeprefix("JALONS_").lower(): value for key, value in given.items() if key.startswith("JALONS_K")}
    values["kafka"] = f"127.0.0.1:{ports['kafka']}"
    return Settings(database_url="none", secret_key="s" * 32, hub_client_secret="none", **values)  # type: ignore[arg-type]


def test_the_broker_of_the_compose_file_lets_in_who_it_should(compose: dict[str, Any], ports: dict[str, int]) -> None:
    for port in ports.values():
        assert not answers_a_stranger(port)
    assert lets_in(ports["kafka"], "operator", "KAFKA_OPERATOR_PASSWORD")
    assert lets_in(ports["controller"], "broker", "KAFKA_BROKER_PASSWORD")
    assert not lets_in(ports["controller"], "operator", "KAFKA_OPERATOR_PASSWORD")

    operator = _settings(compose, "migrate", ports)
    make_topics(operator)
    assert make_access(operator) == "rules of 3 services, users referrals, observation, notifications"
    for service in SERVICES:
        own = client_options(_settings(compose, service, ports), "tests")
        producer = KafkaProducer(**own, allow_auto_create_topics=False)
        if service == "notifications":
            with pytest.raises(TopicAuthorizationFailedError):
                producer.send("jalons.pathways", key=b"k", value=b"v").get(10)
        else:
            producer.send("jalons.pathways", key=b"k", value=b"v").get(10)
        producer.close()
    with pytest.raises(KafkaError):
        KafkaConsumer(**(own | {"sasl_plain_password": "wrong"}), bootstrap_timeout_ms=1500)
