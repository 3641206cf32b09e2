import zipfile
from io import BytesIO

import pytest
from huggingface_hub import HfApi

from hf_mri.page.space import publish_space


def test_a_space_holds_the_page_and_the_package(loopback_hub):
    done = publish_space("ada/page", model="ada/two", private=True)
    repo = loopback_hub.repo("ada/page", "space")
    assert done.url == f"{loopback_hub.url}/spaces/ada/page"
    assert repo.private
    assert repo.variables == {"HF_MRI_MODEL": "ada/two"}
    assert HfApi().space_info("ada/page").sdk == "gradio"
    assert {"app.py", "README.md", "requirements.txt"} <= set(repo.files)
    (wheel,) = [content for name, content in repo.files.items() if name.endswith(".whl")]
    assert "hf_mri/modeling/mri_reader.py" in zipfile.ZipFile(BytesIO(wheel)).namelist()
    newest, _ = HfApi().list_repo_commits("ada/page", repo_type="space")
    assert newest.title == "Publish the page"

    again = publish_space("ada/page")
    assert (again.changed, again.revision) == (False, done.revision)


def test_other_spaces_are_left_alone(loopback_hub):
    loopback_hub.add_repo("ada/chess", "space", files={"app.py": b"chess"})
    with pytest.raises(ValueError, match="another Space"):
        publish_space("ada/chess")
    with pytest.raises(OSError, match="may not write"):
        publish_space("ada/page", token="hf_other")
