"""Statistics of many series on several processes or machines, with the same bits as in one process."""

from bench_db.distributed.detection import Detector
from bench_db.distributed.engine import Engine, opened
from bench_db.distributed.series import noises, summaries

__all__ = ["Detector", "Engine", "noises", "opened", "summaries"]
