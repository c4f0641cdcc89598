from __future__ import annotations

import gc
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bench_db as api
from bench_db.app.baselines import set_baseline
from bench_db.app.definitions import annotate
from bench_db.app.progress import Silent
from bench_db.app.scan import scan
from bench_db.app.site import TITLE, site, site_content, title_of
from bench_db.app.tree import Tree
from bench_db.errors import UserError
from bench_db.model import Definition, Samples
from bench_db.query.selection import Selection
from bench_db.report.site.arrange import POINTS
from bench_db.report.site.build import Site
from bench_db.report.site.contract import FrontierView
from bench_db.report.site.manifest import read_manifest
from bench_db.rules import RULES
from bench_db.store.database import Database, connect
from bench_db.store.publish import Entry
from tests.app.test_frontier import SERVED, serve
from tests.cli.kinds import entry, publish, publish_all, sha
from tests.report.examples import found
from tests.support.campaigns import sized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench_db.report.site.contract import SiteContent

pytestmark = pytest.mark.sample(6)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Six commits of f and g."""
    made = connect(tmp_path_factory.mktemp("site") / "store", create=True)
    publish_all(made, [entry(number, {"f": 100.0 + number, "g": 5.0}) for number in range(6)])
    return made


class TestSite:
    """Writing a site twice leaves the files of writing it once."""

    @pytest.mark.slow
    def test_twice(self, store: Database, tmp_path: Path) -> None:
        first = site(store, tmp_path / "out")
        again = site(store.uri, tmp_path / "out")
        assert first.written == first.files > 0
        assert (again.written, again.removed, again.files, again.bytes) == (0, 0, first.files, first.bytes)

    def test_title_and_link(self, store: Database, tmp_path: Path) -> None:
        site(store, tmp_path, title="A & b", commit_url="https://example.org/c/{commit}")
        assert "A &amp; b" in (tmp_path / "index.html").read_text()
        assert any("https://example.org/c/" in path.read_text() for path in tmp_path.rglob("*.*"))

    @pytest.mark.slow
    def test_the_name_of_the_project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is that of bench-db.toml where the store has its results, of the repository of CI, or of the only device."""
        monkeypatch.chdir(tmp_path)
        made = connect(tmp_path / "store", create=True)
        assert title_of(made, []) == TITLE
        publish(made, 1, {"f": 1.0}, dut_name="engine")
        (tmp_path / "bench-db.toml").write_text('[project]\nname = "other"\n')
        assert site_content(made, Selection()).metadata.title == "engine benchmarks"
        assert title_of(made, ["engine", "codec"]) == TITLE
        publish(made, 2, {"f": 1.0}, dut_name="codec", repository="me/toolbox", run_url="https://forge.test/1")
        assert site_content(made, Selection()).metadata.title == "toolbox benchmarks"
        (tmp_path / "bench-db.toml").write_text('[project]\nname = "codec"\n')
        assert site_content(made, Selection()).metadata.title == "codec benchmarks"
        site(made, tmp_path / "out")
        assert "<title>codec benchmarks" in (tmp_path / "out/index.html").read_text()
        assert site_content(made, Selection(), title="Mine").metadata.title == "Mine"

    @pytest.mark.slow
    def test_frontier_of_the_configuration(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """[site] of bench-db.toml says what the page of frontiers shows first."""
        monkeypatch.chdir(tmp_path)
        serve(api.connect(tmp_path / "store", create=True), SERVED)
        made = connect(tmp_path / "store")
        assert site_content(made, Selection()).frontier == FrontierView()
        stated = '[site]\nfrontier_x = "throughput"\nfrontier_y = "latency"\nfrontier_by = ["framework"]\n'
        (tmp_path / "bench-db.toml").write_text(f'[project]\nname = "model"\n{stated}')
        view = FrontierView(x="throughput", y="latency", by=("framework",))
        assert site_content(made, Selection()).frontier == view
        site(made, tmp_path / "out")
        assert 'href="frontier.html"' in (tmp_path / "out/index.html").read_text()
        assert 'href="frontier.html"' in (tmp_path / "out/frontier.html").read_text()
        (about,) = (tmp_path / "out/data").glob("frontier-*.js")
        assert '"first":[1,0],"by":["framework"],"missing":[]' in about.read_text()

    @pytest.mark.slow
    def test_a_publish_changes_the_frontier_of_its_group_alone(self, tmp_path: Path) -> None:
        made = api.connect(tmp_path / "store", create=True)
        serve(made, SERVED)
        serve(made, SERVED, suite="other")
        site(made, tmp_path / "out")
        before = {path.name for path in (tmp_path / "out/data").glob("*-frontier-*.js")}
        serve(made, dict.fromkeys(SERVED, (1, 1)), suite="other", commit="d" * 40)
        site(made, tmp_path / "out")
        after = {path.name for path in (tmp_path / "out/data").glob("*-frontier-*.js")}
        assert (len(before), len(after), len(before & after)) == (2, 2, 1)

    def test_charts(self, store: Database, tmp_path: Path) -> None:
        site(store, tmp_path, charts=["f"])
        key = store.latest(Selection(benchmark="f"))["series_key"][0]
        assert {path.name for path in tmp_path.glob("*.svg")} == {"badge.svg", f"chart-{key:016x}.svg"}
        with pytest.raises(UserError, match="`charts`: 'x\\*' matches no benchmark"):
            site(store, tmp_path / "other", charts=["x*"])
        assert not (tmp_path / "other").exists()

    def test_the_badge_knows_the_time(self, store: Database, tmp_path: Path) -> None:
        site(store, tmp_path, at=4_000_000_000)
        assert "stale since" in (tmp_path / "badge.svg").read_text()

    def test_a_page_of_something_else(self, store: Database, tmp_path: Path) -> None:
        (tmp_path / "index.html").write_text("mine")
        with pytest.raises(UserError, match="something else"):
            site(store, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


class TestNewestCommit:
    """The front page and the badge say at once what the gate says of the newest commit, which a scan cannot know yet."""

    @staticmethod
    def written(store: Database, out: Path) -> tuple[str, str]:
        """Return the text of the front page, and the badge."""
        site(store, out, at=1_000_000)
        page = re.sub(r"<[^>]*>", "", (out / "index.html").read_text())
        return " ".join(page.split()), (out / "badge.svg").read_text()

    @pytest.mark.parametrize(
        ("slow", "heading", "said", "badge"),
        [
            (1.0, "No regression standing", "Against the level before it: 2 unchanged.", "fine"),
            (1.5, "1 regression at the newest commit", "1 regressed, 1 unchanged.", "1 worse at the newest commit"),
            (0.5, "No regression standing", "1 improved, 1 unchanged.", "fine"),
        ],
    )
    def test_said(self, slow: float, heading: str, said: str, badge: str, tmp_path: Path) -> None:
        made = connect(tmp_path / "store", create=True)
        before = [entry(number, {"f": 100.0 + number % 3, "g": 5.0 + number % 2 / 100}) for number in range(12)]
        publish_all(made, [*before, entry(12, {"f": 100.0 * slow, "g": 5.0})])
        _publish_pull_request(made, 13)
        scan(made)
        page, drawn = self.written(made, tmp_path / "out")
        assert heading in page
        assert said in page
        assert badge in drawn

    def test_too_few_runs(self, tmp_path: Path) -> None:
        made = connect(tmp_path / "store", create=True)
        publish(made, 0, {"f": 100.0})
        page, _ = self.written(made, tmp_path / "out")
        assert "Nothing could be judged yet" in page
        assert "Against" not in page

    def test_another_history(self, tmp_path: Path) -> None:
        made = connect(tmp_path / "store", create=True)
        publish_all(made, (entry(number, {"f": 100.0 + number % 3}, branch="topic") for number in range(9)))
        publish_all(made, (entry(n, {"f": 100.0 + n % 3}, commit=sha(50 + n)) for n in range(9)))
        assert site_content(made, Selection(branch="topic")).verdicts() == {}
        assert site_content(made, Selection()).verdicts() == {"d": {"unchanged": 1}}


class TestPullRequests:
    """The results of pull requests are in files of their own beside the site of the main history, and in no other site."""

    @pytest.fixture
    def made(self, tmp_path: Path) -> Database:
        made = connect(tmp_path / "store", create=True)
        made.define([Definition(kind="metric", pattern="rate", value="items / time", at=1)])
        for number in range(6):
            _publish_two_metrics(made, number)
        return made

    def test_beside_the_main_history(self, made: Database, tmp_path: Path) -> None:
        site(made, tmp_path / "before", at=1_000_000)
        _publish_two_metrics(made, 7, 12)
        site(made, tmp_path / "after", at=1_000_000)
        before, after = (
            {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
            for out in (tmp_path / "before", tmp_path / "after")
        )
        added = {re.sub("-[0-9a-f]{12}", "", name) for name in after.keys() - before.keys()}
        assert {"data/pull-12.js", "data/pulls.js"} <= added
        assert all(not name.startswith(("samples", "commit")) for name in added)
        document = next(body for name, body in after.items() if name.startswith("data/pull-12"))
        keys = made.latest()["series_key"].to_list()
        assert all(f"{key:016x}".encode() in document for key in keys)
        assert len(keys) == 3  # the derived metric is one of them

    def test_excluded_and_of_other_series(self, made: Database) -> None:
        _publish_two_metrics(made, 7, 12)
        assert site_content(made, Selection(metric="items")).pulls["pr_number"].to_list() == [12]
        keys = made.runs().filter(pl.col("pr_number") == 12).select("run_key").collect()["run_key"].to_list()
        made.exclude(keys, reason="noisy", lifted=False, at=1, by="me")
        assert site_content(made, Selection()).pulls.is_empty()

    @pytest.mark.parametrize("other", [Selection(pr_number=12), Selection(branch="topic"), Selection(everything=True)])
    def test_another_history(self, made: Database, other: Selection) -> None:
        _publish_two_metrics(made, 7, 12)
        assert site_content(made, other).pulls.is_empty()


class TestDerivedMetrics:
    """A derived series, whose points no row of the store has, is on a site as any other."""

    def test_of_one_benchmark(self, tmp_path: Path) -> None:
        made = connect(tmp_path / "store", create=True)
        publish_all(made, map(_two_metrics, range(12)))
        made.define([Definition(kind="metric", pattern="rate", value="items / time", at=1)])
        scan(made)
        site(made, tmp_path / "out", at=1_000_000)
        index = (tmp_path / "out/index.html").read_text()
        assert "3 series on 1 test bed" in index
        assert "3 unchanged" in index
        assert "benchmarks: fine" in (tmp_path / "out/badge.svg").read_text()
        data = "".join(path.read_text() for path in (tmp_path / "out/data").glob("*.js"))
        shown = {name for name in ("time", "items", "rate") if f'"metric":"{name}"' in data}
        assert shown == {"time", "items", "rate"}

    @pytest.mark.slow
    def test_of_a_pull_request(self, tmp_path: Path) -> None:
        made = connect(tmp_path / "store", create=True)
        made.define([Definition(kind="metric", pattern="rate", value="items / time", at=1)])
        _publish_two_metrics(made, 0)
        _publish_two_metrics(made, 1, 7)
        for selection in (Selection(), Selection(pr_number=7)):
            site(made, tmp_path / "out", at=1_000_000, selection=selection)
            assert "3 series on 1 test bed" in (tmp_path / "out/index.html").read_text()

    def test_samples(self, tmp_path: Path) -> None:
        made = connect(tmp_path / "store", create=True)
        _publish_two_metrics(made, 0)
        made.define([Definition(kind="metric", pattern="rate", value="items / time", at=1)])
        content = site_content(made, Selection())
        rows = content.points_of(content.series["series_key"].to_list(), POINTS).sort("median")
        assert rows["median"].to_list() == [100.0, 1000.0, 1e10]  # the last a second
        assert content.samples_of(rows).to_list() == [[100.0], [1000.0], None]
        derived = rows.filter(pl.col("median") == 1e10)
        assert content.samples_of(derived).to_list() == [None]


class TestDevices:
    """Series of several devices that have all names in common say which device each is of."""

    def test_rows_that_are_alike(self, tmp_path: Path) -> None:
        made = connect(tmp_path / "store", create=True)
        values = {"common": 1.0}
        publish_all(made, [entry(0, values, dut_name="a"), entry(0, {**values, "own": 1.0}, dut_name="b")])
        keys = dict(
            made.latest()
            .select("series_key", "dut_name")
            .filter(made.latest()["benchmark_name"] == "common")
            .iter_rows()
        )
        assert {keys[key]: bed for key, bed in site_content(made, Selection()).beds.items() if key in keys} == {
            "a": "ci-1 (a)",
            "b": "ci-1 (b)",
        }
        made.record_findings([found(f"f{key}", key, 0, commit=sha(0)) for key in keys])
        site(made, tmp_path / "out")
        lists = {
            name: next((tmp_path / "out/data").glob(f"{name}-*.js")).read_text() for name in ("catalogue", "findings")
        }
        for text in (
            *lists.values(),
            (tmp_path / f"out/commit-{sha(0)}.html").read_text(),
            (tmp_path / "out/feed.xml").read_text(),
        ):
            assert ["ci-1 (a)" in text, "ci-1 (b)" in text] == [True, True]
        assert '"where":["","ci-1 (a)","ci-1 (b)"]' in lists["catalogue"]

    def test_of_one_device(self, store: Database, tmp_path: Path) -> None:
        site(store, tmp_path)
        assert '"where"' not in next((tmp_path / "data").glob("catalogue-*.js")).read_text()


class TestHistory:
    """Each page says whose history it is of, and only those of the main one say something of scans."""

    def test_pull_request(self, tmp_path: Path) -> None:
        made = connect(tmp_path / "store", create=True)
        publish_all(made, [entry(number, {"f": 300.0}) for number in range(3)])
        _publish_pull_request(made, 3)
        scan(made)
        for selection, history, scanned in (
            (Selection(), "the main history (branch main)", True),
            (Selection(pr_number=7), "pull request 7", False),
        ):
            site(made, tmp_path / "out", selection=selection)
            pages = {path.name: path.read_text() for path in (tmp_path / "out").glob("*.html")}
            assert {history in page.partition("<footer>")[2] for page in pages.values()} == {True}
            text = " ".join(re.sub(r"<[^>]+>", " ", pages["index.html"]).split())
            assert ["Last scan" in text, "o scan is recorded" in text.lower()] == [scanned, False]
            assert ("Results of pull request 7" in text) != scanned


class TestMarks:
    """Annotations and baselines of the store are on the charts."""

    def test_of_the_store(self, tmp_path: Path) -> None:
        made = connect(tmp_path / "store", create=True)
        publish(made, 0, {"f": 1.0})
        annotate(made, sha(0), "release")
        set_baseline(made, "main", sha(0))
        site(made, tmp_path / "site")
        settings = next((tmp_path / "site" / "data").glob("settings-*.js")).read_text("utf-8")
        assert [text for text in ("release", "baseline main") if f'"text":"{text}"' in settings] == [
            "release",
            "baseline main",
        ]


class TestContent:
    """The content is that of the selected series, with raw samples of the newest points alone."""

    def test_selection(self, store: Database) -> None:
        content = site_content(store, Selection(benchmark="f"))
        assert content.series["benchmark_name"].to_list() == ["f"]
        rows = content.points_of(content.series["series_key"].to_list(), POINTS)
        assert sorted(rows["median"]) == [100.0 + number for number in range(6)]

    @pytest.mark.parametrize("samples", [0, 2, 60])
    def test_samples(self, samples: int, store: Database) -> None:
        content = site_content(store, Selection(benchmark="f"), samples=samples)
        rows = content.points_of(content.series["series_key"].to_list(), POINTS).sort("dut_timestamp")
        newest = min(samples, 6)
        assert content.samples_of(rows).is_not_null().to_list() == [False] * (6 - newest) + [True] * newest

    def test_links_of_the_repository_that_published(self, tmp_path: Path) -> None:
        made = connect(tmp_path / "store", create=True)
        publish(made, 1, {"f": 1.0})
        assert site_content(made, Selection()).metadata.commit_url == ""
        publish(made, 2, {"f": 1.0}, repository="me/lib", run_url="https://forge.example/me/lib/actions/runs/7")
        assert site_content(made, Selection()).metadata.commit_url == "https://forge.example/me/lib/commit/{commit}"
        assert (
            site_content(made, Selection(), commit_url="https://x/{commit}").metadata.commit_url == "https://x/{commit}"
        )

    def test_the_directory_of_the_store_is_private(self, store: Database) -> None:
        metadata = site_content(store, Selection()).metadata
        assert metadata.store == "store"
        assert metadata.generated_at == store.runs().collect()["ingested_at"].max()


def _publish(store: Database, number: int) -> None:
    publish(store, number, {"f": 100.0 + number, "g": 5.0, f"only {number % 3}": 2.0})


def _publish_again(store: Database, number: int) -> None:
    """Publish a second run of a commit, in one go with the first."""
    publish(store, number, {"f": 101.0 + number, "g": 6.0}, again=number + 1)


def _publish_elsewhere(store: Database, number: int) -> None:
    publish(store, number, {"f": 7.0, "h": "assert 1 == 2"}, suite="other", branch=("main", None, "dev")[number % 3])


def _publish_pull_request(store: Database, number: int) -> None:
    run, results, *_ = entry(number, {"f": 300.0}, commit=sha(100 + number))
    store.publish([replace(result, pr_number=7) for result in results], replace(run, pr_number=7))


def _exclude(store: Database, number: int) -> None:
    found = store.runs().select("run_key").collect()["run_key"].sort().to_list()
    store.exclude([found[number % len(found)]], reason="noisy", lifted=False, at=number, by="me")


def _remove(store: Database, number: int) -> None:
    found = store.runs().select("run_key").collect()["run_key"].sort().to_list()
    store.remove_runs([found[(number + 3) % len(found)]] if len(found) > 2 else [])


def _define(store: Database, number: int) -> None:
    stated: tuple[dict[str, Any], ...] = (
        {"kind": "alias", "field": "benchmark", "pattern": "g", "value": f"G {number}"},
        {"kind": "better", "pattern": "time", "value": "higher"},
        {"kind": "join", "pattern": "f", "value": "g"},
        {"kind": "threshold", "pattern": "benchmark=f", "value": f"{number + 1}%"},
    )
    store.define([Definition(at=number, **stated[number % len(stated)])])


def _derive(store: Database, number: int) -> None:
    """Publish results of two metrics, and define a third one of them."""
    _publish_two_metrics(store, number)
    store.define([Definition(kind="metric", pattern="rate", value=f"items / time * {number + 1}", at=number)])


def _publish_two_metrics(store: Database, number: int, pull_request: int | None = None) -> None:
    run, results, *_ = _two_metrics(number, pull_request)
    store.publish(results, run)


def _two_metrics(number: int, pull_request: int | None = None) -> Entry:
    run, results, *_ = entry(number, {"f": 100.0 + number % 3}, suite="derived")
    time = replace(results[0], pr_number=pull_request)
    items = replace(time, metric="items", units="items", values=Samples([1000.0]))
    return Entry(replace(run, pr_number=pull_request), [time, items])


def _find(store: Database, number: int) -> None:
    keys = store.latest()["series_key"].to_list()
    if keys:
        found_at = found(f"f{number}", keys[number % len(keys)], 1, commit=sha(1), state=("open", "fixed")[number % 2])
        store.record_findings([found_at])


def _annotate(store: Database, number: int) -> None:
    store.define([Definition(kind="annotation", pattern=sha(number), value=f"note {number}", at=number)])


def _maintain(store: Database, _number: int) -> None:
    store.optimize()


_CHANGES = (
    _publish,
    _publish_again,
    _publish_elsewhere,
    _publish_pull_request,
    _exclude,
    _remove,
    _define,
    _derive,
    _find,
    _annotate,
    _maintain,
)


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


class TestAsNew:
    """A site that is written again and again has the files of a new one, byte for byte, whatever changed in between."""

    @pytest.mark.slow
    @settings(sized("laws", 3, full=60))
    @given(st.lists(st.tuples(st.sampled_from(_CHANGES), st.integers(0, 8)), min_size=1, max_size=8))
    def test_after_any_changes(self, changes: list[tuple[Callable[[Database, int], None], int]]) -> None:
        with tempfile.TemporaryDirectory() as directory:
            here = Path(directory)
            store = connect(here / "store", create=True)
            publish_all(store, [entry(number, {"f": 100.0 + number, "g": 5.0}) for number in range(7)])
            site(store, here / "kept", at=0)
            for number, (change, at) in enumerate(changes):
                change(store, at)
                site(store, here / "kept", at=0)
                site(store, here / f"new {number}", at=0)
                assert contents(here / "kept") == contents(here / f"new {number}"), change.__name__

    @pytest.mark.slow
    def test_after_each_change(self, tmp_path: Path) -> None:
        """Each kind of change changes files, and one of a pull request its own: its points, the list of them, and the page that names the list."""
        store = connect(tmp_path / "store", create=True)
        publish_all(store, [entry(number, {"f": 100.0 + number, "g": 5.0}) for number in range(7)])
        site(store, tmp_path / "kept", at=0)
        for change in _CHANGES:
            change(store, 7)
            done = site(store, tmp_path / "kept", at=0)
            site(store, tmp_path / change.__name__, at=0)
            assert contents(tmp_path / "kept") == contents(tmp_path / change.__name__), change.__name__
            assert (done.written == 0) == (change is _maintain), change.__name__
            assert change is not _publish_pull_request or (done.written, done.removed) == (3, 1)

    @pytest.mark.slow
    def test_another_release(self, store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        site(store, tmp_path, at=0)
        before = contents(tmp_path)
        monkeypatch.setattr("bench_db.app.site.version", lambda _name: "99")
        site(store, tmp_path, at=0)
        shards = {path for path in before if re.match(r"(data|samples)/[0-9a-f]{16}-1-0-", path)}
        assert len(shards) == 2
        assert not shards & set(contents(tmp_path))

    @pytest.mark.slow
    def test_a_series_that_is_gone(self, store: Database, tmp_path: Path) -> None:
        both, one = contents_of(store, tmp_path / "a", "*"), contents_of(store, tmp_path / "a", "f")
        assert one == contents_of(store, tmp_path / "b", "f")
        assert len(both) == len(one)  # both are in one shard

    @pytest.mark.slow
    def test_a_series_of_a_shard_is_left_out(self, store: Database, tmp_path: Path) -> None:
        """Nothing is computed for the shard, which has another series less."""
        contents_of(store, tmp_path / "kept", "*")
        assert contents_of(store, tmp_path / "kept", "f") == contents_of(store, tmp_path / "new", "f")

    @pytest.mark.slow
    def test_progress(self, store: Database, tmp_path: Path) -> None:
        seen: list[tuple[int, int, str]] = []

        class Seen(Silent):
            def __call__(self, done: int, total: int, doing: str = "") -> None:
                seen.append((done, total, doing))

        site(store, tmp_path, progress=Seen())
        assert seen[-1] == (2, 2, "making files of series")

    def test_it_rarely_searches_for_reference_cycles(self, store: Database, tmp_path: Path) -> None:
        before, during = gc.get_threshold(), list[int]()

        class Asked(Silent):
            def __call__(self, done: int, total: int, doing: str = "") -> None:  # noqa: ARG002 as the protocol
                during.append(gc.get_threshold()[0])

        gc.set_threshold(700, 10, 10)
        try:
            site(store, tmp_path, progress=Asked())
            assert min(during) > 700
            assert gc.get_threshold() == (700, 10, 10)
        finally:
            gc.set_threshold(*before)

    def test_it_is_made_from_the_projection(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        made = connect(tmp_path / "store", create=True)
        publish_all(made, [entry(number, {"f": 1.0 + number}) for number in range(7)])
        made.optimize()
        caplog.set_level("DEBUG", logger="bench_db.store.projection")
        site(made, tmp_path / "out")
        answered = [record.args for record in caplog.records if "levels answer" in record.msg]
        assert len(answered) >= 3
        assert {rest for _, rest in answered} == {0}  # type: ignore[misc]


class TestNewerPoints:
    """A site reads the points that it has read no more, as long as they count, and newer ones leave their runs as they were."""

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("change", "number", "goes_on"),
        [
            (_publish, 7, True),
            (_publish_elsewhere, 9, True),
            (_publish_pull_request, 7, True),
            (_find, 7, True),
            (_annotate, 7, True),
            (_define, 3, True),
            (_publish_again, 6, False),
            (_publish_elsewhere, 3, True),
            (_exclude, 7, False),
            (_remove, 7, False),
            (_define, 0, False),
            (_derive, 7, False),
            (_maintain, 7, False),
        ],
    )
    def test_after_a_change(
        self,
        change: Callable[[Database, int], None],
        number: int,
        goes_on: bool,  # noqa: FBT001
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        store, asked = connect(tmp_path / "store", create=True), list[object]()
        for earlier in range(7):
            publish(store, earlier, {"f": 100.0 + earlier, "g": 5.0, "h": "error"})
        site(store, tmp_path / "kept", at=0)
        change(store, number)
        availability = Database.availability

        def counted(*given: Any) -> pl.DataFrame:
            asked.append(given)
            return availability(*given)

        monkeypatch.setattr(Database, "availability", counted)
        site(store, tmp_path / "kept", at=0)
        assert (asked == []) == goes_on
        site(store, tmp_path / "new", at=0)
        assert len(asked) == (1 if goes_on else 2)
        assert contents(tmp_path / "kept") == contents(tmp_path / "new")

    def test_a_store_that_is_known_to_be_damaged_is_read_whole(
        self, store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site(store, tmp_path / "kept", at=0)
        _find(store, 1)
        monkeypatch.setattr(Database, "state", "")
        monkeypatch.setattr(Database, "rows_beyond", lambda *_: pytest.fail("it goes on from what was sound"))
        site(store, tmp_path / "kept", at=0)

    @pytest.mark.parametrize("broken", ["rows", "tally"])
    def test_a_file_of_the_earlier_build_is_gone(self, broken: str, store: Database, tmp_path: Path) -> None:
        site(store, tmp_path / "kept", at=0)
        next((tmp_path / "kept" / "data").glob(f"*{broken}-*.js")).unlink()
        _find(store, 1)
        site(store, tmp_path / "kept", at=0)
        site(store, tmp_path / "new", at=0)
        assert contents(tmp_path / "kept") == contents(tmp_path / "new")


class TestNothingNew:
    """A site whose store, arguments, configuration, release and files are as they were is not made again, and any other one is."""

    @pytest.fixture
    def made(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., bool]:
        """Return what writes a site again, and says whether it was made anew."""
        monkeypatch.chdir(tmp_path)
        calls: list[object] = []

        def counted(*given: Any, **asked: Any) -> SiteContent:
            calls.append(given)
            return site_content(*given, **asked)

        monkeypatch.setattr("bench_db.app.site.site_content", counted)

        def again(store: Database, at: int = 1_000_000, **asked: Any) -> bool:
            before, done = len(calls), site(store, tmp_path / "out", at=at, **asked)
            files = contents(tmp_path / "out")
            assert (done.files, done.bytes) == (
                len(files) - 1,
                sum(map(len, files.values())) - len(files["manifest.json"]),
            )
            new, made_anew = tmp_path / f"new {len(calls)}", len(calls) > before
            if made_anew:
                site(store, new, at=at, **asked)
                assert contents(new) == files
            return made_anew

        return again

    def test_nothing(self, made: Callable[..., bool], store: Database) -> None:
        assert [made(store), made(store), made(connect(store.uri))] == [True, False, False]
        assert not made(store, branch=None)

    @pytest.mark.slow
    @pytest.mark.parametrize("change", [change for change in _CHANGES if change not in {_remove, _maintain}])
    def test_a_write(
        self, change: Callable[[Database, int], None], made: Callable[..., bool], store: Database, tmp_path: Path
    ) -> None:
        own = connect(tmp_path / "store", create=True)
        store.copy_to(own)
        made(own)
        change(own, 8)
        assert [made(own), made(own)] == [True, False]

    @pytest.mark.slow
    def test_arguments(self, made: Callable[..., bool], store: Database) -> None:
        for asked in (
            {"title": "Mine"},
            {"commit_url": "https://example.org/{commit}"},
            {"samples": 3},
            {"charts": ["f"]},
            {"benchmark": "f"},
            {"at": 0},
        ):
            made(store)
            assert [made(store, **asked), made(store, **asked)] == [True, False], asked

    def test_a_past_version_is_made_each_time(self, made: Callable[..., bool], store: Database) -> None:
        assert [made(store, as_of=str(store.version)) for _ in range(2)] == [True, True]

    @pytest.mark.slow
    def test_the_clock(self, made: Callable[..., bool], store: Database) -> None:
        """It decides only from when on results are stale."""
        newest = max(
            time for run in store.latest().select("run_time", "dut_timestamp").iter_rows() for time in run if time
        )
        ends = newest + RULES.badge_days * 86_400
        assert [made(store, at=at) for at in (ends - 1, ends, ends + 1, ends + 9, ends)] == [
            True,
            False,
            True,
            False,
            True,
        ]

    @pytest.mark.slow
    def test_the_configuration_the_release_and_the_code(
        self, made: Callable[..., bool], store: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made(store)
        Path("bench-db.toml").write_text('[project]\nname = "d"\n')
        assert [made(store), made(store)] == [True, False]
        monkeypatch.setattr("bench_db.app.site.version", lambda _name: "99")
        assert [made(store), made(store)] == [True, False]
        monkeypatch.setattr("bench_db.app.site._OF_CODE", {".py"})
        assert [made(store), made(store)] == [True, False]

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "change",
        [
            lambda out: (out / "index.html").write_text("mine"),
            lambda out: next((out / "data").iterdir()).unlink(),
            lambda out: (out / "unfinished.txt").write_text("data/new-1.js\n"),
            lambda out: (out / "manifest.json").unlink(),
            lambda out: (out / "manifest.json").write_bytes((out / "manifest.json").read_bytes()[:-20]),
            lambda out: (out / "manifest.json").write_text(_without_a_line((out / "manifest.json").read_text())),
        ],
        ids=["edited", "removed", "killed", "no manifest", "torn manifest", "edited manifest"],
    )
    def test_the_files(
        self, change: Callable[[Path], object], made: Callable[..., bool], store: Database, tmp_path: Path
    ) -> None:
        made(store)
        change(tmp_path / "out")
        if not read_manifest(_bytes(tmp_path / "out/manifest.json")):  # the page would be that of somebody else
            (tmp_path / "out/index.html").unlink()
        assert [made(store), made(store)] == [True, False]

    @pytest.mark.slow
    def test_two_builds_at_once(self, store: Database, tmp_path: Path) -> None:
        """One build ends while another one writes its files: the next one leaves all files of a new site."""
        first = Tree(tmp_path / "out")
        files = [*Site(site_content(store, Selection())).files()]

        def written() -> Iterator[tuple[str, bytes | None]]:
            yield from files[: len(files) // 2]
            site(store, tmp_path / "out", at=0, title="Another")
            yield from files[len(files) // 2 :]

        first.write(written())
        for title in ("Another", "Mine"):
            site(store, tmp_path / "out", at=0, title=title)
            site(store, tmp_path / title, at=0, title=title)
            assert contents(tmp_path / title).items() <= contents(tmp_path / "out").items()

    def test_a_file_of_progress_that_could_not_be_read(self, made: Callable[..., bool], tmp_path: Path) -> None:
        own = connect(tmp_path / "store", create=True)
        publish_all(own, [entry(0, {"f": 1.0})])
        key = own.runs().collect()["run_key"].item()
        own.put_artifact(b"time,load\n1,2\n2,3\n", kind="log", added_at=1, name="load.csv", run=key)
        (stored,) = (path for path in (tmp_path / "store/artifacts").rglob("*") if path.is_file())
        content = stored.read_bytes()
        stored.unlink()
        assert [made(own), made(own)] == [True, True]
        stored.write_bytes(content)
        assert [made(own), made(own)] == [True, False]


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _without_a_line(manifest: str) -> str:
    """Return a manifest without one of its files."""
    return re.sub(r'"data/settings-[^\n]*\n', "", manifest)


def contents_of(store: Database, out: Path, benchmark: str) -> dict[str, bytes]:
    site(store, out, at=0, benchmark=benchmark)
    return contents(out)
