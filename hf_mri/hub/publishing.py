"""From a finished bundle to a model page: checked here, uploaded in one commit, loaded back and compared."""

import hashlib
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.constants import REPO_TYPES_URL_PREFIXES
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.hf_api import RepoFile

from hf_mri.hub.bundle import assemble
from hf_mri.hub.bundle_contents import list_contents
from hf_mri.hub.card import check_card, name_model
from hf_mri.hub.load_check import answers_of, differences

logger = logging.getLogger(__name__)
OWN = {".gitattributes"}  # what the Hub itself puts into a repository


@dataclass(frozen=True)
class Published:
    """Where a bundle stands on the Hub now; `changed` is False if it stood there already."""

    url: str
    revision: str
    changed: bool


def publish(
    bundle: str | Path,
    repo_id: str,
    *,
    private: bool = False,
    create_pr: bool = False,
    tag: str | None = None,
    message: str | None = None,
    token: str | None = None,
) -> Published:
    """Check a bundle, upload it in one commit, tag it, and compare what a stranger gets with what is here.

    Running it again after a failure completes what was begun; publishing what is there already commits nothing.

    Args:
        bundle: Folder of a finished model; the code that travels is added on the way.
        repo_id: `NAMESPACE/NAME`, or `NAME` in one's own namespace; created if it does not exist.
        private: Create the repository as private.
        create_pr: Propose the files as a pull request to an existing repository.
        tag: Name for the commit, such as v1.
        message: Of the commit.
        token: In place of the one that the machine is logged in with.

    Raises:
        ValueError: the bundle is not fit to be published, or what came back differs.
        OSError: the Hub said no, or cannot be reached; the message says why and what was done so far.
    """
    if create_pr and tag:
        raise ValueError("--tag names a commit of the main branch; tag after the pull request is merged")
    list_contents(bundle)
    check_card(bundle)
    api = HfApi(token=token)
    with plain_errors(repo_id):
        repo_id = complete_repo_id(api, repo_id)
        exists = check_repo(api, repo_id, private, create_pr, tag)
    with tempfile.TemporaryDirectory() as folder:
        whole = assemble(bundle, Path(folder) / Path(bundle).resolve().name)  # with this package's code, never older
        expected = answers_of(whole)
        name_model(whole, repo_id)
        with plain_errors(repo_id):
            if not exists:
                api.create_repo(repo_id, private=private, exist_ok=True)
            message = message or f"Publish {repo_id.partition('/')[2]}"
            published = upload(api, list_contents(whole), repo_id, message, create_pr=create_pr)
            if tag:
                add_tag(api, repo_id, tag, published.revision)
    access = {"HF_ENDPOINT": api.endpoint, "HF_TOKEN": token or get_token() or ""}
    found = answers_of(repo_id, published.revision, **access)
    if wrong := differences(expected, found):
        raise ValueError(f"{published.url} answers differently from {bundle}: {wrong[0]}; do not use that revision")
    return published


def complete_repo_id(api: HfApi, repo_id: str) -> str:
    """Return NAMESPACE/NAME, after making sure that somebody is logged in who may write there."""
    user = api.whoami()
    namespace, _, name = repo_id.rpartition("/")
    role = user.get("auth", {}).get("accessToken", {}).get("role")
    if role == "read":
        raise OSError(
            "the token may only read; make one that may write (huggingface.co/settings/tokens) and log in with it"
        )
    return f"{namespace or user['name']}/{name}"


def check_repo(api: HfApi, repo_id: str, private: bool, create_pr: bool, tag: str | None) -> bool:
    """Tell whether the repository exists, after a look at whether it may take the bundle.

    Raises:
        ValueError: it is of another kind, holds something else, is public, or has the tag elsewhere.
    """
    try:
        info = api.model_info(repo_id)
    except RepositoryNotFoundError:
        for kind in ("dataset", "space"):
            if api.repo_exists(repo_id, repo_type=kind):
                raise ValueError(f"{repo_id} is a {kind}; choose another name for the model") from None
        if create_pr:
            raise
        return False
    if private and not info.private:
        raise ValueError(
            f"{repo_id} exists and is public; make it private in its settings first, or leave out --private"
        )
    names = {sibling.rfilename for sibling in info.siblings or []} - OWN - {"README.md"}
    if names and "train_config.json" not in names:
        raise ValueError(f"{repo_id} holds something else ({', '.join(sorted(names)[:3])}); choose another name")
    if tag:
        known = {ref.name: ref.target_commit for ref in api.list_repo_refs(repo_id).tags}
        if known.get(tag, info.sha) != info.sha:
            raise ValueError(f"{repo_id} has the tag {tag!r} on another commit; choose another tag")
    return True


