"""The deployment files agree with the code, the API and each other; checked without a container engine."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from jalons.embedded import jars
from jalons.process.metrics import METRICS
from jalons.process.settings import SERVICES, Settings
from jalons.web.problems import Problem

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"

# Public API paths, one example of each shape, with the service that answers.
OPEN = {
    "referrals": (
        "/oauth/token /.well-known/jwks.json /.well-known/oauth-authorization-server"
        " /codes /codes/decline_reason/no_bus /partners"
        " /partners/cpas-hotton/clients /conventions /conventions/1/suspend"
        " /offers /offers/1 /communes /communes/1 /beneficiaries"
        " /beneficiaries/1/consents/2 /erasures/1"
        " /referrals /referrals/1/accept /referrals/1/slip /referrals.csv /trainings /trainings/1/start"
        " /placements /placements/1/follow-up /references/1 /references/1/call-back"
        " /activities /needs /imports /imports/1 /answer/1 /s /s/1"
    ),
    "observation": (
        "/ /pathways/1 /counts /counts/measures /stream /indicators/population /workshops"
        " /actions /actions/1/launch /editions /editions/1 /editions/1/tables/mobility.csv"
    ),
    "notifications": (
        "/subscriptions/mine /subscriptions/mine/rotate-secret /deliveries /deliveries/1/retry /preferences /mailbox"
    ),
}
OF_EVERY_SERVICE = ("/events", "/docs", "/openapi.json", "/health/live", "/health/ready")
NEVER_OPEN = ("/metrics", "/keys/resolve", "/dead-letters", "/dead-letters/1/retry", "/test/clock")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = load(ROOT / "docker-compose.yml")
    return loaded


@pytest.fixture(scope="module")
def containers(compose: dict[str, Any]) -> dict[str, Any]:
    """All long-running containers; the migration ends before the services start."""
    return {name: body for name, body in compose["services"].items() if name != "migrate"}


def jalons_variables(environment: dict[str, str]) -> set[str]:
    return {name for name in environment if name.startswith("JALONS_")}


def fields() -> set[str]:
    return {f"JALONS_{name.upper()}" for name in Settings.model_fields}


def filled(text: str) -> str:
    """A value of the compose file, with defaults, and plausible values for variables without a default."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    text = re.sub(r"\$\{JALONS_PUBLIC_URL:\?[^}]*\}", "https://hub.example.be", text)
    return re.sub(r"\$\{\w+:\?[^}]*\}", "0123456789abcdef" * 4, text)


