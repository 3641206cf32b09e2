"""What the loopback Hub reads in a card, as the Hub does: its metadata, checked and shown."""

import yaml

from .store import Commit, Repo

LICENSES = {"apache-2.0", "mit", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0"}
LICENSES |= {"cc-by-nc-sa-4.0", "gpl-3.0", "openrail", "other", "unknown"}


def metadata(text: str) -> dict:
    """Return the block between the first two lines of dashes; an empty one if there is none."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---" or "---" not in [line.strip() for line in lines[1:]]:
        return {}
    end = [line.strip() for line in lines[1:]].index("---") + 1
    return yaml.safe_load("\n".join(lines[1:end])) or {}


def errors_in(text: str) -> list[str]:
    """List what the Hub refuses in a card's metadata."""
    try:
        found = metadata(text)
    except yaml.YAMLError as error:
        return [f"Invalid YAML in the card: {error}"]
    if not isinstance(found, dict):
        return ["The card's metadata must be a mapping"]
    errors = []
    license = found.get("license")
    if license is not None and license not in LICENSES:
        errors.append(f'"license" must be one of [{", ".join(sorted(LICENSES))}], not {license}')
    for key in ("tags", "datasets", "metrics"):
        if key in found and not (isinstance(found[key], list) and all(isinstance(item, str) for item in found[key])):
            errors.append(f'"{key}" must be a list of strings')
    for model in found.get("model-index") or []:
        for result in model.get("results", []):
            complete = result.get("task", {}).get("type") and result.get("dataset", {}).get("name")
            if not complete or not all("value" in metric for metric in result.get("metrics", [])):
                errors.append(
                    '"model-index" results need task.type, dataset.name, dataset.type and metrics with values'
                )
    return errors


def describe(repo: Repo, commit: Commit, blobs: bool = False) -> dict:
    """Return what the Hub says about a repository at a commit."""
    card = metadata(commit.files["README.md"].content.decode()) if "README.md" in commit.files else {}
    siblings = []
    for path, blob in sorted(commit.files.items()):
        sibling = {"rfilename": path}
        if blobs:
            sibling |= {"size": len(blob.content), "blobId": blob.git_oid}
            if blob.large:
                sibling["lfs"] = {"sha256": blob.sha256, "size": len(blob.content), "pointerSize": len(blob.in_tree)}
        siblings.append(sibling)
    found = {
        "_id": f"{repo.type}:{repo.id}",
        "id": repo.id,
        "author": repo.namespace,
        "sha": commit.oid,
        "lastModified": commit.date,
        "createdAt": "2026-01-01T00:00:00.000Z",
        "private": repo.private,
        "gated": "manual" if repo.gated else False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [*card.get("tags", []), *([f"license:{card['license']}"] if "license" in card else [])],
        "cardData": card,
        "siblings": siblings,
        "usedStorage": sum(len(blob.content) for blob in commit.files.values()),
    }
    if repo.type == "model":
        found |= {
            "modelId": repo.id,
            "pipeline_tag": card.get("pipeline_tag"),
            "library_name": card.get("library_name"),
        }
        found["model-index"] = card.get("model-index")
    if repo.type == "space":
        found["sdk"] = repo.sdk or card.get("sdk")
    return found
