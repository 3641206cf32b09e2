"""The loopback Hub answers the real clients as the Hub does."""

from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import get_session

CARD = b"---\nlicense: mit\npipeline_tag: image-segmentation\ntags: [mri]\n---\n# A model\n"
WEIGHTS = bytes(range(256)) * 40


def operations() -> list[CommitOperationAdd]:
    return [CommitOperationAdd("README.md", CARD), CommitOperationAdd("sub/model.safetensors", WEIGHTS)]


@pytest.fixture
def api(loopback_hub) -> HfApi:
    found = HfApi()
    found.create_repo("ada/model")
    return found


def test_commit_and_download_round_trip(api, loopback_hub):
    commit = api.create_commit("ada/model", operations(), commit_message="one")
    folder = snapshot_download("ada/model")
    assert Path(folder, "sub/model.safetensors").read_bytes() == WEIGHTS
    assert folder.endswith(commit.oid)
    info = api.model_info("ada/model", files_metadata=True)
    assert (info.sha, info.pipeline_tag, info.private, info.tags) == (
        commit.oid,
        "image-segmentation",
        False,
        ["mri", "license:mit"],
    )
    weights = next(sibling for sibling in info.siblings if sibling.rfilename.endswith("safetensors"))
    assert weights.lfs.size == weights.size == len(WEIGHTS)
    assert [type(entry).__name__ for entry in api.list_repo_tree("ada/model")] == [
        "RepoFile",
        "RepoFile",
        "RepoFolder",
    ]
    assert api.verify_repo_checksums("ada/model").revision == commit.oid


def test_same_content_makes_no_commit(api, loopback_hub):
    first = api.create_commit("ada/model", operations(), commit_message="one")
    again = api.create_commit("ada/model", operations(), commit_message="two")
    assert again.oid == first.oid
    assert [commit.title for commit in api.list_repo_commits("ada/model")] == ["one", "initial commit"]


def test_two_publishers_at_once_get_412(api):
    parent = api.model_info("ada/model").sha
    api.create_commit("ada/model", operations(), commit_message="first", parent_commit=parent)
    late = [CommitOperationAdd("README.md", CARD + b"late\n")]
    with pytest.raises(HfHubHTTPError) as caught:
        api.create_commit("ada/model", late, commit_message="second", parent_commit=parent)
    assert caught.value.response.status_code == 412


def test_pull_request_leaves_main_alone(api, loopback_hub):
    found = api.create_commit("ada/model", operations(), commit_message="please", create_pr=True)
    assert found.pr_revision == "refs/pr/1"
    assert set(loopback_hub.repo("ada/model").files) == {".gitattributes"}
    assert Path(hf_hub_download("ada/model", "README.md", revision="refs/pr/1")).read_bytes() == CARD
    assert api.list_repo_refs("ada/model", include_pull_requests=True).pull_requests[0].ref == "refs/pr/1"


def test_tags_branches_and_deletions(api):
    first = api.create_commit("ada/model", operations(), commit_message="one")
    api.create_tag("ada/model", tag="v1")
    api.create_branch("ada/model", branch="try")
    api.create_commit("ada/model", [CommitOperationDelete("sub/")], commit_message="gone", revision="try")
    assert api.list_repo_files("ada/model", revision="try") == [".gitattributes", "README.md"]
    assert "sub/model.safetensors" in api.list_repo_files("ada/model", revision="v1")
    assert api.list_repo_refs("ada/model").tags[0].target_commit == first.oid
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_tag("ada/model", tag="v1")
    api.delete_tag("ada/model", tag="v1")
    with pytest.raises(RevisionNotFoundError):
        api.model_info("ada/model", revision="v1")


