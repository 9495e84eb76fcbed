#!/usr/bin/env python3
"""Drives every language's `refund` example through kills, lost answers and refusals.

    tests/clients/refunds.py BINARY NAME=COMMAND...

BINARY is sunmi-trade; COMMAND runs an example, without its flags. They run against the real server
with the sandbox, whose books say what moved, and against a server that answers anything. Whatever
happens: a record never says DECLINED of a refund that is in the books, and never DONE of one that
is not; no number is executed twice; a call comes only when its record is on disk and pending,
always with the same number and content. The last line is "N passed, N failed".

Needs what clients/python/requirements.txt names, and openssl.
"""

import shlex
import sys
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import count
from pathlib import Path

import process_cases
import real_cases
import resets
import scripted_cases
import store_cases
import usage_cases
from real import World
from trial import Trial, Wrong

# Most of the time they wait.
AT_ONCE = 8


def tried(case, command: list[str], place: Path) -> str | None:
    """What is wrong, if something is."""
    place.mkdir()
    try:
        case(Trial(command, place))
    except Wrong as wrong:
        return str(wrong)
    except Exception:
        return traceback.format_exc(limit=-4)
    return None


def cases(world: World) -> list[tuple[str, object]]:
    """All, those that take long first."""
    on_real = [*real_cases.SLOW.items(), *real_cases.CASES.items()]
    bound = [(name, lambda trial, case=case: case(trial, world)) for name, case in on_real]
    others = [
        scripted_cases.CASES, store_cases.CASES, process_cases.CASES, usage_cases.CASES,
        resets.CASES,
    ]
    return [*bound, *(item for table in others for item in table.items())]


def main() -> int:
    binary = Path(sys.argv[1]).resolve()
    languages = [word.split("=", 1) for word in sys.argv[2:]]
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="sunmi-clients-") as folder:
        world = World(Path(folder), binary)
        numbers = count()
        try:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                running = {}
                for name, case in cases(world):
                    for language, command in languages:
                        place = Path(folder) / f"case-{next(numbers)}"
                        future = pool.submit(tried, case, shlex.split(command), place)
                        running[future] = f"{language}: {name}"
                for future in as_completed(running):
                    wrong = future.result()
                    passed, failed = passed + (not wrong), failed + bool(wrong)
                    name = running[future]
                    print(f"FAILED  {name}: {wrong}" if wrong else f"ok      {name}", flush=True)
        finally:
            world.end()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
