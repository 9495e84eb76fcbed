"""Callers that call two replicas, whichever is ready, until they are told to stop:

    python load.py PORT PORT

Prints how many calls were answered; the exit status is 0 if all were, and there were many.
"""

import json
import signal
import sys
import threading
from collections import Counter

import grpc

CALLERS = 8
MANY = 100

# QueryRequest with msn "M1" and order_id "DEMO-1": fields 2 and 4.
REQUEST = b"\x12\x02M1\x22\x06DEMO-1"

# No retries: a call that a replica loses is lost. Health says which replica takes calls.
CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": "sunmi.trade.v1.TradeService"},
}


def main(ports):
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    told, lock = Counter(), threading.Lock()
    options = [
        ("grpc.service_config", json.dumps(CONFIG)),
        # That of two addresses would have a comma in it, which HTTP/2 forbids.
        ("grpc.default_authority", "localhost"),
        ("grpc.enable_retries", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 200),
    ]
    target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
    with grpc.insecure_channel(target, options=options) as channel:
        query = channel.unary_unary("/sunmi.trade.v1.TradeService/Query")

        def call():
            while not over.is_set():
                try:
                    query(REQUEST, timeout=5, wait_for_ready=True)
                    said = "OK"
                except grpc.RpcError as error:
                    said = f"{error.code().name}: {error.details()}"
                with lock:
                    told[said] += 1
                over.wait(0.02)

        callers = [threading.Thread(target=call) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    print(json.dumps(told))
    return 0 if set(told) == {"OK"} and told["OK"] >= MANY else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