def upload(
    api: HfApi,
    files: dict[str, Path],
    repo_id: str,
    message: str,
    *,
    create_pr: bool = False,
    repo_type: str = "model",
) -> Published:
    """Make the repository equal to these files in one commit, or in none if it is equal already."""
    kind = {"repo_type": repo_type}
    head = api.repo_info(repo_id, **kind).sha
    tree = api.list_repo_tree(repo_id, recursive=True, revision=head, **kind)
    remote = {file.path: file for file in tree if isinstance(file, RepoFile)}
    url = f"{api.endpoint}/{REPO_TYPES_URL_PREFIXES.get(repo_type, '')}{repo_id}"
    gone = [name for name in remote if name not in files and name not in OWN]
    if not gone and all(name in remote and is_same(path, remote[name]) for name, path in files.items()):
        logger.info("%s holds these files already", repo_id)
        return Published(url, head, changed=False)
    operations = [CommitOperationAdd(name, path) for name, path in files.items()]
    operations += [CommitOperationDelete(name) for name in gone]
    options = {"commit_message": message, "create_pr": create_pr, "parent_commit": head, **kind}
    try:
        made = api.create_commit(repo_id, operations, **options)
    except RuntimeError as error:  # how the client wraps what went wrong with one large file
        raise error.__cause__ if isinstance(error.__cause__, HTTPError) else error from None
    return Published(made.pr_url or url, made.oid, changed=True)


def is_same(path: Path, remote: RepoFile) -> bool:
    """Compare a file with what the Hub says of its own, without downloading it."""
    content = path.read_bytes()
    if len(content) != remote.size:
        return False
    if remote.lfs:
        return hashlib.sha256(content).hexdigest() == remote.lfs.sha256
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == remote.blob_id


def add_tag(api: HfApi, repo_id: str, tag: str, revision: str) -> None:
    """Name a commit; nothing to do where it has that name already."""
    api.create_tag(repo_id, tag=tag, revision=revision, exist_ok=True)
    found = {ref.name: ref.target_commit for ref in api.list_repo_refs(repo_id).tags}
    if found.get(tag) != revision:
        raise ValueError(
            f"{repo_id}: the files are published, but the tag {tag!r} is on another commit; choose another tag"
        )


@contextmanager
def plain_errors(repo_id: str) -> Iterator[None]:
    """Turn what the client raises into one sentence that says what to do."""
    again = "run the same command again"
    try:
        yield
    except LocalTokenNotFoundError:
        raise OSError("nobody is logged in: run `hf auth login`, or set HF_TOKEN to a token that may write") from None
    except OfflineModeIsEnabled:
        raise OSError("HF_HUB_OFFLINE is set, so the Hub is not asked; unset it to publish") from None
    except GatedRepoError as error:
        raise OSError(f"{repo_id} is gated and this token has no access to it; ask its owner") from error
    except RepositoryNotFoundError as error:
        raise OSError(
            f"{repo_id} does not exist, or this token may not see it; check the name and the token"
        ) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        said = error.server_message or f"HTTP {status}"
        if status == 401:
            raise OSError("the token is not valid: run `hf auth login`, or set HF_TOKEN to a valid one") from error
        if status == 403:
            raise OSError(
                f"this token may not write to {repo_id} ({said}); use one that may, or --pr to propose"
            ) from error
        if status == 412:
            raise OSError(f"somebody else published to {repo_id} meanwhile; look at it, then {again}") from error
        raise OSError(f"the Hub failed ({said}); what it holds is whole, {again} to complete it") from error
    except HTTPError as error:
        raise OSError(
            f"the Hub cannot be reached ({type(error).__name__}); what it holds is whole, {again}"
        ) from error