def settings_of(container: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in container["environment"].items():
        monkeypatch.setenv(name, filled(value))
    return Settings()


# ---- settings and secrets


def test_every_variable_is_a_setting_and_no_required_setting_is_missing(compose: dict[str, Any]) -> None:
    required = {f"JALONS_{name.upper()}" for name, field in Settings.model_fields.items() if field.is_required()}
    for name in (*SERVICES, "migrate"):
        given = jalons_variables(compose["services"][name]["environment"])
        assert given <= fields()
        assert required <= given


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_with_its_environment_and_is_reachable_at_its_address(
    compose: dict[str, Any], service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(compose["services"][service], monkeypatch)
    assert settings.host == "0.0.0.0"
    for other in SERVICES:
        assert settings.url(other) == f"http://{other}:{settings.port(other)}"
    assert settings.kafka.split(":")[0] in compose["services"]
    assert compose["services"][service]["command"] == ["serve", service]
    assert f":{settings.port(service)}/health/ready" in compose["services"][service]["healthcheck"]["test"][-1]


def test_the_example_lists_every_variable_and_contains_no_secret() -> None:
    asked = dict(re.findall(r"\$\{(\w+):([?-])", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    lines = (DEPLOY / "env.example").read_text(encoding="utf-8").splitlines()
    offered = dict(found.groups() for line in lines if (found := re.fullmatch(r"(#?\w+)=(.*)", line)))
    assert {name.lstrip("#") for name in offered} == set(asked)
    assert {name for name in offered if not name.startswith("#")} == {name for name, how in asked.items() if how == "?"}
    assert not [name for name, value in offered.items() if value and not name.startswith("#")]
    assert jalons_variables({name.lstrip("#"): "" for name in offered}) <= fields()


def test_a_missing_variable_is_reported_with_its_name_and_cure() -> None:
    for name, message in re.findall(
        r"\$\{(\w+):\?([^}]*)\}", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    ):
        assert message.startswith(f"{name} is not set: ")
        assert ".env" in message


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_has_a_kafka_user_of_its_own_and_no_others_password(
    compose: dict[str, Any], service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(compose["services"][service], monkeypatch)
    assert (settings.kafka_sasl_mechanism, settings.kafka_username) == ("SCRAM-SHA-512", service)
    asked = re.findall(r"\$\{(KAFKA_\w+):", str(compose["services"][service]["environment"]))
    assert set(asked) == {f"KAFKA_{service.upper()}_PASSWORD"}


# ---- images and limits


def test_every_image_is_pinned_to_an_exact_version(compose: dict[str, Any]) -> None:
    images = {body["image"] for body in compose["services"].values()}
    images |= set(re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE))
    for image in images:
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+(\.\d+)?(-[a-z-]+)?", image), image


def test_production_and_embedded_kafka_have_the_same_version(compose: dict[str, Any]) -> None:
    assert compose["services"]["kafka"]["image"] == f"apache/kafka:{jars.KAFKA}"


def test_memory_limits_fit_a_machine_with_two_gigabytes(containers: dict[str, Any]) -> None:
    assert all(body["mem_limit"].endswith("m") for body in containers.values())
    assert sum(int(body["mem_limit"][:-1]) for body in containers.values()) <= 2048 - 256


def test_only_caddy_is_published(containers: dict[str, Any]) -> None:
    published = {name: body["ports"] for name, body in containers.items() if "ports" in body}
    assert published.pop("caddy") == ["80:80", "443:443", "443:443/udp"]
    for name, ports in published.items():
        assert all(port.startswith("127.0.0.1:") for port in ports), name


def test_kafka_and_postgresql_are_on_an_internal_network_only(compose: dict[str, Any]) -> None:
    assert compose["networks"]["stores"]["internal"] is True
    for name in ("kafka", "postgres"):
        assert compose["services"][name]["networks"] == ["stores"]
        assert "ports" not in compose["services"][name]


def test_every_container_has_a_health_check_a_restart_policy_and_time_to_stop(containers: dict[str, Any]) -> None:
    for name, body in containers.items():
        assert body["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}, name
        assert body["restart"] == "unless-stopped", name
        assert int(body["stop_grace_period"].removesuffix("s")) >= 15, name
        assert body["security_opt"] == ["no-new-privileges:true"], name


def test_the_services_have_a_read_only_file_system_and_no_privileges(compose: dict[str, Any]) -> None:
    for name in (*SERVICES, "migrate"):
        body = compose["services"][name]
        assert body["read_only"] is True
        assert body["cap_drop"] == ["ALL"]
        assert body["user"] != "0:0"
        assert f"USER {body['user']}" in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def test_the_services_wait_for_the_stores_and_for_the_migration(compose: dict[str, Any]) -> None:
    for name in SERVICES:
        assert compose["services"][name]["depends_on"] == {
            "postgres": {"condition": "service_healthy"},
            "kafka": {"condition": "service_healthy"},
            "migrate": {"condition": "service_completed_successfully"},
        }
    assert compose["services"]["migrate"]["command"] == ["migrate"]
    assert compose["services"]["migrate"]["restart"] == "no"


def test_every_mounted_file_exists(compose: dict[str, Any]) -> None:
    for body in compose["services"].values():
        for volume in body.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith("./") else source in compose["volumes"], volume


# ---- Caddy


def caddy_routes() -> list[tuple[list[str], str, str]]:
    """(paths, stripped prefix, upstream) of each handle, in the file's order."""
    text = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    matchers = {name: paths.split() for name, paths in re.findall(r"^\t@(\w+) path (.+)$", text, re.MULTILINE)}
    handles = re.findall(
        r"^\thandle @(\w+) \{\n(?:\t\turi strip_prefix (\S+)\n)?\t\treverse_proxy (\S+)\n\t\}", text, re.MULTILINE
    )
    return [(matchers[name], prefix, upstream) for name, prefix, upstream in handles]


def answered_by(path: str) -> tuple[str, str] | None:
    """The upstream and the path it receives; None if Caddy answers 404."""
    for patterns, prefix, upstream in caddy_routes():
        if any(fnmatchcase(path, pattern) for pattern in patterns):
            return upstream, path.removeprefix(prefix)
    return None


@pytest.mark.parametrize("service", SERVICES)
def test_api_paths_are_routed_to_the_service_that_has_them(
    compose: dict[str, Any], service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = settings_of(compose["services"][service], monkeypatch).url(service).removeprefix("http://")
    for path in OPEN[service].split():
        assert answered_by(path) == (upstream, path)
    for path in OF_EVERY_SERVICE:
        assert answered_by(f"/services/{service}{path}") == (upstream, path)


def test_internal_paths_are_not_reachable_from_outside() -> None:
    for path in (*NEVER_OPEN, *OF_EVERY_SERVICE, "/referralsx", "/services", "/services/referrals"):
        assert answered_by(path) is None, path
    for service in SERVICES:
        for path in (*NEVER_OPEN, "/events/1", "/referrals"):
            assert answered_by(f"/services/{service}{path}") is None, path


def test_bodies_are_limited_and_the_stream_is_not_buffered() -> None:
    text = re.sub(r"#.*", "", (DEPLOY / "Caddyfile").read_text(encoding="utf-8"))
    limits = dict(re.findall(r"request_body @(\w+) \{\n\t\tmax_size (\S+)", text))
    assert limits == {"imports": "21MiB", "others": "256KiB"}
    assert "@imports path /imports\n" in text
    assert "@others not path /imports\n" in text
    assert not re.search(r"encode|flush_interval|response_buffers", text)


def test_caddys_own_errors_are_problem_json() -> None:
    answers = re.findall(r"respond `(.+)` (\d+)", (DEPLOY / "Caddyfile").read_text(encoding="utf-8"))
    assert {int(status) for _, status in answers} == {404, 413, 502}
    for body, status in answers:
        said = json.loads(body)
        assert said == Problem(int(status), said["code"], said["detail"], said["cure"]).body()


# ---- Prometheus and Grafana


def expressions(tree: Any) -> list[str]:
    """Every PromQL expression of a parsed alert file or dashboard."""
    if isinstance(tree, dict):
        own = [value for key, value in tree.items() if key == "expr"]
        return own + [found for value in tree.values() for found in expressions(value)]
    return [found for item in tree for found in expressions(item)] if isinstance(tree, list) else []


def metrics_in(expression: str) -> set[str]:
    used = re.findall(r"\bjalons_\w+", expression)
    return {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in used}


def alerts() -> list[dict[str, Any]]:
    return [rule for group in load(DEPLOY / "prometheus/alerts.yml")["groups"] for rule in group["rules"]]


def dashboard() -> Any:
    return json.loads((DEPLOY / "grafana/dashboards/hub.json").read_text(encoding="utf-8"))


def test_prometheus_scrapes_every_service_at_its_address(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = {job["job_name"]: job for job in load(DEPLOY / "prometheus/prometheus.yml")["scrape_configs"]}
    settings = settings_of(compose["services"]["referrals"], monkeypatch)
    assert jobs["jalons"]["static_configs"][0]["targets"] == [f"{name}:{settings.port(name)}" for name in SERVICES]
    assert "metrics_path" not in jobs["jalons"]  # Prometheus' own default is /metrics


def test_alerts_and_dashboard_use_only_metrics_that_exist() -> None:
    for tree in (alerts(), dashboard()):
        used = {name for expression in expressions(tree) for name in metrics_in(expression)}
        assert used
        assert used <= {each.name for each in METRICS}


def test_every_metric_is_on_the_dashboard_or_in_an_alert() -> None:
    shown = {name for expression in expressions(dashboard()) for name in metrics_in(expression)}
    assert shown == {each.name for each in METRICS}


def test_every_alert_has_a_cause_and_a_cure() -> None:
    for rule in alerts():
        assert set(rule["annotations"]) == {"summary", "cause", "cure"}, rule["alert"]
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]


def test_every_condition_that_stops_events_has_an_alert() -> None:
    said = {name for rule in alerts() for name in metrics_in(rule["expr"])}
    assert said >= {
        "jalons_dead_letters_open",
        "jalons_subjects_parked",
        "jalons_fuse_open",
        "jalons_sequence_conflicts",
        "jalons_outbox_oldest_seconds",
        "jalons_consumer_lag",
        "jalons_deliveries",
    }
    assert any(rule["expr"] == 'up{job="jalons"} == 0' for rule in alerts())


def test_grafana_finds_its_dashboard_and_data_source(compose: dict[str, Any]) -> None:
    source = load(DEPLOY / "grafana/provisioning/datasources/prometheus.yml")["datasources"][0]
    folder = load(DEPLOY / "grafana/provisioning/dashboards/hub.yml")["providers"][0]["options"]["path"]
    panels = dashboard()["panels"]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert source["url"] == "http://prometheus:9090"
    grafana = compose["services"]["grafana"]
    assert f"./deploy/grafana/dashboards:{folder}:ro" in grafana["volumes"]
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == f"{folder}/hub.json"
