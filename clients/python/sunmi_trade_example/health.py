"""Asks the server for its health, by grpc.health.v1, and says what is wrong with a connection.

    python -m sunmi_trade_example.health --server 127.0.0.1:50051

Ends with 0 if it serves. Without wait-for-ready, unlike all other calls here: a connection that
cannot be made fails at once, with its cause, where the others wait for their deadline.
"""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from .details import enum_name
from .flags import Parser, access_of, add_access, check_access

SERVING = health_pb2.HealthCheckResponse.SERVING


def main() -> int:
    parser = Parser(prog="health", allow_abbrev=False)
    add_access(parser)
    # Empty: the server as a whole.
    parser.add_argument("--service", default="", help="such as sunmi.trade.v1.TradeService")
    flags = parser.parse_args()
    check_access(parser, flags)
    with access_of(flags).open() as channel:
        check = health_pb2_grpc.HealthStub(channel).Check
        try:
            response = check(health_pb2.HealthCheckRequest(service=flags.service), timeout=5)
        except grpc.RpcError as error:
            print(f"{error.code().name}: {error.details()}")
            return 1
    print(enum_name(health_pb2.HealthCheckResponse.ServingStatus, response.status))
    return 0 if response.status == SERVING else 1


if __name__ == "__main__":
    sys.exit(main())
