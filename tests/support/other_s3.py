"""A second S3 server, independent of moto: localbucket, which keeps objects as files and makes a conditional write by a hard link."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.s3_server import S3Server

# Its own command listens at a port that must be known before.
_SERVE = """
import sys
from http.server import ThreadingHTTPServer
from pathlib import Path
from localbucket import S3Handler

S3Handler.data_root = Path(sys.argv[1])
S3Handler.log_message = lambda *_: None
server = ThreadingHTTPServer(("127.0.0.1", 0), S3Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextmanager
def other_s3_server(directory: Path) -> Iterator[S3Server]:
    """Run the server on a directory until the block ends. It has no log of requests, and removes one object at a time."""
    command = [sys.executable, "-c", _SERVE, str(directory)]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        port = process.stdout.readline().strip()
        try:
            yield S3Server(f"http://127.0.0.1:{port}")
        finally:
            process.kill()
