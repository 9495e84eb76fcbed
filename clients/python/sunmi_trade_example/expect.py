"""Holds an answer against what a case of the table expects of it."""

import json

from google.protobuf import json_format

from .details import Details

KEYS = {
    "status", "response", "error", "metadata", "retry", "retry_at_least_ms", "violations",
    "localized",
}


def differences(expect: dict, answer: Details | dict) -> str | None:
    """What was expected and what came, where that differs."""
    known(expect, KEYS)
    failed = isinstance(answer, Details)
    status = answer.code.name if failed else "OK"
    if status != expect["status"]:
        return f"status {expect['status']} expected, {answer if failed else 'OK'} came"
    if "response" in expect and (failed or (wrong := contained(expect["response"], answer))):
        return f"response: {answer if failed else wrong}"
    details = answer if failed else None
    found = [CHECKS[key](expect[key], details) for key in expect if key in CHECKS]
    return "; ".join(filter(None, found)) or None


def known(fields: dict, keys: set[str]) -> None:
    """Nothing that a case says is overlooked."""
    if unknown := fields.keys() - keys:
        raise ValueError(f"this runner does not know {', '.join(sorted(unknown))}")


def contained(expected, actual, path: str = "") -> str | None:
    """Where `expected` is not contained in `actual`. An expected null: the field is absent."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = (contained(it, actual.get(key), f"{path}.{key}") for key, it in expected.items())
        return next(filter(None, found), None)
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual))
        found = (contained(one, other, f"{path}[{at}]") for at, (one, other) in pairs)
        return next(filter(None, found), None)
    # In Python True == 1 and 1 == 1.0, in JSON not.
    if type(expected) is type(actual) and expected == actual:
        return None
    return f"{path.lstrip('.')}: {json.dumps(expected)} expected, {json.dumps(actual)} came"


def _error(expected, details: Details | None) -> str | None:
    error = details and details.trade_error
    actual = error and json_format.MessageToDict(error, always_print_fields_with_no_presence=True)
    wrong = contained(expected, actual)
    return wrong and f"TradeError: {wrong}"


def _metadata(expected, details: Details | None) -> str | None:
    info = details and details.error_info
    wrong = contained(expected, dict(info.metadata) if info else None)
    return wrong and f"ErrorInfo.metadata: {wrong}"


def _retry(expected, details: Details | None) -> str | None:
    waits = details is not None and (details.retry_delay or 0) > 0
    # Absent is absent: a delay of nothing is neither.
    absent = details is None or details.retry_info is None
    return None if (waits if expected else absent) else f"RetryInfo: {expected} expected"


def _retry_at_least(expected, details: Details | None) -> str | None:
    delay = details.retry_delay if details else None
    late = delay is not None and delay * 1000 >= expected
    return None if late else f"RetryInfo: at least {expected} ms expected, {delay} s came"


def _violations(expected, details: Details | None) -> str | None:
    bad = details and details.bad_request
    fields = sorted(it.field for it in bad.field_violations) if bad else []
    return None if sorted(expected) == fields else f"violations: {expected} expected, {fields} came"


def _localized(expected, details: Details | None) -> str | None:
    there = details is not None and details.localized_message is not None
    return None if there == expected else f"LocalizedMessage: {expected} expected, {there} came"


CHECKS = {
    "error": _error,
    "metadata": _metadata,
    "retry": _retry,
    "retry_at_least_ms": _retry_at_least,
    "violations": _violations,
    "localized": _localized,
}
