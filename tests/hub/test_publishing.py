"""Publishing to the loopback Hub. Loading in another process is replaced here (real: test_published_models.py)."""

import shutil
import sys
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi, constants

from hf_mri.commands import app as cli
from hf_mri.hub import publishing
from hf_mri.hub.bundle_contents import list_contents
from hf_mri.hub.publishing import publish

REPO = "ada/tumors"


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """Answer at once instead of loading the model in another process; note who was asked."""
    asked = []

    def answers_of(model: object, revision: str = "", **environment: str) -> dict:
        asked.append((str(model), revision, environment.get("HF_TOKEN")))
        return {"mri-reading": [0.25, 0.5]}

    monkeypatch.setattr(publishing, "answers_of", answers_of)
    return asked


def titles(repo_id: str = REPO) -> list[str]:
    return [commit.title for commit in HfApi().list_repo_commits(repo_id)]


def test_one_commit_with_exactly_the_bundle(loopback_hub, bundle, said):
    done = publish(bundle, REPO, tag="v1", message="First")
    remote = loopback_hub.repo(REPO).files
    del remote[".gitattributes"]
    card = remote.pop("README.md").decode()
    here = {name: path.read_bytes() for name, path in list_contents(bundle).items() if name != "README.md"}
    assert remote == here
    assert titles() == ["First", "initial commit"]
    assert (done.changed, done.url) == (True, f"{loopback_hub.url}/{REPO}")
    assert loopback_hub.repo(REPO).tags["v1"].oid == done.revision
    (whole, *_), asked = said
    assert Path(whole).name == bundle.name  # with this package's code, made aside
    assert asked == (REPO, done.revision, "hf_writer")
    assert 'MODEL = "ada/tumors"' in card
    assert 'MODEL = "ada/tumors"' not in (bundle / "README.md").read_text()
    info = HfApi().model_info(REPO)
    assert (info.pipeline_tag, info.library_name) == ("image-segmentation", "transformers")


def test_what_is_there_already_makes_no_commit(loopback_hub, bundle):
    first = publish(bundle, REPO, tag="v1")
    loopback_hub.requests.clear()
    again = publish(bundle, REPO, tag="v1")
    assert (again.changed, again.revision) == (False, first.revision)
    assert len(titles()) == 2
    assert not [line for line in loopback_hub.requests if "commit/" in line or "PUT" in line]


def test_a_new_version_takes_old_files_away(loopback_hub, bundle, finished_bundles, tmp_path):
    publish(bundle, REPO)
    publish(shutil.copytree(finished_bundles("resunet"), tmp_path / "resunet"), REPO, tag="v2")
    files = loopback_hub.repo(REPO).files
    assert "modeling_two_stage.py" not in files
    assert "modeling_resunet.py" in files
    assert len(titles()) == 3


def test_a_pull_request_leaves_the_main_branch_alone(loopback_hub, bundle, finished_bundles, tmp_path):
    publish(bundle, REPO)
    before = loopback_hub.repo(REPO).files
    other = shutil.copytree(finished_bundles("classifier"), tmp_path / "classifier")
    done = publish(other, REPO, create_pr=True, token="hf_other")
    assert done.url.endswith("/discussions/1")
    assert loopback_hub.repo(REPO).files == before
    assert "modeling_slice_classifier.py" in HfApi().list_repo_files(REPO, revision="refs/pr/1")
    with pytest.raises(ValueError, match="--tag"):
        publish(other, REPO, create_pr=True, tag="v1")


def test_private_stays_private(loopback_hub, bundle):
    publish(bundle, REPO, private=True)
    assert loopback_hub.repo(REPO).private
    loopback_hub.add_repo("ada/open")
    with pytest.raises(ValueError, match="is public"):
        publish(bundle, "ada/open", private=True)


def test_a_bare_name_goes_to_ones_own_namespace(loopback_hub, bundle):
    publish(bundle, "tumors")
    assert loopback_hub.repo(REPO)
    publish(bundle, "lab/tumors")
    assert loopback_hub.repo("lab/tumors")


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        ("", "nobody is logged in"),
        ("hf_reader", "may only read"),
        ("hf_unknown", "token is not valid"),
        ("hf_other", "may not write to ada/tumors"),
    ],
)
def test_tokens_without_rights(loopback_hub, bundle, monkeypatch, token, sentence):
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(bundle / "no-such-file"))
    with pytest.raises(OSError, match=sentence) as caught:
        publish(bundle, REPO)
    assert "\n" not in str(caught.value)
    assert loopback_hub.repos == {}


