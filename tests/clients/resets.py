"""A server of HTTP/2, by hand, that breaks off in the ways that no gRPC library offers."""

import socket
import struct
import threading

from trial import Trial, Wrong, check

PREFACE_LENGTH = 24
DATA, RESET, SETTINGS, PING, GOAWAY, HEADERS = 0, 3, 4, 6, 7, 1
ACK = END_STREAM = 1
END_HEADERS = 4
NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL = 0, 2, 7, 8


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + payload


def literal(name: str, value: str) -> bytes:
    """A header, in HPACK's plainest form."""
    fields = [text.encode() for text in (name, value)]
    return b"\0" + b"".join(bytes([len(it)]) + it for it in fields)


def headers(status: str, content_type: str) -> bytes:
    return literal(":status", status) + literal("content-type", content_type)


def early(stream: int) -> bytes:
    """The headers that the real server sends before a refund's outcome is known."""
    return frame(HEADERS, END_HEADERS, stream, headers("200", "application/grpc"))


class Breaking:
    """Ends every request with these bytes, and then the connection in this way, if at all."""

    def __init__(self, trial: Trial, broken, end: str | None = None):
        self.trial, self.broken, self.end = trial, broken, end
        self.requests, self.problems = 0, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, kind, *_):
        self.listener.close()
        if self.problems and kind in (None, Wrong):
            raise Wrong("; ".join(dict.fromkeys(self.problems)))

    def accept(self) -> None:
        try:
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()
        except OSError:
            pass

    def serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as incoming:
            try:
                self.frames(connection, incoming)
            except (OSError, struct.error):
                pass

    def frames(self, connection: socket.socket, incoming) -> None:
        incoming.read(PREFACE_LENGTH)
        connection.sendall(frame(SETTINGS, 0, 0))
        while True:
            size, low, kind, flags, stream = struct.unpack(">BHBBI", incoming.read(9))
            payload = incoming.read(size << 16 | low)
            if kind == SETTINGS and not flags & ACK:
                connection.sendall(frame(SETTINGS, ACK, 0))
            elif kind == PING and not flags & ACK:
                connection.sendall(frame(PING, ACK, 0, payload))
            elif kind in (DATA, HEADERS) and flags & END_STREAM:
                self.watch()
                connection.sendall(self.broken(stream))
                if self.end == "reset":
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                if self.end:
                    return

    def watch(self) -> None:
        self.requests += 1
        try:
            outcome = self.trial.outcome()
            check(outcome == "PENDING", f"a call came when the record said {outcome}")
        except Wrong as wrong:
            self.problems.append(str(wrong))


def broken(what, end: str | None = None):
    """A case in which every call breaks like this."""

    def case(trial: Trial) -> None:
        with Breaking(trial, what, end) as server:
            trial.left(trial.run(server.address), "PENDING")
            check(server.requests >= 1, "no call came")

    return case


def reset(code: int):
    return lambda stream: frame(RESET, 0, stream, code.to_bytes(4, "big"))


def after_headers(what):
    return lambda stream: early(stream) + what(stream)


def page(stream: int) -> bytes:
    """What a proxy without a server behind it says."""
    block = headers("503", "text/html")
    return frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, END_STREAM, stream, b"503")


def going(stream: int) -> bytes:
    """The connection ends, and no stream was taken: gRPC itself may send the same again."""
    return frame(GOAWAY, 0, 0, (0).to_bytes(4, "big") + NO_ERROR.to_bytes(4, "big"))


CASES = {
    "a connection that is reset": broken(lambda _: b"", "reset"),
    "a connection that is reset after early headers": broken(early, "reset"),
    "a connection that is closed": broken(early, "close"),
    "a connection that goes away": broken(going, "close"),
    "a stream that is cancelled": broken(after_headers(reset(CANCEL))),
    "a stream that is reset with NO_ERROR": broken(reset(NO_ERROR)),
    "a stream that is reset with INTERNAL_ERROR": broken(after_headers(reset(INTERNAL_ERROR))),
    "a stream that is refused": broken(reset(REFUSED_STREAM)),
    "a page of a proxy": broken(page),
}
