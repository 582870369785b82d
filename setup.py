"""Compiled modules, one row each; everything else about the distribution stands in pyproject.toml."""

import os

from Cython.Build import cythonize
from setuptools import Extension, setup

MODULES = [
    "bench.generator",
    "codecs.codec",
    "codecs.comfort_noise",
    "codecs.detect.dtmf",
    "codecs.detect.listener",
    "codecs.detect.spectrum",
    "codecs.detect.tones",
    "codecs.detect.voice",
    "codecs.g711",
    "codecs.g722",
    "codecs.generate.score",
    "codecs.l16",
    "codecs.opus",
    "codecs.passthrough",
    "codecs.shape.conceal",
    "codecs.shape.level",
    "codecs.shape.mix",
    "codecs.shape.resample",
    "codecs.shape.stretch",
    "engine.media.core.backend",
    "engine.media.core.capture.sink",
    "engine.media.core.capture.sinks",
    "engine.media.core.command",
    "engine.media.core.deadlines",
    "engine.media.core.digits",
    "engine.media.core.latch",
    "engine.media.core.loop",
    "engine.media.core.measure.judge",
    "engine.media.core.measure.losses",
    "engine.media.core.measure.protection",
    "engine.media.core.measure.rating",
    "engine.media.core.measure.voip",
    "engine.media.core.memory.ahead",
    "engine.media.core.memory.pages",
    "engine.media.core.memory.pieces",
    "engine.media.core.mix.intake",
    "engine.media.core.mix.jitter",
    "engine.media.core.mix.room",
    "engine.media.core.note",
    "engine.media.core.reception",
    "engine.media.core.relay",
    "engine.media.core.rewrite",
    "engine.media.core.rtcp",
    "engine.media.core.rtp",
    "engine.media.core.secure.srtp",
    "engine.media.core.stage.carry",
    "engine.media.core.stage.ear",
    "engine.media.core.stage.filler",
    "engine.media.core.stage.heard",
    "engine.media.core.stage.keys",
    "engine.media.core.stage.listen",
    "engine.media.core.stage.mouth",
    "engine.media.core.stage.path",
    "engine.media.core.stage.player",
    "engine.media.core.stage.send",
    "engine.media.core.stage.tap",
    "engine.media.core.stage.turn",
    "engine.media.core.stage.wheel",
    "engine.media.core.thread",
    "engine.media.core.upkeep",
    "engine.memory.arenas",
    "recorder.capture.chunk",
    "recorder.capture.clock",
    "recorder.capture.crc",
    "recorder.capture.index",
    "recorder.mixdown.desk",
    "recorder.timeline.envelope",
    "recorder.timeline.line",
    "recorder.timeline.run",
    "recorder.timeline.side",
    "recorder.timeline.slip",
    "recorder.timeline.spans",
    "recorder.timeline.tone",
    "recorder.timeline.waiting",
    "routing.acd.index.items",
    "routing.acd.index.match",
    "routing.acd.index.order",
]

# Plain Python, compiled as it stands: warm code with one source, which runs the same without its compiled form.
WARM = [
    "engine.media.model",
    "engine.media.remote",
    "engine.trace.ladder",
    "engine.trace.message",
    "engine.trace.trace",
    "routing.acd.distributor",
    "routing.acd.estimates",
    "routing.acd.events",
    "routing.acd.matching",
    "routing.acd.offers",
    "routing.acd.records",
    "routing.acd.waiting",
    "sip.errors",
    "sip.events",
    "sip.framing",
    "sip.headers",
    "sip.message",
    "sip.multipart",
    "sip.offer_answer",
    "sip.reasons",
    "sip.sdp",
    "sip.session.moment",
    "sip.ua.compose",
    "sip.ua.core",
    "sip.ua.deadlines",
    "sip.ua.dialog",
    "sip.ua.runner",
    "sip.ua.transaction",
    "sip.uri",
]

DIRECTIVES = {
    "language_level": 3,
    "binding": False,
    "boundscheck": False,
    "cdivision": True,
    "initializedcheck": False,
    "nonecheck": False,
    "wraparound": False,
}

AS_IN_PYTHON = {"language_level": 3, "binding": True, "annotation_typing": False}

# Lets the compiler add up floats four at a time; infinities and NaN keep their meaning.
SUMS_IN_ANY_ORDER = ["-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math"]


def extension(module: str, suffix: str = ".pyx") -> Extension:
    source = f"src/santral/{module.replace('.', '/')}{suffix}"
    has_samples = module.startswith(("codecs.", "recorder.timeline.", "recorder.mixdown."))
    speed = ["-O3" if has_samples else "-O2"]  # loops over samples are worth vectorising
    if module.startswith("codecs.shape."):
        speed += SUMS_IN_ANY_ORDER
    return Extension(f"santral.{module}", [source], extra_compile_args=[*speed, "-g0", "-fvisibility=hidden"])


def extensions() -> list[Extension]:
    hot = [extension(module) for module in MODULES]
    warm = [extension(module, ".py") for module in WARM]
    settings = {"include_path": ["src"], "build_dir": "build/c", "show_all_warnings": False}
    return [
        *cythonize(hot, compiler_directives=DIRECTIVES, **settings),
        *cythonize(warm, compiler_directives=AS_IN_PYTHON, **settings),
    ]


if __name__ == "__main__":
    setup(
        ext_modules=extensions(),
        options={"build_ext": {"parallel": os.cpu_count()}},
    )
