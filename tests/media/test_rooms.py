"""Conferences: each hears exactly the others, told apart by their tones; manners, sounds, rates, and rooms of two."""

import asyncio
import time
from dataclasses import dataclass, field
from itertools import count, pairwise

import numpy as np
import pytest

from santral.codecs import CODECS, Encoder
from santral.engine.media import MediaError, PreparedAudio

FRAME_S = 0.02
LOUD = 4000.0
SETTLED = 25  # packets after a change until what was said before it has been heard
JUDGED = 40  # packets that are taken apart
PATIENCE_S = 15.0
PCMA = {"receives": {8: "PCMA/8000"}, "sends": {"PCMA/8000": 8}}
PCMU = {"receives": {0: "PCMU/8000"}, "sends": {"PCMU/8000": 0}}
G722 = {"receives": {9: "G722/8000"}, "sends": {"G722/8000": 9}}
L16 = {"receives": {97: "L16/16000"}, "sends": {"L16/16000": 97}}


@dataclass(eq=False)
class Talker:
    """A peer that says one tone without end, and remembers what it hears."""

    peer: object
    leg: object
    hz: float
    key: str
    payload_type: int
    frames: object = field(default_factory=count)
    heard: list = field(default_factory=list)
    is_quiet: bool = False

    def __post_init__(self) -> None:
        self.codec = CODECS[self.key]
        self.encoder = Encoder(self.codec)
        self.rate = self.codec.sample_hz

    def speak(self) -> None:
        n = next(self.frames)
        samples = self.rate // 50
        at = np.arange(n * samples, (n + 1) * samples) / self.rate
        wave = (LOUD * np.sin(2 * np.pi * self.hz * at)).astype(np.int16)
        if self.is_quiet:
            return
        self.peer.send(
            self.leg, self.encoder.encode(wave.tobytes()), self.payload_type, sequence=n & 0xFFFF,
            timestamp=(n * self.codec.clock_hz // 50) & 0xFFFFFFFF,
        )  # fmt: skip

    def listen(self) -> None:
        self.heard += self.peer.heard()

    def levels(self, tones) -> dict[float, float]:
        """How loud each tone is in what was heard last, 1.0 being as it was said."""
        packets = self.heard[-JUDGED:]
        samples = np.frombuffer(self.codec.decode(b"".join(p.payload for p in packets)), np.int16).astype(float)
        window = np.hanning(len(samples))
        at = np.arange(len(samples)) / self.rate
        return {
            hz: 2 * abs(np.sum(samples * window * np.exp(-2j * np.pi * hz * at))) / np.sum(window) / LOUD
            for hz in tones
        }


async def run(talkers, seconds: float) -> None:
    """Everybody speaks every 20 ms by the clock."""
    began, done = time.monotonic(), 0
    while done * FRAME_S < seconds:
        for talker in talkers:
            talker.speak()
            talker.listen()
        done += 1
        await asyncio.sleep(max(0.0, began + done * FRAME_S - time.monotonic()))
    for talker in talkers:
        talker.listen()


def talker(stage, hz: float, remote, key: str = "PCMA/8000", payload_type: int = 8) -> Talker:
    peer = stage.peer()
    return Talker(peer, stage.leg(peer, **remote), hz, key, payload_type)


def wrong(levels, loud: dict[float, float], tolerance: float) -> bool:
    return any(abs(level / loud[hz] - 1) >= tolerance if hz in loud else level >= 0.05 for hz, level in levels.items())


async def expect(talkers, hears, tones=None, *, tolerance: float = 0.12) -> None:
    """Everybody speaks until each listener of `hears` has heard just these tones for `JUDGED` packets in a row: as they
    were said, or as loud as a mapping says.

    A process that is not let run for a while hears made up and stretched audio, so the right thing may come late; but
    what is not to be heard is not heard in the meantime either.
    """
    tones = TONES if tones is None else tones
    wanted = {one: dict.fromkeys(loud, 1.0) if isinstance(loud, set) else loud for one, loud in hears.items()}
    since = {one: len(one.heard) for one in wanted}
    give_up = time.monotonic() + PATIENCE_S
    while True:
        await run(talkers, 0.4)
        heard = {one: one.levels(tones) for one in wanted if len(one.heard) >= since[one] + SETTLED + JUDGED}
        for one, levels in heard.items():
            assert all(level < 0.5 for hz, level in levels.items() if hz not in wanted[one]), (one.hz, levels)
        late = [one for one, loud in wanted.items() if one not in heard or wrong(heard[one], loud, tolerance)]
        if not late:
            return
        assert time.monotonic() < give_up, [(one.hz, len(one.heard) - since[one], heard.get(one)) for one in late]


TONES = [400.0, 700.0, 1100.0, 1700.0]


def assert_whole(stage, heard) -> None:
    """One stream without a seam: the clock jumps only where the plane itself says that it was not let run."""
    assert all(y.sequence == x.sequence + 1 for x, y in pairwise(heard))
    marked = [y for x, y in pairwise(heard) if y.timestamp - x.timestamp != 160 or y.marker]
    assert heard[0].marker
    assert not marked or stage.plane.snapshot()["turns_lost"] > 0
    assert all(p.marker for p in marked)


async def test_each_hears_the_others_and_not_itself(stage) -> None:
    room = stage.plane.open_room()
    talkers = [talker(stage, hz, PCMA) for hz in TONES]
    for one in talkers:
        room.join(one.leg)
    await expect(talkers, {one: set(TONES) - {one.hz} for one in talkers})
    for one in talkers:
        assert one.leg.path == "room"
        assert_whole(stage, one.heard)
    await room.close()
    assert stage.plane.rooms == {}
    assert all(one.leg.path == "none" and len(one.leg.kept) == 2 for one in talkers)  # the stage and its codecs


async def test_codecs_and_rates_meet_in_one_room(stage) -> None:
    room = stage.plane.open_room(16000)
    talkers = [
        talker(stage, 400, PCMA),
        talker(stage, 700, PCMU, "PCMU/8000", 0),
        talker(stage, 1100, G722, "G722/8000", 9),
        talker(stage, 1700, L16, "L16/16000", 97),
    ]
    for one in talkers:
        room.join(one.leg)
    await expect(talkers, {one: set(TONES) - {one.hz} for one in talkers}, tolerance=0.2)


async def test_manners(stage) -> None:
    room = stage.plane.open_room()
    talkers = [talker(stage, hz, PCMA) for hz in TONES]
    a, b, c, d = talkers
    room.join(a.leg, gain_db=-6.0206)
    room.join(b.leg, muted=True)
    room.join(c.leg, deaf=True)
    room.join(d.leg, monitor=True)
    halved = {400.0: 0.5, 1100.0: 1.0}
    await expect(talkers, {a: {1100.0}, b: halved, c: set(), d: halved}, tolerance=0.1)
    room.change(a.leg, gain_db=0.0, whisper_to=d.leg)
    room.change(b.leg, muted=False)
    room.change(c.leg, deaf=False)
    await expect(talkers, {d: {400.0, 700.0, 1100.0}, b: {1100.0}, a: {700.0, 1100.0}})
    room.leave(b.leg)
    await expect(talkers, {c: set()})
    with pytest.raises(MediaError, match="not in room"):
        room.change(b.leg, muted=True)
    with pytest.raises(MediaError, match="gain"):
        room.join(b.leg, gain_db=99)


async def test_two_are_relayed_and_mixed_again_when_a_third_comes(stage) -> None:
    room = stage.plane.open_room()
    talkers = [talker(stage, hz, PCMA) for hz in TONES[:3]]
    a, b, c = talkers
    room.join(a.leg)
    room.join(b.leg)
    await run([a, b], 0.6)
    room.join(c.leg)
    await expect(talkers, {a: {700.0, 1100.0}})
    room.leave(c.leg)
    await expect([a, b], {a: {700.0}})
    assert all(y.sequence == x.sequence + 1 for x, y in pairwise(a.heard))


async def test_sounds_for_all_and_for_one(stage) -> None:
    room = stage.plane.open_room()
    talkers = [talker(stage, hz, PCMA) for hz in TONES[:3]]
    a, b, _ = talkers
    for one in talkers:
        room.join(one.leg)
    beep = (LOUD * np.sin(2 * np.pi * 2500 * np.arange(4000) / 8000)).astype(np.int16).tobytes()
    await run(talkers, 0.4)
    tones = {*TONES[:3], 2500.0}
    room.play(PreparedAudio(8000, beep), loop=True)
    await expect(talkers, {one: tones - {one.hz} for one in talkers}, tones)
    play_id = room.play(PreparedAudio(8000, beep))
    await stage.until(lambda: len(stage.of("play_finished")) == 2, PATIENCE_S)
    first, last = stage.of("play_finished")
    assert first["reason"] == "replaced"
    assert last == {"play_id": play_id, "frames": 25, "completed": True, "reason": "completed"}
    assert stage.events[-1].room == room.id
    stage.plane.play(a.leg, PreparedAudio(8000, beep), loop=True)
    await expect(talkers, {a: {2500.0}, b: {400.0, 1100.0}}, tones)
    with pytest.raises(MediaError, match="8000"):
        room.play(PreparedAudio(16000, beep))


async def test_who_speaks_is_told(stage) -> None:
    room = stage.plane.open_room(levels=True)
    talkers = [talker(stage, hz, PCMA) for hz in TONES[:2]]
    a, b = talkers
    for one in talkers:
        room.join(one.leg)

    def told() -> list[int]:
        return [e.data["leg"] for e in stage.events if e.kind == "speaker" and e.room == room.id]

    def loudness() -> list[float]:
        return [level["dbov"] - 20 * np.log10(LOUD / 2**0.5 / 32768) for level in stage.of("level", a.leg)]

    b.is_quiet = True
    await run_until(talkers, lambda: any(abs(level) < 1.5 for level in loudness()))
    assert set(told()) <= {a.leg.id, 0}  # 0: nobody, where this process was not let run
    assert told()[0] == a.leg.id
    assert max(loudness()) < 1.5
    a.is_quiet, b.is_quiet = True, False
    await run_until(talkers, lambda: told()[-1] == b.leg.id)


async def run_until(talkers, true) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < give_up
        await run(talkers, 0.2)


async def test_rooms_and_bridges_take_legs_from_each_other_across_threads(stager) -> None:
    stage = stager(threads=3)
    room = stage.plane.open_room()
    talkers = [talker(stage, hz, PCMA) for hz in TONES]
    a, b, c, d = talkers
    stage.plane.bridge(a.leg, b.leg)
    for one in (a, c, d):
        room.join(one.leg)
    assert b.leg.peer is None
    await expect(talkers, {a: {1100.0, 1700.0}})
    assert {one.leg.worker for one in (a, c, d)} == {room.worker}
    stage.plane.bridge(a.leg, b.leg)
    assert list(room.legs) == [c.leg, d.leg]
    await expect(talkers, {a: {700.0}, c: {1700.0}})
    await c.leg.close()
    assert list(room.legs) == [d.leg]
    await room.close()
    await room.close()
    with pytest.raises(MediaError, match="closed"):
        room.join(d.leg)
