"""Checks that are counted."""

import threading


class Report:
    """What passed, what did not, and what this machine could not try."""

    def __init__(self):
        self.passed, self.failed, self.skipped = 0, 0, 0
        self.lock = threading.Lock()

    def check(self, name, faults=()):
        """Counts a check, which passed if there are no faults, and tells the faults."""
        faults = list(faults)
        with self.lock:
            self.passed += not faults
            self.failed += bool(faults)
            if faults:
                print(f"FAILED  {name}", *(f"          {fault}" for fault in faults[:12]), sep="\n", flush=True)
            else:
                print(f"ok      {name}", flush=True)

    def skip(self, name, why):
        with self.lock:
            self.skipped += 1
            print(f"SKIPPED {name}: {why}", flush=True)

    def section(self, title):
        print(f"\n{title}", flush=True)

    def line(self):
        """The sum, as .ci/run reads it."""
        skipped = f"{self.skipped} skipped\n" if self.skipped else ""
        return f"{skipped}{self.passed} passed, {self.failed} failed"
