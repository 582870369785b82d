"""The demo's steps. Each plays one situation and says what was observed: by ear (correlation) and on the wire."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from santral.bench.judge import hearing, pictures
from santral.bench.peer import wav
from santral.bench.ports import HOST
from santral.bench.scene.observation import Observation
from santral.bench.scene.queued import queue
from santral.bench.scene.recorded import record
from santral.bench.scene.stage import (
    BACKED_UP,
    CALLEE_SAYS,
    CALLER_SAYS,
    CLOSED,
    COLLEAGUE,
    ECHO,
    NOBODY,
    SOUNDS,
    TRY_TIMEOUT_S,
    PhoneProcess,
    Silent,
    Stage,
    Story,
)
from santral.engine.sounds.make import resample

ANNOUNCEMENT: Final = SOUNDS / "closed.wav"
DIGITS: Final = "159#"
CALLER_EVENTS: Final = 96  # payload type of the caller's digits, unlike the usual 101, so that the engine must map it
MOST_DELAY_MS: Final = 20.0
CALLER_STAYS_S: Final = 0.6  # after the digits: the callee's passage is longer than ours
ANNOUNCED_S: Final = 12.0
LEAST_PART: Final = 0.95  # of the packets said: the last ones may be cut off by the BYE


@dataclass(frozen=True, slots=True)
class Said:
    """Something that was said on the stage, and the report of the phone that said it (None: the engine)."""

    samples: NDArray[np.int16]
    by: dict[str, Any] | None


def bridge(stage: Stage) -> list[Observation]:
    """Two phones talk at once through the engine; then the caller presses digits."""
    callee = stage.phone("bridge-callee", "answer", stage.ports.callee, "--play", str(CALLEE_SAYS), "--longest", "25")
    caller = _caller(stage, "bridge-caller", COLLEAGUE, "--digits", DIGITS, "--events", str(CALLER_EVENTS))
    with callee, caller:
        told_caller, told_callee = caller.story(), callee.story()
    from_caller = Said(wav.read(CALLER_SAYS)[0], told_caller.report)
    from_callee = Said(wav.read(CALLEE_SAYS)[0], told_callee.report)
    step = "bridge"
    return [
        is_answered(step, told_caller, 200),
        *hears(stage, step, "caller hears callee", told_caller, from_callee),
        *hears(stage, step, "callee hears caller", told_callee, from_caller),
        does_not_hear(step, "caller does not hear itself", told_caller, from_caller),
        does_not_hear(step, "callee does not hear itself", told_callee, from_callee),
        comes_through(step, "caller's packets", told_caller, told_callee),
        comes_through(step, "callee's packets", told_callee, told_caller),
        gets_bye(step, told_callee, "peer"),
        is_sent_digits("digits (RFC 4733)", told_callee),
    ]


def echo(stage: Stage) -> list[Observation]:
    """What the caller says comes back."""
    with _caller(stage, "echo-caller", ECHO) as caller:
        told = caller.story()
    said = Said(wav.read(CALLER_SAYS)[0], told.report)
    return [is_answered("echo", told, 200), *hears(stage, "echo", "caller hears itself", told, said)]


def play(stage: Stage) -> list[Observation]:
    """The engine plays its announcement, 16 kHz on disk, and hangs up."""
    words = ["--to", stage.uri(CLOSED), "--listen-on", str(ANNOUNCED_S)]
    with stage.phone("play-caller", "call", stage.ports.caller, *words) as caller:
        told = caller.story()
    wide, rate_hz = wav.read(ANNOUNCEMENT)
    said = Said(np.asarray(resample(wide.astype(np.float64), rate_hz, wav.RATE_HZ), np.int16), None)
    return [
        is_answered("play", told, 200),
        *hears(stage, "play", "caller hears closed.wav", told, said),
        gets_bye("play", told, "peer"),
    ]


def refuse(stage: Stage) -> list[Observation]:
    """A stranger gets 403, a number without a route 404, and the carrier hears of neither."""
    with Silent(stage.ports.callee) as carrier:
        with stage.phone("stranger", "call", stage.ports.stranger, "--to", stage.uri(COLLEAGUE)) as stranger:
            told_stranger = stranger.story()
        with _caller(stage, "misdialled", NOBODY) as misdialled:
            told_misdialled = misdialled.story()
        reached = carrier.first_lines()
    return [
        is_answered("refused: unknown source", told_stranger, 403),
        is_answered("refused: no route", told_misdialled, 404),
        Observation("refused", "packets that reached the carrier", str(len(reached)), not reached),
    ]


def fail_over(stage: Stage) -> list[Observation]:
    """The trunk's first address is dead; the call reaches the second."""
    step = "failover"
    callee = stage.phone("failover-callee", "answer", stage.ports.callee, "--longest", "25")
    with Silent(stage.ports.dead) as dead, callee, _caller(stage, "failover-caller", BACKED_UP) as caller:
        told_caller, told_callee = caller.story(), callee.story()
        tried = [line for line in dead.first_lines() if line.startswith("INVITE ")]
    waited_s = _answered_after_s(told_caller)
    in_time = TRY_TIMEOUT_S * 0.8 <= waited_s <= TRY_TIMEOUT_S + 2
    return [
        Observation(step, "INVITEs at the dead first target", str(len(tried)), bool(tried)),
        is_answered(step, told_caller, 200),
        Observation(step, "INVITE to 200, first target tried and given up", f"{waited_s:.2f} s", in_time),
        Observation(step, "number at the second target", *_requested(told_callee, BACKED_UP)),
        *hears(stage, step, "callee hears caller", told_callee, Said(wav.read(CALLER_SAYS)[0], told_caller.report)),
    ]


