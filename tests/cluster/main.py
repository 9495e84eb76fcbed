"""Installs the chart on a real API server, and has a real istiod and Envoy carry out its routes. Run by .ci/cluster.

With names, only those parts. SUNMI_TRADE names the server, and SUNMI_TRADE_TEST_POSTGRES a PostgreSQL; without them what
needs them is skipped aloud.
"""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "chart"))

import installs
import istio
import pages
import resources
from report import Report
from world import BY_SCHEMA, World


def main(only):
    report = Report()
    world = World()
    try:
        started = time.monotonic()
        world.start()
        groups = resources.install(world)
        print(f"        an API server with {len(groups)} groups of custom resources: {time.monotonic() - started:.1f} s")
        for group in BY_SCHEMA:
            if group not in groups:
                report.skip(f"custom resources of {group}", "no schemas of them")
        parts = {"installs": lambda: installs.run(report, world, groups), "istio": lambda: istio.run(report, world), "pages": lambda: pages.run(report, world, groups)}
        for name, part in parts.items():
            if not only or name in only:
                started = time.monotonic()
                part()
                print(f"        {name}: {time.monotonic() - started:.1f} s")
    finally:
        world.end()
    print(report.line())
    return report.failed == 0 and report.passed > 0


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
