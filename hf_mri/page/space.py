"""The web page as a Space: the page's files and the package as a wheel, uploaded in one commit."""

import tempfile
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError

from hf_mri.hub.bundle_contents import SECRETS
from hf_mri.hub.publishing import OWN, Published, complete_repo_id, plain_errors, upload
from hf_mri.page.pack import pack


def publish_space(
    repo_id: str,
    *,
    model: str | None = None,
    private: bool = False,
    message: str | None = None,
    token: str | None = None,
) -> Published:
    """Publish the page; what stands there already is not committed again.

    Args:
        repo_id: `NAMESPACE/NAME`, or `NAME` in one's own namespace; created if it does not exist.
        model: Hub ids of the models that the page offers, separated by commas; None leaves the Space's setting.
        private: Create the Space as private.
        message: Of the commit.
        token: In place of the one that the machine is logged in with.

    Raises:
        ValueError: the name belongs to something else.
        OSError: the Hub said no, or cannot be reached.
    """
    api = HfApi(token=token)
    with tempfile.TemporaryDirectory() as folder, plain_errors(repo_id):
        files = {path.name: path for path in pack(Path(folder) / "space").iterdir()}
        for name, path in files.items():
            if path.suffix != ".whl" and SECRETS.search(path.read_bytes()):
                raise ValueError(f"{name} holds something that looks like a token or a private key; remove it")
        repo_id = complete_repo_id(api, repo_id)
        try:
            info = api.space_info(repo_id)
        except RepositoryNotFoundError:
            api.create_repo(repo_id, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
        else:
            check_space(repo_id, {sibling.rfilename for sibling in info.siblings or []}, private and not info.private)
        published = upload(api, files, repo_id, message or "Publish the page", repo_type="space")
        if model:
            api.add_space_variable(repo_id, "HF_MRI_MODEL", model)
    return published


def check_space(repo_id: str, names: set[str], exposed: bool) -> None:
    """Refuse a Space that is another page, or public where a private one was asked for."""
    if exposed:
        raise ValueError(
            f"{repo_id} exists and is public; make it private in its settings first, or leave out --private"
        )
    if names - OWN - {"README.md"} and not any(name.startswith("hf_mri-") for name in names):
        raise ValueError(f"{repo_id} is another Space; choose another name")
