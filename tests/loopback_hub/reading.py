"""Requests that only read: who, what is there, and the files themselves."""

import re
from urllib.parse import parse_qs

from . import cards
from .routes import FILE, REPO, Answer, Request, route
from .store import Blob, Commit, HubError, history


@route("GET", "/api/whoami-v2")
def who(request: Request) -> dict:
    user = request.user
    if user is None:
        raise HubError(401, "Invalid username or password.")
    token = {"displayName": "loopback", "role": user.role}
    return {
        "type": "user",
        "id": user.name,
        "name": user.name,
        "fullname": user.name.title(),
        "orgs": [{"type": "org", "name": name} for name in user.organizations],
        "auth": {"type": "access_token", "accessToken": token},
    }


@route("GET", f"{REPO}(?:/revision/(?P<revision>[^/]+))?")
def info(request: Request, type: str, id: str, revision: str | None) -> dict:
    repo = request.repo(type, id)
    return cards.describe(repo, repo.commit(revision or "main"), blobs=bool(request.query.get("blobs")))


@route("GET", f"{REPO}/tree/(?P<revision>[^/]+)(?:/(?P<folder>.*))?")
def tree(request: Request, type: str, id: str, revision: str, folder: str | None) -> list[dict]:
    files = request.repo(type, id).commit(revision).files
    recursive = request.query.get("recursive", ["false"])[0].lower() in ("1", "true")
    start = f"{folder.strip('/')}/" if folder else ""
    inside = [path for path in sorted(files) if path.startswith(start)]
    if start and not inside:
        raise HubError(404, f"{folder} does not exist on {revision!r}", "EntryNotFound")
    return _entries(files, inside, start, recursive)


@route("POST", f"{REPO}/paths-info/(?P<revision>[^/]+)")
def paths_info(request: Request, type: str, id: str, revision: str) -> list[dict]:
    files = request.repo(type, id).commit(revision).files
    as_json = "json" in request.headers.get("Content-Type", "")
    wanted = request.json()["paths"] if as_json else parse_qs(request.body.decode()).get("paths", [])
    answers = []
    for path in wanted:
        if path in files:
            answers += _entries(files, [path], "", recursive=True)[-1:]
        elif any(name.startswith(f"{path}/") for name in files):
            answers.append({"type": "directory", "oid": _folder_oid(files, path), "size": 0, "path": path})
    return answers


def _entries(files: dict[str, Blob], paths: list[str], start: str, recursive: bool) -> list[dict]:
    entries: dict[str, dict] = {}
    for path in paths:
        parts = path[len(start) :].split("/")
        for depth in range(1, len(parts)):
            folder = start + "/".join(parts[:depth])
            if recursive or depth == 1:
                entries[folder] = {"type": "directory", "oid": _folder_oid(files, folder), "size": 0, "path": folder}
        if recursive or len(parts) == 1:
            blob = files[path]
            entries[path] = {"type": "file", "oid": blob.git_oid, "size": len(blob.content), "path": path}
            if blob.large:
                large = {"oid": blob.sha256, "size": len(blob.content), "pointerSize": len(blob.in_tree)}
                entries[path]["lfs"] = large
    return list(entries.values())


def _folder_oid(files: dict[str, Blob], folder: str) -> str:
    inside = "".join(f"{path}{blob.git_oid}" for path, blob in sorted(files.items()) if path.startswith(f"{folder}/"))
    return Blob(inside.encode()).git_oid


@route("GET", f"{REPO}/refs")
def refs(request: Request, type: str, id: str) -> dict:
    repo = request.repo(type, id)

    def described(found: dict[str, Commit], prefix: str) -> list[dict]:
        return [{"name": name, "ref": f"{prefix}{name}", "targetCommit": commit.oid} for name, commit in found.items()]

    return {
        "branches": described(repo.branches, "refs/heads/"),
        "tags": described(repo.tags, "refs/tags/"),
        "converts": [],
        "pullRequests": described(repo.pull_requests, ""),
    }


@route("GET", f"{REPO}/commits/(?P<revision>[^/]+)")
def commits(request: Request, type: str, id: str, revision: str) -> list[dict]:
    found = history(request.repo(type, id).commit(revision))
    return [
        {"id": c.oid, "title": c.title, "message": c.message, "date": c.date, "authors": [{"user": c.author}]}
        for c in found
    ]


@route("GET", rf"{FILE}/(?:resolve|raw)/(?P<revision>[^/]+)/(?P<path>.+)")
def resolve(request: Request, type: str | None, id: str, revision: str, path: str) -> Answer:
    repo = request.repo(type, id)
    member = request.user and (request.user.may_read(repo.namespace) or request.user.name in repo.allowed)
    if repo.gated and not member:
        message = f"Access to {repo.type} {repo.id} is restricted: ask its authors for access"
        raise HubError(403 if request.user else 401, message, "GatedRepo")
    found, blob = repo.blob(revision, path)
    headers = {"X-Repo-Commit": found.oid, "ETag": f'"{blob.etag}"', "Accept-Ranges": "bytes"}
    if blob.large:
        headers |= {"X-Linked-Etag": f'"{blob.sha256}"', "X-Linked-Size": str(len(blob.content))}
    return _ranged(request.headers.get("Range"), blob.content, headers)


def _ranged(wanted: str | None, content: bytes, headers: dict[str, str]) -> Answer:
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted or "")
    if not match or not any(match.groups()):
        return 200, content, headers
    first, last = match.groups()
    start = int(first) if first else max(0, len(content) - int(last))
    stop = min(len(content), int(last) + 1) if first and last else len(content)
    if start >= len(content):
        raise HubError(416, "The range lies outside the file")
    return 206, content[start:stop], {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"}
