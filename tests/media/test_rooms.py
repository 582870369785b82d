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
PCMA = {"receives": {8: "PCMA/8000"}, "sends": {"PCMA/8000": 8}}
PCMU = {"receives": {0: "PCMU/8000"}, "sends": {"PCMU/8000": 0}}
G722 = {"receives": {9: "G722/8000"}, "sends": {"G722/8000": 9}}
L16 = {"receives": {97: "L16/16000"}, "sends": {"L16/16000": 97}}


@dataclass
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

    def levels(self, tones, last: int = 40) -> dict[float, float]:
        """How loud each tone is in what was heard lately, 1.0 being as it was said."""
        packets = self.heard[-last:]
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


def expect(levels, loud, tolerance: float = 0.12) -> None:
    for hz, level in levels.items():
        if hz in loud:
            assert abs(level - 1) < tolerance, levels
        else:
            assert level < 0.05, levels


TONES = [400.0, 700.0, 1100.0, 1700.0]


async def test_each_hears_the_others_and_not_itself(stage) -> None:
    room = stage.plane.open_room()
    talkers = [talker(stage, hz, PCMA) for hz in TONES]
    for one in talkers:
        room.join(one.leg)
    await run(talkers, 1.6)
    for one in talkers:
        assert one.leg.path == "room"
        expect(one.levels(TONES), set(TONES) - {one.hz})
        heard = one.heard
        assert len(heard) > 60
        assert all(y.sequence == x.sequence + 1 and y.timestamp - x.timestamp == 160 for x, y in pairwise(heard))
        assert [p.marker for p in heard] == [True] + [False] * (len(heard) - 1)
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
    await run(talkers, 1.6)
    for one in talkers:
        expect(one.levels(TONES), set(TONES) - {one.hz}, 0.2)


async def test_manners(stage) -> None:
    room = stage.plane.open_room()
    talkers = [talker(stage, hz, PCMA) for hz in TONES]
    a, b, c, d = talkers
    room.join(a.leg, gain_db=-6.0206)
    room.join(b.leg, muted=True)
    room.join(c.leg, deaf=True)
    room.join(d.leg, monitor=True)
    await run(talkers, 1.2)
    levels = b.levels(TONES)
    assert abs(levels[400.0] - 0.5) < 0.05
    expect(a.levels(TONES), {1100.0})
    expect(c.levels(TONES), set())
    assert abs(d.levels(TONES)[400.0] - 0.5) < 0.05
    room.change(a.leg, gain_db=0.0, whisper_to=d.leg)
    room.change(b.leg, muted=False)
    room.change(c.leg, deaf=False)
    await run(talkers, 1.4)
    expect(d.levels(TONES), {400.0, 700.0, 1100.0})
    expect(b.levels(TONES), {1100.0})
    expect(a.levels(TONES), {700.0, 1100.0})
    room.leave(b.leg)
    await run(talkers, 1.2)
    expect(c.levels(TONES), set())
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
    first = len(a.heard)
    room.join(c.leg)
    await run(talkers, 1.2)
    expect(a.levels(TONES[:3]), {700.0, 1100.0})
    room.leave(c.leg)
    await run([a, b], 1.0)
    expect(a.levels(TONES[:3]), {700.0})
    assert len(a.heard) > first + 95
    assert all(y.sequence == x.sequence + 1 for x, y in pairwise(a.heard))


async def test_sounds_for_all_and_for_one(stage) -> None:
    room = stage.plane.open_room()
    talkers = [talker(stage, hz, PCMA) for hz in TONES[:3]]
    for one in talkers:
        room.join(one.leg)
    beep = (LOUD * np.sin(2 * np.pi * 2500 * np.arange(8000) / 8000)).astype(np.int16).tobytes()
    await run(talkers, 0.4)
    play_id = room.play(PreparedAudio(8000, beep))
    await run(talkers, 1.0)
    for one in talkers:
        expect(one.levels([*TONES[:3], 2500.0]), {*TONES[:3], 2500.0} - {one.hz})
    await run(talkers, 0.3)
    ended = stage.of("play_finished")
    assert ended == [{"play_id": play_id, "frames": 50, "completed": True, "reason": "completed"}]
    assert stage.events[-1].room == room.id
    stage.plane.play(talkers[0].leg, PreparedAudio(8000, beep))
    await run(talkers, 0.9)
    expect(talkers[0].levels([*TONES[:3], 2500.0]), {2500.0})
    expect(talkers[1].levels([*TONES[:3], 2500.0]), {400.0, 1100.0})
    with pytest.raises(MediaError, match="8000"):
        room.play(PreparedAudio(16000, beep))


async def test_who_speaks_is_told(stage) -> None:
    room = stage.plane.open_room(levels=True)
    talkers = [talker(stage, hz, PCMA) for hz in TONES[:2]]
    for one in talkers:
        room.join(one.leg)
    talkers[1].is_quiet = True
    await run(talkers, 1.2)
    talkers[0].is_quiet, talkers[1].is_quiet = True, False
    await run(talkers, 1.2)
    told = [e.data["leg"] for e in stage.events if e.kind == "speaker" and e.room == room.id]
    assert told[0] == talkers[0].leg.id
    assert told[-1] == talkers[1].leg.id
    levels = stage.of("level", talkers[0].leg)
    assert abs(levels[0]["dbov"] - 20 * np.log10(LOUD / 2**0.5 / 32768)) < 1.5


async def test_rooms_and_bridges_take_legs_from_each_other_across_threads(stager) -> None:
    stage = stager(threads=3)
    room = stage.plane.open_room()
    talkers = [talker(stage, hz, PCMA) for hz in TONES]
    a, b, c, d = talkers
    stage.plane.bridge(a.leg, b.leg)
    for one in (a, c, d):
        room.join(one.leg)
    assert b.leg.peer is None
    await run(talkers, 1.2)
    assert {one.leg.worker for one in (a, c, d)} == {room.worker}
    expect(a.levels(TONES), {1100.0, 1700.0})
    stage.plane.bridge(a.leg, b.leg)
    assert list(room.legs) == [c.leg, d.leg]
    await run(talkers, 1.2)
    expect(a.levels(TONES), {700.0})
    expect(c.levels(TONES), {1700.0})
    await c.leg.close()
    assert list(room.legs) == [d.leg]
    await room.close()
    await room.close()
    with pytest.raises(MediaError, match="closed"):
        room.join(d.leg)
