"""A gRPC server that takes every method, answers as it is told, and counts what reached it."""

import collections
from concurrent.futures import ThreadPoolExecutor

import grpc


class Handler(grpc.GenericRpcHandler):
    def __init__(self):
        self.calls = collections.Counter()
        self.server = grpc.server(ThreadPoolExecutor(4))
        self.server.add_generic_rpc_handlers([self])
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def service(self, call):
        told = dict(call.invocation_metadata)

        def answer(_request, context):
            self.calls[told.get("x-try")] += 1
            code = int(told.get("x-status", "0"))
            if code:
                context.abort(next(it for it in grpc.StatusCode if it.value[0] == code), "as told")
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)

    def end(self):
        self.server.stop(None)


class Caller:
    """Calls methods of a host through a proxy."""

    def __init__(self, port, authority):
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.default_authority", authority), ("grpc.enable_retries", 0)])

    def call(self, path, name, status=0):
        """The code that came of it."""
        metadata = [("x-try", name), ("x-status", str(status))]
        try:
            self.channel.unary_unary(path)(b"", timeout=20, metadata=metadata)
            return 0
        except grpc.RpcError as error:
            return error.code().value[0]

    def end(self):
        self.channel.close()
