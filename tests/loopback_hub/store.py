"""What the loopback Hub remembers: users, repositories, commits and large files, all in memory."""

import fnmatch
import hashlib
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from http import HTTPStatus
from pathlib import PurePosixPath

LARGE_FILE_SUFFIXES = (
    "7z arrow bin bz2 ckpt gz h5 joblib msgpack npy npz onnx parquet pb pickle pkl "
    "pt pth rar safetensors tar tflite tgz wasm whl xz zip zst"
)
LARGE_FILE_PATTERNS = ("*tfevents*", *(f"*.{suffix}" for suffix in LARGE_FILE_SUFFIXES.split()))
GITATTRIBUTES = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LARGE_FILE_PATTERNS)
LARGE_FILE_BYTES = 10 * 1024 * 1024


class HubError(Exception):
    """An answer that is an error: its status, the code that clients act on, and the sentence that people read."""

    def __init__(self, status: int, message: str, code: str | None = None, body: dict | None = None):
        super().__init__(message)
        self.status, self.message, self.code, self.body = HTTPStatus(status), message, code, body


@dataclass(frozen=True)
class User:
    name: str
    organizations: tuple[str, ...] = ()
    role: str = "write"

    def may_write(self, namespace: str) -> bool:
        return self.role == "write" and namespace in (self.name, *self.organizations)

    def may_read(self, namespace: str) -> bool:
        return namespace in (self.name, *self.organizations)


@dataclass(frozen=True)
class Blob:
    content: bytes
    large: bool = False

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def git_oid(self) -> str:
        """The sha1 that git gives to what lies in the tree: the content, or the pointer to a large file."""
        return hashlib.sha1(f"blob {len(self.in_tree)}\0".encode() + self.in_tree).hexdigest()

    @cached_property
    def in_tree(self) -> bytes:
        if not self.large:
            return self.content
        lines = (
            "version https://git-lfs.github.com/spec/v1",
            f"oid sha256:{self.sha256}",
            f"size {len(self.content)}",
        )
        return ("\n".join(lines) + "\n").encode()

    @property
    def etag(self) -> str:
        return self.sha256 if self.large else self.git_oid


@dataclass(frozen=True)
class Commit:
    title: str
    message: str
    author: str
    files: dict[str, Blob]
    parent: "Commit | None" = None
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    number: int = field(default_factory=itertools.count().__next__)

    @cached_property
    def oid(self) -> str:
        tree = "".join(f"{path} {blob.git_oid}\n" for path, blob in sorted(self.files.items()))
        parent = self.parent.oid if self.parent else ""
        return hashlib.sha1(f"{parent}{tree}{self.title}{self.date}{self.number}".encode()).hexdigest()


@dataclass
class Repo:
    type: str
    id: str
    private: bool = False
    gated: bool = False
    sdk: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    allowed: set[str] = field(default_factory=set)
    branches: dict[str, Commit] = field(default_factory=dict)
    tags: dict[str, Commit] = field(default_factory=dict)
    pull_requests: dict[str, Commit] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        return self.id.partition("/")[0]

    @property
    def files(self) -> dict[str, bytes]:
        """The files of the main branch, for the tests to look at."""
        return {path: blob.content for path, blob in self.branches["main"].files.items()}

    def refs(self) -> dict[str, Commit]:
        full = {f"refs/heads/{name}": commit for name, commit in self.branches.items()}
        return {**self.tags, **self.branches, **self.pull_requests, **full}

    def commit(self, revision: str) -> Commit:
        """Return the commit that a branch, tag, pull request or (short) hash names."""
        refs = self.refs()
        if revision in refs:
            return refs[revision]
        for commit in refs.values():
            for ancestor in history(commit):
                if len(revision) >= 7 and ancestor.oid.startswith(revision):
                    return ancestor
        raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def blob(self, revision: str, path: str) -> tuple[Commit, Blob]:
        commit = self.commit(revision)
        if path not in commit.files:
            raise HubError(404, f"{path} does not exist on {revision!r}", "EntryNotFound")
        return commit, commit.files[path]


def history(commit: Commit | None) -> list[Commit]:
    """List a commit and its ancestors, newest first."""
    found = []
    while commit is not None:
        found.append(commit)
        commit = commit.parent
    return found


def is_large(path: str, size: int, sample: bytes) -> bool:
    """Say whether a file goes to the store of large files: by name, by size, or because it is binary."""
    name = PurePosixPath(path).name
    by_name = any(fnmatch.fnmatch(name, pattern) for pattern in LARGE_FILE_PATTERNS)
    return by_name or size > LARGE_FILE_BYTES or b"\0" in sample
