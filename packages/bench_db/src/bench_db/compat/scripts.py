"""The command lines of lance-bench's scripts, translated to those of bench-db."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

# The verb of each script, with the flags that it always has.
VERBS = {
    "schedule_benchmarks": ("schedule",),
    "backfill_benchmarks": ("backfill", "--engine", "github"),
    "merge_pr_results": ("pr", "merge"),
    "post_pr_comment": ("pr", "comment"),
    "process_pr_comment": ("pr", "process-comment"),
    "compare_pr_benchmarks": ("pr", "compare"),
}
_RENAMED: Mapping[str, Mapping[str, str]] = {
    "process_pr_comment": {"--output": "--command-file"},
    "compare_pr_benchmarks": {"--pr-number": "--pr", "--output": "--report"},
}
# Limits of the old method, accepted and without effect: `bench-db compare --method lance-bench-z` is that method.
_UNUSED: Mapping[str, Collection[str]] = {
    "compare_pr_benchmarks": {"--baseline-limit", "--threshold", "--min-baseline-count"},
}


class Translated(NamedTuple):
    """The arguments of `bench-db`, and the token that the script took as a flag, None for none."""

    arguments: tuple[str, ...]
    token: str | None = None


def translated(script: str, arguments: Sequence[str]) -> Translated:
    """Translate the arguments of a script: flags are renamed, those without effect and the token are removed."""
    renamed, unused = _RENAMED.get(script, {}), _UNUSED.get(script, ())
    words, kept, token = iter(arguments), [*VERBS[script]], None
    for word in words:
        if word in unused:
            next(words, None)
        elif script == "post_pr_comment" and word == "--token":
            token = next(words, None)
            kept += [word] if token is None else []  # a flag without a value is for the verb to refuse
        else:
            kept.append(renamed.get(word, word))
    return Translated(tuple(kept), token)
