"""The metrics that docs/metrics.md has, and which of them a query names."""

import re

from chart import ROOT

OF_PROMQL = {
    "and", "avg", "bool", "by", "delta", "absent", "histogram_quantile", "ignoring", "increase", "le", "max", "min", "on",
    "or", "rate", "sum", "time", "unless", "without",
}


def documented():
    """The names of metrics, and of the series of histograms."""
    text = (ROOT / "docs/metrics.md").read_text()
    names = set()
    for name, kind in re.findall(r"^\| `([a-z0-9_]+)` \| (counter|gauge|histogram) \|", text, re.M):
        names |= {f"{name}_{part}" for part in ("bucket", "count", "sum")} if kind == "histogram" else {name}
    return names


def named(query):
    """The names in a query that are no labels, no functions and no texts."""
    query = re.sub(r'"[^"]*"', "", query)
    query = re.sub(r"\{[^}]*\}", "", query)
    query = re.sub(r"\[[^\]]*\]", "", query)
    query = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", "", query)
    return set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", query)) - OF_PROMQL
