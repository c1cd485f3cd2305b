"""``config.toml`` as typed settings: every error names file, line and key.

Knows the shape of a station. Refuses unknown keys, and knows no port, clock or broker itself.
"""

import re
import tomllib
from collections.abc import Callable, Iterator
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
    ValidationInfo,
    field_validator,
    model_validator,
)

from acquisition.broker_settings import Broker
from acquisition.faults import BadInput
from acquisition.language import Language
from acquisition.setting_types import FlowRate, Name, Settings, UnitName, Volume
from acquisition.simulated_meter_keys import MeterSimulation
from acquisition.simulated_scale_keys import ScaleSimulation
from acquisition.training import Training
from acquisition.transmitter_keys import SURROUNDINGS, Factor, RoomSimulation, factor_of
from calibration.national import NationalSettings, Override, national_settings, overridden
from calibration.refusal import Refused
from calibration.sheet_keys import Keys
from calibration.standard import Standard
from calibration.standard_keys import read_standard
from calibration.units import same_kind
from drivers.errors import BadDriverSettings

if TYPE_CHECKING:
    from broker.seal import PublicKey
    from drivers.register_map import RegisterMap

SIMULATED = "simulated"
"""The port of an instrument that the station itself simulates, on a real line."""


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


class Records(Settings):
    """The records system: whose receipts are taken, and, where it runs, its own keys."""

    keys: Path = Path("data/keys")
    """Folder of its own keys (``tera keys``); relative paths count from the configuration file."""
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
    """Where the service shows its numbers to Prometheus; nowhere by default."""

    listen: (
        Annotated[str, AfterValidator(lambda text: text if listening_at(text) else "")] | None
    ) = None
    """Address and port, as in ``127.0.0.1:9464``."""


class Approval(Settings):
    """The office approves one legal table or settings file, by the digest of its file."""

    table: str
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    by: str
    on: date


