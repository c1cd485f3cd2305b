"""The table ``[broker]``: where the broker is, how the connection is secured, who else looks on.

Knows names of files, never a secret. Refuses to open a connection.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from acquisition.setting_types import Name, Settings
from calibration.refusal import Refused


class BrokerTls(Settings):
    """TLS; one of the keys must be there, so that an empty table says nothing by accident."""

    folder: Path | None = None
    """Certificates and keys of whoever connects: ``BENCH@OFFICE.crt`` and ``.key``."""
    ca_file: Path | None = None
    """Authorities that vouch for the broker; None: ``ca.crt`` in the folder."""

    @model_validator(mode="after")
    def _says_something(self) -> "BrokerTls":
        if self.folder is None and self.ca_file is None:
            raise Refused("write folder, ca_file or both.")
        return self


class Broker(Settings):
    """Where the records system listens. The password comes from a file or the environment."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    username: str | None = None
    password_file: Path | None = None
    tls: BrokerTls | None = None
    dashboards: tuple[Name, ...] = ()
    """Who may look at live indications and states, and say nothing (``tera broker``)."""

    def beside(self, base: Path) -> "Broker":
        """Return the same with paths that count from a folder."""
        tls = self.tls and self.tls.model_copy(
            update={
                "folder": self.tls.folder and base / self.tls.folder,
                "ca_file": self.tls.ca_file and base / self.tls.ca_file,
            }
        )
        password = self.password_file and base / self.password_file
        return self.model_copy(update={"tls": tls, "password_file": password})
