"""A stateful GitHub on loopback: dispatched runs go from queued to completed, and faults can be injected."""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.serving import serving

REPOSITORY = "owner/name"
TOKEN = "ghp_fixedTestTokenOnLoopback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer that replaces that of the server."""

    status: int = 200
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False
    """Whether the server acts on the request first."""


@dataclass(kw_only=True)
class FakeGitHub:
    """The state of the server, which tests read and change."""

    url: str = ""
    created_at: str = "2027-01-15T08:00:00Z"
    date: str = "Fri, 15 Jan 2027 08:00:00 GMT"
    returns_run_details: bool = True
    knows_return_run_details: bool = True
    inputs: frozenset[str] = frozenset({"git_sha", "correlation_id", "run_rust", "run_python", "rust_crates"})
    looks_until_done: int = 2
    conclusions: dict[str, str] = field(default_factory=dict)
    commits: list[dict[str, Any]] = field(default_factory=list)
    runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    looks: dict[int, int] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    merge_base: dict[str, Any] = field(default_factory=dict)
    base: str = "main"
    head: str = "topic"
    repositories: tuple[str, ...] = (REPOSITORY,)
    grants: dict[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)
    """What a token may do, and in which repository; every other one is public. Without any, every token may do all."""
    permissions: dict[str, str] = field(default_factory=dict)
    login: str | None = "bench-bot[bot]"
    author: str = "author"
    requests: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    faults: list[tuple[str, Reply]] = field(default_factory=list)
    most_active: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, pattern: str, *replies: Reply) -> None:
        """Answer the next requests whose "METHOD path" matches with these replies, one each."""
        self.faults += [(pattern, reply) for reply in replies]

    def asked(self, pattern: str) -> int:
        """Count the matching requests."""
        return sum(bool(re.search(pattern, " ".join(request))) for request in self.requests)

    @property
    def active(self) -> int:
        """Return the runs that have not ended."""
        return sum(run["status"] != "completed" for run in self.runs.values())