STEPS: Final[tuple[Callable[[Stage], list[Observation]], ...]] = (
    bridge,
    echo,
    play,
    refuse,
    fail_over,
    queue,
    record,
)


def _caller(stage: Stage, name: str, number: str, *words: str) -> PhoneProcess:
    common = ["--to", stage.uri(number), "--play", str(CALLER_SAYS), "--listen-on", str(CALLER_STAYS_S)]
    return stage.phone(name, "call", stage.ports.caller, *common, *words)


def is_answered(step: str, told: Story, wanted: int) -> Observation:
    status = told.report["final_status"]
    return Observation(
        step, f"caller is answered {wanted}", f"{' '.join(map(str, told.report['statuses']))}", status == wanted
    )


def hears(stage: Stage, step: str, what: str, told: Story, said: Said) -> list[Observation]:
    match = hearing.find(said.samples, told.heard)
    picture = stage.folder / f"{_slug(step)}-{_slug(what)}.png"
    pictures.speech(f"{step}: {what}", said.samples, told.heard, match.lag_samples, picture)
    seen = [Observation(step, what, f"likeness {match.likeness:.4f}, level {match.level_db:+.2f} dB", match.is_same)]
    if said.by is not None:
        delay = hearing.delay_ms(
            match,
            said_origin_ns=said.by["said_origin_ns"],
            heard_origin_ns=told.report["heard_origin_ns"],
            said_starts_samples=said.by["said_lead_in_samples"],
        )
        seen.append(Observation(step, f"{what}: delay", f"{delay:.2f} ms", 0 <= delay <= MOST_DELAY_MS))
    return seen


def _slug(text: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in text.lower())


def does_not_hear(step: str, what: str, told: Story, said: Said) -> Observation:
    match = hearing.find(said.samples, told.heard)
    return Observation(step, what, f"likeness {match.likeness:.3f}", match.is_absent)


def comes_through(step: str, what: str, sender: Story, hearer: Story) -> Observation:
    """Nothing lost or doubled, one stream from first to last, from the one address that the engine's SDP had named."""
    sent, heard, named = sender.report["rtp_sent"], hearer.report["rtp_heard"], hearer.report["rtp_named"]
    whole = heard["packets"] >= LEAST_PART * sent > 0
    clean = whole and not heard["lost"] and not heard["duplicate"] and heard["ssrcs"] == 1
    seen = f"{heard['packets']} of {sent}, lost {heard['lost']}, from {' '.join(heard['sources']) or 'nowhere'}"
    relayed = heard["sources"] == [named] and named != f"{HOST}:{sender.report['rtp_port']}"
    return Observation(step, f"{what} come through the engine", seen, clean and relayed)


def gets_bye(step: str, told: Story, wanted: str) -> Observation:
    who = told.report["ended_by"]
    seen = {"peer": "BYE from the engine", "us": "its own BYE", "": "no BYE"}[who]
    return Observation(step, f"{told.report['user']} gets BYE", seen, who == wanted)


def is_sent_digits(step: str, told: Story) -> Observation:
    heard = told.report["digits_heard"]
    keys = "".join(one["key"] for one in heard)
    lengths = sorted({one["duration_ms"] for one in heard})
    whole = all(one["ended"] for one in heard)
    length, ends = "/".join(map(str, lengths)) or "0", "all" if whole else "not all"
    seen = f"{keys or 'none'}, {length} ms each, {ends} ended, payload type {told.report['events']}"
    return Observation(step, f"callee is sent {DIGITS}", seen, keys == DIGITS and whole and lengths == [100])


def _requested(told: Story, number: str) -> tuple[str, bool]:
    requested = str(told.report["requested"])
    return requested, requested.startswith(f"sip:{number}@")


def _answered_after_s(told: Story) -> float:
    sip = told.report["sip"]
    invited = next((one["at_ns"] for one in sip if one["first"].startswith("INVITE ")), 0)
    answered = next((one["at_ns"] for one in sip if one["first"].startswith("SIP/2.0 200")), 0)
    return (answered - invited) / 1e9 if answered else float("inf")
