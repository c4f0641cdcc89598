window.BENCHMARK_DATA = {
  "lastUpdate": 1774933028658,
  "repoUrl": "https://github.com/benchmark-action/github-action-benchmark",
  "entries": {
    "Rust Benchmark": [
      {
        "commit": {
          "author": {
            "email": "someone@example.org",
            "name": "Someone",
            "username": "someone"
          },
          "committer": {
            "email": "someone@example.org",
            "name": "Someone",
            "username": "someone"
          },
          "distinct": true,
          "id": "45d78258e495044a551046f50604da3c893052ce",
          "message": "add benchmark.js example workflow",
          "timestamp": "2019-11-10T00:06:58+09:00",
          "tree_id": "59cf1e78101c09beef06aa1832e1caa09ec52246",
          "url": "https://github.com/rhysd/github-action-benchmark/commit/45d78258e495044a551046f50604da3c893052ce"
        },
        "date": 1573312140323,
        "tool": "cargo",
        "benches": [
          {
            "name": "bench_fib_10",
            "value": 254,
            "range": "+/- 35",
            "unit": "ns/iter"
          },
          {
            "name": "bench_fib_20",
            "value": 34001,
            "range": "+/- 2,802",
            "unit": "ns/iter"
          }
        ]
      },
      {
        "commit": {
          "author": {
            "email": "someone@example.org",
            "name": "Someone",
            "username": "someone"
          },
          "committer": {
            "email": "someone@example.org",
            "name": "Someone",
            "username": "someone"
          },
          "distinct": true,
          "id": "b840614fd88743f234aac0dc747a0a70616f450f",
          "message": "add benchmark.js example workflow",
          "timestamp": "2019-11-10T00:10:02+09:00",
          "tree_id": "6099d0c81edd50c38c15007ca5c08740b049c944",
          "url": "https://github.com/rhysd/github-action-benchmark/commit/b840614fd88743f234aac0dc747a0a70616f450f"
        },
        "date": 1573312301293,
        "tool": "cargo",
        "benches": [
          {
            "name": "bench_fib_10",
            "value": 242,
            "range": "+/- 73",
            "unit": "ns/iter"
          },
          {
            "name": "bench_fib_20",
            "value": 35940,
            "range": "+/- 12,469",
            "unit": "ns/iter"
          }
        ]
      }
    ],
    "Python Benchmark with pytest-benchmark": [
      {
        "commit": {
          "author": {
            "email": "someone@example.org",
            "name": "Someone",
            "username": "someone"
          },
          "committer": {
            "email": "someone@example.org",
            "name": "Someone",
            "username": "someone"
          },
          "distinct": true,
          "id": "c38cce98215cf75e178ecd5a0c1a1ab215e93006",
          "message": "release v1.22.0",
          "timestamp": "2026-03-31T06:53:51+02:00",
          "tree_id": "bcd62a1fb1374f67221a37001260ca831840ac40",
          "url": "https://github.com/benchmark-action/github-action-benchmark/commit/c38cce98215cf75e178ecd5a0c1a1ab215e93006"
        },
        "date": 1774932868914,
        "tool": "pytest",
        "benches": [
          {
            "name": "bench.py::test_fib_10",
            "value": 76327.03241590009,
            "unit": "iter/sec",
            "range": "stddev: 0.0000012571315525798022",
            "extra": "mean: 13.101518143022743 usec\nrounds: 29984"
          },
          {
            "name": "bench.py::test_fib_20",
            "value": 604.5755406814991,
            "unit": "iter/sec",
            "range": "stddev: 0.000018037065721222928",
            "extra": "mean: 1.6540530218486251 msec\nrounds: 595"
          }
        ]
      }
    ]
  }
}