"""Artifacts as JSON documents and as text."""

import json

from bench_db.model import Artifact, Deleted, Put
from bench_db.report import artifacts

LOG = Artifact(
    key=7,
    sha256="0123456789abcdef" * 4,
    uri="artifacts/01/23",
    size_bytes=3 * 2**20,
    kind="log",
    name="build\x1b[31m.log",
    run_key=255,
    commit="1a2b3c4d5e6f7890",
    added_at=1_700_000_000,
)
LOOSE = Artifact(sha256="f" * 64, kind="profile", name="cpu.svg", added_at=0)


class TestJson:
    """A document has every field of the record but its own key, and survives JSON."""

    def test_fields(self) -> None:
        document = artifacts.as_json(LOG)
        assert json.loads(json.dumps(document)) == document
        assert document == {
            "sha256": LOG.sha256,
            "uri": LOG.uri,
            "size_bytes": LOG.size_bytes,
            "kind": "log",
            "name": LOG.name,
            "run_key": "00000000000000ff",
            "commit": LOG.commit,
            "added_at": LOG.added_at,
        }

    def test_no_run(self) -> None:
        assert artifacts.as_json(LOOSE)["run_key"] is None


class TestText:
    """A line a file has what `artifact get` needs, and no control character of a name."""

    def test_lines(self) -> None:
        _, _, log, loose = artifacts.as_text([LOG, LOOSE]).split("\n")
        assert log.split()[0] in LOG.sha256
        assert "build\\x1b[31m.log" in log
        assert "3.000 MiB" in log
        assert "00000000000000ff" in log
        assert loose.split()[2:7] == ["cpu.svg", "0", "B", "-", "-"]

    def test_none(self) -> None:
        assert artifacts.as_text([]) == "no artifacts"


class TestPut:
    """New and unchanged files add up to the files that were put."""

    def test_counts(self) -> None:
        done = [Put(artifact=LOG, new=True), Put(artifact=LOOSE, new=False), Put(artifact=LOOSE, new=False)]
        document = artifacts.put_json(done)
        assert (document["new"], document["unchanged"]) == (1, 2)
        assert [one["new"] for one in document["artifacts"]] == [True, False, False]
        head, _, table = artifacts.put_text(done).partition("\n")
        assert head == "1 new, 2 there already"
        assert table == artifacts.as_text([LOG, LOOSE, LOOSE])


class TestDeleted:
    """A preview says so, and which files stay."""

    def test_text(self) -> None:
        done = Deleted(artifacts=(LOG, LOOSE), files=1, size_bytes=1024, changed=True)
        head = artifacts.deleted_text(done).partition("\n")[0]
        assert (
            head
            == "deleted: 2 artifacts, 1 files (1.000 KiB); 1 of their files stay, because other artifacts have the same content"
        )
        preview = artifacts.deleted_text(Deleted(artifacts=(LOG,), files=1, size_bytes=0, changed=False))
        assert preview.startswith("nothing changed; with --yes these would be deleted: 1 artifacts, 1 files (0 B)\n")
        assert artifacts.deleted_text(Deleted(artifacts=(), files=0, size_bytes=0, changed=False)) == "no artifacts"

    def test_document(self) -> None:
        document = artifacts.deleted_json(Deleted(artifacts=(LOG,), files=1, size_bytes=9, changed=False))
        assert document == {"artifacts": [artifacts.as_json(LOG)], "files": 1, "size_bytes": 9, "changed": False}
