"""A small HTTP/1.1 client over a plain socket that tells what is known about the outcome of a request.

Unlike http.client it separates "certainly never sent" from "sent, and then who knows", never retries by itself, and
hands out a stream's bytes as they come.
"""

import itertools
import json
import socket

HEAD_BYTES_MAX = 64 * 1024
connection_numbers = itertools.count(1)


class NotSent(Exception):
    """No connection: the node has not seen a byte of the request."""


class Unknown(Exception):
    """The connection broke or the time ran out after (part of) the request had been sent."""


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # names in lower case
        self.body = body

    def json(self):
        return json.loads(self.body)

    def lines(self):
        """The documents of an NDJSON body."""
        return [json.loads(line) for line in self.body.split(b"\n") if line]

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:400]!r}>"


class Http:
    """A keep-alive connection, made when it is first needed and again after it broke. Not thread-safe."""

    def __init__(self, address, timeout_s=30):
        self.address = address
        self.timeout_s = timeout_s
        self.connection = None  # its number among all that this process has made
        self.socket = None
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None
        self.buffer = b""

    def connect(self):
        if self.socket is not None:
            return
        try:
            self.socket = socket.create_connection(self.address, self.timeout_s)
            self.connection = next(connection_numbers)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            self.socket = None
            raise NotSent(str(error)) from None

    def get(self, target, headers=None):
        return self.request("GET", target, headers)

    def request(self, method, target, headers=None, body=None):
        """One request and its whole answer. NotSent, Unknown."""
        self.connect()
        try:
            self.socket.settimeout(self.timeout_s)
            self.socket.sendall(self._head(method, target, headers, body) + (body or b""))
            status, answer_headers = self.read_head()
            content = b"" if method == "HEAD" else self.read_body(status, answer_headers)
        except (OSError, ValueError, Unknown) as error:
            self.close()
            raise Unknown(f"{type(error).__name__}: {error}") from None
        if answer_headers.get("connection", "").lower() == "close":
            self.close()
        return Response(status, answer_headers, content)

    def stream(self, target, headers=None):
        """Sends a GET and reads the head of its answer; read the rest with read_some()."""
        self.connect()
        try:
            self.socket.settimeout(self.timeout_s)
            self.socket.sendall(self._head("GET", target, headers, None))
            return self.read_head()
        except (OSError, ValueError, Unknown) as error:
            self.close()
            raise Unknown(f"{type(error).__name__}: {error}") from None

    def _head(self, method, target, headers, body):
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.address[0]}:{self.address[1]}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def _more(self):
        piece = self.socket.recv(262144)
        if not piece:
            raise Unknown("end of the connection within an answer")
        self.buffer += piece

    def _take(self, size):
        """Exactly `size` bytes."""
        if len(self.buffer) < size:
            pieces, have = [self.buffer], len(self.buffer)
            while have < size:
                piece = self.socket.recv(min(1 << 20, max(65536, size - have)))
                if not piece:
                    raise Unknown("end of the connection within an answer")
                pieces.append(piece)
                have += len(piece)
            self.buffer = b"".join(pieces)
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def _line(self):
        while b"\r\n" not in self.buffer:
            if len(self.buffer) > HEAD_BYTES_MAX:
                raise ValueError("line without an end")
            self._more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def read_head(self):
        while True:
            version, status, *_ = self._line().decode("latin-1").split(" ", 2)
            if version not in ("HTTP/1.1", "HTTP/1.0"):
                raise ValueError(f"not an HTTP answer: {version!r}")
            headers = {}
            while line := self._line():
                name, value = line.decode("latin-1").split(":", 1)
                headers[name.lower()] = value.strip()
            if int(status) >= 200:
                return int(status), headers

    def read_body(self, status, headers):
        if status in (204, 304):
            return b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(self.chunks())
        if "content-length" in headers:
            return self._take(int(headers["content-length"]))
        pieces = [self.buffer]
        while piece := self.socket.recv(1 << 20):
            pieces.append(piece)
        self.close()
        return b"".join(pieces)

    def chunks(self):
        """The data of a chunked body, piece by piece as it comes."""
        while True:
            size = int(self._line().split(b";")[0], 16)
            if size == 0:
                while self._line():
                    pass  # trailers
                return
            data = self._take(size)
            if self._take(2) != b"\r\n":
                raise ValueError("chunk without its end")
            yield data


class EventStream:
    """Server-sent events of a records target: yields the record objects, with `id` checked against their offset."""

    def __init__(self, address, target, timeout_s=30, last_event_id=None):
        self.http = Http(address, timeout_s)
        headers = {"Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = str(last_event_id)
        self.status, self.headers = self.http.stream(target, headers)
        self.comments = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.http.close()

    def wake(self):
        """Ends the stream for whoever waits for its next record. From any thread."""
        try:
            self.http.socket.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            pass  # closed meanwhile

    def bytes(self):
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            yield from self.http.chunks()
            return
        if self.http.buffer:
            rest, self.http.buffer = self.http.buffer, b""
            yield rest
        while piece := self.http.socket.recv(1 << 20):
            yield piece

    def records(self):
        """Ends when the node ends the stream; Unknown or OSError when the connection breaks."""
        rest = b""
        for piece in self.bytes():
            *events, rest = (rest + piece).replace(b"\r\n", b"\n").split(b"\n\n")
            for event in events:
                fields = {}
                for line in event.split(b"\n"):
                    if line.startswith(b":"):
                        self.comments += 1
                        continue
                    name, _, value = line.partition(b":")
                    fields[name] = value.removeprefix(b" ")
                if b"data" in fields:
                    record = json.loads(fields[b"data"])
                    if b"id" in fields and int(fields[b"id"]) != record["offset"]:
                        raise AssertionError(f"event id {fields[b'id']} for {record}")
                    yield record
