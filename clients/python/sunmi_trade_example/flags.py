"""The command line of the example."""

import argparse
import math
import sys
from dataclasses import dataclass
from pathlib import Path

from sunmi.trade.v1 import trade_service_pb2 as pb

from .channel import Access

# argparse ends with 2 and a traceback with 1: neither says what became of a refund.
WRONG_USAGE = 64
BROKEN = 70


@dataclass(frozen=True)
class Options:
    """What is asked for. Without `request`: every pending refund of the store."""

    flags: argparse.Namespace
    store: Path
    request: pb.RefundRequest | None
    timeout: float
    patience: float

    def access(self) -> Access:
        """How to reach the server; raises OSError where a file is missing."""
        access = access_of(self.flags)
        access.metadata()
        return access


class Parser(argparse.ArgumentParser):
    """One that knows this program's exit status."""

    def error(self, message):
        self.print_usage(sys.stderr)
        self.exit(WRONG_USAGE, f"{self.prog}: {message}\n")


def parsed() -> Options:
    """The command line, or the end of the program with status 64."""
    parser = Parser(prog="refund", allow_abbrev=False)
    add_access(parser)
    parser.add_argument("--store", required=True, type=Path, metavar="FOLDER")
    parser.add_argument("--resume", action="store_true", help="every pending refund of the store")
    parser.add_argument("--number", type=identifier, help="the refund's own, made once")
    parser.add_argument("--original", type=identifier, help="the payment, by the shop's number")
    parser.add_argument("--amount", type=amount, help="in minor units: fen")
    parser.add_argument("--msn", type=identifier, help="the device")
    parser.add_argument("--business", type=identifier)
    parser.add_argument("--besides", type=identifiers, default=[], metavar="NUMBER,NUMBER",
                        help="open refunds of the payment that this one is wanted besides")
    parser.add_argument("--timeout", type=seconds, default=10.0, help="of each call")
    parser.add_argument("--patience", type=seconds, default=60.0, help="with a refund, in all")
    flags = parser.parse_args()
    one = [flags.number, flags.original, flags.amount]
    rest = [flags.msn, flags.business, flags.besides]
    if flags.resume and any([*one, *rest]):
        parser.error("--resume takes no refund")
    if not flags.resume and not all(one):
        parser.error("--number, --original and --amount are required, or --resume")
    check_access(parser, flags)
    request = None if flags.resume else request_of(flags)
    return Options(flags, flags.store, request, flags.timeout, flags.patience)


def add_access(parser: argparse.ArgumentParser) -> None:
    """The flags that say how to reach the server."""
    parser.add_argument("--server", required=True, metavar="HOST:PORT")
    parser.add_argument("--token-file", type=Path, help="read anew for each call")
    parser.add_argument("--ca", type=Path, help="the server's authority; without it, plaintext")
    parser.add_argument("--cert", type=Path, help="this client's certificate, with --key")
    parser.add_argument("--key", type=Path)


def check_access(parser: argparse.ArgumentParser, flags: argparse.Namespace) -> None:
    if bool(flags.cert) != bool(flags.key) or (flags.cert and not flags.ca):
        parser.error("--cert and --key go together, and with --ca")


def access_of(flags: argparse.Namespace) -> Access:
    return Access(flags.server, flags.ca, flags.cert, flags.key, flags.token_file)


def request_of(flags: argparse.Namespace) -> pb.RefundRequest:
    return pb.RefundRequest(
        msn=flags.msn or "TL05D91940002", amount_minor=flags.amount, ori_order_id=flags.original,
        order_id=flags.number, business_id=flags.business or "B-1",
        acknowledged_open_order_ids=flags.besides,
    )


def identifier(text: str) -> str:
    if not 1 <= len(text) <= 128 or not all("!" <= it <= "~" and it != "&" for it in text):
        raise ValueError
    return text


def identifiers(text: str) -> list[str]:
    return [identifier(it) for it in text.split(",")]


def amount(text: str) -> int:
    # int() takes " 1_0 ", too.
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) < 2**63:
        raise ValueError
    return int(text)


def seconds(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError
    return value
