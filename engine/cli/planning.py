"""`check` and `explain`: what a configuration says, without an engine."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import typer

from santral.engine.cli.failure import Failure
from santral.engine.config import Config, ConfigError, load
from santral.engine.config.convert import home_numbering, routing_table
from santral.routing.plan import (
    ActAsAgent,
    Attempt,
    CallFacts,
    Confer,
    DialAddress,
    DialTrunk,
    DialUser,
    Echo,
    Enqueue,
    MeetAgent,
    Plan,
    Play,
    Reject,
    TakeMessage,
    plan,
)
from santral.routing.routes import RoutingTable


def check(path: Path | None) -> None:
    """Say `ok`, or every problem on a line of its own on stderr."""
    config = read(path)
    for warning in config.warnings:
        sys.stderr.write(f"{config.source}: warning: {warning}\n")
    typer.echo(f"{config.source}: ok")


def explain(path: Path | None, trunk: str | None, user: str | None, numbers: tuple[str, str], at: str | None) -> None:
    """Print the plan of a call that nobody places, from a trunk or from a user."""
    config = read(path)
    table = routing_table(config)
    if (trunk is None) == (user is None):
        raise Failure("one of --trunk and --user says where the call comes from", 2)
    if user is not None:
        facts = _from_user(config, table, user, numbers, moment(at))
    elif trunk is None or trunk not in config.trunks:
        raise Failure(f"no trunk {trunk}; there are: {', '.join(config.trunks) or 'none'}")
    else:
        caller, called = map(table.trunks[trunk].numbering.read, numbers)
        facts = CallFacts(trunk, config.trunks[trunk].tenant, caller, called, moment(at), wrote=numbers)
    for line in described(plan(table, facts)):
        typer.echo(line)


def _from_user(config: Config, table: RoutingTable, aor: str, numbers: tuple[str, str], at: datetime) -> CallFacts:
    """A user's call: the number shown counts where it is one of the tenant's."""
    row = table.users.get(aor)
    if row is None:
        raise Failure(f"no user {aor}; there are: {', '.join(table.users) or 'none'}")
    caller, called = map(home_numbering(config.tenants[row.tenant].country).read, numbers)
    owned = table.numbers.get(caller)
    shown = caller if owned is not None and owned.tenant == row.tenant else row.name
    return CallFacts("", row.tenant, shown, called, at, ("", numbers[1]), aor)


def read(path: Path | None) -> Config:
    """Load a configuration; Failure with every problem when it is wrong."""
    try:
        return load(path)
    except ConfigError as problem:
        raise Failure(str(problem)) from None


def moment(text: str | None) -> datetime:
    """Read a time; without an offset it is UTC."""
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(f"--at: not an ISO 8601 time: {text[:40]}", 2) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def described(made: Plan) -> Iterator[str]:
    """Return a plan line by line, as people read it."""
    yield f"tenant   {made.tenant}"
    yield f"route    {made.route or 'none'}"
    for number, attempt in enumerate(made.attempts, 1):
        yield f"try {number:<4} {shown(attempt)}"
        if attempt.why:
            yield f"         because {attempt.why}"
    if made.refusal is not None:
        yield f"refuse   {made.refusal}"
    for reason in made.why:
        yield f"why      {reason}"


def shown(attempt: Attempt) -> str:
    """Return what an attempt does, in words."""
    match attempt:
        case DialTrunk(trunk=trunk, called=called, timeout_s=timeout_s, targets=targets):
            return f"dial {called} on trunk {trunk} for {timeout_s:g} s at {', then '.join(targets)}"
        case DialUser(user=user, timeout_s=timeout_s):
            return f"ring {user} for {timeout_s:g} s"
        case DialAddress(called=called, target=target, timeout_s=timeout_s):
            return f"dial {called} at {target} for {timeout_s:g} s"
        case Enqueue(queue=queue, timeout_s=timeout_s):
            limit = "" if timeout_s is None else f" for {timeout_s:g} s"
            return f"wait in queue {queue}{limit}"
        case Echo() | Play() | Confer() | TakeMessage() | ActAsAgent() | MeetAgent():
            return f"answer and {_answered_here(attempt)}"
        case Reject(status=status):
            return f"refuse with {status}"


def _answered_here(attempt: Echo | Play | Confer | TakeMessage | ActAsAgent | MeetAgent) -> str:
    match attempt:
        case Echo():
            return "echo"
        case Play(file=file):
            return f"play {file}"
        case MeetAgent(agent=agent):
            return f"meet agent {agent}"
        case ActAsAgent(what=what):
            return f"{what} the agent who calls"
        case TakeMessage(message=message):
            return f"take a message: {message}"
        case Confer(room=room):
            return f"join conference {room}"
