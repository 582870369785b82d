"""A SIP phone as a process of its own: `python -m santral.bench.agent call|answer …`.

Plays a WAV file as G.711, presses digits (RFC 4733), records what it hears and writes what it saw on the wire as JSON.
Prints `listening HOST:PORT` once it can be reached. Exit status 0 when a call ran its course (a refusal is one).
"""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from santral.bench.peer import g711, rtp, wav
from santral.bench.peer.message import host_port
from santral.bench.peer.phone import Manner, Phone, Seen, open_phone

NO_CALL: Final = 3  # exit status of a callee nobody called


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m santral.bench.agent", description=__doc__.splitlines()[0])
    parser.add_argument("role", choices=["call", "answer"])
    parser.add_argument("--listen", default="127.0.0.1:0", help="own address, HOST:PORT")
    parser.add_argument("--to", default="", help="sip: URI to call")
    parser.add_argument("--user", default="phone", help="own user part")
    parser.add_argument("--play", type=Path, help="8 kHz mono WAV to say")
    parser.add_argument("--record", type=Path, help="WAV to write what was heard to")
    parser.add_argument("--report", type=Path, help="JSON file to write what was seen to")
    parser.add_argument("--digits", default="", help="keys to press after speaking")
    parser.add_argument("--codec", choices=sorted(g711.PAYLOAD_TYPES), default="PCMA")
    parser.add_argument("--events", type=int, default=101, help="payload type offered for digits")
    parser.add_argument("--answer-after", type=float, default=0.2, help="seconds of ringing")
    parser.add_argument("--status", type=int, default=200, help="final status a callee gives")
    parser.add_argument("--listen-on", type=float, default=0.3, help="seconds a caller stays after its script")
    parser.add_argument("--longest", type=float, default=60.0, help="seconds after which everything is given up")
    return parser.parse_args(words)


def script_for(options: argparse.Namespace) -> rtp.Script:
    audio = b""
    if options.play is not None:
        samples, rate_hz = wav.read(options.play)
        if rate_hz != wav.RATE_HZ:
            raise ValueError(f"{options.play}: {rate_hz} Hz, not {wav.RATE_HZ}")
        whole = np.zeros(-(-len(samples) // rtp.FRAME_SAMPLES) * rtp.FRAME_SAMPLES, np.int16)
        whole[: len(samples)] = samples
        audio = g711.encode(whole, options.codec)
    return rtp.Script(options.codec, audio, options.digits, options.events)


def is_answer_to_invite(seen: Seen) -> bool:
    return seen.first.startswith("SIP/2.0") and seen.cseq.endswith("INVITE")


def report(phone: Phone, heard: rtp.Heard, script: rtp.Script) -> dict[str, Any]:
    line = phone.line
    return {
        "user": phone.manner.user,
        "address": f"{phone.host}:{phone.port}",
        "final_status": phone.final_status,
        "statuses": [int(one.first.split()[1]) for one in phone.seen if is_answer_to_invite(one)],
        "requested": phone.requested,
        "ended_by": phone.ended_by,
        "retransmissions_seen": phone.retransmissions_seen,
        "sip": [asdict(one) for one in phone.seen],
        "rtp_port": line.port if line else 0,
        "rtp_named": phone.remote,
        "rtp_sent": line.sent if line else 0,
        "rtp_latest_ms": line.latest_ns / 1e6 if line else 0.0,
        "rtp_heard": rtp.summary(line.packets if line else ()),
        "events": phone.heard_events,
        "digits_sent": script.digits,
        "digits_heard": [asdict(one) for one in rtp.digits(line.packets if line else (), phone.heard_events)],
        "said_origin_ns": line.started_ns if line else 0,
        "said_lead_in_samples": script.lead_in_ticks * rtp.FRAME_SAMPLES,
        "heard_origin_ns": heard.origin_ns,
        "heard_seconds": len(heard.samples) / wav.RATE_HZ,
        "written_at": time.time(),
    }


async def run(options: argparse.Namespace) -> int:
    script = script_for(options)
    manner = Manner(
        user=options.user,
        script=script,
        answer_after_s=options.answer_after,
        status=options.status,
        listen_on_s=options.listen_on,
        longest_s=options.longest,
    )
    host, _, port = options.listen.rpartition(":")
    phone = await open_phone(manner, host, int(port))
    sys.stdout.write(f"listening {phone.host}:{phone.port}\n")
    sys.stdout.flush()
    result = 0
    try:
        if options.role == "call":
            await phone.call(options.to, host_port(options.to))
        else:
            await phone.wait_for_call()
    except TimeoutError:
        result = NO_CALL
    finally:
        phone.close()
    heard = rtp.place(phone.line.packets if phone.line else ())
    if options.record is not None:
        wav.write(options.record, heard.samples)
    if options.report is not None:
        options.report.write_text(json.dumps(report(phone, heard, script), indent=1))
    return result


def main() -> None:
    try:
        sys.exit(asyncio.run(run(arguments(sys.argv[1:]))))
    except (OSError, ValueError) as problem:
        sys.exit(f"agent: {problem}")


if __name__ == "__main__":
    main()
