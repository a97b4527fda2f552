"""Every setting of the worker: from flags, the environment, a TOML file and defaults, in this order.

`WORKER_` stands before a setting's name in the environment, but for Kafka's own, which are named as they are
everywhere else: `KAFKA_BOOTSTRAP_SERVERS`, `KAFKA_SECURITY_PROTOCOL`, … All errors are reported at once.
"""

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from contract.errors import UsageError
from worker.environment import (
    CONFIG_VARIABLE,
    PREFIX,
    Environment,
    KafkaEnvironment,
    misspelt,
    told,
    unused,
)
from worker.extras import tracing_problems
from worker.flags import given
from worker.sasl import password_in, sasl_problems
from worker.setting_types import Bytes, Count, FractionalMilliseconds, Milliseconds, Threads, Topic, plain
from worker.tls import tls_problems


class Settings(BaseSettings):
    """The settings; units stand last in their names."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, env_ignore_empty=True, validate_default=True
    )

    bundle: Path = Field(description="Folder of the bundle that `python -m export bundle` wrote.")
    variant: str = Field(
        "auto", description="Graph of the bundle to serve: `fp32`, `int8`, …, or the device's best."
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where the model runs.")
    callers: Threads = Field(0, description="Forward passes at a time; 0 means one a core, and 1 on CUDA.")
    threads: Threads = Field(0, description="CPU threads of a pass; 0 means 1. Given alone, 1 pass at a time.")
    tuning_file: Path | None = Field(
        None, description="What `python -m worker tune` wrote; used where it is of this bundle and such a machine."
    )
    device_memory_bytes_max: Bytes = Field(0, ge=0, description="GPU memory at most; 0 means no limit.")

    kafka_bootstrap_servers: str = Field("localhost:9092", description="Brokers to ask first, `host:port,…`.")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Encryption and authentication of the connection."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = Field(
        None, description="How to authenticate with a SASL protocol."
    )
    kafka_sasl_username: str | None = Field(None, description="SASL user.")
    kafka_sasl_password: SecretStr | None = Field(None, description="SASL password; never logged.")
    kafka_sasl_password_file: Path | None = Field(
        None, description="File that holds the SASL password instead, in UTF-8."
    )
    kafka_sasl_oauthbearer_token_file: Path | None = Field(
        None, description="File that holds the bearer token; read each time that we authenticate."
    )
    kafka_ssl_cafile: Path | None = Field(None, description="Certificates of the authorities to trust (PEM).")
    kafka_ssl_certfile: Path | None = Field(None, description="The client's certificate (PEM).")
    kafka_ssl_keyfile: Path | None = Field(None, description="The client's private key (PEM).")
    kafka_ssl_check_hostname: bool = Field(
        True, description="Whether the broker's certificate must name its host."
    )

    input_topic: Topic = Field("reviews", description="Topic of review events.")
    output_topic: Topic = Field("reviews.sentiment", description="Topic of enriched events.")
    dead_letter_topic: Topic = Field("reviews.dlq", description="Topic of what can't be scored.")
    group_id: str = Field("review-sentiment", min_length=1, description="Consumer group of all replicas.")
    group_instance_id: str | None = Field(
        None,
        description="Makes the replica a static member: quick restarts move nothing, scale-downs take a timeout.",
    )
    create_topics: bool = Field(False, description="Create missing output topics, with the input's partitions.")
    output_partitioning: Literal["source", "key"] = Field(
        "source",
        description="A result goes to the number of its source's partition, or where its key hashes.",
    )
    output_compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field(
        "none", description="Compression of published batches."
    )
    allow_expired: bool = Field(
        False,
        description="Go on at the earliest record left where unread events have expired, instead of stopping.",
    )
    allow_replaced: bool = Field(
        False,
        description="Go back to the earliest record where the input topic was recreated, or to where its log "
        "was cut off, instead of stopping.",
    )

    text_field: str | None = Field(
        None, description="The one field to read the text from; unset, the usual names."
    )
    input_bytes_max: Count = Field(1_000_000, ge=1, description="A larger value becomes a dead letter unread.")

    window_records_max: Count = Field(512, ge=1, description="Records of a window at most.")
    window_bytes_max: Bytes = Field(
        8 * 2**20,
        ge=1,
        description="Bytes of a window at most, keys and headers included; one record always fits.",
    )
    window_ms_target: FractionalMilliseconds = Field(
        500, gt=0, description="Device time of a window, as far as it can be foreseen."
    )
    wait_ms_max: FractionalMilliseconds = Field(
        0, ge=0, description="Wait for more records while the device is free."
    )
    batch_rows_max: Count = Field(
        0, ge=0, description="Rows of a forward pass at most; 0 means 64 on a CPU, 1,024 on CUDA."
    )
    batch_tokens_max: Count = Field(
        0, ge=0, description="Tokens of a pass at most, padding included; 0 means 512 on a CPU, 16,384 on CUDA."
    )
    held_records_max: Count = Field(
        4096, ge=1, description="Records read and not yet settled: reading pauses there."
    )
    held_bytes_max: Bytes = Field(64 * 2**20, ge=1, description="The same in bytes of keys, values and headers.")

    delivery: Literal["at-least-once", "exactly-once"] = Field(
        "at-least-once",
        description="Exactly once: outcomes and positions in transactions, for readers with read_committed.",
    )
    transaction_ms_max: FractionalMilliseconds = Field(
        100, ge=0, description="Exactly once: a transaction takes windows for so long."
    )
    transaction_records_max: Count = Field(4096, ge=1, description="Exactly once: and so many records at most.")
    transaction_timeout_ms: Milliseconds = Field(
        15_000, ge=1000, le=900_000, description="Exactly once: the broker aborts a transaction that takes longer."
    )
    start_timeout_ms: Milliseconds = Field(
        120_000, ge=0, description="Time to wait at the start for brokers that are away, before it ends with 4."
    )
    commit_interval_ms: Milliseconds = Field(1000, ge=1, description="Time between two commits.")
    commit_timeout_ms: Milliseconds = Field(
        60_000, ge=1, description="A commit that takes longer ends the process."
    )
    publish_timeout_ms: Milliseconds = Field(
        120_000, ge=1000, description="A record that no broker acknowledges for longer ends the process."
    )
    drain_timeout_ms: Milliseconds = Field(
        10_000, ge=1, description="Time to finish the windows in flight when partitions are revoked."
    )
    shutdown_timeout_ms: Milliseconds = Field(25_000, ge=1, description="Time to finish after SIGTERM.")
    session_timeout_ms: Milliseconds = Field(
        45_000, ge=1000, description="A worker silent for longer loses its partitions."
    )

    stall_timeout_ms: Milliseconds = Field(
        120_000, ge=1000, description="A partition with records that does not move for longer is reported."
    )

    dead_letter_ratio_max: float = Field(
        0.5,
        gt=0,
        le=1,
        description="The worker stops when the model fails on more of a partition, or of all.",
    )
    dead_letter_records_min: Count = Field(
        200, ge=1, description="Records of a partition, or of all, over which that is counted."
    )

    http_host: str = Field("::", description="Address of health and metrics; `::` is every one, of IPv4 too.")
    http_port: int = Field(8080, ge=0, le=65535, description="Port of health and metrics; 0 means any free one.")
    summary_interval_ms: Milliseconds = Field(
        60_000, ge=0, description="Time between two lines of the log that sum up what was done; 0 means none."
    )
    tracing: bool = Field(
        False, description="Send OpenTelemetry traces, as `OTEL_…` variables say; needs the extra `tracing`."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged.")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="JSON lines, or a page for people; `auto` looks whether a terminal reads it."
    )

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: object, info: ValidationInfo) -> object:
        return plain(value, is_switch=cls.model_fields[str(info.field_name)].annotation is bool)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        """Everything that is wrong between settings, in one message."""
        rules = {
            "WORKER_DRAIN_TIMEOUT_MS must be less than WORKER_SESSION_TIMEOUT_MS, or a drain ends membership": (
                self.drain_timeout_ms < self.session_timeout_ms
            ),
            "WORKER_TRANSACTION_MS_MAX must be less than WORKER_DRAIN_TIMEOUT_MS, which has to wait for its end": (
                self.delivery == "at-least-once" or self.transaction_ms_max < self.drain_timeout_ms
            ),
            "KAFKA_SASL_PASSWORD and KAFKA_SASL_PASSWORD_FILE are both set: leave one of them out": (
                self.kafka_sasl_password is None or self.kafka_sasl_password_file is None
            ),
            "WORKER_INPUT_TOPIC, WORKER_OUTPUT_TOPIC and WORKER_DEAD_LETTER_TOPIC must be three topics": (
                len({self.input_topic, self.output_topic, self.dead_letter_topic}) == len(("in", "out", "dead"))
            ),
            "WORKER_HELD_RECORDS_MAX must be at least WORKER_WINDOW_RECORDS_MAX": self.held_records_max
            >= self.window_records_max,
        }
        broken = [rule for rule, holds in rules.items() if not holds]
        given = [name for name in self.model_fields_set if getattr(self, name) is not None]
        broken += unused(self.kafka_security_protocol, given)
        if self.kafka_security_protocol.startswith("SASL"):
            broken += sasl_problems(
                self.kafka_security_protocol,
                self.kafka_sasl_mechanism,
                self.kafka_sasl_username,
                has_password=self.kafka_sasl_password is not None,
                password_file=self.kafka_sasl_password_file,
                token_file=self.kafka_sasl_oauthbearer_token_file,
            )
        if self.kafka_security_protocol.endswith("SSL"):
            broken += tls_problems(self.kafka_ssl_cafile, self.kafka_ssl_certfile, self.kafka_ssl_keyfile)
        if self.tracing:
            broken += tracing_problems(os.environ)
        if broken:
            raise ValueError("; ".join(broken))
        return self

    def sasl_password(self) -> str | None:
        """The SASL password, from the setting or from its file, without one line break at the end of the file.

        Raises:
            ValueError: If the file can't be read, is empty or is not UTF-8.
        """
        if self.kafka_sasl_password is not None:
            return self.kafka_sasl_password.get_secret_value()
        return password_in(self.kafka_sasl_password_file) if self.kafka_sasl_password_file else None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings' signature
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags and explicit values, then the environment, then the file."""
        file = os.environ.get(CONFIG_VARIABLE)
        return (
            init_settings,
            Environment(settings_cls),
            KafkaEnvironment(settings_cls, env_prefix=""),
            TomlConfigSettingsSource(settings_cls, toml_file=Path(file) if file else None),
        )


