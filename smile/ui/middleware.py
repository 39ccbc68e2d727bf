"""What stands before Gradio: every request to the page passes here, whoever made it, before a file is looked for or a
handler is called.

Gradio's own doors are wider than this page needs: any field may name an address, which the server would then fetch, values
of the wrong kind end as tracebacks, and `private` endpoints answer anybody. What the page's own script sends passes.
"""

import asyncio
import atexit
import contextlib
import inspect
import json
import math
import os
import re
import shutil
import signal
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import gradio as gr
from gradio.utils import get_upload_folder, is_in_or_equal, is_static_file
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from smile.ui import components, kept, machine, memory, texts

MAX_BODY = 4_000_000  # bytes of a request that is no upload; a painted region has some thousands
MAX_DEPTH = 32  # lists in lists
PER_VISITOR = {"editor": 3, "opening": 2, "following": 6}  # events of one visitor, going or waiting, on a Space
UPLOADS, UPLOADED = 300, 1_000_000_000  # files and bytes of one visitor that are kept at a time, on a Space
NAMED = b"filename"  # what a file of an upload has in its head
HELD = 1_000_000_000  # bytes of pictures in all explanations that visitors have; then the oldest are forgotten
KEPT = 3600 * texts.KEPT_HOURS - 1200  # seconds that a file is kept: what texts.py promises, less two rounds
SWEPT_EVERY = 600  # seconds
SESSIONS = 100  # whose explanations are kept in memory; then the oldest is forgotten
FOLDERS = re.compile(r"smile-page-[a-z0-9_]{8}")  # of files on their way to Gradio
CALL = re.compile(r"/gradio_api/(?:queue/join|(?P<kind>call/v2|call|run|api)/(?P<name>[^/]+))/?")
UNUSED = re.compile(
    r"/gradio_api/(component_server|proxy=|dev/|deep_link|run-history|stream/|vibe|runs|(heartbeat|upload_progress).{200})"
    r"|/monitoring|/login|/logout"
)
HEADERS = {
    # Gradio's page is inline scripts and styles, and it makes code of templates; nothing comes from elsewhere. Any page may
    # embed it, so there is no frame-ancestors: even * would shut out a tutorial that is opened as a file.
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' data: blob:; "
    "connect-src 'self' data: blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
}


def end_at_signals() -> None:
    """Let SIGTERM and SIGHUP end the page as Ctrl-C does, so that its folder goes. To be called in the main thread."""

    def leave(number: int, _) -> None:
        raise SystemExit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, leave)


def _remove_folder(folder: str, process: int) -> None:
    if os.getpid() == process:  # a fork ends before the page does
        shutil.rmtree(folder, ignore_errors=True)


os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
if "GRADIO_TEMP_DIR" not in os.environ:  # a folder of the page's own, so that nobody else's files are swept
    os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="smile-page-")
    atexit.register(_remove_folder, os.environ["GRADIO_TEMP_DIR"], os.getpid())


class Refused(Exception):
    """A request that goes no further: an HTTP status and a sentence."""

    def __init__(self, sentence: str, status: int = 400):
        super().__init__(sentence)
        self.sentence, self.status = sentence, status

    def build_answer(self) -> JSONResponse:
        """What the client hears."""
        detail: Any = self.sentence
        if self.status == 422:  # as Gradio's clients expect it, who then show the sentence
            detail = [{"__type__": "validate", "is_valid": False, "message": self.sentence}]
        return JSONResponse({"detail": detail, "error": self.sentence}, self.status)


class RequestCheck:
    """The middleware: what passes goes to Gradio, what does not is answered here."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        page = scope["app"]  # what is mounted below it, as the tools for agents are, puts itself there
        try:
            receive = await _check_request(scope, receive)
            await self.app(scope, receive, send_with_headers)
            if scope["method"] == "POST" or scope["path"].endswith("/queue/data"):  # what may have made an explanation
                memory.forget_oldest(page.state_holder, HELD)
        except Refused as error:  # at the door, or while an upload is read: nothing has been answered yet
            await error.build_answer()(scope, receive, send_with_headers)
        except RuntimeError as error:
            if not isinstance(error.__cause__, HTTPException):
                raise
            # Of a session or an event that it does not know, Gradio says so in a stream that has begun, and then raises 404.
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _check_request(scope, receive):
    """`receive` for the app. Raises Refused."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))  # the page may be mounted below another one
    if UNUSED.match(path):
        raise Refused("There is nothing here.", 404)
    if scope["method"] != "POST":
        return receive
    if path.rstrip("/") == "/gradio_api/upload":
        return _count_upload(find_visitor(scope), receive) if machine.SPACE else receive
    body = await _read_body(scope, receive)
    if call := CALL.fullmatch(path):
        _check_call(scope["app"].get_blocks(), _parse(body), call["kind"] or "", unquote(call["name"] or ""), scope)
    elif body:
        _parse(body)
    return _replay(body, receive)


