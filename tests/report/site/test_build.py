from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import polars as pl
import pytest

from bench_db.errors import CorruptStoreError, UserError
from bench_db.query.thresholds import Threshold
from bench_db.report.site import shards
from bench_db.report.site.arrange import NARROW, POINTS, RUN
from bench_db.report.site.build import Site
from bench_db.report.site.manifest import read_manifest
from bench_db.report.site.progress import ProgressFile
from bench_db.rules import RULES
from tests.report.example_site import METADATA, Earlier, content_of, history, site, site_content, stepped
from tests.report.examples import HOSTILE, commit_of, found, last_scan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench_db.model import Finding, LastScan
    from bench_db.report.site.contract import SiteContent

pytestmark = pytest.mark.few(1)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return dict(site(site_content()))


def received(files: dict[str, bytes], pattern: str) -> list[dict[str, Any]]:
    """Return the documents of the data scripts with matching paths."""
    found = [content.decode() for path, content in files.items() if re.fullmatch(pattern, path)]
    return [json.loads(text[text.index(",") + 1 : text.rindex(");")]) for text in found]


def small(points: int, *, suites: int = 3) -> SiteContent:
    frames = [
        history(f"b{i}", stepped(1e3, points if suite == 0 else 40, {}, seed=i), suite=f"s{suite}")
        for suite in range(suites)
        for i in range(5)
    ]
    return content_of(pl.concat(frames), METADATA)


class TestSite:
    """A site is complete: every path it names exists, and it contacts no other host."""

    def test_every_reference_is_a_file(self, files: dict[str, bytes]) -> None:
        pages = [content.decode() for path, content in files.items() if path.endswith(".html")]
        named = {name for page in pages for name in re.findall(r'(?:src|href)="([^"#]+)', page)}
        named |= {
            path
            for document in received(files, r"data/catalogue-.*")
            for pair in document["files"]
            for path in pair
            if path
        }  # data, samples and builds of each shard
        (places,) = received(files, r"data/places-.*")
        (commits,) = received(files, r"data/commits-.*")
        named |= {*places["finds"].values(), *places["kin"], *commits["parts"]}
        ours = {name.split("#")[0] for name in named if not name.startswith("https://")}
        assert ours - set(files) == set()

    def test_no_address_but_links_to_commits(self, files: dict[str, bytes]) -> None:
        ours = {
            path: content.decode()
            for path, content in files.items()
            if "uplot" not in path and not path.startswith("data/findings")
        }
        addresses = {address for text in ours.values() for address in re.findall(r"https?://[\w.-]+", text)}
        assert addresses <= {"https://example.org", "http://www.w3.org", "https://", "http://e.example"}

    def test_strict_policy_on_every_page(self, files: dict[str, bytes]) -> None:
        for path, content in files.items():
            if path.endswith(".html"):
                page = content.decode()
                assert "default-src 'none'; script-src 'self'; style-src 'self'" in page
                assert "unsafe" not in page
                tags = re.sub('="[^"]*"', "=", page)  # a name in an attribute is text
                assert not re.search(r"<script(?! src=)|<[^>]*\s(?:on\w+|style)=", tags)

    def test_paths_are_the_manifest_s(self, files: dict[str, bytes]) -> None:
        named = json.dumps(dict.fromkeys(files, "x")).encode()
        assert set(read_manifest(named)) == set(files)

    def test_pages_come_last(self, files: dict[str, bytes]) -> None:
        pages = [path.endswith(".html") for path in files]
        assert pages == sorted(pages)
        assert sum(pages) == 7 + len({path for path in files if path.startswith("commit-")})

    def test_hostile_names_end_no_script(self, files: dict[str, bytes]) -> None:
        for path, content in files.items():
            if path.startswith(("data/", "samples/")):
                assert b"<" not in content
                assert content.isascii() or "\u2028" not in content.decode()

    def test_the_feed_is_xml(self, files: dict[str, bytes]) -> None:
        titles = [
            node.text or "" for node in ET.fromstring(files["feed.xml"]).iter("{http://www.w3.org/2005/Atom}title")
        ]
        assert f"{commit_of(260)[:9]}: 6 slower, median +12.2 %, runner-large (open)" in titles
        assert f"{commit_of(270)[:9]}: {len(HOSTILE)} slower, median +30.0 %, runner-large (open)" in titles

    def test_the_licence_ships_with_the_chart_library(self, files: dict[str, bytes]) -> None:
        assert b"MIT License" in files["assets/uplot.LICENSE.txt"]

    def test_nothing_published_yet(self) -> None:
        empty = content_of(history("x", stepped(1.0, 3, {})).clear(), METADATA)
        assert b"0 series" in dict(site(empty))["series.html"]


