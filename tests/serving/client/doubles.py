"""Servers that answer by a script, to see what the clients make of it."""

import contextlib
import socket
import ssl
import threading
import time
from concurrent import futures

import grpc

from darkroom.serving import protos

END = object()
"""In a script: the connection ends here."""


def http_answer(status=200, body=b"{}", *headers):
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class ScriptedHttpServer:
    """Answers the n-th request with the n-th entry of its script, the last one for ever.

    An entry is bytes to send, END to hang up, a number of seconds to be silent first, or a list
    of these.
    """

    def __init__(self, *script, context=None, port=0):
        self.script = list(script)
        self.requests = []
        self.connections = 0
        self._context = context
        self._sockets = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.port}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.close()
        for sock in self._sockets:
            sock.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._sockets.append(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
            stack.callback(sock.close)
            with self._lock:
                self.connections += 1
            while (request := _read_request(sock)) is not None:
                with self._lock:
                    self.requests.append(request)
                    entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                for step in entry if isinstance(entry, list) else [entry]:
                    if step is END:
                        return
                    if isinstance(step, bytes):
                        sock.sendall(step)
                    else:
                        time.sleep(step)


def _read_request(sock):
    """Returns head and body, or None at the end of the connection."""
    content = b""
    while b"\r\n\r\n" not in content:
        part = sock.recv(65536)
        if not part:
            return None
        content += part
    head, _, body = content.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-l")), 0)
    while len(body) < length:
        body += sock.recv(65536)
    return head.decode(), body


def message(name, **fields):
    return protos.message_class(f"tensorflow.serving.{name}")(**fields)


class ScriptedGrpcServer:
    """Answers the n-th request with the n-th entry of its script, the last one for ever.

    An entry is an answer's message, a status code, or a code with trailers.
    """

    def __init__(self, *script, credentials=None, address="127.0.0.1:0"):
        self.script = list(script)
        self.requests = []
        self.metadata = []
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers((_Handler(self._answer),))
        if credentials is None:
            self.port = self._server.add_insecure_port(address)
        else:
            self.port = self._server.add_secure_port(address, credentials)
        self.address = f"127.0.0.1:{self.port}"

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *_):
        self._server.stop(0).wait()

    def _answer(self, request, context):
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if callable(entry):
            entry = entry(request)
        if isinstance(entry, tuple):
            entry, trailers = entry
            context.set_trailing_metadata(trailers)
        if isinstance(entry, grpc.StatusCode):
            context.abort(entry, "says the script")
        return entry.SerializeToString()


class _Handler(grpc.GenericRpcHandler):
    """Takes every method; requests and answers are bytes."""

    def __init__(self, answer):
        self._answer = answer

    def service(self, handler_call_details):
        return grpc.unary_unary_rpc_method_handler(self._answer)


def server_context(authority, name="127.0.0.1", client_authority=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    if client_authority is not None:
        client_authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
