"""Typed settings, read once at the start of a process and passed to what needs them.

Every setting has an environment variable: `CONVEX_` + the field, nested areas joined by two
underscores (`CONVEX_SMTP__HOST`). docs/configuration.md lists all of them; a test checks that.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=1, le=65535)]


def _seconds(value: object) -> object:
    """A plain number from the environment is a count of seconds."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


Duration = Annotated[timedelta, BeforeValidator(_seconds)]


class Area(BaseModel):
    """One nested group of settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SmtpSettings(Area):
    """Where e-mail notifications are handed over."""

    host: str = Field("", description="SMTP server; empty means that e-mail is not configured.")
    port: Port = Field(587, description="SMTP port.")
    username: str = Field("", description="SMTP user, empty for none.")
    password: str = Field("", description="SMTP password.")
    starttls: bool = Field(True, description="Upgrade to TLS before anything is said.")
    sender: str = Field("Convex <convex@localhost>", description="The From header.")


class OidcSettings(Area):
    """Sign-in by an OpenID provider, beside passwords."""

    issuer: str = Field("", description="Address of the OpenID provider; empty: passwords only.")
    client_id: str = Field("", description="The client that the provider knows Convex as.")
    client_secret: str = Field("", description="Its secret; empty for a public client.")
    name: str = Field("single sign-on", description="What the page's button calls the provider.")


class SecretSettings(Area):
    """Secrets given from outside; what is empty is generated once into CONVEX_HOME/secrets.json."""

    signing_key: str = Field("", description="Key that signs access tokens (at least 32 bytes).")
    encryption_key: str = Field("", description="Fernet key for secrets at rest.")
    api_password: str = Field("", description="Password of the database role convex_api.")
    worker_password: str = Field("", description="Password of the database role convex_worker.")
    dbt_password: str = Field("", description="Password of the database role convex_dbt.")
    prefect_password: str = Field("", description="Password of the database role convex_prefect.")


class PoolSettings(Area):
    """Database connections of one process."""

    minimum: PositiveInt = Field(2, description="Connections kept open.")
    maximum: PositiveInt = Field(10, description="Most connections of one process.")


class DeliverySettings(Area):
    """The outbox and what it may reach."""

    lease: Duration = Field(timedelta(seconds=60), description="How long a claim is held.")
    timeout: Duration = Field(timedelta(seconds=15), description="Longest single attempt.")
    attempts: PositiveInt = Field(5, description="Attempts before a notification has failed.")
    claim_size: PositiveInt = Field(200, description="Notifications claimed at once.")
    shift: Duration = Field(timedelta(minutes=30), description="Length of one alert flow shift.")
    allowed_hosts: frozenset[str] = Field(
        frozenset(), description="Private or loopback hosts (host or host:port) that may be called."
    )


class BackupSettings(Area):
    """Recovery of the embedded PostgreSQL to a moment."""

    wal_archive: str = Field(
        "", description="Folder that the database's log is archived into; empty: none."
    )
    wal_archive_every: Duration = Field(
        timedelta(minutes=1), description="How old what is not archived may become."
    )


class LiveSettings(Area):
    """The live stream."""

    retention: Duration = Field(timedelta(hours=24), description="How long events can be resumed.")
    buffer_bytes: PositiveInt = Field(
        1_048_576, description="Unsent bytes after which a slow client is cut off."
    )


class TraceSettings(Area):
    """Traces by OpenTelemetry; they are off without an endpoint."""

    endpoint: str = Field(
        "", description="OTLP/HTTP collector of traces, such as http://host:4318; empty: off."
    )
    headers: dict[str, str] = Field({}, description="Headers for the collector (JSON).")
    sample_ratio: float = Field(
        1.0, ge=0, le=1, description="Share of traces kept that no caller has begun."
    )


class InsightSettings(Area):
    """Insights by Claude; they are on when ANTHROPIC_API_KEY is set."""

    model: str = Field(
        "claude-sonnet-5-5", description="Model for frameworks, digests, strategies."
    )
    fast_model: str = Field(
        "claude-haiku-5-5", description="Model for what is asked often: alerts, questions."
    )
    effort: Literal["low", "medium", "high"] = Field("medium", description="low, medium or high.")
    max_tokens: PositiveInt = Field(8000, description="Most output of one call, thinking included.")
    max_input_tokens: PositiveInt = Field(30_000, description="Longer prompts are not sent.")
    daily_budget_usd: float = Field(
        2.0, ge=0, description="Most that one workspace may cost a UTC day; 0: no calls."
    )
    timeout: Duration = Field(timedelta(seconds=120), description="Longest call, retries included.")
    attempts: PositiveInt = Field(4, description="Attempts of a call that is turned away.")
    batch: bool = Field(True, description="Write the nightly insights by the batch API.")
    batch_wait: Duration = Field(
        timedelta(minutes=10), description="How long a nightly run waits for its batch."
    )
    base_url: str = Field("", description="Another server that speaks the API; empty: Anthropic's.")
    prices: dict[str, tuple[float, float, float, float]] = Field(
        {},
        description="USD per million tokens (input, output, cache write, cache read) by model,"
        " beside the table that is built in.",
    )


class FlowSettings(Area):
    """Where flow runs go, and how one run spreads over workspaces."""

    pool: Literal["process", "kubernetes"] = Field(
        "process", description="What a flow run is: a process of a worker, or a Kubernetes job."
    )
    job_template: str = Field(
        "", description="File with the base job template of a pool of Kubernetes jobs."
    )
    runner: Literal["threads", "dask", "ray"] = Field(
        "threads", description="Prefect's task runner that a run spreads over workspaces by."
    )
    parallel: PositiveInt = Field(2, description="Workspaces that one run works on at once.")
    runner_address: str = Field(
        "", description="Scheduler of Dask or Ray; empty: a local cluster for each run."
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="Port where a worker shows the metrics of its runs; 0: the API shows them.",
    )


class Settings(BaseSettings):
    """Everything that can be set, with its default."""

    model_config = SettingsConfigDict(
        env_prefix="CONVEX_", env_nested_delimiter="__", extra="ignore", frozen=True
    )

    home: Path = Field(Path(".convex"), description="Data folder of the embedded servers.")
    database_url: str = Field(
        "", description="PostgreSQL (>= 15) with a role that may create roles; empty: embedded."
    )
    redis_url: str = Field("", description="Redis or Valkey; empty: embedded.")
    host: str = Field("127.0.0.1", description="Address that the API and Prefect listen on.")
    api_port: Port = Field(8000, description="Port of the API and the web page.")
    prefect_port: Port = Field(4200, description="Port of the Prefect server.")
    public_url: str = Field("", description="Address that members reach; empty: host and port.")
    allowed_origins: frozenset[str] = Field(
        frozenset(), description="Origins of other pages that may call the API from a browser."
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    deletion_grace: Duration = Field(
        timedelta(days=7), description="Time to undo the deletion of a workspace."
    )
    smtp: SmtpSettings = SmtpSettings()
    oidc: OidcSettings = OidcSettings()
    secrets: SecretSettings = SecretSettings()
    pool: PoolSettings = PoolSettings()
    delivery: DeliverySettings = DeliverySettings()
    live: LiveSettings = LiveSettings()
    backup: BackupSettings = BackupSettings()
    traces: TraceSettings = TraceSettings()
    insights: InsightSettings = InsightSettings()
    flows: FlowSettings = FlowSettings()

    @property
    def base_url(self) -> str:
        """The address in links: `public_url`, or where the API listens; no trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.api_port}").rstrip("/")

    @property
    def anthropic_api_key(self) -> str:
        """The key under which Claude is called; empty: insights are written by templates."""
        return os.environ.get("ANTHROPIC_API_KEY", "").strip()

    @property
    def prefect_api_url(self) -> str:
        """Where flows and workers reach the Prefect server."""
        return os.environ.get("PREFECT_API_URL") or f"http://{self.host}:{self.prefect_port}/api"


def load_settings() -> Settings:
    """Read the settings from the environment; the home is made absolute.

    Raises `pydantic.ValidationError`, which names each variable that cannot be used.
    """
    settings = Settings()
    return settings.model_copy(update={"home": settings.home.expanduser().resolve()})