class _Bundleless(Settings):
    """For commands that need no bundle: it may be named."""

    bundle: Path = Path()


def load_settings(
    arguments: Sequence[str] = (), *, command: str = "run", usage: str = "", needs_bundle: bool = True
) -> Settings:
    """The settings that these flags, the environment and the file named in `WORKER_CONFIG` make.

    Args:
        arguments: The flags.
        command: The one that they are given to, for its --help.
        usage: Names the flags that this command has besides.
        needs_bundle: Whether there has to be one.

    Raises:
        UsageError: If any is wrong; the message names all that are.
    """
    problems, file = misspelt(os.environ, Settings.model_fields), os.environ.get(CONFIG_VARIABLE)
    try:
        problems += [f"{CONFIG_VARIABLE}: there is no file {file}"] if file and not Path(file).is_file() else []
        flags, strangers = given(Settings, arguments, command=command, usage=usage)
        problems += strangers
        settings = (Settings if needs_bundle else _Bundleless)(**flags)
    except ValidationError as error:
        problems += [told(item) for item in error.errors()]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        problems.append(f"{CONFIG_VARIABLE}: {file} can't be read: {error}")
    except ValueError as error:  # a flag without its value
        problems.append(str(error))
    if problems:
        raise UsageError(f"the settings don't hold: {'; '.join(problems)}")
    return settings
