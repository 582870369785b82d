"""Tables of the call records (SQLAlchemy core). `migrations/` brings a database to them; a test keeps the two equal."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

from santral.engine import utc

SCHEMA_HEAD: Final = "0008"  # the migration this code needs
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Moment(TypeDecorator[int]):
    """UTC milliseconds in Python; a time stamp in PostgreSQL, sortable UTC text elsewhere."""

    impl = String(24)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if dialect.name == "postgresql" else String(24))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return EPOCH + timedelta(milliseconds=value) if dialect.name == "postgresql" else utc.text_of(value)

    def process_result_value(self, value: Any, _dialect: Dialect) -> int | None:
        if value is None:
            return None
        return (value - EPOCH) // timedelta(milliseconds=1) if isinstance(value, datetime) else utc.parse(value)


def json_type() -> Any:
    """Return the column type of maps and lists."""
    return JSON().with_variant(JSONB(), "postgresql")


def identifier(name: str, **options: Any) -> Column[Any]:
    """Return a column for one of our ids (UUIDv7 text)."""
    return Column(name, String(36), **options)


metadata: Final = MetaData()

calls: Final = Table(
    "calls",
    metadata,
    identifier("id", primary_key=True),
    Column("node", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("trunk_in", Text, nullable=False),
    Column("trunk_out", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("called", Text, nullable=False),
    Column("route", Text, nullable=False),
    Column("plan", json_type(), nullable=False),
    Column("started", Moment, nullable=False),
    Column("ringing", Moment),
    Column("answered", Moment),
    Column("ended", Moment, nullable=False),
    Column("cause", Text, nullable=False),
    Column("status", Integer),
    Column("q850", Integer),
    Column("hung_up_by", Text, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("billed_s", BigInteger, nullable=False),
    Column("queue", Text, nullable=False, server_default=""),
    Column("agent", Text, nullable=False, server_default=""),
    Column("waited_ms", BigInteger),
    identifier("linked"),
    identifier("parent"),
    Column("custom", json_type(), nullable=False),
    Column("x_headers", json_type(), nullable=False),
    Column("recordings", json_type(), nullable=False),
    Index("calls_by_tenant", "tenant", "id"),
    Index("calls_by_start", "started"),
    Index("calls_by_link", "linked"),
)

legs: Final = Table(
    "legs",
    metadata,
    identifier("id", primary_key=True),
    identifier("call", nullable=False),
    Column("role", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("trunk", Text, nullable=False),
    Column("sip_call_id", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("status", Integer),
    Column("q850", Integer),
    Column("codec", Text, nullable=False),
    Column("started", Moment, nullable=False),
    Column("ringing", Moment),
    Column("answered", Moment),
    Column("ended", Moment),
    Column("packets_in", BigInteger, nullable=False),
    Column("packets_out", BigInteger, nullable=False),
    Column("lost", BigInteger, nullable=False),
    Column("late", BigInteger, nullable=False),
    Column("dropped_source", BigInteger, nullable=False),
    Column("jitter_ms", Float),
    Column("rtt_ms", Float),
    Column("mos", Float),
    Column("r", Float),
    Column("loss", Float),
    Column("bursts", BigInteger, nullable=False, server_default="0"),
    Column("remote_lost", BigInteger),
    Column("remote_jitter_ms", Float),
    Column("remote_r", Float),
    Column("remote_mos", Float),
    Index("legs_by_call", "call"),
    Index("legs_by_sip_call_id", "sip_call_id"),
)

open_calls: Final = Table(
    "open_calls",
    metadata,
    identifier("id", primary_key=True),
    Column("node", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("trunk_in", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("called", Text, nullable=False),
    Column("started", Moment, nullable=False),
    Column("answered", Moment),
    identifier("leg", nullable=False),
    Column("sip_call_id", Text, nullable=False),
    identifier("linked"),
    identifier("parent"),
    Column("custom", json_type(), nullable=False),
    Column("x_headers", json_type(), nullable=False),
    Index("open_calls_by_node", "node"),
)

nodes: Final = Table(
    "nodes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("alive", Moment, nullable=False),
)

recordings: Final = Table(
    "recordings",
    metadata,
    identifier("id", primary_key=True),
    Column("node", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    identifier("call"),
    Column("conference", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("demanded_by", Text, nullable=False),
    Column("channels", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("called", Text, nullable=False),
    Column("queue", Text, nullable=False, server_default=""),
    Column("parties", Text, nullable=False),
    Column("started", Moment, nullable=False),
    Column("ended", Moment),
    Column("ms", BigInteger, nullable=False),
    Column("files", json_type(), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("stored", Moment),
    Column("store", Text, nullable=False),
    Column("is_pending", Boolean, nullable=False),
    Column("is_recovered", Boolean, nullable=False),
    Column("is_encrypted", Boolean, nullable=False),
    Column("masked_ms", BigInteger, nullable=False),
    Column("is_held", Boolean, nullable=False),
    Column("erased", Moment),
    Index("recordings_by_tenant", "tenant", "id"),
    Index("recordings_by_call", "call"),
    Index("recordings_by_queue", "queue", "id"),
    Index("recordings_by_state", "node", "state"),
)

recording_orders: Final = Table(
    "recording_orders",
    metadata,
    identifier("recording", primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

usage: Final = Table(
    "usage",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

registrations: Final = Table(
    "registrations",
    metadata,
    Column("node", Text, primary_key=True),
    Column("aor", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("contact", Text, nullable=False),
    Column("transport", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("interface", Text, nullable=False),
    Column("expires", Moment, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("cseq", BigInteger, nullable=False),
    Column("q", Integer, nullable=False),
    Column("instance", Text, nullable=False),
    Column("path", json_type(), nullable=False),
    Column("is_block", Boolean, nullable=False),
    Column("user_agent", Text, nullable=False),
)

acd_states: Final = Table(
    "acd_states",
    metadata,
    Column("node", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("state", json_type(), nullable=False),
    Column("saved", Moment, nullable=False),
)

acd_owners: Final = Table(
    "acd_owners",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("expires", Moment, nullable=False),
)

queue_intervals: Final = Table(
    "queue_intervals",
    metadata,
    Column("node", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("started", Moment, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("seconds", Integer, nullable=False),
    Column("figures", json_type(), nullable=False),
    Index("queue_intervals_by_tenant", "tenant", "started"),
    Index("queue_intervals_by_start", "node", "started"),
)