def test_repositories_that_cannot_take_a_model(loopback_hub, bundle):
    for kind in ("dataset", "space"):
        loopback_hub.add_repo(f"ada/some-{kind}", kind)
        with pytest.raises(ValueError, match=f"is a {kind}"):
            publish(bundle, f"ada/some-{kind}")
    loopback_hub.add_repo("ada/bert", files={"config.json": b"{}", "vocab.txt": b"a"})
    with pytest.raises(ValueError, match="holds something else"):
        publish(bundle, "ada/bert")
    with pytest.raises(OSError, match="does not exist"):
        publish(bundle, "ada/nowhere", create_pr=True)
    loopback_hub.add_repo("bob/hidden", private=True)
    with pytest.raises(OSError, match="may not write"):
        publish(bundle, "bob/hidden")
    first = publish(bundle, REPO, tag="v1")
    (bundle / "README.md").write_text((bundle / "README.md").read_text() + "\nMore words.\n")
    second = publish(bundle, REPO)
    assert second.revision != first.revision
    with pytest.raises(ValueError, match="tag 'v1' on another commit"):
        publish(bundle, REPO, tag="v1")


def test_bundles_that_are_not_fit_change_nothing(loopback_hub, bundle):
    (bundle / "optimizer.pt").write_bytes(b"x")
    with pytest.raises(ValueError, match="pickled"):
        publish(bundle, REPO)
    (bundle / "optimizer.pt").unlink()
    card = bundle / "README.md"
    card.write_text(card.read_text().replace("| ROC AUC |", "| ROC AUC | 1"))
    with pytest.raises(ValueError, match="differs from metrics"):
        publish(bundle, REPO)
    assert (loopback_hub.repos, loopback_hub.requests) == ({}, [])


def test_somebody_else_publishes_at_the_same_time(loopback_hub, bundle, monkeypatch):
    publish(bundle, REPO)
    (bundle / "README.md").write_text((bundle / "README.md").read_text() + "\nOurs.\n")
    compare = publishing.is_same

    def compare_late(path, remote):
        if "theirs" not in titles():
            HfApi().create_commit(REPO, [CommitOperationAdd("README.md", b"theirs")], commit_message="theirs")
        return compare(path, remote)

    monkeypatch.setattr(publishing, "is_same", compare_late)
    with pytest.raises(OSError, match="somebody else published to ada/tumors meanwhile"):
        publish(bundle, REPO)
    assert titles() == ["theirs", "Publish tumors", "initial commit"]
    publish(bundle, REPO)
    assert b"Ours." in loopback_hub.repo(REPO).files["README.md"]


@pytest.mark.parametrize("status", [500, 0])
def test_a_server_that_fails_at_any_request_is_never_left_half_published(loopback_hub, bundle, status):
    publish(bundle, "ada/whole", tag="v1")
    wanted, sentences = set(loopback_hub.repo("ada/whole").files), []
    for number in range(100):
        repo_id = f"ada/try-{number}"
        loopback_hub.large_files.clear()
        try:
            with loopback_hub.failing(status=status, after=number):
                publish(bundle, repo_id, tag="v1")
        except OSError as error:
            sentences.append(str(error))
        else:
            break  # more requests succeed than it makes
        repo = loopback_hub.repos.get(("model", repo_id))
        if repo:
            assert set(repo.files) in ({".gitattributes"}, wanted)
        publish(bundle, repo_id, tag="v1")
        repo = loopback_hub.repo(repo_id)
        assert set(repo.files) == wanted
        assert len(titles(repo_id)) == 2
        assert repo.tags["v1"] is repo.branches["main"]
    assert 10 < len(sentences) < 100
    assert all("again" in sentence and "\n" not in sentence for sentence in sentences)


def test_a_client_with_xet_and_a_server_without_it(loopback_hub, bundle, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    loopback_hub.regular = True
    publish(bundle, REPO)
    assert loopback_hub.repo(REPO).files["model.safetensors"] == (bundle / "model.safetensors").read_bytes()
    assert len(titles()) == 2


def test_other_answers_from_the_hub_are_an_error(loopback_hub, bundle, monkeypatch):
    answers = iter([{"mri-reading": [0.25]}, {"mri-reading": [0.75]}])
    monkeypatch.setattr(publishing, "answers_of", lambda *_, **__: next(answers))
    with pytest.raises(ValueError, match=r"answers differently .*mri-reading: 0.25 became 0.75"):
        publish(bundle, REPO)


def test_without_a_network(bundle, loopback_hub, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(OSError, match="cannot be reached"):
        publish(bundle, REPO)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match="HF_HUB_OFFLINE is set"):
        publish(bundle, REPO)


def test_the_command_says_where_it_is_and_ends_in_one_line(loopback_hub, bundle, monkeypatch, capsys):
    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["hf-mri", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return caught.value.code

    assert run("publish", str(bundle), REPO, "--private", "--tag", "v1", "--message", "Hello") == 0
    assert capsys.readouterr().out.startswith(f"{loopback_hub.url}/{REPO} at ")
    assert titles()[0] == "Hello"
    (bundle / "scan.nii").write_bytes(b"x")
    assert run("publish", str(bundle), REPO) == 1
    captured = capsys.readouterr()
    worth, refused = captured.err.splitlines()  # what the figures are worth, then why nothing was published
    assert "Too few to judge by" in worth
    assert "looks like a scan" in refused
    assert run("card", str(bundle), "--model-id", "ada/else") == 0
    assert 'MODEL = "ada/else"' in (bundle / "README.md").read_text()
