"""Accounts on a served page: who is out is out at once, and guessing slows down nobody else."""

from unittest import mock

import pytest

from hf_mri.page.accounts import write_user
from tests.page.visits import PASSWORDS, Caller, open_page

WRONG = {"username": "anna", "password": "a wrong password"}


@pytest.fixture
def users(tmp_path):
    """A file of users."""
    for user, password in PASSWORDS.items():
        write_user(tmp_path / "users.txt", user, password)
    return tmp_path / "users.txt"


def test_a_removed_user_and_one_with_a_new_password_are_out_at_once(tmp_path, users):
    with open_page(tmp_path, tmp_path / "nothing", HF_MRI_AUTH=str(users)) as address:
        anna, bob, stranger = Caller(address, "anna"), Caller(address, "bob"), Caller(address)
        assert [caller.send("GET", "/config").status_code for caller in (anna, bob, stranger)] == [200, 200, 401]
        users.write_text("".join(line for line in users.open() if not line.startswith("anna")))
        assert [caller.send("GET", "/config").status_code for caller in (anna, bob)] == [401, 200]
        write_user(users, "bob", "another password")
        assert bob.send("GET", "/config").status_code == 401


@pytest.mark.parametrize(("proxies", "counted"), [("", [0, 1, 2, 3]), ("127.0.0.1", [0, 1, 0, 1])])
def test_guesses_count_by_address_and_forwarded_ones_only_behind_a_proxy(tmp_path, users, proxies, counted):
    seen = []
    environment = {"HF_MRI_AUTH": str(users), "FORWARDED_ALLOW_IPS": proxies}
    with (
        mock.patch("hf_mri.page.logins.wait_of", lambda record: seen.append(record.failures) or 0.0),
        open_page(tmp_path, tmp_path / "nothing", **environment) as address,
    ):
        caller = Caller(address)
        for source in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2"):
            answer = caller.send("POST", "/login", data=WRONG, headers={"x-forwarded-for": source})
            assert answer.status_code == 400
        assert seen == counted
        Caller(address, "anna")  # the right password still opens: nobody is locked out