async def _read_body(scope, receive) -> bytes:
    body = bytearray()
    with contextlib.suppress(ClientDisconnect):
        async for part in Request(scope, receive).stream():
            body += part
            if len(body) > MAX_BODY:
                raise Refused(f"The request has more than {MAX_BODY // 10**6} MB; upload files instead.", 413)
    return bytes(body)


def _replay(body: bytes, receive):
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay():
        return messages.pop() if messages else await receive()

    return replay


def _parse(body: bytes) -> dict:
    def refuse(name):
        raise ValueError(name)

    try:
        values = json.loads(body, parse_constant=refuse)
        _check_depth(values)
        json.dumps(values, ensure_ascii=False).encode()  # JSON may hold half of a character
    except (ValueError, RecursionError) as error:
        raise Refused("The request is no JSON.") from error
    if not isinstance(values, dict):
        raise Refused("The request is no JSON object.")
    return values


def _check_depth(value, left: int = MAX_DEPTH) -> None:
    if not left:
        raise ValueError("too deep")
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_depth(each, left - 1)


def _check_call(blocks, values: dict, kind: str, name: str, scope) -> None:
    """A call of one of the page's functions has the right number of values, each of the kind that its field gives."""
    session = values.get("session_hash")
    if not (session is None or (isinstance(session, str) and len(session) <= 64)):
        raise Refused("The session_hash is none.")
    if values.get("batched"):
        raise Refused("There are no batches here.")
    fn = _find_function(blocks, None if kind.startswith("call") else values.get("fn_index"), name)
    if kind == "call/v2" and fn.api_visibility == "private":  # of which Gradio does not know the parameters' names
        raise Refused("There is no such function.", 404)
    inputs, data = fn.inputs, values.get("data")
    if kind == "call/v2":
        parameters = inspect.signature(fn.fn).parameters
        fields = dict(zip(parameters, inputs, strict=False))
        if missing := [each for each in fields if each not in values and parameters[each].default is inspect.Parameter.empty]:
            raise Refused(f"There is no {' and no '.join(missing)}.")
        if unknown := [each for each in values if each not in fields]:
            raise Refused(f"There is no parameter {_quote(unknown[0])}.")
        inputs, data = [fields[each] for each in values], list(values.values())
    elif not isinstance(data, list):
        raise Refused("The data are no list.")
    else:
        if len(data) != len(inputs) and kind == "call":
            inputs = [each for each in inputs if not each.skip_api]
        if len(data) != len(inputs):
            raise Refused(f"There are {len(data)} values instead of {len(inputs)}.")
    _check_files([data, values.get("event_data")])
    for each, value in zip(inputs, data, strict=True):
        if problem := _find_problem(each, value):
            raise Refused(f"“{each.label or 'the value'}” {problem}.", 422)
    limit = PER_VISITOR.get(fn.concurrency_id or "") if machine.SPACE else None
    if limit is not None and _count_runs(blocks, find_visitor(scope), fn.concurrency_id) >= limit:
        raise Refused(texts.ENOUGH, 429)


def _find_function(blocks, index, name: str):
    by_name = (fn for fn in blocks.fns.values() if fn.api_name == name)
    fn = next(by_name, None) if index is None else blocks.fns.get(index) if isinstance(index, int) else None
    if fn is None or fn.fn is None:
        raise Refused("There is no such function.", 404)
    return fn


def _check_files(value) -> None:
    """Files are those that were uploaded, or the page's own."""
    if isinstance(value, dict) and ("path" in value or "url" in value):
        path = value.get("path")
        if not isinstance(path, str) or not _is_own_file(path):
            raise Refused("A file must be uploaded first; no address, data or path is opened.")
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_files(each)


def _is_own_file(path: str) -> bool:
    try:
        return is_static_file(path) or (is_in_or_equal(path, get_upload_folder()) and Path(path).is_file())
    except (OSError, ValueError):  # a name that no file can have
        return False


