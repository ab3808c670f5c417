"""A target that accepts everything, at once or after the seconds that are its argument, in a process of its own.

Speaks as the tax authority's interface does. Prints its port, and ends when its standard input does.
"""

import hashlib
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_latency = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
_accepted: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Nothing is there yet, whatever is asked for; `/accepted` says how many were."""
        self._answer(200, {"accepted": len(_accepted)} if self.path == "/accepted" else {"documents": []})

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(_latency)
        sha256 = hashlib.sha256(content).hexdigest()
        _accepted.append(sha256)
        self._answer(201, {"clearance": f"CL-{sha256[:16]}", "sha256": sha256})

    def log_message(self, *_arguments: object) -> None:
        """Say nothing, which is quicker."""

    def _answer(self, status: int, document: dict[str, object]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


def main() -> None:
    server = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
