"""What an adapter returns."""

import pytest

from bench_db.ingest.reading import RefusedError, Skip, SkipReason


class TestRefusedError:
    """A refusal carries the reason and the detail apart, and shows both in one line."""

    def test_apart(self) -> None:
        with pytest.raises(RefusedError, match=r"^no-name: at position 3$") as raised:
            raise RefusedError(SkipReason.NO_NAME, "at position 3")
        assert (raised.value.reason, raised.value.detail) == (SkipReason.NO_NAME, "at position 3")


class TestSkip:
    """A skip shows the benchmark, the reason and the detail of the refusal."""

    def test_text(self) -> None:
        skip = Skip(benchmark="io: read", reason=SkipReason.NEGATIVE_TIME, detail="sample 2")
        assert str(skip) == "io: read: skipped, negative-time: sample 2"

    def test_reasons_are_distinct_words(self) -> None:
        # a run counts its skips by the text of the reason
        assert len({str(reason) for reason in SkipReason}) == len(SkipReason)
        assert all(str(reason).replace("-", "").isalpha() for reason in SkipReason)