def _find_problem(field, value) -> str:
    """What is wrong with a value for this field; empty where nothing is."""
    if value is None and isinstance(field, gr.UploadButton):  # the page's script never sends that
        return "must be a file that was uploaded"
    if value is None or isinstance(field, gr.State):
        return ""
    if isinstance(field, (components.Choice, components.Pick)):  # whose choices change with another field's value
        return "" if isinstance(value, (str, int, float)) and len(str(value)) < 200 else "is not in the list of choices"
    if isinstance(field, gr.Number):
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**63
        return "" if good and math.isfinite(value) else f"must be a number, not {_quote(value)}"
    if isinstance(field, (gr.Radio, gr.Dropdown)):
        choices = [each for _, each in field.choices]
        there = isinstance(value, str) and value in choices
        return "" if there else f"is not in the list of choices: {_quote(value)}; there is {', '.join(choices)}"
    if isinstance(field, (gr.Image, gr.UploadButton, gr.DownloadButton)):
        return "" if isinstance(value, dict) and "path" in value else "must be a file that was uploaded"
    if isinstance(field, gr.CheckboxGroup):
        return "" if isinstance(value, list) and len(value) <= 64 else "must be a list"
    if isinstance(field, gr.JSON):
        return ""
    return "" if isinstance(value, str) else f"must be text, not {_quote(value)}"


def _quote(value) -> str:
    return json.dumps(value, ensure_ascii=True)[:40]


def find_visitor(scope) -> str:
    """Where a request comes from: who the last of the trusted proxies says. Each proxy adds whom it heard at the end, so what
    stands before was said by the visitor, and may be anything."""
    said = [each.strip() for line in Headers(scope=scope).getlist("x-forwarded-for") for each in line.split(",")]
    trusted = machine.TRUSTED_PROXIES
    if trusted and len(said) >= trusted and said[-trusted]:
        return said[-trusted]
    return (scope.get("client") or ("",))[0]


@dataclass
class Upload:
    """What has come of one upload. The server reads it in as many parts as it likes; a file is what has a name in it."""

    when: float
    named: int = 0
    size: int = 0  # bytes
    end: bytes = b""  # of the part before: a name may stand across two

    @property
    def files(self) -> int:
        return max(1, self.named)

    def add(self, part: bytes) -> None:
        self.size += len(part)
        part = self.end + part
        self.named += part.count(NAMED)
        self.end = part[1 - len(NAMED) :]


_uploads: dict[str, deque[Upload]] = {}  # by visitor


def _count_upload(who: str, receive):
    """`receive`, which counts the files and bytes of an upload as they come. Raises Refused, and so does what it returns, where
    the visitor has brought enough."""
    now = time.monotonic()
    for each, brought in list(_uploads.items()):
        while brought and brought[0].when < now - KEPT:
            brought.popleft()
        if not brought:
            del _uploads[each]
    brought = _uploads.setdefault(who, deque())

    def check(more: int = 0):
        if sum(each.files for each in brought) + more > UPLOADS or sum(each.size for each in brought) + more > UPLOADED:
            raise Refused(texts.ENOUGH_FILES, 429)

    check(more=1)
    brought.append(upload := Upload(now))

    async def counting():
        message = await receive()
        upload.add(message.get("body", b""))
        check()  # what came of it stays counted: it may lie on the disk until it is swept
        return message

    return counting


def _count_runs(blocks, who: str, kind: str) -> int:
    """How many runs of a visitor are running or waiting: Gradio's own lists, which lose nothing when a tab is closed."""
    queue = blocks._queue
    events = [event for job in queue.active_jobs if job for event in job]
    events += [event for waiting in queue.event_queue_per_concurrency_id.values() for event in waiting.queue]
    return sum(event.fn.concurrency_id == kind and find_visitor(event.request.scope) == who for event in events)


# Nothing is kept


def sweep(older_than: float = KEPT) -> None:
    """Delete what was put into the page's folders longer ago than that, also what Gradio does not know of."""
    before, cache = time.time() - older_than, Path(get_upload_folder())
    with contextlib.suppress(OSError):
        os.utime(cache)  # other pages on this machine see that this one lives
    for folder in Path(tempfile.gettempdir()).glob("smile-page-*"):
        with contextlib.suppress(OSError):
            if FOLDERS.fullmatch(folder.name) and folder != cache and folder.lstat().st_mtime < before:
                shutil.rmtree(folder)
    for path in sorted(cache.rglob("*"), reverse=True):  # what is in a folder before the folder
        with contextlib.suppress(OSError):  # a folder that is not empty, or somebody was faster
            if path.lstat().st_mtime < before:
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


async def _sweep_forever() -> None:
    while True:
        await asyncio.to_thread(sweep)
        await asyncio.to_thread(kept.forget_old)
        await asyncio.sleep(SWEPT_EVERY)


@contextlib.asynccontextmanager
async def _keep_sweeping(app):
    task = asyncio.create_task(_sweep_forever())
    yield
    task.cancel()


OPTIONS = {"app_kwargs": {"middleware": [Middleware(RequestCheck)], "lifespan": _keep_sweeping}}  # for launch