class TestPages:
    """A page loads what it shows: that of a benchmark no catalogue, and that of two commits the series of one suite."""

    @pytest.mark.parametrize(
        ("page", "scripts"),
        [
            ("index.html", {"settings", "findings"}),
            ("series.html", {"settings", "catalogue"}),
            ("benchmark.html", {"settings", "places", "pulls"}),
            ("compare.html", {"settings", "commits"}),
        ],
    )
    def test_scripts(self, files: dict[str, bytes], page: str, scripts: set[str]) -> None:
        assert set(re.findall(r'src="data/(\w+)-', files[page].decode())) == scripts

    def test_bytes_of_a_benchmark(self) -> None:
        """A series of 300 points in a suite of 64, with the samples of the newest 60 points, in a shard of the usual size."""
        frames = [history(f"b{n}/case", stepped(1e3, 300, {}, seed=n), samples=48) for n in range(64)]
        newest = pl.int_range(pl.len()).reverse().over("series_key") < 60
        content = content_of(pl.concat(frames), METADATA)
        content = replace(content, samples_of=lambda some: some.select(pl.when(newest).then("values"))["values"])
        files = dict(site(content))
        page = files["benchmark.html"].decode()
        loaded = ["benchmark.html", *re.findall(r'<(?:script|link)[^>]* (?:src|href)="([^"]+\.(?:js|css))"', page)]
        names = (
            "data/find-",
            "data/kin-",
            "data/[0-9a-f]{16}-builds",
            "data/[0-9a-f]{16}-8-",
            "samples/[0-9a-f]{16}-8-",
        )
        sizes = [sorted(len(files[path]) for path in files if re.match(name, path)) for name in names]
        assert sum(len(files[path]) for path in loaded) + sum(of[len(of) // 2] for of in sizes) < 300_000


class TestSeries:
    """The data of each kind of series in the pages."""

    def test_every_kind(self, files: dict[str, bytes]) -> None:
        (catalogue,) = received(files, r"data/catalogue-.*")
        columns = {name: catalogue[name] for name in ("label", "failing", "stale", "points", "change")}
        rows = {row["label"]: row for row in pl.DataFrame(columns, strict=False).iter_rows(named=True)}
        assert rows["io: flaky"]["failing"] == 1
        assert rows["io: stale"]["stale"] == 1
        assert rows["io: single"] == {"label": "io: single", "failing": 0, "stale": 0, "points": 1, "change": None}
        assert rows["io: constant"]["change"] == 0.0

    def test_findings_follow_their_commit(self, files: dict[str, bytes]) -> None:
        (document,) = received(files, r"data/findings-.*")
        found = {f["id"]: f for f in document["findings"]}
        assert found["f-encode"]["commit"] == commit_of(200)
        assert (found["f-encode"]["worse"], found["f-recall"]["worse"], found["f-memory"]["worse"]) == (
            True,
            True,
            False,
        )

    def test_rows_in_any_order(self) -> None:
        frame = pl.concat([history("a", stepped(1.0, 50, {})), history("b", stepped(1.0, 50, {}))])
        shuffled = frame.sample(fraction=1.0, shuffle=True, seed=3).sort("benchmark_name", maintain_order=True)
        assert dict(site(content_of(frame, METADATA))) == dict(site(content_of(shuffled, METADATA)))


class TestRebuild:
    """A rebuild without new data changes no byte; after a publish only the files of its suite, the lists and the pages differ."""

    def test_same_twice(self) -> None:
        assert dict(site(small(50))) == dict(site(small(50)))

    def test_one_suite(self) -> None:
        before, after = dict(site(small(50))), dict(site(small(51)))
        changed = sorted(
            re.sub(r"-[0-9a-f]{12}\.", ".", path) for path, content in after.items() if before.get(path) != content
        )
        shard = [path for path in changed if re.match(r"data/[0-9a-f]{16}-", path)]
        assert len(shard) == 4  # a shard, and the builds, the series and the rows of its suite
        assert set(changed) - set(shard) <= {
            "data/catalogue.js",
            "data/commits.js",
            "data/kin-0.js",
            "data/measured.js",
            "data/places.js",
            "data/tally.js",
            "index.html",
            "series.html",
            "benchmark.html",
            "compare.html",
            "commits.html",
            "commit.html",
        }

    def test_points_of_whole_suites_are_read_together(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shards, "_SERIES_A_READ", 40)
        content, narrow = small(20, suites=11), []

        def points_of(keys: Sequence[int], columns: Sequence[str]) -> pl.DataFrame:
            narrow.append(len(keys) if columns == NARROW else 0)
            return content.points_of(keys, columns)

        list(site(replace(content, points_of=points_of)))
        assert [count for count in narrow if count] == [40, 15]


class TestKept:
    """A shard is made from the points of its series alone: one whose file is there is not made again, and its pages are the same."""

    def test_no_points_are_read_but_those_that_tell_what_changed(self) -> None:
        content, asked = small(20), []

        def points_of(keys: Sequence[int], columns: Sequence[str]) -> pl.DataFrame:
            asked.append(columns)
            return content.points_of(keys, columns)

        files = dict(site(content))
        again = dict(Site(replace(content, points_of=points_of)).files(Earlier(files)))
        assert asked == [NARROW, ("series_key", *RUN)]
        assert list(again) == list(files)
        shards = {path for path in files if re.match(r"(data|samples)/[0-9a-f]{16}-[0-9a-f]+-[0-9a-f]+-", path)}
        assert {path for path, body in again.items() if body is None} == shards
        assert {path: body or files[path] for path, body in again.items()} == files

    def test_of_a_shard_only_the_series_that_changed_are_made(self) -> None:
        """The documents of the others are those of the earlier file, byte for byte, with the pictures of their charts."""
        frames = [history(f"b{n}", stepped(1e3, 40, {}, seed=n), samples=9) for n in range(6)]
        content = replace(content_of(pl.concat(frames), METADATA), charts=("b*",))
        newer = history("b2", stepped(2e3, 40, {}, seed=9), samples=9)
        after = replace(content_of(pl.concat([*frames[:2], newer, *frames[3:]]), METADATA), charts=("b*",))
        asked: list[Sequence[int]] = []

        def points_of(keys: Sequence[int], columns: Sequence[str]) -> pl.DataFrame:
            if columns == POINTS:
                asked.append(keys)
            return after.points_of(keys, columns)

        files = dict(site(content))
        again = dict(Site(replace(after, points_of=points_of)).files(Earlier(files)))
        assert asked == [newer["series_key"].unique().to_list()]
        assert {path: body or files[path] for path, body in again.items()} == dict(site(after))

    def test_a_row_has_its_key_once(self, files: dict[str, bytes]) -> None:
        """The key names the row in the file of its group; no page reads it there."""
        rows = [row for of_group in received(files, "data/[0-9a-f]{16}-rows-.*") for row in of_group.values()]
        assert rows
        assert [row["about"]["label"] for row in rows if "key" in row["about"]] == []

    @pytest.mark.parametrize("folder", ["data/[0-9a-f]{16}-1-0", "data/[0-9a-f]{16}-rows", "samples", "chart"])
    def test_a_file_that_is_gone_is_made_again(self, folder: str) -> None:
        content = replace(site_content(), charts=("decode*",))
        files = dict(site(content))
        lost = next(path for path in files if re.match(folder, path))
        left = {path: body for path, body in files.items() if path != lost}
        again = dict(Site(content).files(Earlier(left)))
        assert again[lost] == files[lost]
        assert {path: body or files[path] for path, body in again.items()} == files

    @pytest.mark.parametrize(
        "change",
        [
            lambda content: replace(content, made_by="another release"),
            lambda content: replace(content, findings=content.findings[1:]),
            lambda content: replace(
                content, thresholds={content.findings[0].series_key: Threshold(relative=0.2, text="x")}
            ),
            lambda content: replace(content, series=content.series.with_columns(direction=pl.lit("higher"))),
            lambda content: replace(content, series=content.series.with_columns(units=pl.lit("bytes"))),
        ],
        ids=["release", "finding", "threshold", "direction", "unit"],
    )
    def test_what_a_shard_is_made_from_is_in_its_name(self, change: Callable[[SiteContent], SiteContent]) -> None:
        before, after = site_content(), change(site_content())
        files = dict(site(before))
        again = dict(Site(after).files(Earlier(files)))
        assert {path: body or files[path] for path, body in again.items()} == dict(site(after))
        assert any(body is not None and path not in files for path, body in again.items() if path.startswith("data/"))


class TestFile:
    """Each file can be asked for alone, and is that of the whole site."""

    def test_every_file(self) -> None:
        content = replace(site_content(), charts=("decode*",))
        files = dict(site(content))
        served = Site(content)
        assert set(served.names) == set(files)
        assert {path: served.file(path) for path in files} == files

    def test_a_shard_reads_its_group_alone(self) -> None:
        content = small(20)
        asked: set[int] = set()

        def points_of(keys: Sequence[int], columns: Sequence[str]) -> pl.DataFrame:
            asked.update(keys)
            return content.points_of(keys, columns)

        files = dict(site(content))
        path = next(path for path in files if re.match("data/[0-9a-f]{16}-1-", path))
        assert Site(replace(content, points_of=points_of)).file(path) == files[path]
        assert len(asked) == 5

    def test_none(self) -> None:
        with pytest.raises(KeyError):
            Site(small(3)).file("data/none.js")


class TestCommits:
    """A commit with findings or failures has a page, which a publish of another commit leaves alone."""

    def test_pages(self, files: dict[str, bytes]) -> None:
        page = files[f"commit-{commit_of(260)}.html"].decode()
        text = " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())
        assert "6 slower, median +12.2 % , runner-large open" in text
        assert "Cause: the machine or the tool chain (6 of 6 benchmarks moved" in text
        assert f"bench-db show {commit_of(260)[:9]} compares all its series" in text
        assert f"compare/{commit_of(259)}...{commit_of(260)}" in page
        assert f"commit-{commit_of(261)}.html" not in files
        assert "1 failed" in files[f"commit-{commit_of(41)}.html"].decode()

    def test_list(self, files: dict[str, bytes]) -> None:
        page = files["commits.html"].decode()
        assert f'href="commit-{commit_of(260)}.html"' in page
        assert f'href="commit.html#commit={commit_of(261)}"' in page
        assert "300 measured commits" in page
        assert "6 slower, median +12.2 %, <bdi>runner-large</bdi>" in page

    def test_a_publish_changes_no_page_of_another_commit(self) -> None:
        failing = stepped(1e3, 50, {}, seed=1)
        failing[20] = np.nan
        frame = history("a", failing)
        key = int(frame["series_key"][0])
        findings = [found("f", key, 30, commit=commit_of(30))]
        more = pl.concat([frame, history("a", stepped(1e3, 1, {}), first_commit=50)])
        before, after = (dict(site(content_of(points, METADATA, findings))) for points in (frame, more))
        commit_pages = {path for path in before if path.startswith("commit-")}
        assert commit_pages == {f"commit-{commit_of(n)}.html" for n in (20, 30)}
        assert {path: before[path] for path in commit_pages} == {path: after[path] for path in commit_pages}


class TestFrontPage:
    """The front page has the newest commit with results, and no good news where nothing was judged."""

    def first(
        self,
        *frames: pl.DataFrame,
        findings: Sequence[Finding] = (),
        scans: Sequence[LastScan] = (last_scan(),),
    ) -> str:
        content = replace(content_of(pl.concat(frames), METADATA, findings), scans=scans)
        page = dict(site(content))["index.html"].decode()
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())

    def test_every_commit_failed(self) -> None:
        page = self.first(history("python", np.full(1, np.nan)))
        assert "No commit has results. 1 commit has no results: io: python failed at the newest" in page

    def test_the_newest_commits_failed(self) -> None:
        """The newest six of 12 commits fail in set-up, and no series has the runs of a scan."""
        good = [history(f"test_{n}", stepped(1e3, 6, {}, seed=n)) for n in range(3)]
        page = self.first(*good, history("python", np.full(6, np.nan), first_commit=6))
        assert "Nothing could be judged yet" in page
        assert "No regression standing" not in page
        assert (
            f"1 failing , 3 stale . 4 of them have fewer than the {RULES.detection_runs} runs that a scan needs."
            in page
        )
        assert (
            f"Newest commit with results: {commit_of(5)[:9]} (2025-10-11 16:26 UTC). 6 commits since have no results:"
            in page
        )
        assert (
            f"io: python failed at the newest, {commit_of(11)[:9]} (2025-10-14 11:06 UTC): exit code 1 in python"
            in page
        )
        assert "newest results of a commit of 2025-10-11 16:26 UTC" in page

    def test_nothing_was_scanned(self) -> None:
        frame = history("a", stepped(1e3, 30, {}))
        page = self.first(frame, scans=())
        assert "Not scanned yet" in page
        assert "No scan is recorded: 'bench-db scan' looks for changes." in page
        better = found("f", int(frame["series_key"][0]), 9, commit=commit_of(9), effect=-0.2)
        assert "No regression" not in self.first(frame, findings=[better], scans=())

    def test_an_empty_scan(self) -> None:
        page = self.first(history("a", stepped(1e3, 30, {})))
        assert "No regression standing" in page
        assert f"Last scan: {commit_of(1)[:9]}, the newest measured commit; 1 series judged." in page

    def test_a_scan_that_is_late(self) -> None:
        page = self.first(history("a", stepped(1e3, 30, {})), scans=[last_scan(commits_since=3)])
        assert f"Last scan: {commit_of(1)[:9]}, 3 measured commits ago; 1 series judged." in page

    def test_a_scan_that_judged_nothing(self) -> None:
        page = self.first(history("a", stepped(1e3, 30, {})), scans=[last_scan(judged=0)])
        assert "Nothing could be judged yet" in page

    def test_series_that_are_judged_and_stale_are_not_current(self) -> None:
        """The badge is not green for series of the past beside new ones of too few runs."""
        old = [history(f"old{n}", stepped(1e3, 30, {}, seed=n)) for n in range(3)]
        new = [history(f"new{n}", stepped(1e3, 2, {}), first_commit=29) for n in range(3)]
        fixed = found("f", int(old[0]["series_key"][0]), 9, commit=commit_of(9), state="fixed")
        metadata = replace(METADATA, now=int(new[0]["run_time"][-1]))
        content = content_of(pl.concat([*old, *new]), metadata, [fixed])
        assert b"benchmarks: unknown<" in dict(site(content))["badge.svg"]

    def test_findings_of_a_whole_run_are_no_series(self) -> None:
        frame = history("a", stepped(1e3, 30, {}))
        key = int(frame["series_key"][0])
        findings = [found(f"f{n}", key, n, commit=commit_of(n), common_mode="the whole run") for n in (9, 19)]
        assert "1 series on 1 test bed, 2 findings moved with a whole run" in self.first(frame, findings=findings)

    def test_good_news(self) -> None:
        frame = history("a", stepped(1e3, 30, {}))
        fixed = found("f", int(frame["series_key"][0]), 9, commit=commit_of(9), state="fixed")
        assert "No regression standing" in self.first(frame, findings=[fixed])


class TestProgress:
    """The document of a CSV file is made once; one that could not be read is made again under the name of a whole one."""

    @pytest.mark.parametrize(
        "fault",
        [CorruptStoreError("/var/me/store: damaged"), UserError("cleaned away meanwhile")],
        ids=["damaged", "passing"],
    )
    def test_a_file_that_could_not_be_read(self, fault: Exception) -> None:
        faults = [fault]

        def read() -> bytes:
            if faults:
                raise faults[0]
            return b"t,a\n1,2\n"

        def built(before: dict[str, bytes]) -> tuple[dict[str, bytes | None], str]:
            made = dict(Site(content).files(Earlier(before)))
            [listed] = received({path: body for path, body in made.items() if body}, r"data/progress-[0-9a-f]{12}\.js")
            return made, listed["runs"][0]["files"][0]["path"]

        run = {"key": "1", "commit": "", "dut": "d", "bed": "b", "time": 0}
        file = ProgressFile(run=run, name="p.csv", sha256="5" * 64, size_bytes=9, read=read)
        content = replace(small(3, suites=1), progress=[file])
        first, unread = built({})
        kept = {path: body for path, body in first.items() if body}
        assert b"damaged or missing" in kept[unread]
        assert built(kept)[1] == unread
        faults.clear()
        second, whole = built(kept)
        assert (whole == unread, unread in second) == (False, False)
        assert b"damaged" not in (second[whole] or b"damaged")
        kept = {path: body for path, body in second.items() if body}
        third, again = built(kept)
        assert (again, third[again]) == (whole, None)
