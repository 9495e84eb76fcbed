"""Holds the chart to what it promises, on real Helms. Run by .ci/chart, which installs what this needs.

With names, only those parts.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import alerts
import combinations
import configurations
import dashboards
import documents
import notes
import points
import profiles
import refusals
import validation
from report import Report


def main(only):
    report = Report()
    parts = {
        "profiles": lambda: profiles.run(report),
        "combinations": lambda: combinations.run(report, pool),
        "refusals": lambda: refusals.run(report, pool),
        "points": lambda: points.run(report),
        "notes": lambda: notes.run(report),
        "configurations": lambda: configurations.run(report),
        "documents": lambda: documents.run(report),
        "alerts": lambda: alerts.run(report),
        "dashboards": lambda: dashboards.run(report),
    }
    if not validation.have_schemas():
        report.skip("custom resources against their schemas", f"none in {validation.SCHEMAS}")
    with ThreadPoolExecutor(4) as pool:
        for name, part in parts.items():
            if not only or name in only:
                started = time.monotonic()
                part()
                print(f"        {name}: {time.monotonic() - started:.1f} s")
    print(report.line())
    return report.failed == 0 and report.passed > 0


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
