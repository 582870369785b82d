"""What every table of the file has in common, and words that several use."""

from typing import Final

from pydantic import BaseModel, ConfigDict

from santral.engine.config.fields import (
    Remark,
)

DEFAULT_INTERFACE: Final = "default"  # the name of the network that [sip] and [rtp] describe
CERTIFICATE: Final = "Certificate chain (PEM) for tls and wss, shown to servers too. A changed file is read again."
PRIVATE_KEY: Final = "Private key of the certificate (PEM, not encrypted)."
AUTHORITIES: Final = "Authorities (PEM) that peers' certificates are checked with."
LOCAL_NET: Final = "Networks whose peers are told the address listened on, not `advertise`."
RESTART: Final = Remark(restart=True)


class Table(BaseModel):
    """A table of the file. Unknown keys are errors; nothing changes after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True)
