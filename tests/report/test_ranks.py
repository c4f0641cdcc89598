from __future__ import annotations

from bench_db.query.ranks import means, of_values, ranked
from bench_db.report.ranks import ranks_text
from tests.query.test_ranks import frame

TEXT = """\
framework  score  common  mean rank  first  ranked  missing  failed
─────────  ─────  ──────  ─────────  ─────  ──────  ───────  ──────
a          1.000       1       1.00      2       2        0       0
b          0.500       1       2.00      0       1        0       1
"""


class TestRanksText:
    """The values come first, then their means, then every benchmark with its ranks."""

    def test_each_table(self) -> None:
        places = ranked(frame({("f", "a"): 1.0, ("f", "b"): 2.0, ("g", "a"): 1.0, ("g", "b"): None}))
        lines = ranks_text("framework", places, of_values(places), means(places), without=2).splitlines()
        assert lines[:4] == TEXT.splitlines()
        assert [line.split() for line in lines if line.startswith("time")] == [
            ["time", "a", "1", "ns", "1"],
            ["time", "b", "2", "ns", "1"],
        ]
        assert [line.split()[-1] for line in lines if " bed " in line][1:] == ["ns", "%", "ns", "failed"]
        assert lines[-1] == "left out: 2 results without the tag framework"
