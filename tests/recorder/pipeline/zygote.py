"""Runs recorders in processes of their own that cost a fork, not a start: a line of JSON in, the exit status out."""

import json
import os
import sys
from pathlib import Path

import s3fs  # noqa: F401 - loaded once, before the forks
import sshfs  # noqa: F401

from santral.recorder.pipeline import Settings
from santral.recorder.pipeline.recorder import Recorder


def once(settings: Settings) -> int:
    recorder = Recorder(settings)
    failed = recorder.run_once()
    recorder.stop()
    return len(failed)


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if not child:
            os._exit(once(Settings.from_map(json.loads(line))))
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