@contextmanager
def github_server() -> Iterator[FakeGitHub]:
    """Run the server until the block ends."""
    state = FakeGitHub()
    with serving(_Handler, state) as state.url:
        yield state


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # send the answer in one write
    state: FakeGitHub

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002 http.server's signature
        """Return the time of the server."""
        return self.state.date

    def _answer(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        document = json.loads(self.rfile.read(size)) if size else None
        parts = urlsplit(self.path)
        with self.state.lock:
            self.state.requests.append((self.command, self.path))
            self.state.headers.append({name.lower(): value for name, value in self.headers.items()})
            fault = self._fault(f"{self.command} {self.path}")
            status, body, headers = self._acted(parts.path, parts.query, document) if _acts(fault) else (0, None, {})
            if fault is not None:
                status, body, headers = fault.status, fault.document, fault.headers
        if status == 0:  # no answer at all
            self.close_connection = True
            self.connection.close()
            return
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value.replace("$URL", self.state.url))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815 http.server's names

    def _fault(self, request: str) -> Reply | None:
        for i, (pattern, reply) in enumerate(self.state.faults):
            if re.search(pattern, request):
                del self.state.faults[i]
                return reply
        return None

    def _acted(self, path: str, query: str, document: Any) -> tuple[int, Any, dict[str, str]]:
        return self._route(path, {name: values[-1] for name, values in parse_qs(query).items()}, document)

    def _route(self, path: str, query: dict[str, str], document: Any) -> tuple[int, Any, dict[str, str]]:
        routes: list[tuple[str, Callable[..., tuple[int, Any, dict[str, str]]], str]] = [
            (r"GET commits", self._commits, "contents"),
            (r"GET compare/(.+)\.\.\.(.+)", self._compare, "contents"),
            (r"POST actions/workflows/([^/]+)/dispatches", self._dispatch, "actions"),
            (r"GET actions/workflows/[^/]+/runs", self._runs, "actions"),
            (r"GET actions/runs/(\d+)", self._run, "actions"),
            (r"GET actions/runs/(\d+)/jobs", self._jobs, "actions"),
            (r"GET issues/(\d+)/comments", self._comments, "pull-requests"),
            (r"POST issues/(\d+)/comments", self._new_comment, "pull-requests"),
            (r"PATCH issues/comments/(\d+)", self._changed_comment, "pull-requests"),
            (r"GET collaborators/([^/]+)/permission", self._permission, "metadata"),
            (r"GET pulls/(\d+)", self._pull, "pull-requests"),
            (r"GET commits/([0-9a-f]{40})/check-runs", self._checks, "checks"),
            (r"POST check-runs", self._new_check, "checks"),
            (r"POST statuses/([0-9a-f]{40})", self._new_status, "statuses"),
            (r"PATCH check-runs/(\d+)", self._changed_check, "checks"),
            (r"GET issues", self._issues, "issues"),
            (r"POST issues", self._new_issue, "issues"),
            (r"PATCH issues/(\d+)", self._changed_issue, "issues"),
        ]
        if f"{self.command} {path}" == "GET /user":
            return self._user()
        _, _, owner, name, *rest = [*path.split("/"), "", ""]
        for pattern, handler, permission in routes:
            found = re.fullmatch(pattern, f"{self.command} {'/'.join(rest).rstrip('/')}")
            if found and f"{owner}/{name}" in self.state.repositories:
                if not self._may(permission, f"{owner}/{name}"):
                    return 403, {"message": f"Resource not accessible: {permission}"}, {}
                return handler(*found.groups(), query=query, document=document)
        return 404, {"message": "Not Found"}, {}

    def _may(self, permission: str, repository: str) -> bool:
        """Return whether the token permits this request; public reads and the identity need no permission."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        where, granted = self.state.grants.get(token, ("", {}))
        if not self.state.grants:
            return True
        level = "read" if self.command == "GET" else "write"
        if where != repository or permission == "metadata":
            return level == "read" and bool(where)
        return granted.get(permission) in ("write", level)

    def _user(self, **_: Any) -> tuple[int, Any, dict[str, str]]:
        if self.state.login is None:
            return 403, {"message": "Resource not accessible by integration"}, {}
        return 200, {"login": self.state.login}, {}

    def _commits(self, query: dict[str, str], **_: Any) -> tuple[int, Any, dict[str, str]]:
        return self._page(self.state.commits, query, lambda part: part)

    def _page(
        self, items: list[Any], query: dict[str, str], wrap: Callable[[list[Any]], Any]
    ) -> tuple[int, Any, dict[str, str]]:
        number, size = int(query.get("page", 1)), int(query.get("per_page", 30))
        part = items[(number - 1) * size : number * size]
        if number * size >= len(items):
            return 200, wrap(part), {}
        rest = "&".join(f"{name}={value}" for name, value in {**query, "page": str(number + 1)}.items())
        link = f'<$URL{urlsplit(self.path).path}?{rest}>; rel="next", <$URL/last>; rel="last"'
        return 200, wrap(part), {"Link": link}

    def _dispatch(self, workflow: str, document: Any, **_: Any) -> tuple[int, Any, dict[str, str]]:
        if "return_run_details" in document and not self.state.knows_return_run_details:
            return 422, {"message": '"return_run_details" is not a permitted key.'}, {}
        unexpected = sorted(set(document.get("inputs", {})) - self.state.inputs)
        if unexpected:
            return 422, {"message": f"Unexpected inputs provided: {json.dumps(unexpected)}"}, {}
        number = 1000 + len(self.state.runs)
        title = f"Benchmarks {document['inputs'].get('git_sha', '')} {document['inputs'].get('correlation_id', '')}"
        run = {
            "id": number,
            "status": "queued",
            "conclusion": None,
            "html_url": f"https://github.test/runs/{number}",
            "head_sha": "f" * 40,
            "event": "workflow_dispatch",
            "created_at": self.state.created_at,
            "display_title": title,
            "workflow": workflow,
            "inputs": document["inputs"],
        }
        self.state.runs[number] = run
        self.state.most_active = max(self.state.most_active, self.state.active)
        if self.state.returns_run_details and document.get("return_run_details"):
            return 200, {"workflow_run_id": number, "run_url": "", "html_url": run["html_url"]}, {}
        return 204, None, {}

    def _runs(self, query: dict[str, str], **_: Any) -> tuple[int, Any, dict[str, str]]:
        wanted = query.get("status")
        runs = [run for run in reversed(self.state.runs.values()) if wanted in (None, run["status"])]
        return self._page(runs, query, lambda part: {"total_count": len(runs), "workflow_runs": part})

    def _run(self, number: str, **_: Any) -> tuple[int, Any, dict[str, str]]:
        run = self.state.runs.get(int(number))
        if run is None:
            return 404, {"message": "Not Found"}, {}
        self.state.looks[run["id"]] = looks = self.state.looks.get(run["id"], 0) + 1
        if looks >= self.state.looks_until_done:
            sha = run["inputs"].get("git_sha", "")
            run |= {"status": "completed", "conclusion": self.state.conclusions.get(sha, "success")}
        else:
            run["status"] = "in_progress"
        return 200, run, {}

    def _jobs(self, number: str, **_: Any) -> tuple[int, Any, dict[str, str]]:
        conclusion = self.state.runs[int(number)]["conclusion"]
        job = {"id": 1, "name": "measure", "status": "completed", "conclusion": conclusion}
        return 200, {"total_count": 1, "jobs": [job]}, {}

    def _comments(self, _: str, query: dict[str, str], **__: Any) -> tuple[int, Any, dict[str, str]]:
        return self._page(self.state.comments, query, lambda part: part)

    def _new_comment(self, _: str, document: Any, **__: Any) -> tuple[int, Any, dict[str, str]]:
        number = 1 + len(self.state.comments)
        login = self.state.login or "github-actions[bot]"
        comment = {"id": number, "html_url": f"https://github.test/c/{number}", "user": {"login": login}}
        self.state.comments.append({**comment, "body": document["body"]})
        return 201, self.state.comments[-1], {}

    def _changed_comment(self, number: str, document: Any, **_: Any) -> tuple[int, Any, dict[str, str]]:
        comment = next(comment for comment in self.state.comments if comment["id"] == int(number))
        comment["body"] = document["body"]
        return 200, comment, {}

    def _permission(self, user: str, **_: Any) -> tuple[int, Any, dict[str, str]]:
        if user not in self.state.permissions:
            return 404, {"message": "Not Found"}, {}
        return 200, {"permission": self.state.permissions[user], "role_name": self.state.permissions[user]}, {}

    def _pull(self, number: str, **_: Any) -> tuple[int, Any, dict[str, str]]:
        ends = [{"sha": "a" * 40, "ref": ref} for ref in (self.state.head, self.state.base)]
        user = {"login": self.state.author}
        return 200, {"number": int(number), "state": "open", "head": ends[0], "base": ends[1], "user": user}, {}

    def _compare(self, base: str, _: str, **__: Any) -> tuple[int, Any, dict[str, str]]:
        if unquote(base) != self.state.base or not self.state.merge_base:
            return 404, {"message": "Not Found"}, {}
        counts = {"status": "diverged", "ahead_by": 1, "behind_by": 1, "total_commits": 1}
        return 200, {**counts, "merge_base_commit": self.state.merge_base, "commits": []}, {}

    def _checks(self, sha: str, query: dict[str, str], **_: Any) -> tuple[int, Any, dict[str, str]]:
        found = [c for c in self.state.checks if (c["head_sha"], c["name"]) == (sha, query["check_name"])]
        return self._page(found, query, lambda part: {"total_count": len(found), "check_runs": part})

    def _new_check(self, document: Any, **_: Any) -> tuple[int, Any, dict[str, str]]:
        number = 1 + len(self.state.checks)
        self.state.checks.append({"id": number, "html_url": f"https://github.test/check/{number}", **document})
        return 201, self.state.checks[-1], {}

    def _new_status(self, sha: str, document: Any, **_: Any) -> tuple[int, Any, dict[str, str]]:
        self.state.statuses.append({"id": 1 + len(self.state.statuses), "sha": sha, **document})
        return 201, {**self.state.statuses[-1], "url": "https://github.test/status"}, {}

    def _issues(self, query: dict[str, str], **_: Any) -> tuple[int, Any, dict[str, str]]:
        wanted = query.get("state", "open")
        return self._page([i for i in self.state.issues if wanted in ("all", i["state"])], query, lambda part: part)

    def _new_issue(self, document: Any, **_: Any) -> tuple[int, Any, dict[str, str]]:
        if len(document["body"]) > 65_536 or not 0 < len(document["title"]) <= 256:
            return 422, {"message": "Validation Failed"}, {}
        number = 1 + len(self.state.issues)
        login = self.state.login or "github-actions[bot]"
        about = {"number": number, "html_url": f"https://github.test/issues/{number}", "user": {"login": login}}
        self.state.issues.append({**about, "state": "open", **document})
        return 201, self.state.issues[-1], {}

    def _changed_issue(self, number: str, document: Any, **_: Any) -> tuple[int, Any, dict[str, str]]:
        issue = self.state.issues[int(number) - 1]
        issue |= document
        return 200, issue, {}

    def _changed_check(self, number: str, document: Any, **_: Any) -> tuple[int, Any, dict[str, str]]:
        check = next(check for check in self.state.checks if check["id"] == int(number))
        check |= document
        return 200, check, {}


def _acts(fault: Reply | None) -> bool:
    return fault is None or fault.after
