"""Requests that change the loopback Hub: repositories, uploads, commits, tags and branches."""

import base64
import json

from . import cards
from .routes import FILE, PREFIXES, REPO, Answer, Request, route
from .store import Blob, Commit, HubError, is_large


@route("POST", "/api/repos/create")
def create(request: Request) -> dict:
    wanted = request.json()
    if request.user is None:
        raise HubError(401, "Invalid username or password.")
    namespace = wanted.get("organization") or request.user.name
    type, repo_id = wanted.get("type", "model"), f"{namespace}/{wanted['name']}"
    if not request.user.may_write(namespace):
        raise HubError(403, f"You don't have the rights to create a {type} under the namespace {namespace!r}")
    url = f"{request.hub.url}/{PREFIXES[type]}{repo_id}"
    if (type, repo_id) in request.hub.repos:
        message = f"You already created this {type} repo: {repo_id}"
        raise HubError(409, message, body={"error": message, "url": url})
    private = wanted.get("visibility") == "private" or wanted.get("private") is True
    request.hub.add_repo(repo_id, type, private=private, sdk=wanted.get("sdk"))
    return {"url": url, "name": repo_id, "id": repo_id}


@route("DELETE", "/api/repos/delete")
def delete(request: Request) -> dict:
    wanted = request.json()
    type = wanted.get("type", "model")
    repo = request.repo(f"{type}s", f"{wanted.get('organization') or request.user.name}/{wanted['name']}", write=True)
    del request.hub.repos[repo.type, repo.id]
    return {}


@route("POST", "/api/validate-yaml")
def validate_card(request: Request) -> Answer:
    errors = cards.errors_in(request.json()["content"])
    found = {"errors": [{"message": error} for error in errors], "warnings": []}
    return (400 if errors else 200), found, {}


@route("POST", f"{REPO}/preupload/(?P<revision>[^/]+)")
def preupload(request: Request, type: str, id: str, revision: str) -> dict:
    repo = request.repo(type, id, write=not request.query.get("create_pr"))
    files = repo.commit(revision).files
    answers = []
    for wanted in request.json()["files"]:
        large = not request.hub.regular and is_large(
            wanted["path"], wanted["size"], base64.b64decode(wanted["sample"])
        )
        answer = {"path": wanted["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
        if wanted["path"] in files:
            answer["oid"] = files[wanted["path"]].etag
        answers.append(answer)
    return {"files": answers, "commitOid": repo.commit(revision).oid}


@route("POST", rf"{FILE}\.git/info/lfs/objects/batch")
def large_batch(request: Request, type: str | None, id: str) -> dict:
    request.repo(type, id)
    if request.user is None:
        raise HubError(401, "Invalid username or password.")
    answers = []
    for wanted in request.json()["objects"]:
        answer = {"oid": wanted["oid"], "size": wanted["size"]}
        if wanted["oid"] not in request.hub.large_files:
            upload = {"href": f"{request.hub.url}/large/{wanted['oid']}", "header": {}}
            answer["actions"] = {"upload": upload, "verify": {"href": f"{request.hub.url}/large/verify"}}
        answers.append(answer)
    return {"transfer": "basic", "objects": answers}


@route("PUT", "/large/(?P<oid>[0-9a-f]{64})")
def large_upload(request: Request, oid: str) -> dict:
    if Blob(request.body, large=True).sha256 != oid:
        raise HubError(400, "The content does not have the hash that was announced")
    request.hub.large_files[oid] = request.body
    return {}


@route("POST", "/large/verify")
def large_verify(request: Request) -> dict:
    wanted = request.json()
    if len(request.hub.large_files.get(wanted["oid"], b"")) != wanted["size"]:
        raise HubError(404, "No such object, or of another size")
    return {}


@route("POST", f"{REPO}/commit/(?P<revision>[^/]+)")
def commit(request: Request, type: str, id: str, revision: str) -> dict:
    create_pr = bool(request.query.get("create_pr"))
    repo = request.repo(type, id, write=not create_pr)
    if request.user is None or request.user.role != "write":
        raise HubError(403, "This token may only read: pull requests need one that may write")
    lines = [json.loads(line) for line in request.body.splitlines() if line.strip()]
    header = next(line["value"] for line in lines if line["key"] == "header")
    parent = repo.commit(revision)
    stale = header.get("parentCommit")
    if stale and create_pr:
        parent = repo.commit(stale)
    elif stale and not parent.oid.startswith(stale):
        raise HubError(
            412, f"A commit has happened since {stale}: the branch is at {parent.oid}. Please refresh and retry"
        )
    files = dict(parent.files)
    for line in lines:
        _apply(request, files, line["key"], line["value"])
    if "README.md" in files and (errors := cards.errors_in(files["README.md"].content.decode())):
        raise HubError(400, errors[0])
    made = Commit(header["summary"], header.get("description", ""), request.user.name, files, parent)
    base = f"{request.hub.url}/{PREFIXES[repo.type]}{repo.id}"
    answer = {"success": True, "commitOid": made.oid, "commitUrl": f"{base}/commit/{made.oid}", "hookOutput": ""}
    if create_pr:
        number = len(repo.pull_requests) + 1
        repo.pull_requests[f"refs/pr/{number}"] = made
        answer["pullRequestUrl"] = f"{base}/discussions/{number}"
    elif revision in repo.pull_requests:
        repo.pull_requests[revision] = made
    elif revision in repo.branches:
        repo.branches[revision] = made
    else:
        raise HubError(400, f"{revision} is not a branch")
    return answer


def _apply(request: Request, files: dict[str, Blob], kind: str, value: dict) -> None:
    """Apply one line of a commit to the files of its parent."""
    path = value.get("path", "")
    if kind == "file":
        files[path] = Blob(base64.b64decode(value["content"]))
    elif kind == "lfsFile":
        if value["oid"] not in request.hub.large_files:
            raise HubError(400, f"{path} points to a large file that was not uploaded")
        files[path] = Blob(request.hub.large_files[value["oid"]], large=True)
    elif kind in ("deletedFile", "deletedFolder"):
        gone = [name for name in files if name == path or name.startswith(path.rstrip("/") + "/")]
        if not gone:
            raise HubError(404, f"A file with this name doesn't exist: {path}", "EntryNotFound")
        for name in gone:
            del files[name]


@route("POST", f"{REPO}/(?P<kind>tag|branch)/(?P<revision>[^/]+)")
def create_ref(request: Request, type: str, id: str, kind: str, revision: str) -> dict:
    repo, wanted = request.repo(type, id, write=True), request.json()
    name = wanted["tag"] if kind == "tag" else revision
    start = repo.commit(revision if kind == "tag" else wanted.get("startingPoint", "main"))
    known = repo.tags if kind == "tag" else repo.branches
    if name in known:
        raise HubError(409, f"Reference already exists: {kind} {name}")
    known[name] = start
    return {}


@route("DELETE", f"{REPO}/(?P<kind>tag|branch)/(?P<name>[^/]+)")
def delete_ref(request: Request, type: str, id: str, kind: str, name: str) -> dict:
    repo = request.repo(type, id, write=True)
    if (repo.tags if kind == "tag" else repo.branches).pop(name, None) is None:
        raise HubError(404, f"No {kind} {name}", "RevisionNotFound")
    return {}


@route("POST", f"{REPO}/variables")
def set_variable(request: Request, type: str, id: str) -> dict:
    repo, wanted = request.repo(type, id, write=True), request.json()
    repo.variables[wanted["key"]] = wanted["value"]
    return {key: {"value": value} for key, value in repo.variables.items()}
