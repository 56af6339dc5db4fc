"""A run's specification: what to load, how, and for how long.

Fields carry Locust's names. The command line and experiment files both become a
`RunSpecification`, so that a fault reads the same from either.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from secrets import randbelow
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from loadgen.shared.errors import UsageError
from loadgen.specification.durations import Duration
from loadgen.specification.faults import describe_fault
from loadgen.specification.locust_options import VARIABLES
from loadgen.specification.ports import EXPORTER_PORT, MASTER_BIND_PORT, WEB_PORT
from loadgen.specification.slo import DEFAULT_SLOS, Slo
from loadgen.specification.variables import VARIABLE, read_variables

DEFAULT_LOCUSTFILE = "locustfiles/hello.py"


class RequestLogSettings(BaseModel):
    """How densely requests are logged. A sample is drawn evenly over successes and failures."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    sampling_ratio: float = Field(default=1.0, gt=0, le=1)
    """The share of requests that are logged, chosen at random."""


SEED_VARIABLE = "LOADGEN_SEED"
MAXIMUM_USERS = 1_000_000
MAXIMUM_USERS_PER_WORKER = 20_000
MAXIMUM_RUN_TIME_SECONDS = 7 * 24 * 3600
_RECORDED = re.compile(r"RECORDED_\w+$|SCAFFOLD_\w+$|THINK_TIME_RATIO$")


def _split_command(value: object) -> object:
    return shlex.split(value) if isinstance(value, str) else value


Command = Annotated[tuple[str, ...], BeforeValidator(_split_command), Field(min_length=1)]


