from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_db.report.site.manifest import changes, digest, manifest_bytes, read_manifest, read_note

MANIFESTS = st.dictionaries(st.sampled_from([f"data/{n}.js" for n in "abcdef"]), st.sampled_from("123"))


class TestChanges:
    """The written and removed files turn one manifest into the other; no other file changes."""

    @given(MANIFESTS, MANIFESTS)
    def test_turns_one_into_the_other(self, before: dict[str, str], after: dict[str, str]) -> None:
        found = changes(before, after)
        kept = {path: value for path, value in before.items() if path not in found.remove}
        assert kept | {path: after[path] for path in found.write} == after
        assert not found.write & found.remove

    @given(MANIFESTS)
    def test_nothing_to_do(self, manifest: dict[str, str]) -> None:
        assert changes(manifest, manifest) == changes({}, {})


class TestManifest:
    """A manifest reads back; a manipulated one names no file outside the site."""

    def test_reads_back(self) -> None:
        manifest = {"index.html": digest(b"x"), "data/a-1.js": digest(b"y")}
        assert read_manifest(manifest_bytes(manifest)) == manifest

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"index.html": 3}', b"\xff"])
    def test_what_is_none(self, content: bytes) -> None:
        assert read_manifest(content) == {}

    @pytest.mark.parametrize(
        "path", ["../x.js", "/etc/x.js", "data/../../x.js", "data\\x.js", "a/b.js", ".git/x.js", "CNAME", "data/x.js\n"]
    )
    def test_paths_outside(self, path: str) -> None:
        assert read_manifest(json.dumps({path: "1"}).encode()) == {}


_NOTED = {"index.html": digest(b"x"), "data/a-1.js": digest(b"y")}


class TestNote:
    """A note reads back beside the files that it was written with, and with no other ones."""

    @given(st.text())
    def test_reads_back(self, note: str) -> None:
        content = manifest_bytes(_NOTED, note)
        assert read_note(content) == note
        assert read_manifest(content) == _NOTED

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"made from": 3}', b'{"made from": "x"}', b"\xff"])
    def test_none(self, content: bytes) -> None:
        assert read_note(content) == ""

    def test_of_other_files(self) -> None:
        content = manifest_bytes(_NOTED, "mine")
        assert read_note(content.replace(b"index", b"other")) == ""
        assert read_note(content.replace(b"mine", b"none")) == ""
        assert read_note(content.replace(digest(b"x").encode(), digest(b"z").encode())) == ""
