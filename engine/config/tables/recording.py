"""Recordings: how calls are recorded, what becomes of the files, how they are fetched."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr
from pydantic.types import Strict

from santral.engine.config.fields import (
    ConfigPath,
    Count,
    Label,
    ListenAddress,
    Name,
    Remark,
    Seconds,
    Whole,
    Words,
    Yes,
)
from santral.engine.config.tables.base import RESTART, Table

Record = Literal["off", "mono", "stereo"]
OverLimit = Literal["refuse", "continue"]
STORE_URL: Final = r"^(s3|sftp|file)://[^\x00-\x20\x7f]{1,512}$"
RECORD: Final = (
    "Whether its calls are recorded, and with how many channels. Of queue, route, number, trunk and tenant the first "
    "in this order that says something decides."
)
RETENTION: Final = "Days after which recordings are erased, unless they are held. 0: kept."


class StoreTable(Table):
    """A place where finished recordings are kept, beside the folder `dir`, which is the store `local`.

    What a store refuses is kept in `local`, and brought there when it takes files again.
    """

    name: Name = Field(description="Name of the store.")
    url: Annotated[str, Field(pattern=STORE_URL), Words("URL")] = Field(
        description="`s3://BUCKET/PREFIX`, `sftp://USER@HOST:PORT/PATH`, or `file:///PATH` (a folder that is there)."
    )
    key: Label | None = Field(None, description="S3: the access key.")
    secret: Annotated[SecretStr | None, Words("text")] = Field(
        None, description="S3: its secret; SFTP: the password. Or `secret_env`, or `secret_file`."
    )
    endpoint: Annotated[Label | None, Remark("that of Amazon")] = Field(None, description="S3: URL of the server.")
    region: Label | None = Field(None, description="S3: the region.")
    private_key: ConfigPath | None = Field(None, description="SFTP: file of our private key.")
    known_hosts: Annotated[ConfigPath | None, Remark("the user's own")] = Field(
        None, description="SFTP: file with the server's key."
    )
    timeout: Annotated[float, Strict(), Field(gt=0, le=3600, allow_inf_nan=False), Words("seconds > 0, up to 3600")] = (
        Field(30.0, description="How long one step may take before the store counts as away.")
    )


class RecordingTable(Table):
    """How calls are recorded where their tenant, trunk, number, route or queue says so, or a command."""

    dir: Annotated[ConfigPath, Remark("`data_dir`/recordings", restart=True)] = Field(
        Path("data/recordings"), description="Folder of finished recordings, one below it for each tenant."
    )
    format: Literal["wav", "flac", "opus", "mp3"] = Field("wav", description="Format of the files.")
    channels: Literal["mono", "stereo"] = Field(
        "stereo", description="Of recordings by command that name none. Stereo: the caller left, the callee right."
    )
    limit: Count = Field(10, description="Recordings at once of each tenant.")
    over_limit: OverLimit = Field(
        "refuse",
        description="What becomes of a call that is to be recorded while its tenant's limit is reached: it is refused "
        "(486), or goes on unrecorded.",
    )
    retention_days: Annotated[Whole, Field(ge=0, le=36_500), Words("0 to 36500")] = Field(0, description=RETENTION)
    record_from: Literal["start", "answer", "bridge"] = Field(
        "answer",
        description="When the recording of a call begins: with its first audio (early media too), when the caller is "
        "answered, or when two legs hear each other.",
    )
    on_hold: Literal["record", "silence", "skip"] = Field(
        "record",
        description="While a side holds: what is heard is recorded, or silence, or that time is left out. What a muted "
        "leg says is never recorded.",
    )
    mask_dtmf: Yes = Field(False, description="Digits that are pressed are silence in recordings, as tones and events.")
    digits: Literal["tones", "silence"] = Field(
        "tones",
        description="What recordings have of digits that are sent as events (RFC 4733) and not masked: the tones they "
        "stand for, or silence.",
    )
    announcement: Annotated[Label | None, Remark("none")] = Field(
        None,
        description="Sound file that everybody hears when a recording begins, before any word; who comes later, "
        "then (but for agents of queues). `call-recorded.wav` is ours, in English and Turkish.",
    )
    beep: Seconds = Field(0.0, description="Seconds between short tones that both sides hear meanwhile. 0: none.")
    extras: tuple[Literal["tracks", "peaks", "picture"], ...] = Field(
        (),
        max_length=3,
        description="What is made of each recording besides the audio: a file for each participant, peaks (JSON), "
        "a picture of the waveform (PNG).",
    )
    store: Name = Field("local", description="Where finished recordings are kept: `local`, or one of `stores`.")
    stores: Annotated[tuple[StoreTable, ...], Words("list of tables")] = Field(
        (), max_length=64, description="The stores there are; written as `[[recording.stores]]`."
    )
    key: Annotated[SecretStr | None, Words("text"), Remark("none: not encrypted")] = Field(
        None,
        description="What recordings of tenants without a key of their own are encrypted with, from the first packet "
        "on: 32 octets as base64 or hexadecimal; several with blanks or line ends between them, the present one first, "
        "those before it for what is there. Or `key_env`, or `key_file`.",
    )
    anchor_url: Label | None = Field(
        None, description="Where the head of the ledger is told once a day (webhook), so that it cannot be rewritten."
    )
    anchor_secret: Annotated[SecretStr | None, Words("text")] = Field(
        None, description="What these messages are signed with; or `anchor_secret_env`, or `anchor_secret_file`."
    )
    listen: Annotated[ListenAddress | None, RESTART] = Field(
        None, description="Address of the HTTP server that recordings are fetched from. Left out: there is none."
    )
    url: Annotated[Label | None, Remark("`http://` and `listen`")] = Field(
        None, description="How `listen` is reached from outside: the beginning of every URL that is given out."
    )
    url_secret: Annotated[SecretStr | None, Words("text"), Remark("drawn at each start")] = Field(
        None,
        description="What URLs are signed with, 16 characters or more; or `url_secret_env`, or `url_secret_file`.",
    )
    url_ttl: Annotated[Whole, Field(ge=1, le=604_800), Words("seconds, 1 to 604800")] = Field(
        3600, description="How long a URL is good for."
    )
