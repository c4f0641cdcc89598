from __future__ import annotations

import pytest

from bench_db.report.links import commit_pattern, difference_pattern


class TestPatterns:
    """The address of a CI run tells where its forge shows commits and differences."""

    @pytest.mark.parametrize(
        ("repository", "run_url", "commit", "difference"),
        [
            (
                "me/lib",
                "https://github.com/me/lib/actions/runs/7",
                "https://github.com/me/lib/commit/{commit}",
                "https://github.com/me/lib/compare/{before}...{commit}",
            ),
            (
                "group/sub/lib",
                "https://gitlab.example/group/sub/lib/-/pipelines/7",
                "https://gitlab.example/group/sub/lib/-/commit/{commit}",
                "https://gitlab.example/group/sub/lib/-/compare/{before}...{commit}",
            ),
            ("me/lib", "https://ci.example/job/7", "", ""),
            ("me/lib", "http://github.com/me/lib/actions/runs/7", "", ""),
            (None, "https://github.com/me/lib/actions/runs/7", "", ""),
            ("me/lib", None, "", ""),
        ],
    )
    def test_of_a_run(self, repository: str | None, run_url: str | None, commit: str, difference: str) -> None:
        pattern = commit_pattern(repository, run_url)
        assert (pattern, difference_pattern(pattern)) == (commit, difference)

    def test_a_pattern_of_another_forge(self) -> None:
        assert difference_pattern("https://cgit.example/lib/?id={commit}") == ""
