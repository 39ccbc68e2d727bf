"""A Hub on loopback: it serves repositories from a folder, and misbehaves for those whose owner's name says so.

`python tests/hub.py FOLDER` prints its address. Owners: "silent" (accepts connections and never answers), "stalls" (answers
and then sends nothing), "breaks" (closes in the middle of a file), "gated", "refused" (401), "forbidden" (403), "missing"
(404), "broken" (500); any other is served.
"""

import hashlib
import json
import shutil
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

REVISION = "0" * 39 + "2"
REFUSALS = {"gated": (403, "GatedRepo"), "refused": (401, None), "forbidden": (403, None), "missing": (404, "RepoNotFound"),
            "broken": (500, None)}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    root: Path
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = unquote(urlsplit(self.path).path).strip("/").split("/")
        api = path[:2] == ["api", "models"]
        owner, name, *rest = path[2:] if api else path
        folder = self.root / owner / name
        if owner == "silent":
            time.sleep(600)
        if owner in REFUSALS and not (owner == "gated" and api):  # of gated repositories the description is public
            status, code = REFUSALS[owner]
            self.answer(b"", status, {"X-Error-Code": code} if code else {})
        elif api and rest[:1] == ["tree"]:
            files = [f for f in sorted(folder.rglob("*")) if f.is_file()]
            tree = [{"type": "file", "path": str(f.relative_to(folder)), "size": f.stat().st_size, "oid": "0"} for f in files]
            self.answer(json.dumps(tree).encode())
        elif api:
            files = [{"rfilename": str(f.relative_to(folder))} for f in sorted(folder.rglob("*")) if f.is_file()]
            self.answer(json.dumps({"id": f"{owner}/{name}", "sha": REVISION, "siblings": files}).encode())
        elif owner == "stalls":
            time.sleep(600)
        else:
            file = folder.joinpath(*rest[2:])
            if not file.is_file():
                self.answer(b"", 404, {"X-Error-Code": "EntryNotFound"})
                return
            if owner == "hangs" and self.command == "GET":
                time.sleep(600)
            self.answer_file(file, cut=owner == "breaks")

    do_HEAD = do_GET

    def answer(self, body, status=200, headers=None):
        self.send_response(status)
        for name, value in {"X-Repo-Commit": REVISION, "Content-Length": len(body), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_file(self, file, cut):
        """Piece by piece, because there are files of gigabytes."""
        size = file.stat().st_size
        tag = hashlib.sha1(f"{file} {size} {file.stat().st_mtime_ns}".encode()).hexdigest()
        self.answer(b"", headers={"Content-Length": size, "ETag": f'"{tag}"'})
        if self.command != "HEAD":
            with file.open("rb") as held:
                if cut:
                    self.wfile.write(held.read(size // 2))
                else:
                    shutil.copyfileobj(held, self.wfile, 1 << 20)
        self.close_connection = cut

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    Handler.root = Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
