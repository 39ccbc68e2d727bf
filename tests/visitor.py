"""A program that posts to the page over HTTP, as anybody can."""

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx
from hostile.pictures import png

PATIENT = 60  # seconds until a visitor gives up
FULL = "queue is full"
GIVEN = {"picture": png(), "instruction": "snow", "edits": None, "seed": 0, "editor": "instruct-pix2pix", "weights": "auto"}
GIVEN |= {"region": None, "region_phrase": "", "settings": None, "options": {"noise_seeds": 0}}


class Visitor:
    """A program that posts to the page."""

    def __init__(self, url, timeout=PATIENT):
        self.url, self.timeout, self.http = url, timeout, httpx.Client(base_url=url, timeout=timeout)
        self.functions = self.http.get("config").json()["dependencies"]

    def uploaded(self, held: bytes, name="road.png") -> dict:
        (path,) = self.http.post("gradio_api/upload", files={"files": (name, held)}).json()
        return {"path": path, "meta": {"_type": "gradio.FileData"}}

    def post(self, path: str, body) -> httpx.Response:
        held = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.post(f"gradio_api/{path}", content=held, headers={"content-type": "application/json"})

    def explained(self, **asked):
        """(explanation, None), or (None, sentence)."""
        values = GIVEN | asked
        for name in ("picture", "region"):
            values[name] = self.uploaded(values[name]) if isinstance(values[name], bytes) else values[name]
        return self.called("explain", list(values.values()))

    def called(self, endpoint, data):
        joined = self.post(f"call/{endpoint}", {"data": data})
        if joined.status_code == 503:
            return None, FULL
        if joined.status_code != 200:
            assert 400 <= joined.status_code < 500, joined.text
            return None, joined.json()["error"]
        *_, (event, data) = self.hear(f"call/{endpoint}/{joined.json()['event_id']}")
        return (data[0], None) if event == "complete" else (None, data["error"])

    def hear(self, path: str) -> Iterator[tuple[str, Any]]:
        """(event, data) as the page tells them. Raises TimeoutError where nothing but heartbeats comes for as long as a visitor
        waits: they keep a connection alive on which nothing will ever come."""
        with self.http.stream("GET", f"gradio_api/{path}") as lines:
            event, heard = "", time.monotonic()
            for line in lines.iter_lines():
                event = line.removeprefix("event: ") if line.startswith("event: ") else event
                data = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else None
                if "heartbeat" in (event, data["msg"] if isinstance(data, dict) and "msg" in data else ""):
                    if time.monotonic() - heard > self.timeout:
                        raise TimeoutError(f"Nothing but heartbeats on {path}.")
                elif line.startswith("data: "):
                    heard = time.monotonic()
                    yield event, data

    def index(self, name: str) -> int:
        """Of one of the page's own functions."""
        return next(each["id"] for each in self.functions if each["api_name"] == name)

    def event(self, name, data, session=None) -> list[dict]:
        """What one of the page's own events that wait in the queue answers, in order."""
        session = session or f"visitor-{secrets.token_hex(4)}"
        joined = self.post("queue/join", {"data": data, "fn_index": self.index(name), "session_hash": session})
        assert joined.status_code == 200, joined.text
        told = []
        for _, message in self.hear(f"queue/data?session_hash={session}"):
            told.append(message)
            if message["msg"] == "process_completed":
                break
        return [each["output"]["data"] for each in told if each.get("output", {}).get("data")]
