"""Who may open the page: users with hashed passwords, one `name:scrypt$n$r$p$salt$hash` a line.

They stand in a file, or in a secret of the Space. `hf-mri add-user FILE NAME` asks for a password and adds the user or
changes the password.
"""

import asyncio
import hashlib
import hmac
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from hf_mri.modeling.mri_files import write_text

COST = {"n": 2**14, "r": 8, "p": 1}
SHORTEST = 8  # of a password, in characters


def hash_password(password: str) -> str:
    """Return the stored form of a password, with a fresh salt."""
    salt = secrets.token_bytes(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, **COST)
    return "$".join(["scrypt", *(str(cost) for cost in COST.values()), salt.hex(), digest.hex()])


def matches(password: str, stored: str) -> bool:
    """Return whether the password is the one that was stored, in a time that does not depend on where they differ."""
    _, n, r, p, salt, digest = stored.split("$")
    found = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=int(n), r=int(r), p=int(p))
    return hmac.compare_digest(found, bytes.fromhex(digest))


def parse_users(text: str, where: str) -> dict[str, str]:
    """Return `{name: stored password}`; a line that is not one is an error, so that nobody is locked out silently."""
    users = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, stored = line.strip().partition(":")
        if not name or not stored.startswith("scrypt$") or stored.count("$") != 5:
            raise ValueError(f"{where}, line {number}: not a user; add users with `hf-mri add-user FILE NAME`")
        users[name] = stored
    if not users:
        raise ValueError(f"{where} has no users; add one with `hf-mri add-user FILE NAME`")
    return users


def read_users(path: Path) -> dict[str, str]:
    """Return the users of a file."""
    return parse_users(path.read_text(encoding="utf-8"), path.name)


def write_user(path: Path, name: str, password: str) -> None:
    """Add a user or change the password; the file appears whole and only its owner may read it."""
    if not name or ":" in name or any(letter.isspace() for letter in name):
        raise ValueError(f"user name {name!r}: use letters without spaces and colons")
    if len(password) < SHORTEST:
        raise ValueError(f"the password of {name!r}: use at least {SHORTEST} characters")
    users = {**(read_users(path) if path.exists() else {}), name: hash_password(password)}
    write_text(path, "".join(f"{user}:{stored}\n" for user, stored in users.items()), mode=0o600)


def find_users() -> Callable[[], dict[str, str]] | None:
    """Return how to list the users at any moment: those of `HF_MRI_AUTH` (a file) or `HF_MRI_USERS` (its content).

    A changed file acts at once; a file that cannot be read lets nobody in.
    """
    if text := os.environ.get("HF_MRI_USERS", "").strip():
        users = parse_users(text, "HF_MRI_USERS")
        return lambda: users
    if not (name := os.environ.get("HF_MRI_AUTH")):
        return None
    path, seen = Path(name), {}
    read_users(path)

    def list_users() -> dict[str, str]:
        try:
            state = path.stat()
            stamp = (state.st_mtime_ns, state.st_size, state.st_ino)
            if stamp not in seen:
                users = read_users(path)
                seen.clear()
                seen[stamp] = users
            return seen[stamp]
        except (OSError, ValueError):
            return {}

    return list_users


def make_gate(list_users: Callable[[], dict[str, str]]) -> Callable[[str, str], Awaitable[bool]]:
    """Return what Gradio asks at each login."""
    nobody = hash_password(secrets.token_hex())

    async def admit(name: str, password: str) -> bool:
        stored = list_users().get(name)
        # An unknown name costs as much time as a wrong password; in a thread, so that nobody else waits for it.
        return await asyncio.to_thread(matches, password, stored or nobody) and stored is not None

    return admit
