"""The consumer's service: says its version, and is sick where a file says so."""
import http.server
import os
import sys

VERSION = "v1"
WEAK_IN = ""


class Shop(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        is_sick = os.path.exists(os.path.join(os.environ["SICK"], "sick-" + VERSION))
        body = (f"{VERSION} is {'sick' if is_sick else 'well'}\n").encode()
        self.send_response(500 if is_sick and self.path == "/healthz" else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


if __name__ == "__main__":
    if os.environ["PLACE"] == WEAK_IN:
        sys.exit(f"{VERSION} does not start in {WEAK_IN}")
    if os.path.exists(os.path.join(os.environ["SICK"], "dead-" + VERSION)):
        sys.exit(f"{VERSION} does not start any more")
    address = ("127.0.0.1", int(os.environ["PORT"]))
    http.server.ThreadingHTTPServer(address, Shop).serve_forever()
