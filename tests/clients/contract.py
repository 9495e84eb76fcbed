"""The contract's messages, from stubs that are made anew: the judge trusts no client's."""

import atexit
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[2]


def _make() -> str:
    folder = tempfile.mkdtemp(prefix="sunmi-stubs-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    sources = [str(file) for file in sorted((ROOT / "proto/sunmi/trade/v1").glob("*.proto"))]
    paths = [f"-I{ROOT / 'proto'}", f"-I{files('grpc_tools') / '_proto'}"]
    if protoc.main(["protoc", *paths, f"--python_out={folder}", *sources]) != 0:
        raise RuntimeError("protoc failed")
    return folder


sys.path.insert(0, _make())

from google.rpc import error_details_pb2 as rpc  # noqa: E402
from google.rpc import status_pb2  # noqa: E402
from sunmi.trade.v1 import error_pb2 as errors  # noqa: E402
from sunmi.trade.v1 import refund_ledger_service_pb2 as ledger  # noqa: E402
from sunmi.trade.v1 import trade_service_pb2 as trade  # noqa: E402

__all__ = ["ROOT", "errors", "ledger", "rpc", "status_pb2", "trade"]
