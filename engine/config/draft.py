"""A configuration on its way: tables that could be read, problems with those that could not. Each table by itself.

What needs more than one table is `checks`; a table that is broken is left out there, but its name stays known.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from pydantic import SecretStr, ValidationError

from santral.engine.config import not_yet
from santral.engine.config.lines import known_part, line_of
from santral.engine.config.model import TABLES, Config
from santral.engine.config.problems import ConfigError, KeyPath, Problem, one_line, spell
from santral.engine.config.secrets import SecretError, resolve
from santral.engine.config.tables.base import DEFAULT_INTERFACE, Table
from santral.engine.config.tables.messages import MessageTable
from santral.engine.config.tables.node import (
    ControlTable,
    EngineTable,
    InterfaceTable,
    MetricsTable,
    RtpTable,
    SipTable,
    TraceTable,
)
from santral.engine.config.tables.peers import TrunkTable, UserTable
from santral.engine.config.tables.queues import AgentTable, QueueTable, ScheduleTable
from santral.engine.config.tables.recording import RecordingTable
from santral.engine.config.tables.routes import ConferenceTable, NumberTable, RouteTable, TenantTable

T = TypeVar("T", bound=Table)

# pydantic's error type -> what the operator reads; {names} come from the error's context
SENTENCES: Final = {
    "missing": "is required",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must not be empty",
    "too_long": "has more than {max_length} entries",
    "string_too_short": "must not be empty",
    "string_too_long": "has more than {max_length} characters",
    "string_pattern_mismatch": "is empty, too long, or has characters that are not allowed here",
    "literal_error": "must be {expected}",
    "value_error": "{error}",
}


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A table of an array that could be read, and where it stands."""

    path: KeyPath
    table: T


