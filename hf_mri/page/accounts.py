"""Who may open the page: a file of users with hashed passwords, one `name:scrypt$n$r$p$salt$hash` a line.

`hf-mri add-user FILE NAME` asks for a password and adds the user or changes the password.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from hf_mri.modeling.mri_files import write_text

COST = {"n": 2**14, "r": 8, "p": 1}
SHORTEST = 8  # of a password, in characters
MOST_FAILURES = 5
PAUSE = 300  # seconds during which a name that failed too often is refused


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


def read_users(path: Path) -> dict[str, str]:
    """Return `{name: stored password}`; a line that is not one is an error, so that nobody is locked out silently."""
    users = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, stored = line.strip().partition(":")
        if not name or not stored.startswith("scrypt$") or stored.count("$") != 5:
            raise ValueError(f"{path.name}, line {number}: not a user; add users with `python accounts.py FILE NAME`")
        users[name] = stored
    if not users:
        raise ValueError(f"{path.name} has no users; add one with `python accounts.py FILE NAME`")
    return users


def write_user(path: Path, name: str, password: str) -> None:
    """Add a user or change the password; the file appears whole and only its owner may read it."""
    if not name or ":" in name or any(letter.isspace() for letter in name):
        raise ValueError(f"user name {name!r}: use letters without spaces and colons")
    if len(password) < SHORTEST:
        raise ValueError(f"the password of {name!r}: use at least {SHORTEST} characters")
    users = {**(read_users(path) if path.exists() else {}), name: hash_password(password)}
    write_text(path, "".join(f"{user}:{stored}\n" for user, stored in users.items()), mode=0o600)


def make_gate(path: Path) -> Callable[[str, str], bool]:
    """Return what Gradio asks at each login; the file is read each time, so that changes act without a restart."""
    read_users(path)
    nobody = hash_password(secrets.token_hex())
    failures: dict[str, list[float]] = defaultdict(list)
    lock = threading.Lock()

    def admit(name: str, password: str) -> bool:
        now = time.monotonic()
        with lock:
            failures[name] = [moment for moment in failures[name] if now - moment < PAUSE]
            if len(failures[name]) >= MOST_FAILURES:
                return False
        stored = read_users(path).get(name)
        # An unknown name costs as much time as a wrong password.
        admitted = matches(password, stored or nobody) and stored is not None
        with lock:
            if admitted:
                failures.pop(name, None)
            else:
                failures[name].append(now)
        return admitted

    return admit
