"""Notes of a media thread as Python values: (kind, data) as `MediaEvent` documents them."""

import socket
from math import log10

from santral.codecs.detect.tones import TONE_NAMES
from santral.engine.media.core.leg cimport (
    NOTE_CLOSED, NOTE_DIGIT, NOTE_FAX, NOTE_FIRST_PACKET, NOTE_KEYS_SENT, NOTE_LEVEL, NOTE_NEEDS_STAGE, NOTE_PLAY_FINISHED, NOTE_QUALITY,
    NOTE_RELEASED, NOTE_RETURNED, NOTE_ROOM_CLOSED, NOTE_ROOM_PLAYED, NOTE_ROOM_RETURNED, NOTE_SILENT, NOTE_SPEAKER, NOTE_TALK_STARTED,
    NOTE_TALK_STOPPED, NOTE_TIMEOUT, NOTE_TONE, note_t,
)
from santral.engine.media.core.measure.rating cimport mos_of_r
from santral.engine.media.core.net cimport AF_INET6, endpoint_t, ntohs
from santral.engine.media.core.stage.block cimport PLAY_COMPLETED

DIGITS = "0123456789*#ABCD"
FULL_SCALE = 32768.0**2
GRADES = ("bad", "poor", "fair", "good")
PLAY_REASONS = ("completed", "stopped", "replaced", "digit", "closed")


cdef tuple address_of(const endpoint_t *where):
    cdef const unsigned char *v4 = <const unsigned char *>&where.v4.sin_addr
    if where.v4.sin_family == AF_INET6:
        return socket.inet_ntop(socket.AF_INET6, bytes(where.v6.sin6_addr.s6_addr[:16])), ntohs(where.v6.sin6_port)
    return f"{v4[0]}.{v4[1]}.{v4[2]}.{v4[3]}", ntohs(where.v4.sin_port)


cdef dict play_end(const note_t *note):
    return {
        "play_id": note.a,
        "frames": note.b >> 8,
        "completed": note.b & 255 == PLAY_COMPLETED,
        "reason": PLAY_REASONS[note.b & 255],
    }


cdef tuple described(const note_t *note):
    if note.kind == NOTE_CLOSED:
        return "closed", {}
    if note.kind == NOTE_RELEASED:
        return "released", {}
    if note.kind == NOTE_RETURNED:
        return "returned", {"serial": note.a}
    if note.kind == NOTE_NEEDS_STAGE:
        return "needs_stage", {}
    if note.kind == NOTE_DIGIT:
        return "dtmf", {"digit": DIGITS[note.a & 15], "ms": note.b, "via": "inband" if note.a & 32 else "rfc4733", "masked": bool(note.a & 16)}
    if note.kind == NOTE_SILENT:
        return "silent", {"after_s": note.a / 1e9}
    if note.kind == NOTE_TIMEOUT:
        return "timeout", {"after_s": note.a / 1e9}
    if note.kind == NOTE_KEYS_SENT:
        return "digits_sent", {"send_id": note.a, "digits": note.b >> 1, "completed": bool(note.b & 1)}
    if note.kind == NOTE_PLAY_FINISHED:
        return "play_finished", play_end(note)
    if note.kind == NOTE_ROOM_PLAYED:
        return "room_played", play_end(note)
    if note.kind == NOTE_ROOM_CLOSED:
        return "room_closed", {"serial": note.a}
    if note.kind == NOTE_ROOM_RETURNED:
        return "room_returned", {"serial": note.a}
    if note.kind == NOTE_SPEAKER:
        return "speaker", {"leg": note.a}
    if note.kind == NOTE_TALK_STARTED:
        return "talk_started", {}
    if note.kind == NOTE_TALK_STOPPED:
        return "talk_stopped", {"ms": note.a}
    if note.kind == NOTE_TONE:
        return "tone", {"tone": TONE_NAMES[note.a], "ms": note.b}
    if note.kind == NOTE_FAX:
        return "fax", {"tone": TONE_NAMES[note.a]}
    if note.kind == NOTE_QUALITY:
        r = note.a / 1000
        return "quality", {
            "grade": GRADES[note.b & 255], "r": round(r, 1), "mos": round(mos_of_r(r), 2), "loss": (note.b >> 8) / 1e6
        }
    if note.kind == NOTE_LEVEL:
        return "level", {"dbov": round(10 * log10(max(note.a, 1) / FULL_SCALE), 1)}
    host, port = address_of(&note.where)
    kind = "first_packet" if note.kind == NOTE_FIRST_PACKET else "source_changed"
    return kind, {"host": host, "port": port, "ssrc": note.a}