def test_errors_carry_the_codes_that_clients_act_on(api, loopback_hub):
    loopback_hub.add_repo("bob/private", private=True, files={"a.txt": b"a"})
    loopback_hub.add_repo("bob/gated", gated=True, files={"a.txt": b"a"})
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("ada/nowhere")
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("bob/private")
    with pytest.raises(EntryNotFoundError):
        hf_hub_download("ada/model", "nothing.txt")
    with pytest.raises(GatedRepoError):
        hf_hub_download("bob/gated", "a.txt")
    assert hf_hub_download("bob/private", "a.txt", token="hf_other")
    loopback_hub.repo("bob/gated").allowed.add("ada")
    assert hf_hub_download("bob/gated", "a.txt")


@pytest.mark.parametrize(
    ("token", "status"), [("hf_reader", 403), ("hf_other", 403), ("hf_unknown", 401), (False, 401)]
)
def test_tokens_without_rights_change_nothing(api, loopback_hub, token, status):
    for act in (
        lambda api: api.create_repo("ada/other"),
        lambda api: api.create_commit("ada/model", operations(), commit_message="no"),
        lambda api: api.create_tag("ada/model", tag="v1"),
        lambda api: api.delete_repo("ada/model"),
    ):
        with pytest.raises(HfHubHTTPError) as caught:
            act(HfApi(token=token))
        assert caught.value.response.status_code == status
    assert list(loopback_hub.repos) == [("model", "ada/model")]
    assert set(loopback_hub.repo("ada/model").files) == {".gitattributes"}


def test_a_card_with_broken_metadata_is_refused_before_anything_is_uploaded(api, loopback_hub):
    with pytest.raises(ValueError, match="license"):
        api.create_commit(
            "ada/model", [CommitOperationAdd("README.md", b"---\nlicense: mine\n---\n")], commit_message="x"
        )
    assert not [line for line in loopback_hub.requests if "preupload" in line]


def test_ranges(api, loopback_hub):
    api.create_commit("ada/model", operations(), commit_message="one")
    url = f"{loopback_hub.url}/ada/model/resolve/main/sub/model.safetensors"
    assert get_session().get(url, headers={"Range": "bytes=2-4"}).content == WEIGHTS[2:5]
    tail = get_session().get(url, headers={"Range": "bytes=-3"})
    assert (tail.status_code, tail.content) == (206, WEIGHTS[-3:])
    assert tail.headers["Content-Range"] == f"bytes {len(WEIGHTS) - 3}-{len(WEIGHTS) - 1}/{len(WEIGHTS)}"
    assert get_session().get(url, headers={"Range": f"bytes={len(WEIGHTS)}-"}).status_code == 416


def test_faults_are_answers_or_cut_connections(api, loopback_hub):
    with loopback_hub.failing("GET .*/api/models", status=503), pytest.raises(HfHubHTTPError, match="503"):
        api.model_info("ada/model")
    with loopback_hub.failing("preupload", status=0, times=2):
        api.create_commit("ada/model", operations(), commit_message="the client tries again by itself")
    assert "README.md" in loopback_hub.repo("ada/model").files


def test_a_server_without_large_files_answers_regular(api, loopback_hub):
    loopback_hub.regular = True
    api.create_commit("ada/model", operations(), commit_message="one")
    assert not loopback_hub.large_files
    assert loopback_hub.repo("ada/model").files["sub/model.safetensors"] == WEIGHTS


def test_datasets_and_spaces_have_their_own_names(api, loopback_hub):
    api.create_repo("ada/model", repo_type="dataset")
    api.create_repo("ada/model", repo_type="space", space_sdk="gradio")
    api.create_commit("ada/model", [CommitOperationAdd("a.txt", b"a")], commit_message="one", repo_type="dataset")
    assert api.space_info("ada/model").sdk == "gradio"
    assert api.file_exists("ada/model", "a.txt", repo_type="dataset")
    assert not api.file_exists("ada/model", "a.txt", repo_type="space")
    api.delete_repo("ada/model", repo_type="dataset")
    assert set(loopback_hub.repos) == {("model", "ada/model"), ("space", "ada/model")}
