"""The queue step: a caller waits and is told its place, an agent logs in, is rung, and is heard."""

import threading
from typing import Any, Final

from santral.bench.judge import hearing
from santral.bench.peer import wav
from santral.bench.scene.observation import Observation
from santral.bench.scene.stage import AGENT, CALLEE_SAYS, HELP, QUEUE, SOUNDS, SceneError, Stage
from santral.engine.control.client import SyncClient

PLACE: Final = SOUNDS / "en" / "queue-position.wav"
LOGIN_AFTER_S: Final = 4.5  # the place has been said by then
STAYS_S: Final = 13.0
STEP: Final = "queue"
MOST_APART_S: Final = 0.5  # of the engine's figure from what this step has planned


def queue(stage: Stage) -> list[Observation]:
    """A caller waits with music, is told its place, and hears the agent who logs in."""
    agent = stage.phone("queue-agent", "answer", stage.ports.callee, "--play", str(CALLEE_SAYS), "--longest", "25")
    words = ["--to", stage.uri(HELP), "--listen-on", str(STAYS_S)]
    login = threading.Timer(LOGIN_AFTER_S, _ask, (stage, "agent.login"), {"name": AGENT})
    with agent, stage.phone("queue-caller", "call", stage.ports.caller, *words) as caller:
        login.start()
        told_caller = caller.story()
    login.join()
    figures = _ask(stage, "queue.stats", name=QUEUE)
    place, speech = (hearing.find(wav.read(file)[0], told_caller.heard) for file in (PLACE, CALLEE_SAYS))
    waited = figures["average_speed_of_answer"]
    as_planned = waited is not None and LOGIN_AFTER_S - MOST_APART_S < waited < LOGIN_AFTER_S + 4 * MOST_APART_S
    return [
        Observation(STEP, "caller hears its place", f"likeness {place.likeness:.4f}", place.is_same),
        Observation(STEP, "caller hears the agent", f"likeness {speech.likeness:.4f}", speech.is_same),
        Observation(STEP, "in this order", "yes" if place.lag_samples < speech.lag_samples else "no",
                    place.lag_samples < speech.lag_samples),
        Observation(STEP, "offered, answered", f"{figures['offered']}, {figures['answered']}",
                    figures["offered"] == figures["answered"] == 1),
        Observation(STEP, "waiting time by the engine", f"{waited or 0:.2f} s", as_planned),
    ]  # fmt: skip


def _ask(stage: Stage, method: str, **fields: Any) -> dict[str, Any]:
    try:
        client = SyncClient(str(stage.folder / "data" / "control.sock"))
    except OSError as problem:
        raise SceneError(f"the control socket: {problem}") from None
    try:
        return dict(client.call(method, **fields))
    finally:
        client.close()
