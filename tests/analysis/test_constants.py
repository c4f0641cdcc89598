from __future__ import annotations

import pytest

from bench_db.analysis.constants import PROFILES, Constants, Profile, for_scan
from bench_db.rules import RULES


class TestProfiles:
    """A stricter profile asks for smaller p-values; all profiles share the rules of the project."""

    def test_alpha_follows_the_order(self) -> None:
        strict, default, sensitive = (PROFILES[p] for p in (Profile.STRICT, Profile.DEFAULT, Profile.SENSITIVE))
        assert strict.squares_alpha < default.squares_alpha < sensitive.squares_alpha
        assert strict.fourier_alpha < default.fourier_alpha < sensitive.fourier_alpha
        assert strict.pairs_alpha < default.pairs_alpha
        assert strict.alpha < default.alpha
        assert sensitive.step_weight < default.step_weight
        assert sensitive.fourier_penalty < default.fourier_penalty

    def test_the_quiet_one_leaves_out_least_squares(self) -> None:
        assert [p for p in Profile if not PROFILES[p].squares] == [Profile.QUIET]

    def test_the_shortest_series_is_that_of_the_rules(self) -> None:
        assert {c.minimum_points for c in PROFILES.values()} == {RULES.detection_runs}


class TestForScan:
    """A scan is never readier to report than the profile, and keeps the significance levels of the profile."""

    def test_one_series_has_none_of_its_precautions(self) -> None:
        for one in PROFILES.values():
            assert (one.autoregressive, one.short_side, one.visit_until) == (False, 0.0, 0)

    @pytest.mark.parametrize("profile", Profile)
    def test_stricter_about_noise(self, profile: Profile) -> None:
        one, many = PROFILES[profile], for_scan(profile)
        assert many.autoregressive
        assert many.short_side > one.short_side
        assert many.visit_until > one.visit_until
        assert many.step_weight > one.step_weight
        assert many.inflation_most > one.inflation_most
        assert many.fourier_penalty > one.fourier_penalty
        assert many.prior < one.prior
        assert many.precedent < one.precedent
        assert many.slope > one.slope

    @pytest.mark.parametrize("profile", Profile)
    def test_the_profile_decides_the_rest(self, profile: Profile) -> None:
        one, many = PROFILES[profile], for_scan(profile)
        changed = {name for name in Constants._fields if getattr(one, name) != getattr(many, name)}
        assert changed == {
            "step_weight",
            "inflation_most",
            "autoregressive",
            "short_side",
            "precedent",
            "precedent_most",
            "visit_until",
            "prior",
            "slope",
            "fourier_penalty",
        }
