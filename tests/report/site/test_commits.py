"""The commits of a site, and the page of each that has findings or failures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bench_db.model import Baseline, Definition, RecordedCommit, Series
from bench_db.report.site.commits import annotate, marks, measured_document, page_name, pages_of, with_findings
from tests.report.examples import HOSTILE, commit_of, found

if TYPE_CHECKING:
    from bench_db.report.site.commits import Row

SERIES = {
    n: Series(series_key=n, dut_name="d", test_bed_name=f"bed{n % 2}", benchmark_name=f"b{n // 2}") for n in range(40)
}
URL = "https://forge.example/me/lib/commit/{commit}"


class TestAnnotations:
    """A text is at its commit, for its device or for all, and the time of a commit without results is the recorded one."""

    def test_notes(self) -> None:
        rows: list[Row] = [{"commit": "a" * 40, "dut": dut} for dut in ("d", "e")] + [{"commit": "b" * 40, "dut": "d"}]
        annotate(rows, [annotation("a", "all"), annotation("a", "of d\n", "d")])
        assert [row["notes"] for row in rows] == [["all", "of d\\n"], ["all"], []]

    def test_of_charts(self) -> None:
        recorded = {"a" * 40: RecordedCommit(dut_name="d", commit="a" * 40, time=7)}
        baselines = [
            Baseline(name="main", commit="c" * 40, testbed_name="bed", set_at=1),
            Baseline(name="old", commit="version:1", set_at=1),
            Baseline(name="gone", commit=None, set_at=1),
        ]
        found = marks([annotation("a", "x"), annotation("b", "y", "d")], baselines, recorded)
        assert [(one["commit"][0], one["text"], one["dut"], one["bed"], one["time"]) for one in found] == [
            ("a", "x", "", "", 7),
            ("b", "y", "d", "", 0),
            ("c", "baseline main", "", "bed", 0),
        ]


def annotation(digit: str, text: str, dut: str | None = None) -> Definition:
    return Definition(kind="annotation", pattern=digit * 40, value=text, dut_name=dut, at=1)


def measured(number: int, **rest: object) -> Row:
    facts = {
        "dut": "d",
        "commit": commit_of(number),
        "version": "1",
        "subject": f"s{number}",
        "results": 9,
        "failed": 0,
        "notes": [],
        "errors": [],
        "beds": ["bed0", "bed1"],
    }
    return {
        **facts,
        "before": commit_of(number - 3),
        "commits": 3,
        "fewer": 0,
        "series": 9,
        "time": 1,
        "authored": None,
    } | rest


def document(n: int, number: int, effect: float = 0.2) -> Row:
    label, bed = SERIES[n].label, SERIES[n].test_bed_name
    page = page_name(commit_of(number))
    return {
        "key": f"{n:016x}",
        "label": label,
        "name": "",
        "bed": bed,
        "where": bed,
        "page": page,
        "effect": effect,
        "kind": "level",
        "because": "Cause: x.",
    }


class TestList:
    """A commit has what moved at it, and a page where there is something to say."""

    def test_rows(self) -> None:
        findings = [found(f"f{n}", n, 3, commit=commit_of(5), effect=0.2) for n in range(8)]
        gone = found("gone", 999, 3, commit=commit_of(7))
        rows = with_findings([measured(7), measured(6, failed=2), measured(5)], [*findings, gone], SERIES)
        assert [row["page"] for row in rows] == ["", page_name(commit_of(6)), page_name(commit_of(5))]
        assert rows[2]["groups"] == [{"state": "open", "words": "8 slower, median +20.0 %", "beds": "2 test beds"}]
        assert rows[0]["groups"] == []

    def test_another_device(self) -> None:
        findings = [found("f", 1, 3, commit=commit_of(5))]
        (row,) = with_findings([measured(5, dut="other")], findings, SERIES)
        assert (row["groups"], row["page"]) == ([], "")

    def test_a_build_without_commit_has_no_page(self) -> None:
        (row,) = with_findings([measured(5, commit="", failed=1)], [], SERIES)
        assert (row["page"], row["address"]) == ("", "")

    def test_every_commit_has_an_address_and_the_way_to_those_beside_it(self) -> None:
        """A commit without news is shown by the page of all; one without results is no neighbour."""
        findings = [found("f", 1, 3, commit=commit_of(2))]
        failed = measured(8, failed=1, results=0, before=commit_of(5))
        rows = with_findings([measured(11, before=commit_of(5)), failed, measured(5), measured(2)], findings, SERIES)
        quiet = [f"commit.html#commit={commit_of(number)}" for number in (11, 5)]
        own = [page_name(commit_of(number)) for number in (8, 2)]
        assert [row["address"] for row in rows] == [quiet[0], own[0], quiet[1], own[1]]
        assert [row["before_page"] for row in rows] == [quiet[1], quiet[1], own[1], ""]
        assert [row["after_page"] for row in rows] == ["", quiet[0], quiet[0], quiet[1]]

    def test_two_builds_of_a_commit(self) -> None:
        """Both lead to another commit, before and after."""
        built = [measured(n, version=v, before="" if n == 2 else commit_of(n - 3)) for n in (8, 5, 2) for v in "ba"]
        rows = with_findings(built, [], SERIES)
        pages = [f"commit.html#commit={commit_of(number)}" for number in (8, 5, 2)]
        assert [row["before_page"] for row in rows] == [pages[1]] * 2 + [pages[2]] * 2 + [""] * 2
        assert [row["after_page"] for row in rows] == [""] * 2 + [pages[0]] * 2 + [pages[1]] * 2
        assert measured_document(rows, [{"dut": "d"}])["before"] == [2, 2, 4, 4, -1, -1]

    def test_a_name_that_is_no_sha_is_quoted(self) -> None:
        (row,) = with_findings([measured(5, commit="a&b=c #")], [], SERIES)
        assert row["address"] == "commit.html#commit=a%26b%3Dc%20%23"


class TestDocument:
    """The page of any commit finds each by its place, newest first."""

    def test_places(self) -> None:
        other = measured(5, dut="e", authored=3, before="", notes=["note"])
        rows = with_findings([measured(5), other, measured(2, before="", failed=1)], [], SERIES)
        devices = [{"dut": "d"}, {"dut": "e"}]
        found = measured_document(rows, devices)
        assert found["devices"] == devices
        assert [found[name] for name in ("dut", "before", "time")] == [[0, 1, 0], [2, -1, -1], [1, 3, 1]]
        assert (found["page"], found["notes"]) == ({"2": page_name(commit_of(2))}, {"1": ["note"]})
        assert found["commit"] == [commit_of(5), commit_of(5), commit_of(2)]


class TestPages:
    """A page has its findings by benchmark and test bed, its range and the commands to run next."""

    def test_facts(self) -> None:
        findings = [found(f"f{n}", n, 3, commit=commit_of(5)) for n in range(40)]
        rows = with_findings([measured(5)], findings, SERIES)
        documents = [document(n, 5, 0.01 * (n + 1)) for n in range(40)]
        ((path, facts),) = pages_of(rows, documents, SERIES, URL)
        assert path == f"commit-{commit_of(5)}.html"
        assert facts["bed_names"] == ["bed0", "bed1"]
        assert [label for (_, label), _ in facts["benchmarks"]][:2] == ["b19", "b18"]
        assert [len(cell) for cell in facts["benchmarks"][0][1].values()] == [1, 1]
        assert (
            facts["builds"][0]["difference"] == f"https://forge.example/me/lib/compare/{commit_of(2)}...{commit_of(5)}"
        )
        assert facts["address"] == f"https://forge.example/me/lib/commit/{commit_of(5)}"
        assert facts["commands"][0] == f"bench-db bisect {commit_of(2)[:9]} {commit_of(5)[:9]} --benchmark b19"
        assert (len(facts["commands"]), facts["more_commands"]) == (10, 10)
        assert facts["causes"] == ["Cause: x."]

    def test_a_range_of_one_commit_needs_no_bisection(self) -> None:
        findings = [found("f", 1, 3, commit=commit_of(5))]
        rows = with_findings([measured(5, commits=1)], findings, SERIES)
        ((_, facts),) = pages_of(rows, [document(1, 5)], SERIES, "javascript:{commit}")
        assert (facts["commands"], facts["address"], facts["builds"][0]["difference"]) == ([], "", "")

    def test_a_change_of_noise_needs_no_bisection(self) -> None:
        rows = with_findings([measured(5)], [found("f", 1, 3, commit=commit_of(5))], SERIES)
        noisier = {**document(1, 5), "kind": "spread", "effect": None}
        for documents, commands in (([noisier], 0), ([noisier, document(2, 5)], 1)):
            ((_, facts),) = pages_of(rows, documents, SERIES, URL)
            assert len(facts["commands"]) == commands

    def test_a_test_bed_of_two_devices(self) -> None:
        """Each has a column, and a bed without a finding of a device is named for that device."""
        of = {n: replace(SERIES[0], series_key=n, dut_name=dut) for n, dut in enumerate(("d", "e"))}
        documents = [{**document(0, 5), "key": f"{n:016x}", "where": f"bed0 ({of[n].dut_name})"} for n in of]
        rows = with_findings([measured(5), measured(5, dut="e")], [], of)
        rows = [{**row, "page": documents[0]["page"]} for row in rows]
        ((_, facts),) = pages_of(rows, documents, of, URL)
        assert facts["bed_names"] == ["bed0 (d)", "bed0 (e)"]
        assert [build["others"] for build in facts["builds"]] == [["bed1"], ["bed1"]]
        ((_, facts),) = pages_of(rows, documents[:1], of, URL)
        assert [build["others"] for build in facts["builds"]] == [["bed1"], ["bed0", "bed1"]]

    def test_names(self) -> None:
        """A page is a file beside the others, whatever the commit is called."""
        for name in (*HOSTILE.values(), "../../etc/passwd", "", "."):
            assert page_name(name).removeprefix("commit-").removesuffix(".html").isalnum()
