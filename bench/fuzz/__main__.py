"""Run one target under atheris (libFuzzer): `python -m santral.bench.fuzz stack --seconds 600 --corpus DIR`.

The stack is loaded from its Python source, whatever is compiled beside it: only bytecode can be guided by coverage.
A finding stops the run and leaves the input behind; `--keep FILE` packs what the corpus came to, for the tests.
"""

import argparse
import resource
import sys
import tempfile
import time
from importlib.machinery import FileFinder, SourceFileLoader
from pathlib import Path
from typing import Final

import atheris
import msgpack

MAX_INPUT: Final = {"parser": 4096, "sdp": 4096, "stack": 8192}
MAX_KEPT: Final = 250  # inputs that are packed for the tests
MAX_KEPT_BYTES: Final = 1024  # of each, but for conversations
PACKAGE: Final = "/santral/sip"


def from_source(path: str) -> FileFinder:
    """A path hook: modules of the stack come from their .py files, all else as usual."""
    if PACKAGE not in path:
        raise ImportError(path)
    return FileFinder(path, (SourceFileLoader, [".py"]))


def main() -> None:
    """Fuzz, and say at the end how much was executed, in how long, in how much memory."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("target", choices=sorted(MAX_INPUT))
    arguments.add_argument("--seconds", type=int, default=60)
    arguments.add_argument("--corpus", type=Path, help="a folder that is read and grown; default: a temporary one")
    arguments.add_argument("--keep", type=Path, help="pack the corpus into this file instead of fuzzing")
    options = arguments.parse_args()
    corpus: Path = options.corpus or Path(tempfile.mkdtemp(prefix="santral-fuzz-"))
    corpus.mkdir(parents=True, exist_ok=True)
    if options.keep is not None:
        keep(corpus, options.keep)
        return
    sys.path_hooks.insert(0, from_source)
    sys.path_importer_cache.clear()
    with atheris.instrument_imports(include=["santral.sip"]):
        from santral.bench.fuzz import targets  # noqa: PLC0415 - instrumented while it is imported
        from santral.bench.fuzz.seeds import SEEDS  # noqa: PLC0415
    for number, seed in enumerate(SEEDS[options.target]):
        (corpus / f"seed-{number:02}").write_bytes(seed)
    began, memory = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    count = 0
    act = targets.TARGETS[options.target]

    def once(data: bytes) -> None:
        nonlocal count
        count += 1
        act(data)

    flags = [f"-max_total_time={options.seconds}", f"-max_len={MAX_INPUT[options.target]}", "-timeout=10"]
    flags += ["-rss_limit_mb=1024", "-print_final_stats=1", "-verbosity=1", f"-artifact_prefix={corpus}/../finding-"]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], once)
    print(f"{options.target}: {memory // 1024} MiB before", flush=True)  # noqa: T201
    try:
        atheris.Fuzz()
    finally:
        seconds = time.monotonic() - began
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{options.target}: {count} executions, {seconds:.0f} s, {memory} MiB", flush=True)  # noqa: T201


def keep(corpus: Path, out: Path) -> None:
    """The smallest inputs, as one msgpack list: libFuzzer has only kept what reached something new."""
    inputs = sorted((path.read_bytes() for path in corpus.iterdir()), key=lambda data: (len(data), data))
    kept = [data for data in inputs if len(data) <= MAX_KEPT_BYTES or b"\x1e" in data]
    step = max(len(kept) // MAX_KEPT, 1)
    out.write_bytes(msgpack.packb(kept[::step][:MAX_KEPT]))


if __name__ == "__main__":
    main()
