"""``config.toml`` as typed settings: every error names file, line and key.

Knows the shape of a station. Refuses unknown keys, and knows no port, clock or broker itself.
"""

import re
import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from acquisition.broker_settings import Broker
from acquisition.config_refusal import key_path, line_of, refusal_of
from acquisition.faults import BadInput
from acquisition.instrument_keys import (
    MANUAL,
    SIMULATED,
    Instrument,
    driver_names,
    instrument_settings,
    with_protocol_settings,
)
from acquisition.language import Language
from acquisition.law_keys import Approval, Law
from acquisition.setting_types import FlowRate, Name, Settings, Technician, Volume
from acquisition.training import Training
from calibration.refusal import Refused
from calibration.sheet_keys import Keys
from calibration.standard import Standard
from calibration.standard_keys import read_standard

if TYPE_CHECKING:
    from broker.seal import PublicKey

__all__ = [
    "MANUAL",
    "SIMULATED",
    "Approval",
    "Bench",
    "Broker",
    "Console",
    "DatabaseUrl",
    "Flow",
    "Instrument",
    "Law",
    "Log",
    "Metrics",
    "Office",
    "Premises",
    "Records",
    "Station",
    "Store",
    "TrustedKey",
    "driver_names",
    "instrument_settings",
    "line_of",
    "listening_at",
    "load_records_system",
    "load_station",
    "read_station",
    "station_if_there",
    "with_protocol_settings",
]


class Office(Settings):
    """The unit that verifies."""

    code: Name
    name: str = ""


def _file_or_database(given: Any) -> Any:
    """Take the path of a file, or the URL of a database, which must not hold a password."""
    if not isinstance(given, str) or "://" not in given:
        return given
    if re.fullmatch(r"postgres(ql)?://[^\s]+", given) is None:
        raise Refused("this is a file, or a database as in postgresql://tera@127.0.0.1/records")
    if re.fullmatch(r"\w+://[^/@]*:[^/@]*@.*", given) or "password=" in given:
        raise Refused("a password does not belong here: put it into records_password_file")
    return DatabaseUrl(given)


class DatabaseUrl(str):
    """Where a database is; no file."""


class Store(Settings):
    """Files of the station; relative paths count from the configuration file."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    outbox: Path = Path("data/outbox.sqlite")
    records: Annotated[Path | DatabaseUrl, BeforeValidator(_file_or_database)] = Path(
        "data/records.sqlite"
    )
    """The records system's store: a file, or a database by its postgresql:// URL."""
    records_password_file: Path | None = None
    captures: Path | None = None
    captures_mb: Annotated[int, Field(ge=16)] = 1024
    """How much is kept of each line [MB]; the oldest is deleted."""


class TrustedKey(Settings):
    """A key of the records system whose receipts are taken, as ``tera keys show`` prints it."""

    id: str
    public: str
    valid_from: Annotated[date, Field(alias="from")]
    valid_until: Annotated[date, Field(alias="until")]
    revoked: date | None = None

    @model_validator(mode="after")
    def _is_a_key(self) -> "TrustedKey":
        from broker.failure import BadSecret

        try:
            self.key()
        except BadSecret as error:
            raise Refused(error.template, key="public", **error.evidence) from None
        return self

    def key(self) -> "PublicKey":
        """Give the key as the way of a verdict takes it."""
        from broker.seal import PublicKey

        return PublicKey(self.id, self.public, self.valid_from, self.valid_until, self.revoked)


Listen = Annotated[str, AfterValidator(lambda text: text if listening_at(text) else "")]
"""Address and port, as in ``127.0.0.1:9464``."""


class Records(Settings):
    """The records system: whose receipts are taken, and, where it runs, what is its own."""

    keys: Path = Path("data/keys")
    """Folder of its own keys (``tera keys``); relative paths count from the configuration file."""
    metrics: Listen | None = None
    """Where it shows its numbers to Prometheus: both programs may read one file."""
    trusted: tuple[TrustedKey, ...] = ()