class Draft:
    """Reads every table of `raw` by itself and collects the problems of all."""

    def __init__(
        self, raw: dict[str, Any], lines: Mapping[KeyPath, int], folder: Path, environ: Mapping[str, str]
    ) -> None:
        self.raw = raw
        self.lines = lines
        self.folder = folder
        self.environ = environ
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.broken: set[tuple[str, str]] = set()  # kind and name of tables that could not be read

    def read(self) -> None:
        for key in self.raw.keys() - Config.model_fields.keys():
            self.blame((key,), not_yet.reason((key,)) or _unknown(key, Config))
        self.fill_in()
        self.engine = self.one("engine", EngineTable)
        self.control = self.one("control", ControlTable)
        self.metrics = self.one("metrics", MetricsTable) if "metrics" in self.raw else None
        self.trace = self.one("trace", TraceTable)
        self.sip = self.one("sip", SipTable)
        self.rtp = self.one("rtp", RtpTable)
        self.recording = self.one("recording", RecordingTable)
        self.interfaces = self.many("interface", InterfaceTable)
        self.tenants = self.many("tenant", TenantTable)
        self.trunks = self.many("trunk", TrunkTable)
        self.users = self.many("user", UserTable)
        self.numbers = self.many("number", NumberTable)
        self.conferences = self.many("conference", ConferenceTable)
        self.messages = self.many("message", MessageTable)
        self.queues = self.many("queue", QueueTable)
        self.schedules = self.many("schedule", ScheduleTable)
        self.agents = self.many("agent", AgentTable)
        self.routes = self.many("route", RouteTable)

    def config(self, source: str) -> Config:
        """The finished configuration. Raises ConfigError with everything found, if anything was."""
        if self.problems or self.engine is None or self.control is None or self.sip is None or self.rtp is None:
            raise ConfigError(source, self.problems)
        config = Config(
            engine=self.engine,
            control=self.control,
            metrics=self.metrics,
            trace=self.trace or TraceTable(),
            sip=self.sip,
            rtp=self.rtp,
            recording=self.recording or RecordingTable(),
            interface=tuple(placed.table for placed in self.interfaces),
            tenant=tuple(placed.table for placed in self.tenants),
            trunk=tuple(placed.table for placed in self.trunks),
            user=tuple(placed.table for placed in self.users),
            number=tuple(placed.table for placed in self.numbers),
            conference=tuple(placed.table for placed in self.conferences),
            message=tuple(placed.table for placed in self.messages),
            queue=tuple(placed.table for placed in self.queues),
            schedule=tuple(placed.table for placed in self.schedules),
            agent=tuple(placed.table for placed in self.agents),
            route=tuple(placed.table for placed in self.routes),
        )
        config.remember(source, tuple(sorted(self.warnings)))
        return config

    def fill_in(self) -> None:
        """Defaults that depend on other tables, and secrets kept elsewhere."""
        engine, control, sip, recording = (
            self.raw.setdefault(name, {}) for name in ("engine", "control", "sip", "recording")
        )
        if isinstance(engine, dict):
            data_dir = engine.setdefault("data_dir", "data")
            if isinstance(data_dir, str):
                engine.setdefault("database", f"sqlite:///{data_dir}/santral.db")
                if isinstance(control, dict):
                    control.setdefault("socket", f"{data_dir}/control.sock")
                if isinstance(recording, dict):
                    recording.setdefault("dir", f"{data_dir}/recordings")
        if isinstance(sip, dict) and "interface" in self.raw:
            sip.setdefault("listen", [])
        if isinstance(control, dict):
            self.fill_in_secrets(control.get("token"), ("control", "token"), "secret")
        if isinstance(recording, dict):
            for key in ("url_secret", "key", "anchor_secret"):
                self.fill_in_secret(recording, ("recording",), key)
            self.fill_in_secrets(recording.get("stores"), ("recording", "stores"), "secret")
        if isinstance(trace := self.raw.get("trace"), dict):
            self.fill_in_secret(trace, ("trace",), "hep_password")
        for kind, key in (("trunk", "password"), ("user", "password"), ("tenant", "recording_key")):
            self.fill_in_secrets(self.raw.get(kind), (kind,), key)

    def fill_in_secrets(self, rows: Any, path: KeyPath, key: str) -> None:
        """The same secret in each row of an array of tables."""
        for place, row in enumerate(rows if isinstance(rows, list) else ()):
            if isinstance(row, dict):
                self.fill_in_secret(row, (*path, place), key)

    def fill_in_secret(self, table: dict[str, Any], path: KeyPath, key: str) -> None:
        try:
            secret = resolve(table, key, self.folder, self.environ)
        except SecretError as problem:
            self.blame((*path, problem.key), str(problem))
            secret = SecretStr("unknown")
        if secret is not None:
            table[key] = secret

    def one(self, name: str, model: type[T]) -> T | None:
        return self.validated((name,), self.raw.get(name, {}), model)

    def many(self, name: str, model: type[T]) -> list[Placed[T]]:
        rows = self.raw.get(name, [])
        if not isinstance(rows, list):
            self.blame((name,), f"must be written as [[{name}]]")
            return []
        read = (((name, place), self.validated((name, place), row, model)) for place, row in enumerate(rows))
        return [Placed(path, table) for path, table in read if table is not None]

    def validated(self, path: KeyPath, raw: Any, model: type[T]) -> T | None:
        try:
            return model.model_validate(raw, context=self.folder)
        except ValidationError as refusal:
            for error in refusal.errors(include_url=False):
                where = (*path, *error["loc"])
                if error["type"] == "too_short" and error["input"]:
                    continue  # its elements are broken, and blamed themselves
                if error["type"] != "missing":
                    where = known_part(self.lines, where)
                self.blame(where, _sentence(where, dict(error)))
            if isinstance(raw, dict) and isinstance(raw.get("name"), str):
                self.broken.add((str(path[0]), raw["name"]))
            return None

    def blame(self, path: KeyPath, message: str) -> None:
        self.problems.append(Problem(line_of(self.lines, path), spell(path), one_line(message)))

    def warn(self, path: KeyPath, message: str) -> None:
        self.warnings.append(Problem(line_of(self.lines, path), spell(path), one_line(message)))

    def refer(self, path: KeyPath, kind: str, name: str) -> None:
        """Blame a reference to a name nobody has; a table that is there but broken counts as there."""
        if (kind, name) not in self.known:
            self.blame(path, f"there is no {kind} {name}")

    @cached_property
    def known(self) -> set[tuple[str, str]]:
        """Kind and name of everything a key can refer to."""
        found = set(self.broken)
        for kind in ("interface", "tenant", "trunk", "message", "queue", "schedule", "agent", "route"):
            found.update((kind, one.table.name) for one in getattr(self, f"{kind}s"))
        if self.sip is None or self.sip.listen:
            found.add(("interface", DEFAULT_INTERFACE))
        return found

    @cached_property
    def trunk_named(self) -> Mapping[str | None, TrunkTable]:
        return {one.table.name: one.table for one in self.trunks}

    @cached_property
    def tenant_named(self) -> Mapping[str | None, TenantTable]:
        return {one.table.name: one.table for one in self.tenants}


def _sentence(path: KeyPath, error: dict[str, Any]) -> str:
    kind = str(error["type"])
    if kind == "extra_forbidden":
        return not_yet.reason(path) or _unknown(
            str(path[-1]), TABLES[".".join(s for s in path[:-1] if isinstance(s, str))]
        )
    if kind == "literal_error" and (reason := not_yet.reason(path, error["input"])):
        return reason
    context = {key: _plain(value) for key, value in error.get("ctx", {}).items()}
    return SENTENCES.get(kind, str(error["msg"])).format(**context)


def _plain(value: Any) -> str:
    """A value of pydantic's as TOML would write it: `0` for `0.0`, `true` for `True`."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "true" if value == "True" else str(value)


def _unknown(key: str, table: type[Table]) -> str:
    similar = get_close_matches(key, table.model_fields, n=1)
    return f"unknown key; {similar[0]} is one" if similar else "unknown key"
