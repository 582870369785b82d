"""An engine that is killed: what its agents had in hand, and what waited, is there at the next start."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.daemon.test_process import Process, until

from santral.engine.control.client import SyncClient

CONFIG = """
[engine]
data_dir = "data"
[sip]
listen = ["udp:127.0.0.1:0"]
dial_networks = ["127.0.0.0/8"]
[rtp]
ports = "0"
[[tenant]]
name = "acme"
[[queue]]
name = "mail"
tenant = "acme"
[[agent]]
name = "ayse"
tenant = "acme"
endpoint = "sip:ayse@127.0.0.1:9"
queues = ["mail"]
capacity = { call = 1, mail = 1 }
logged_in = true
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "santral.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    made: list[Process] = []
    yield made
    for one in made:
        one.close()


def kept(folder: Path) -> dict[str, bool]:
    """Which works the database knows of, and whether each is in somebody's hands."""
    with contextlib.closing(sqlite3.connect(folder / "data/santral.db")) as database:
        rows = database.execute("SELECT name, state FROM acd_states WHERE kind = 'work'").fetchall()
    return {name: "in_hand" in json.loads(state) for name, state in rows}


def in_hand(control: SyncClient) -> list[tuple[str, str]]:
    return [(one["work"], one["phase"]) for one in control.call("agent.get", name="ayse")["reservations"]]


def people(control: SyncClient) -> list[str]:
    return [one["id"] for one in control.call("queue.get", name="mail")["people"]]


def test_other_work_survives_the_death_of_the_engine(folder: Path, processes: list[Process]) -> None:
    processes.append(Process(folder))
    with processes[-1].control() as control:
        for name in ("first", "second"):
            control.call("queue.join", queue="mail", kind="mail", id=name, number="a@example.org")
        (offered,) = control.call("agent.get", name="ayse")["reservations"]
        control.call("agent.accept", reservation=offered["id"])
        assert (in_hand(control), people(control)) == ([("first", "connected")], ["second"])
    until(lambda: kept(folder) == {"first": True, "second": False}, 15)
    processes[-1].child.kill()
    processes[-1].wait()
    processes.append(Process(folder))
    with processes[-1].control() as control:
        assert (in_hand(control), people(control)) == ([("first", "connected")], ["second"])
        control.call("agent.finish", name="ayse", reservation=offered["id"])
        until(lambda: in_hand(control) == [("second", "pending")])
