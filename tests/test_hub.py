"""Repositories on Hugging Face, through huggingface_hub and a stand-in for the site."""

import pytest

from hub_server import TOKEN, HubServer
from seqnets.errors import UserError
from seqnets.hub import Repository, is_repository, pull, push

pytest.importorskip("huggingface_hub")


@pytest.fixture
def server(monkeypatch, tmp_path):
    server = HubServer()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("SEQNETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SEQNETS_OFFLINE", raising=False)
    server.repositories["ann/plays"] = {"a.txt": b"one", "b.txt": b"two", "large.onnx": b"not wanted"}
    yield server
    server.close()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_wanted_files_are_downloaded_once_and_found_offline(server, monkeypatch):
    for _ in range(2):
        folder = pull("hf:ann/plays", ["*.txt", "none.json"])
        assert names(folder) == ["a.txt", "b.txt"]
        assert (folder / "a.txt").read_bytes() == b"one"
    assert len([path for method, path in server.asked if method == "GET" and "/resolve/" in path]) == 2
    assert pull(f"hf:ann/plays@{server.commit('ann/plays')}", ["*.txt"]) == folder
    monkeypatch.setenv("SEQNETS_OFFLINE", "1")
    asked = len(server.asked)
    assert pull("hf:ann/plays", ["*.txt"]) == folder
    assert len(server.asked) == asked


def test_a_newer_version_is_fetched(server):
    old = pull("hf:ann/plays", ["a.txt"])
    server.repositories["ann/plays"]["a.txt"] = b"three"
    assert (pull("hf:ann/plays", ["a.txt"]) / "a.txt").read_bytes() == b"three"
    assert (old / "a.txt").read_bytes() == b"one"


@pytest.mark.parametrize(("address", "said"), [
    ("hf:ann/poems", "there is no public repository .*/ann/poems; check its name"),
    ("hf:ann/plays@v9", r"/ann/plays has no branch, tag or commit 'v9'"),
    ("hf:plays", "'hf:plays' is not a repository on Hugging Face; write hf:OWNER/NAME"),
    ("hf:ann/--plays", "'ann/--plays' cannot be the name of a repository"),
])  # fmt: skip
def test_what_does_not_exist(server, address, said):
    with pytest.raises(UserError, match=said):
        pull(address, ["*.txt"])


def test_no_network_says_where_to_put_the_files_and_that_works(server, monkeypatch):
    server.close()
    with pytest.raises(UserError, match=r"cannot download http://.*/ann/plays/tree/main: there is no answer; .* put its files"):
        pull("hf:ann/plays", ["a.txt"])
    monkeypatch.setenv("SEQNETS_OFFLINE", "1")
    with pytest.raises(UserError, match="forbids the network; get it by other means and put its files") as caught:
        pull("hf:ann/plays", ["a.txt"])
    from pathlib import Path

    folder = Path(str(caught.value).rpartition(" into '")[2].removesuffix("'"))
    folder.mkdir(parents=True)
    assert pull("hf:ann/plays", ["a.txt"]) == folder


def test_files_are_pushed_in_one_commit(server):
    files = {"config.json": b"{}", "model.safetensors": bytes(range(256)) * 40}
    assert push("hf:ann/new", files, private=True, message="First") == f"{server.url}/ann/new"
    assert server.repositories["ann/new"] == files
    assert server.private == {"ann/new"}
    push("hf:ann/new", {"config.json": b"[]"}, private=False, message="Second")
    assert server.repositories["ann/new"] == files | {"config.json": b"[]"}
    assert (pull("hf:ann/new", ["*"]) / "model.safetensors").read_bytes() == files["model.safetensors"]


def test_who_may_not_push_is_told_what_to_do(server, monkeypatch, tmp_path):
    with pytest.raises(UserError, match=r"does not let you write to .*/bob/new; type `hf auth login`, and check the name"):
        push("hf:bob/new", {"a": b""}, private=False, message="")
    monkeypatch.setenv("HF_TOKEN", "wrong")
    with pytest.raises(UserError, match="does not let you write"):
        push("hf:ann/new", {"a": b""}, private=False, message="")
    monkeypatch.setenv("SEQNETS_OFFLINE", "1")
    with pytest.raises(UserError, match="without the network"):
        push("hf:ann/new", {"a": b""}, private=False, message="")


def test_a_folder_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_repository("hf:ann/plays")
    (tmp_path / "hf:ann" / "plays").mkdir(parents=True)
    assert not is_repository("hf:ann/plays")
    assert Repository.of("hf:ann/plays@a/b").revision == "a/b"
