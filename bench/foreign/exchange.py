"""An engine as an exchange between peers by other people: a process, its configuration, its records and events."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from santral.bench.control import Control
from santral.bench.process import Child
from santral.bench.scene.stage import SceneError
from santral.bench.subject import serve_words

POLL_S: Final = 0.05
RECORD_S: Final = 10.0
QUIET_S: Final = 0.1
PAGE: Final = 100


@dataclass
class Exchange:
    """It serves; `at` names its ports and whatever else the configuration was made with."""

    folder: Path
    child: Child
    at: dict[str, Any] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def ask(self, method: str, **fields: Any) -> Any:
        """One request on its control socket."""
        with Control(self.folder / "data" / "control.sock") as control:
            return control.ask(method, **fields)

    def events(self, kind: str) -> list[dict[str, Any]]:
        """All events of this type so far."""
        with Control(self.folder / "data" / "control.sock") as control:
            control.ask("events.subscribe", since=0, types=[kind])
            return control.told(QUIET_S)

    def wait_event(self, kind: str, more_than: int = 0) -> dict[str, Any]:
        """The latest event of this type, once there are more than so many. Raises SceneError when it does not come."""
        with Control(self.folder / "data" / "control.sock") as control:
            control.ask("events.subscribe", since=0, types=[kind])
            found = control.told(RECORD_S, enough=more_than + 1)
        if len(found) <= more_than:
            raise SceneError(f"no {kind}")
        return found[-1]

    def records(self, count: int = 1) -> list[dict[str, Any]]:
        """The records nobody was given yet, oldest first. Raises SceneError unless so many come in time."""
        give_up = time.monotonic() + RECORD_S
        while True:
            fresh = self._fresh()
            if len(fresh) >= count:
                self._seen.update(one["id"] for one in fresh)
                return fresh[::-1]
            if time.monotonic() > give_up:
                raise SceneError(f"{len(fresh)} records, not {count}; in progress: {self.ask('call.list')['items']}")
            time.sleep(POLL_S)

    def _fresh(self) -> list[dict[str, Any]]:
        return [one for one in self.ask("cdr.list", limit=PAGE)["items"] if one["id"] not in self._seen]

    def forget(self) -> None:
        """What is recorded so far is nobody's concern any more."""
        self._seen.update(one["id"] for one in self.ask("cdr.list", limit=PAGE)["items"])

    def record(self) -> dict[str, Any]:
        """The record of the one call since the last look."""
        (only,) = self.records()
        return only

    def record_of(self, called: str) -> dict[str, Any]:
        """The record of the latest call to this number. Raises SceneError unless it is written in time."""
        give_up = time.monotonic() + RECORD_S
        while True:
            for one in self.ask("cdr.list", limit=PAGE)["items"]:
                if one["called"] == called:
                    return dict(one)
            if time.monotonic() > give_up:
                raise SceneError(f"no record of a call to {called}")
            time.sleep(POLL_S)

    def nothing(self) -> dict[str, Any]:
        """No record, after as long as it takes to write one. Raises SceneError when there is one."""
        time.sleep(QUIET_S)
        left = self._fresh()
        if left:
            raise SceneError(f"nothing was to be left: {left}")
        return {}

    def contacts(self, user: str) -> list[dict[str, Any]]:
        """What a user (`name@domain`) has registered."""
        users = self.ask("user.list")["items"]
        return next(list(one["contacts"]) for one in users if one["address"] == user)

    def wait_registered(self, user: str, transport: str) -> None:
        """Until a user has a contact over this transport. Raises SceneError when it registers none in time."""
        give_up = time.monotonic() + RECORD_S
        while not any(one["source"].startswith(f"{transport}:") for one in self.contacts(user)):
            if time.monotonic() > give_up:
                raise SceneError(f"{user} does not register over {transport}")
            time.sleep(POLL_S)


@contextmanager
def serving(folder: Path, configuration: str, **at: Any) -> Iterator[Exchange]:
    """Start an engine in `folder` on this configuration, whose fields in braces `at` fills; end it with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "santral.toml"
    path.write_text(configuration.format(**at))
    with Child(serve_words(path), folder / "engine.log") as child:
        yield Exchange(folder, child, at)
        if not child.is_alive:
            raise SceneError(f"the engine is gone: {child.output()[-2000:]}")
