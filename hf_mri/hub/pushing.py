"""Send an imported data set to the Hub in one upload."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hf_mri.data.dataset_folder import list_shards, read_entry
from hf_mri.data.datasets_table import DatasetEntry

if TYPE_CHECKING:
    from huggingface_hub import HfApi


def push_dataset(
    dataset: str | Path,
    repo_id: str,
    *,
    private: bool = True,
    allow_redistribution: bool = False,
    token: str | None = None,
) -> str:
    """Upload a data set's folder as it is, and check that everything arrived.

    Args:
        dataset: folder of an imported data set.
        repo_id: `user/name` on the Hub; made if it is not there.
        private: make a new repository private.
        allow_redistribution: upload even though the table knows no license that allows it.
        token: of the Hub; by default the one that was saved by logging in.

    Returns:
        The address of the commit.

    Raises:
        ValueError: the license forbids it, or a file did not arrive.
        OSError: the Hub cannot be reached, or refuses; the message says what to do.
    """
    from huggingface_hub import HfApi

    from hf_mri.hub.publishing import plain_errors

    dataset, entry = Path(dataset), read_entry(dataset)
    list_shards(dataset)
    if not (entry.redistribution or allow_redistribution):
        reason = f"its license ({entry.license}) is not known to let you pass the images on"
        raise ValueError(f"{entry.title}: {reason}; if you have the right to, say so with --allow-redistribution")
    with plain_errors(repo_id):
        return _upload(dataset, entry, HfApi(token=token), repo_id, private)


def _upload(dataset: Path, entry: DatasetEntry, api: HfApi, repo_id: str, private: bool) -> str:
    """Upload in one commit, and see that every file arrived; return the commit's address."""
    from huggingface_hub.hf_api import RepoFile

    api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True)
    commit = api.upload_folder(
        repo_id=repo_id,
        repo_type="dataset",
        folder_path=dataset,
        commit_message=f"{entry.title}",
        # An older import may have left more shards than this one has.
        delete_patterns=["data/*.parquet"],
    )
    tree = api.list_repo_tree(repo_id, repo_type="dataset", recursive=True)
    sizes = {file.path: file.size for file in tree if isinstance(file, RepoFile)}
    for path in (path for path in sorted(dataset.rglob("*")) if path.is_file()):
        name = path.relative_to(dataset).as_posix()
        if sizes.get(name) != path.stat().st_size:
            raise ValueError(f"{repo_id}: {name} did not arrive whole; push again")
    return str(commit.commit_url)
