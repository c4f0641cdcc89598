from bench_db.model import Commit, Order, Reason, Step, Target
from bench_db.schedule.config import KINDS, Config, Kind, Project, Schedule, Suite
from bench_db.schedule.inputs import correlation_of, of_order, of_step

SUITES = {"rust/a": "rust", "rust/b": "rust", "python": "python", "js": "other"}
SHA = f"{1:040x}"


def step(i: int, *suites: str) -> Step:
    targets = tuple(Target(suite=suite) for suite in suites) or (Target(),)
    return Step(commit=Commit(sha=f"{i:040x}", time=i), targets=targets, reason=Reason.NOT_MEASURED)


def config(suites: dict[str, str] = SUITES, kinds: dict[str, Kind] = KINDS) -> Config:
    made = {name: Suite(benchmark="x", stdout="o", kind=kind) for name, kind in suites.items()}
    return Config(project=Project(name="p"), suite=made, schedule=Schedule(kinds=kinds))


class TestOfStep:
    """The inputs are those that the configuration gives each kind; without any, the commit alone."""

    def test_inputs_name_what_is_missing(self) -> None:
        assert of_step(step(1), config()) == {"git_sha": SHA}
        assert of_step(step(1, "rust/a", "rust/b"), config())["rust_crates"] == "rust/a,rust/b"
        rest = {"git_sha": SHA, "run_rust": "false", "run_python": "true"}
        assert of_step(step(1, "python", "js"), config()) == rest
        assert of_step(step(1, "python"), config()) == {**rest, "python_suites": "python"}

    def test_one_input_for_all_suites(self) -> None:
        kinds = {"any": Kind(label="Suites", suites_input="suites", others=True)}
        assert of_step(step(1, "js", "python"), config(kinds=kinds)) == {"git_sha": SHA, "suites": "js,python"}
        assert of_step(step(1, *SUITES), config(kinds=kinds)) == {"git_sha": SHA}

    def test_a_suite_that_no_input_selects_is_measured_with_all(self) -> None:
        kinds = {"go": Kind(label="Go", run_input="run_go")}
        found = config({"parser": "go", "app": "js"}, kinds)
        assert of_step(step(1, "parser"), found) == {"git_sha": SHA, "run_go": "true"}
        assert of_step(step(1, "parser", "app"), found) == {"git_sha": SHA}


class TestOfOrder:
    """A pull request is measured by the same inputs."""

    def test_inputs(self) -> None:
        about = {"git_sha": SHA, "pr_number": "7", "pr_repo": "o/n"}
        order = Order(commit_sha=SHA, pr_number=7, pr_repo="o/n")
        runs = {"run_rust": "true", "run_python": "true"}
        assert of_order(order, KINDS) == {**about, **runs, "rust_crates": ""}
        named = Order(commit_sha=SHA, pr_number=7, pr_repo="o/n", kinds=("rust",), suites=("rust/a", "rust/b"))
        only = {"run_rust": "true", "run_python": "false"}
        assert of_order(named, KINDS) == {**about, **only, "rust_crates": "rust/a,rust/b"}


class TestCorrelation:
    """A correlation id identifies one attempt."""

    def test_a_correlation_id_is_made_of_what_it_stands_for(self) -> None:
        ids = {correlation_of(step(i, suite), at) for i in (1, 2) for suite in ("a", "b") for at in (1, 2)}
        assert len(ids) == 8
        assert correlation_of(step(1), 1) == correlation_of(step(1), 1)
