"""The table of one instrument in ``config.toml``: ``[[bench.instrument]]``.

Has the drivers look at what is theirs: protocol, port, register map. Opens nothing.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from acquisition.config_refusal import WrongSetting, key_path, refusal_of
from acquisition.faults import BadInput
from acquisition.setting_types import Name, Settings, UnitName
from acquisition.simulated_meter_keys import MeterSimulation
from acquisition.simulated_scale_keys import ScaleSimulation
from acquisition.transmitter_keys import SURROUNDINGS, Factor, RoomSimulation, factor_of
from calibration.refusal import Refused
from calibration.units import same_kind
from drivers.errors import BadDriverSettings

if TYPE_CHECKING:
    from drivers.register_map import RegisterMap

SIMULATED = "simulated"
"""The port of an instrument that the station itself simulates, on a real line."""
MANUAL = "manual"
"""The driver of an instrument that a technician reads by eye: it has no port."""
_OF_LINES = ("baudrate", "framing", "mode", "interval", "timeout", "map", "scale", "meter", "room")
"""Keys that only an instrument on a line has."""


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

    @model_validator(mode="before")
    @classmethod
    def _named_for_a_port(cls, given: Any) -> Any:
        """Give what is read by eye the place of its typed lines, which nobody states."""
        if not isinstance(given, dict) or given.get("driver") != MANUAL:
            return given
        for key in ("port", *_OF_LINES):
            if key in given:
                raise Refused("an instrument that is read by eye has no line: delete this", key=key)
        return given | {"port": f"{MANUAL}:{given.get('name', '')}"}

    @model_validator(mode="after")
    def _fits_its_driver(self) -> "Instrument":
        if self.driver == MANUAL:
            self._is_read_by_eye()
            return self
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

    def _is_read_by_eye(self) -> None:
        """Have its only settings looked at: which instrument it is, and the unit of its own scale."""
        from drivers.manual import MASSES

        if self.role != "under_test":
            raise Refused("only an instrument under test is read by eye", key="role")
        for key, value in self.settings.items():
            if key != "unit" or value not in MASSES:
                raise Refused(
                    "its only setting is the unit of its own scale: {known}",
                    key=f"settings.{key}",
                    known=", ".join(MASSES),
                )

    def shown_unit(self) -> str:
        """Return the unit that its own scale is in: as set, or that of Max on its plate."""
        from drivers.manual import MASSES

        _, _, plate = str(self.characteristics.get("max", "")).strip().rpartition(" ")
        unit = plate.lstrip("0123456789.") if plate else ""
        return self.settings.get("unit") or (unit if unit in MASSES else "kg")

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
            raise WrongSetting(error, named) from error

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
            raise WrongSetting(unheard, "mode")


def driver_names() -> tuple[str, ...]:
    """Return the names that ``driver =`` and ``--driver`` take."""
    from drivers.codecs import CODECS

    return (*CODECS, "modbus", MANUAL)


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
        loc, refusal = refusal_of(error)
        raise BadInput(refusal[0], place=key_path(loc), **refusal[1]) from None