class Console(Settings):
    """What people see."""

    language: Language = "id"


class Log(Settings):
    """Where and how the service says what happens."""

    format: Literal["text", "json"] = "text"
    """Sentences for people, or one JSON object a line for programs."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    file: Path | None = None
    """Instead of standard error, which journald keeps."""
    max_bytes: Annotated[int, Field(ge=10_000)] = 10_000_000
    """A file that would grow larger is put aside [byte]."""
    keep: Annotated[int, Field(ge=1, le=1000)] = 5
    """How many files that were put aside are kept."""


class Metrics(Settings):
    """Where the station shows its numbers to Prometheus; nowhere by default."""

    listen: Listen | None = None


def _registered(given: object) -> Standard:
    """Read one standard of the register; what a certificate must say may not be missing."""
    keys = Keys.of(given, "")
    standard = read_standard(keys).standard  # a misspelt key explains the missing one beside it
    for name in ("kind", "certificate", "due"):
        if name not in keys:
            raise Refused("this key is missing.", key=name)
    return standard


RegisteredStandard = Annotated[Standard, PlainValidator(_registered)]
"""A measurement standard with its certificate; keys as in an observation sheet."""


class Flow(Settings):
    """One flow rate of the volume-meter routine."""

    rate: FlowRate
    volume: Volume
    runs: Annotated[int, Field(ge=1, le=20)] = 3


class Bench(Settings):
    """Instruments that are verified together by one routine."""

    name: Name
    routine: Literal["nawi", "volume-meter"]
    stage: Literal["initial", "subsequent", "in_service"] = "initial"
    standards: tuple[str, ...] = ()
    settle: Annotated[float, Field(gt=0, le=60)] = 2.0
    """How long an indication must stand still before it is taken [s]."""
    patience: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """How long a point may take to become stable [s]."""
    flow: tuple[Flow, ...] = ()
    technician: Technician | None = None
    """Who reads by eye what has no interface, unless `tera verify --by` says otherwise."""
    environment: dict[str, str] = Field(default_factory=dict)
    instrument: tuple[Instrument, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_what_its_routine_needs(self) -> "Bench":
        roles = [i.role for i in self.instrument]
        if "under_test" not in roles:
            raise ValueError('a bench needs an instrument with role = "under_test"')
        if self.routine == "volume-meter" and roles.count("reference") != 1:
            raise ValueError('routine "volume-meter" needs one instrument with role = "reference"')
        if self.routine == "volume-meter" and not self.flow:
            raise ValueError('routine "volume-meter" needs [[bench.flow]] with rate and volume')
        by_eye = [i.name for i in self.instrument if i.driver == MANUAL]
        if by_eye and self.routine != "nawi":
            raise Refused(
                'driver = "manual" is for routine = "nawi": write the observation sheet of {name}',
                key="routine",
                name=by_eye[0],
            )
        if self.routine == "volume-meter":
            for meter in self.instrument:
                if meter.role != "environment" and meter.driver == "modbus":
                    meter.check_total()
        measured = [name for i in self.instrument for name in i.surroundings()]
        for name in measured:
            if name in self.environment or measured.count(name) > 1:
                raise ValueError(f"environment {name!r} is given twice")
        return self


class Premises(Settings):
    """What a station and a records system without benches have in common."""

    office: Office
    broker: Broker = Broker()
    store: Store = Store()
    records: Records = Records()
    console: Console = Console()
    log: Log = Log()
    _source: tuple[str, Path] | None = PrivateAttr(None)

    @property
    def source(self) -> tuple[str, Path] | None:
        """Text and path of the file that this was read from; None when it was from none."""
        return self._source


class Station(Premises):
    """The whole of ``config.toml``."""

    metrics: Metrics = Metrics()
    approval: tuple[Approval, ...] = ()
    law: Law = Law()
    standards: tuple[RegisteredStandard, ...] = ()
    bench: tuple[Bench, ...] = Field(min_length=1)
    training: Training | None = None
    """What the station is an exercise in; only where everything is simulated."""

    @model_validator(mode="after")
    def _trains_on_nothing_real(self) -> "Station":
        real = [i.name for b in self.bench for i in b.instrument if i.port != SIMULATED]
        if self.training is not None and real:
            raise Refused(
                "an exercise is on simulated instruments: {instrument} is none.",
                key="training",
                instrument=real[0],
            )
        return self

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Station":
        instruments = [i.name for b in self.bench for i in b.instrument]
        for what, names in (
            ("bench", [b.name for b in self.bench]),
            ("instrument", instruments),
            ("standard", [s.id for s in self.standards]),
        ):
            doubled = sorted({n for n in names if names.count(n) > 1})
            if doubled:
                raise ValueError(f"{what} name {doubled[0]!r} is given twice")
        known = {s.id for s in self.standards}
        for bench in self.bench:
            for wanted in bench.standards:
                if wanted not in known:
                    raise ValueError(
                        f"bench {bench.name!r} names standard {wanted!r}, which is not under [[standards]]"
                    )
        return self


def listening_at(text: str) -> tuple[str, int]:
    """Read an address and a port: ``127.0.0.1:9464``, ``[::1]:9464``."""
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:]+)\]|([^:\s\[\]]+)):(\d{1,5})", text)
    if found is None or int(found[3]) > 65535:
        raise Refused("{value} is no address and port: write it as in 127.0.0.1:9464.", value=text)
    return found[1] or found[2], int(found[3])


def load_station(path: Path) -> Station:
    """Read and check a configuration file; relative paths in it count from its folder."""
    return read_station(_text(path), path)


def load_records_system(path: Path) -> Premises:
    """Read the configuration of a records system: a station's, or one without any bench."""
    text = _text(path)
    return _read(text, path, Station if "bench" in _parsed(text, path) else Premises)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput(
            "no such configuration file: {file}; name yours with --config", file=path
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("cannot read {file}: {why}", file=path, why=error) from None


def station_if_there(path: Path) -> Station | None:
    """Read a configuration that was named; the one that is taken by default may be missing."""
    return load_station(path) if path.exists() or path != Path("config.toml") else None


def read_station(text: str, path: Path) -> Station:
    """Check the text of a configuration file."""
    return _read(text, path, Station)


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except RecursionError:
        raise BadInput("it is nested too deeply", place=str(path)) from None
    except ValueError as error:  # also a number of thousands of digits
        raise BadInput("this is not TOML: {why}", place=str(path), why=error) from None


_Read = TypeVar("_Read", bound=Premises)


def _read(text: str, path: Path, kind: type[_Read]) -> _Read:
    data = _parsed(text, path)
    try:
        station = kind.model_validate(data, context={"folder": path.resolve().parent})
    except ValidationError as error:
        loc, refusal = refusal_of(error)
        place = f"{path}:{line_of(text, loc)}: {key_path(loc)}"
        raise BadInput(refusal[0], place=place, **refusal[1]) from None
    station._source = (text, path.resolve())  # noqa: SLF001 - nobody else gives it
    base = path.resolve().parent
    store, log = station.store, station.log
    return station.model_copy(
        update={
            "broker": station.broker.beside(base),
            "log": log.model_copy(update={"file": None if log.file is None else base / log.file}),
            "store": store.model_copy(
                update={
                    "outbox": base / store.outbox,
                    "records": store.records
                    if isinstance(store.records, DatabaseUrl)
                    else base / store.records,
                    "records_password_file": None
                    if store.records_password_file is None
                    else base / store.records_password_file,
                    "captures": None if store.captures is None else base / store.captures,
                }
            ),
            "records": station.records.model_copy(update={"keys": base / station.records.keys}),
        }
    )
