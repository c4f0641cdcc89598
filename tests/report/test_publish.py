"""The published files as JSON and as text."""

import json
from dataclasses import replace

from bench_db.model import PublishedFile, UnreadableFile
from bench_db.report import publish

FIRST = PublishedFile(
    path="out\x1b.json",
    part="3",
    format="asv",
    run_id="1",
    new=4,
    unchanged=1,
    replaced=2,
    skipped={"no-name": 2, "out-of-range": 1},
    notes=("first\nnote",),
)
SECOND = PublishedFile(path="b.json", format="go", run_id="2", new=0, unchanged=5, replaced=0, skipped={}, notes=())


class TestJson:
    """The totals are the sums over the files."""

    def test_totals(self) -> None:
        document = publish.as_json([FIRST, SECOND])
        assert json.loads(json.dumps(document))["published"][0]["skipped"] == {"no-name": 2, "out-of-range": 1}
        assert (document["new"], document["failed"], document["unchanged"]) == (4, 0, 6)
        assert [one["path"] for one in document["published"]] == ["out\x1b.json", "b.json"]


class TestText:
    """A line a run says what became of each result; zeros that say nothing are left out, and a dry run adds nothing."""

    def test_lines(self) -> None:
        assert publish.as_text([FIRST, SECOND]).split("\n") == [
            "out\\x1b.json#3: asv, 4 new, 1 unchanged, 2 replaced, 3 skipped",
            "  first\\nnote",
            "b.json: go, 0 new, 5 unchanged",
            "2 runs: 4 new, 6 unchanged, 2 replaced, 3 skipped",
        ]

    def test_a_note_of_several_runs_is_one_line(self) -> None:
        alike = replace(SECOND, path="c.json", notes=("assumed", "odd"))
        assert publish.as_text([replace(SECOND, notes=("assumed",)), alike]).split("\n") == [
            "b.json: go, 0 new, 5 unchanged",
            "c.json: go, 0 new, 5 unchanged",
            "  odd",
            "assumed (2 runs, first b.json)",
            "2 runs: 0 new, 10 unchanged",
        ]

    def test_failed_results(self) -> None:
        failed = replace(SECOND, failed=2)
        assert publish.as_text([failed, SECOND]).split("\n") == [
            "b.json: go, 0 new, 2 failed, 5 unchanged",
            "b.json: go, 0 new, 5 unchanged",
            "2 runs: 0 new, 2 failed, 10 unchanged",
        ]

    def test_many_runs_have_a_summary(self) -> None:
        many = [replace(SECOND, path=f"{number}.json", new=1, unchanged=0) for number in range(60)]
        noted = [replace(file, notes=("assumed",) if index else ("assumed", "odd")) for index, file in enumerate(many)]
        assert publish.as_text(noted).split("\n") == [
            "assumed (60 runs, first 0.json)",
            "odd (0.json)",
            "60 runs: 60 new, 0 unchanged",
        ]
        different = [replace(file, notes=(f"note {number}",)) for number, file in enumerate(many)]
        assert publish.as_text(different).split("\n")[-2] == "... and 10 more notes, which --output json lists"

    def test_files_that_were_not_published(self) -> None:
        bad = UnreadableFile(path="x", error="x: is\nempty")
        assert publish.as_text([SECOND], [bad], [f"{i}" for i in range(7)]).split("\n")[1:] == [
            "passed over, as they show no such format: 7 files (0, 1, 2, 3, 4, ...)",
            "not published: 1 files",
            "  x: is\\nempty",
        ]

    def test_one_run_has_no_total(self) -> None:
        assert publish.as_text([SECOND]) == "b.json: go, 0 new, 5 unchanged"

    def test_a_dry_run(self) -> None:
        text = publish.as_text([FIRST, SECOND], dry_run=True)
        assert (text.count("4 to add"), text.count("0 to add"), "new" in text) == (2, 1, False)
