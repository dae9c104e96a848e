"""Every setting, in one frozen model that is built once at start. Importing it opens and reads nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SERVICES = ("referrals", "observation", "notifications")
ServiceName = Literal["referrals", "observation", "notifications"]
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Settings(BaseSettings):
    """The settings, read from `JALONS_…` environment variables. `jalons up` sets them itself.

    Addresses are URLs without a trailing slash; durations are seconds. Raises pydantic's ValidationError, which names
    the missing or wrong variable but never its value.
    """

    model_config = SettingsConfigDict(env_prefix="JALONS_", frozen=True, extra="ignore", hide_input_in_errors=True)

    # Databases. The direct URL bypasses a connection pooler, for session locks and LISTEN.
    database_url: str
    database_direct_url: str | None = None
    database_pool: int = 10

    kafka: str = Field(description="bootstrap servers, host:port[,host:port]")
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    kafka_referrals_password: SecretStr | None = Field(
        default=None, description="for `jalons migrate` alone: it gives the broker's user `referrals` this password"
    )
    kafka_observation_password: SecretStr | None = Field(default=None, description="alike, for `observation`")
    kafka_notifications_password: SecretStr | None = Field(default=None, description="alike, for `notifications`")
    kafka_ca_file: Path | None = None
    kafka_replication: int = 1

    # Secrets. Person keys, aliases and signing keys are encrypted with, or derived from, the secret key.
    secret_key: SecretStr = Field(min_length=32)
    operator_client_id: str = "operator"
    operator_client_secret: SecretStr | None = None
    hub_client_id: str = "hub"
    hub_client_secret: SecretStr

    # The issuer of tokens. Unset: referrals itself.
    issuer: str | None = None
    jwks_url: str | None = None

    # Where the services listen, and where they reach each other.
    host: str = "127.0.0.1"
    referrals_port: int = 8001
    observation_port: int = 8002
    notifications_port: int = 8003
    referrals_url: str = "http://127.0.0.1:8001"
    observation_url: str = "http://127.0.0.1:8002"
    notifications_url: str = "http://127.0.0.1:8003"
    public_url: str | None = Field(default=None, description="the one address that links and OpenAPI carry")
    trusted_proxies: str = Field(
        default="",
        description="addresses or networks, by commas, of the proxies in front: whom they name in `X-Forwarded-For` is "
        "the caller, and they have no bound on connections",
    )

    # Mail. With a catcher's folder and no SMTP URL, mail is caught and shown, never sent.
    smtp_url: str | None = Field(default=None, description="smtp://user:password@host:25 or smtps://…")
    mail_from: str = "jalons@localhost"
    mail_catcher_dir: Path | None = None
    coordinator_mailbox: str | None = Field(
        default=None,
        description="where the coordinator is told of what nobody answered; unset: she is not mailed, and sees it on "
        "the stream",
    )
    operator_mail: str | None = Field(
        default=None,
        description="where the operator is told that something does not work, that all is well again, and each Monday "
        "that all is well; unset: nobody is mailed",
    )
    network_name: str = "Intégra Plus"

    # Backups: one a night, made by referrals. Refs of erased persons are kept beside them.
    backup_dir: Path | None = Field(
        default=None,
        description="where the nightly backups go; unset: none are made. Every referrals process must see it",
    )
    backups_kept: int = Field(default=30, ge=1, description="nightly backups that stay, the newest ones")

    # How long rows are kept that only grow. The purge deletes them afterwards.
    keep_repeated_calls_days: int = Field(default=30, ge=1, description="answers to repeated calls")
    keep_deliveries_days: int = Field(default=396, ge=31, description="finished messages and their attempts: 13 months")
    keep_imports_days: int = Field(default=90, ge=1, description="results of imports, from the last row")
    keep_resolved_dead_letters_days: int = Field(default=90, ge=1, description="dead letters, from their resolution")
    keep_audit_years: int = Field(default=10, ge=1, description="who read or wrote what of a person")

    instance: str | None = Field(default=None, description="a stable name of this worker; unset: dynamic")
    allow_loopback_webhooks: bool = False
    watchdog_seconds: float = 60
    reconcile_seconds: float = 60
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    test_clock: Path | None = Field(
        default=None,
        description="a file that moves the hub's time, for trying out; only where the hub listens on this machine alone"
        " and mail is caught",
    )

    @model_validator(mode="after")
    def _time_is_real_where_people_are(self) -> Self:
        if self.test_clock and (self.host not in _LOOPBACK or self.mail_catcher_dir is None):
            raise ValueError("JALONS_TEST_CLOCK is for a hub that listens on loopback and catches its mail")
        return self

    def port(self, service: ServiceName) -> int:
        """The port a service listens on."""
        return int(getattr(self, f"{service}_port"))

    def url(self, service: ServiceName) -> str:
        """Where the hub's services reach a service."""
        return str(getattr(self, f"{service}_url"))

    @property
    def urls(self) -> dict[str, str]:
        """Where the hub's services reach each of them."""
        return {name: str(getattr(self, f"{name}_url")) for name in SERVICES}

    @property
    def direct_url(self) -> str:
        """The database URL for connections that hold a session lock or LISTEN."""
        return self.database_direct_url or self.database_url

    @property
    def token_issuer(self) -> str:
        """The `iss` that every token must carry."""
        return self.issuer or f"{self.public_url or self.referrals_url}"