class RunSpecification(BaseModel):
    """One run. Durations are seconds, rates are per second.

    `host` None means the bundled target, or the User classes' own hosts. `workers` None means one
    worker process a core. `locust_arguments` go to Locust on every node, unchanged.

    `allow_missing` is how many worker hosts of a fleet may be down at the start; below 1 it is a
    ratio of them.

    `simulator` and `simulator_arguments` choose the bundled target and its options; without a
    `host` only. `request_tags` names groups of requests for SLOs. `warm_up` comes before
    `run_time` and is not measured. `allow_no_requests` is for locustfiles whose messages Locust
    doesn't count. `arrival_rate` (1/s) reaches open-model locustfiles as
    ARRIVAL_RATE, and a run that does not reach it is invalid. `environment` is set on every node
    and recorded; `secrets` names variables that are taken from this process's environment and
    recorded by name only. `env_file` has lines NAME=value, which are recorded by its name only.
    `before` and `after` are commands around the run, to reset the target for example; they see
    LOADGEN_RUN_ID and LOADGEN_HOST, `after` also LOADGEN_VERDICT and LOADGEN_RESULTS.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    description: str = ""
    """What the run is for, in words; it is shown at the top of the report."""
    locustfile: str = DEFAULT_LOCUSTFILE
    """The scenario: a locustfile, or several with commas."""
    host: str | None = None
    """The target's base URL; the bundled target when not given."""
    users: int = Field(default=10, ge=1, le=MAXIMUM_USERS)
    """Concurrent users."""
    spawn_rate: float = Field(default=10, gt=0, le=MAXIMUM_USERS)
    """Users started a second."""
    run_time: Duration = Field(default=30, ge=1, le=MAXIMUM_RUN_TIME_SECONDS)
    """How long is measured: 30s, 5m, 1h30m."""
    workers: int | None = Field(default=None, ge=1, le=1024)
    """Worker processes; one for each core when not given."""
    tags: tuple[str, ...] = ()
    """Only tasks with these tags."""
    exclude_tags: tuple[str, ...] = ()
    """No tasks with these tags."""
    user_classes: tuple[str, ...] = ()
    """Only these User classes."""
    stop_timeout: Duration = Field(default=10, ge=0, le=3600)
    """How long requests under way may finish when the load ends."""
    locust_arguments: tuple[str, ...] = ()
    """Locust's own options, passed on unchanged."""
    web_port: int = Field(default=WEB_PORT, ge=1, le=65535)
    """Port of Locust's web UI."""
    master_bind_port: int = Field(default=MASTER_BIND_PORT, ge=1, le=65535)
    """Port that workers connect to."""
    exporter_port: int = Field(default=EXPORTER_PORT, ge=1, le=65535)
    """Port of the metrics."""
    tls_cert: Path | None = None
    """Certificate of the web UI, PEM; needs tls_key."""
    tls_key: Path | None = None
    """Its key, PEM."""
    slos: tuple[Slo, ...] = DEFAULT_SLOS
    """The limits by which the run is judged; without any, at most 1 % of requests may fail."""
    request_tags: dict[str, tuple[str, ...]] = {}
    """Groups of request names for SLOs: {login: [/accounts/login/]}."""
    warm_up: Duration = Field(default=0, ge=0, le=86400)
    """How long the load runs before run_time; this time isn't measured."""
    arrival_rate: float | None = Field(default=None, gt=0, le=MAXIMUM_USERS)
    """Arrivals a second of an open-model locustfile; a run that doesn't reach them is invalid."""
    request_log: RequestLogSettings | None = None
    """{} logs every request, {sampling_ratio: 0.1} a tenth of them."""
    response_time_log: bool = False
    """Also log as the alarm study's testers do."""
    simulator: str | None = None
    """The bundled target to start, when there is no host."""
    simulator_arguments: tuple[str, ...] = ()
    """The bundled target's options."""
    environment: dict[str, str] = {}
    """Variables on every node, recorded with the run."""
    secrets: tuple[str, ...] = ()
    """Names of variables to hand over, recorded by name only."""
    seed: int | None = Field(default=None, ge=0, lt=2**53)
    """Where every worker's random choices begin; drawn for each run when not given, and kept."""
    before: tuple[Command, ...] = ()
    """Commands before every run, such as one that resets the target: no shell."""
    after: tuple[Command, ...] = ()
    """Commands after every run."""
    allow_no_requests: bool = False
    """Accept a run in which not one request was answered."""
    env_file: Path | None = None
    """A file of variables, NAME=value a line; recorded by name only."""
    skip_target_check: bool = False
    """Load even if the target doesn't answer before the run."""
    allow_missing: float = Field(default=0, ge=0, le=1000)
    """How many hosts of the fleet, or which share of them, the run can do without."""
    insecure_target: bool = False
    """Don't verify the target's certificate."""

    @model_validator(mode="before")
    @classmethod
    def _response_times_need_a_log(cls, fields: Any) -> Any:  # noqa: ANN401  whatever was given
        if isinstance(fields, dict) and fields.get("response_time_log"):
            return {**fields, "request_log": fields.get("request_log") or {}}
        return fields

    @field_validator("host")
    @classmethod
    def _host_has_a_scheme(cls, host: str | None) -> str | None:
        if host is None:
            return None
        parts = _split(host)
        if not parts.scheme or not parts.hostname or "://" not in host:
            raise ValueError("give a base URL with its scheme, such as https://shop.example")
        if parts.query or parts.fragment or host.endswith(("?", "#")):
            raise ValueError(
                "a base URL can't contain ? or #, because the paths of the locustfile "
                "are appended to it: put the query into the requests of the locustfile"
            )
        if "@" in parts.netloc:
            raise ValueError(
                "a password in the URL can be seen by other users of this machine: give the URL "
                "without the password, and let the locustfile read it from the environment"
            )
        return host.rstrip("/")

    @field_validator("tags", "exclude_tags", "user_classes")
    @classmethod
    def _words_are_no_options(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if any(word.startswith("-") for word in words):
            raise ValueError(
                "a value can't begin with -, because Locust would read it as an option"
            )
        return words

    @field_validator("environment")
    @classmethod
    def _variables_can_be_set(cls, environment: dict[str, str]) -> dict[str, str]:
        for name, value in environment.items():
            if not VARIABLE.match(name) or "\0" in value:
                raise ValueError(
                    f"{name!r} can't be set: the name of a variable consists of letters, digits "
                    f"and underscores"
                )
            if name in VARIABLES:
                raise ValueError(
                    f"the variable {name} sets an option of Locust: use the field of the run "
                    f"for this option instead"
                )
        return environment

    @field_validator("locustfile")
    @classmethod
    def _locustfile_is_named(cls, locustfile: str) -> str:
        if not all(part.strip() for part in locustfile.split(",")):
            raise ValueError("give a path, or several paths separated by commas")
        return locustfile

    @model_validator(mode="after")
    def _host_can_be_asked(self) -> Self:
        scheme = urlsplit(self.host).scheme if self.host else "http"
        if scheme not in ("http", "https") and not self.skip_target_check:
            raise ValueError(
                f"host {self.host} has the scheme {scheme}, but the check of the target "
                f"before the run needs http or https: give such a URL, or, for another "
                f"protocol, skip the check with skip_target_check"
            )
        return self

    @model_validator(mode="after")
    def _slos_fit_into_the_run(self) -> Self:
        # Without a run time of its own a load shape ends the run, which is known later.
        if "run_time" in self.model_fields_set:
            fault = too_long(self.slos, self.run_time)
            if fault:
                raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _tls_has_both_halves(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together: give both or neither")
        return self

    @model_validator(mode="after")
    def _tags_of_slos_are_known(self) -> Self:
        for slo in self.slos:
            if slo.tag is not None and slo.tag not in self.request_tags:
                raise ValueError(
                    f"an SLO uses the tag {slo.tag}, which is not defined: list the request "
                    f"names of this tag in request_tags"
                )
        return self

    def node_environment(self, own: Mapping[str, str]) -> dict[str, str]:
        """Return what every node's environment gets. UsageError when a secret isn't in `own`."""
        return {**self.secret_environment(own), **self.plain_environment}

    @property
    def plain_environment(self) -> dict[str, str]:
        """The variables that are no secret, as the run's summary has them."""
        rate = {} if self.arrival_rate is None else {"ARRIVAL_RATE": f"{self.arrival_rate:g}"}
        insecure = {"INSECURE_TARGET": "1"} if self.insecure_target else {}
        seed = {} if self.seed is None else {SEED_VARIABLE: str(self.seed)}
        return {**rate, **insecure, **seed, **self.environment}

    def seeded(self) -> Self:
        """Return it with a seed: its own, or one that is drawn now."""
        seed = randbelow(2**31) if self.seed is None else self.seed
        return self.model_copy(update={"seed": seed})

    def secret_environment(self, own: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that are gone with the run. UsageError: one isn't in `own`.

        What locustfiles made by `make record` read goes along unasked.
        """
        missing = [name for name in self.secrets if name not in own]
        if missing:
            raise UsageError(
                f"{', '.join(missing)} is to be passed to the run, but it is not set in "
                f"this machine's environment: set it before the run, or give --env NAME=value"
            )
        recorded = {name: own[name] for name in own if _RECORDED.match(name)}
        kept = read_variables(self.env_file) if self.env_file else {}
        named = {name: own[name] for name in self.secrets}
        return {**recorded, **kept, **named}

    @property
    def locustfiles(self) -> tuple[str, ...]:
        """The locustfiles, in order."""
        return tuple(part.strip() for part in self.locustfile.split(","))


def _split(host: str) -> SplitResult:
    """Split a URL; ValueError says what is wrong with its address."""
    try:
        parts = urlsplit(host)
        port = parts.port
    except ValueError as error:
        raise ValueError(
            f"it is not a URL ({error}): give one such as https://shop.example"
        ) from None
    if port == 0:
        raise ValueError("port 0 can't be used: give a port from 1 to 65535")
    if any(char.isspace() or ord(char) < 32 for char in host):
        raise ValueError("a URL can't contain spaces: give one such as https://shop.example")
    return parts


def too_long(slos: Sequence[Slo], run_time: float) -> str:
    """Say which SLO needs more time than the run has; empty when all fit."""
    for slo in slos:
        needed = slo.after_seconds + (slo.window_seconds or 0.0)
        if slo.after_seconds >= run_time or needed > run_time:
            return (
                f"'{slo.text()}' can't be measured: after_seconds and window_seconds need "
                f"{needed:g} s, but run_time is {run_time:g} s: shorten them, or lengthen the run"
            )
    return ""


Kind = TypeVar("Kind", bound=RunSpecification)


def specify(fields: Mapping[str, Any]) -> RunSpecification:
    """Check fields from a person; UsageError names each wrong field, its value and the rule."""
    return specify_as(RunSpecification, fields)


def specify_as(kind: type[Kind], fields: Mapping[str, Any]) -> Kind:
    """Do as `specify` does, for a kind of specification that has further fields."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        faults = [
            describe_fault(".".join(map(str, fault["loc"])), fault["input"], fault["msg"])
            for fault in error.errors()
        ]
        raise UsageError("\n".join(faults)) from error