def _decided(value: Any) -> Decimal | str:
    """Take a number as it is written, or a text."""
    if isinstance(value, str | Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    raise Refused("this is a number, or a text in quotes.")


class LawOverride(Settings):
    """One decision of the office over a national settings file."""

    setting: str
    key: str
    """As in the file: ``stage.subsequent.factor``."""
    value: Annotated[Decimal | str, PlainValidator(_decided)]
    reason: Annotated[str, Field(min_length=1)]
    """The decree or instruction that says so."""
    by: Annotated[str, Field(min_length=1)]
    on: date

    @model_validator(mode="after")
    def _can_be(self) -> "LawOverride":
        key = "setting"
        try:
            settings = national_settings(self.setting)
            key = "key"
            overridden(settings, [self.decision])
        except Refused as refused:
            raise Refused(refused.template, key=key, **refused.evidence) from None
        return self

    @property
    def decision(self) -> Override:
        """Give the override as the numeric core takes it."""
        return Override(self.key, self.value, self.reason, self.by, self.on)


class Law(Settings):
    """The national settings that the office works under."""

    settings: tuple[str, ...] = ()
    override: tuple[LawOverride, ...] = ()

    @model_validator(mode="after")
    def _agree(self) -> "Law":
        try:
            chosen = [national_settings(name) for name in self.settings]
        except Refused as refused:
            raise Refused(refused.template, key="settings", **refused.evidence) from None
        for index, later in enumerate(chosen):
            for earlier in chosen[:index]:
                if earlier.table == later.table and set(earlier.kinds) & set(later.kinds):
                    raise Refused(
                        "{first} and {second} are for the same kind of instrument: choose one.",
                        key="settings",
                        first=earlier.name,
                        second=later.name,
                    )
        names = {entry.name for entry in chosen}
        for decision in self.override:
            if (name := national_settings(decision.setting).name) not in names:
                raise Refused(
                    "{name} is overridden but not chosen: add it to settings.",
                    key="override",
                    name=name,
                )
        return self

    def in_force(self) -> tuple[NationalSettings, ...]:
        """Give the settings that were chosen, with the office's decisions over them."""
        return tuple(
            overridden(
                entry,
                [
                    made.decision
                    for made in self.override
                    if national_settings(made.setting).name == entry.name
                ],
            )
            for entry in map(national_settings, self.settings)
        )


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


def _written(given: object) -> object:
    """Write settings as they are typed: ``8`` and ``"8"`` are one, ``true`` is yes."""
    if not isinstance(given, dict):
        return given
    words = {True: "yes", False: "no"}
    return {
        k: words[v] if isinstance(v, bool) else str(v) if isinstance(v, int) else v
        for k, v in given.items()
    }


ProtocolSettings = Annotated[dict[str, str], BeforeValidator(_written)]
"""Settings of a scale's protocol, as its page in docs/protocols lists them."""


class Instrument(Settings):
    """One instrument on one line."""

    name: Name
    driver: str
    port: str
    role: Literal["under_test", "reference", "environment"] = "under_test"
    environment: dict[Literal["temperature", "humidity", "pressure"], str] = Field(
        default_factory=dict
    )
    """What its quantities are to the bench: ``{ temperature = "temperature_1" }``."""
    baudrate: Annotated[int, Field(gt=0)] | None = None
    framing: Annotated[str, Field(pattern=r"^[78][NEO][12]$")] | None = None
    mode: Literal["poll", "listen"] | None = None
    """Asked or listened to; None is what instruments of the protocol usually are."""
    interval: Annotated[float, Field(gt=0, le=3600)] | None = None
    """Poll period [s]."""
    timeout: Annotated[float, Field(gt=0, le=600)] | None = None
    """How long an answer may take [s]."""
    map: str | None = None
    unit: Annotated[int, Field(ge=0, le=255)] | None = None
    """Modbus unit identifier; None is the factory setting of the map, or 1."""
    units: dict[str, UnitName] = Field(default_factory=dict)
    """Units that the meter is set to, where the map leaves the choice."""
    ranges: dict[str, str] = Field(default_factory=dict)
    """Range codes that the channels are set to, where raw numbers are range-coded."""
    factors: dict[str, Factor] = Field(default_factory=dict)
    """What one count is worth: ``"0.01 L"``, or ``"1000 per L"``."""
    map_checked: str = ""
    """Who compared a provisional map with the instrument's display, and when."""
    word_order: Literal["ABCD", "CDAB", "BADC", "DCBA"] | None = None
    """As it was found at commissioning; None is the map's."""
    address_base: Literal[0, 1] | None = None
    """As it was found at commissioning; None is the map's."""
    total: str = "totalizer_1"
    """The quantity of a flow meter whose difference is a volume."""
    second_base: bool = False
    """Read at the addresses where the instrument answers a second time."""
    settings: ProtocolSettings = Field(default_factory=dict)
    """What a scale's protocol leaves open: checksum, device number, unit that is not sent ..."""
    characteristics: dict[str, Any] = Field(default_factory=dict)
    """Identity and metrological characteristics: the ``[instrument]`` of the observation sheet."""
    scale: ScaleSimulation | None = None
    meter: MeterSimulation | None = None
    room: RoomSimulation | None = None

    @field_validator("map")
    @classmethod
    def _beside_the_configuration(cls, given: str | None, info: ValidationInfo) -> str | None:
        """Take a technician's own map from the folder of the configuration file."""
        folder = (info.context or {}).get("folder")
        if given is None or folder is None or not given.endswith(".toml"):
            return given
        return str(folder / given)

    @model_validator(mode="after")
    def _fits_its_driver(self) -> "Instrument":
        known = driver_names()
        if self.driver not in known:
            raise ValueError(f"driver {self.driver!r} is not known; known are {', '.join(known)}")
        if self.driver == "modbus" and self.map is None:
            raise ValueError("driver 'modbus' needs map = \"maker-model\"")
        if self.driver == "modbus" and self.settings:
            raise ValueError("settings belong to scales: a meter has a map and units")
        if self.role == "environment" and self.driver != "modbus":
            raise ValueError('role = "environment" needs driver = "modbus"')
        if self.environment and self.role != "environment":
            raise ValueError('environment = ... needs role = "environment"')
        simulated = (self.meter or self.room) if self.driver == "modbus" else self.scale
        if self.port == SIMULATED and simulated is None:
            table = "meter" if self.driver == "modbus" else "scale"
            raise ValueError(f'port = "simulated" needs a table [bench.instrument.{table}]')
        self._has_a_line()
        return self

    def _has_a_line(self) -> None:
        """Have the drivers look at map and port; nothing is opened."""
        from drivers.link import open_link
        from drivers.modbus_address import parse_url
        from drivers.register_map import load_map

        manners: dict[str, Any] = {"baudrate": self.baudrate, "framing": self.framing}
        manners = {key: value for key, value in manners.items() if value is not None}
        key = "map"
        try:
            if self.driver == "modbus":
                known = load_map(self.map or "")
                for key, fit in self._fits():  # noqa: B007 - named when a step refuses
                    known = fit(known)
                key = "environment"
                self._surrounds(known)
            else:
                key = "settings"
                self._has_a_protocol()
            key = "port"
            if self.port != SIMULATED:
                (parse_url if self.driver == "modbus" else open_link)(self.port, **manners)
        except BadDriverSettings as error:
            named = next((k for k in ("baudrate", "framing") if k in error.evidence), key)
            if key == "settings" and "key" in error.evidence:
                named = f"settings.{error.evidence['key']}"
            raise _Wrong(error, named) from error

    def register_map(self) -> "RegisterMap":
        """Return the register map with what this instrument is set to."""
        from drivers.register_map import load_map

        fitted = load_map(self.map or "")
        for _, fit in self._fits():
            fitted = fit(fitted)
        return fitted

    def _fits(self) -> Iterator[tuple[str, Callable[["RegisterMap"], "RegisterMap"]]]:
        """Give what the settings change in a register map, with the key of each."""
        from drivers.registers import WordOrder

        factors = {quantity: factor_of(text) for quantity, text in self.factors.items()}
        yield "units", lambda known: known.with_units(self.units)
        yield "ranges", lambda known: known.with_ranges(self.ranges)
        yield "factors", lambda known: known.with_factors(factors)
        if (order := self.word_order) is not None:
            yield "word_order", lambda known: known.with_word_order(WordOrder(order))
        if (base := self.address_base) is not None:
            yield "address_base", lambda known: known.with_address_base(base)
        if self.second_base:
            yield "second_base", lambda known: known.at_second_base()

    def unchecked_map(self) -> str | None:
        """Return the register map if it is provisional and nobody compared it with the display."""
        if self.driver != "modbus" or self.map_checked:
            return None
        known = self.register_map()
        return known.id if known.provisional else None

    def check_total(self) -> None:
        """See that the map has the total of this meter, in a unit that says what it is."""
        unit = self.register_map().register(self.total).unit or ""
        if unit == "count":
            raise ValueError(f"say what one count of {self.total} is worth, as in factors = ...")

    def surroundings(self) -> dict[str, str]:
        """Return which quantity is the temperature, humidity or pressure of the bench."""
        return self._surrounds(self.register_map()) if self.role == "environment" else {}

    def _surrounds(self, known: "RegisterMap") -> dict[str, str]:
        if self.role != "environment":
            return {}
        found = {str(name): quantity for name, quantity in self.environment.items()} or {
            name: name for name in SURROUNDINGS if name in known.measurands
        }
        if not found:
            raise BadDriverSettings(
                "The register map {map} has no temperature, humidity or pressure: say which "
                "quantity is one, as in environment = {example}.",
                map=known.id,
                example='{ temperature = "temperature_1" }',
            )
        for name, measurand in found.items():
            unit = known.register(measurand).unit or ""
            if not same_kind(unit, SURROUNDINGS[name]):
                raise BadDriverSettings(
                    "{quantity} in {unit} cannot be a {what}.",
                    quantity=measurand,
                    unit=unit or "-",
                    what=name,
                )
        return found

    def unit_of(self, register_map: "RegisterMap") -> int:
        """Return the Modbus unit identifier: given, the factory's, or 1."""
        factory = register_map.manners.unit
        return self.unit if self.unit is not None else 1 if factory is None else factory

    def _has_a_protocol(self) -> None:
        """Have the protocol look at its settings, and at whether it can be asked at all."""
        from drivers.codecs import kind_named

        kind = kind_named(self.driver)
        codec = kind.codec(self.settings)
        if (self.mode or kind.mode) == "poll" and codec.requests.poll is None:
            unheard = BadDriverSettings(
                "The protocol {name} has no request for an indication: use mode = listen.",
                name=self.driver,
            )
            raise _Wrong(unheard, "mode")


class _Wrong(ValueError):
    """What a driver says of a setting, with the key of the setting."""

    def __init__(self, error: BadDriverSettings, key: str) -> None:
        super().__init__(str(error))
        self.template, self.evidence, self.key = error.template, error.evidence, key


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
    metrics: Metrics = Metrics()
    _source: tuple[str, Path] | None = PrivateAttr(None)

    @property
    def source(self) -> tuple[str, Path] | None:
        """Text and path of the file that this was read from; None when it was from none."""
        return self._source


class Station(Premises):
    """The whole of ``config.toml``."""

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


def driver_names() -> tuple[str, ...]:
    """Return the names that ``driver =`` and ``--driver`` take."""
    from drivers.codecs import CODECS

    return (*CODECS, "modbus")


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
        loc, refusal = _refusal(error)
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


def with_protocol_settings(driver: str, given: dict[str, Any]) -> dict[str, Any]:
    """Put what is a setting of the driver's protocol under ``settings``, as in the file."""
    from drivers.codecs import CODECS

    if driver not in CODECS:
        return given
    theirs = {option.key for option in CODECS[driver].options} | {"unit"}
    sorted_out = {key: value for key, value in given.items() if key not in theirs}
    found = {key: value for key, value in given.items() if key in theirs}
    return sorted_out | ({"settings": found} if found else {})


def instrument_settings(**given: Any) -> Instrument:
    """Check the settings of one instrument given on the command line."""
    try:
        return Instrument.model_validate(given)
    except ValidationError as error:
        loc, refusal = _refusal(error)
        raise BadInput(refusal[0], place=key_path(loc), **refusal[1]) from None


def _refusal(error: ValidationError) -> tuple[tuple[int | str, ...], tuple[str, dict[str, Any]]]:
    """Pick the error to show, a misspelt key before the missing one beside it: place, sentence."""
    errors = error.errors(include_url=False)
    first: Any = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    loc = tuple(step for step in first["loc"] if step != "[key]")
    match first.get("ctx", {}).get("error"):
        case _Wrong() as wrong:
            return (*loc, *wrong.key.split(".")), (wrong.template, dict(wrong.evidence))
        case Refused() as refused:
            loc = (*loc, *([refused.key] if refused.key else []))
            return loc, (refused.template, dict(refused.evidence))
    return loc, ("{why}", {"why": _why(first)})


def _why(detail: Any) -> str:
    if detail["type"] == "extra_forbidden":
        return "this key is not known"
    if detail["type"] == "missing":
        return "this key is missing"
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    message: str = detail["msg"]
    return f"{message[0].lower()}{message[1:]}"


def key_path(loc: tuple[int | str, ...]) -> str:
    """Write a place in the settings as ``bench[0].instrument[1].port``."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in loc).lstrip(".")


_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"""^\s*("[^"]*"|'[^']*'|[\w-]+)\s*=""")


def line_of(text: str, loc: tuple[int | str, ...]) -> int:
    """Return the line on which a place of the settings stands, or its nearest table's header."""
    table: tuple[int | str, ...] = ()
    counts: dict[tuple[int | str, ...], int] = {}
    best, best_depth = 1, -1
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            parts = [p.strip().strip("\"'") for p in header[2].split(".")]
            table = ()
            for i, part in enumerate(parts):
                table = (*table, part)
                last = i == len(parts) - 1
                if last and header[1] == "[[":
                    counts[table] = counts.get(table, -1) + 1
                if table in counts:
                    table = (*table, counts[table])
            place = table
        elif key := _KEY.match(line):
            place = (*table, key[1].strip("\"'"))
        else:
            continue
        if place == loc[: len(place)] and len(place) > best_depth:
            best, best_depth = number, len(place)
    return best
