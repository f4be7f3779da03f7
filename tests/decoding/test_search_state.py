"""Authority: the formulas of Wu et al. 2016 (eq. 14) and of Vaswani et al.'s recipe, by hand."""

import pytest

from pellucid.config.decoding import DecodingConfig
from pellucid.decoding.search_state import length_norm


@pytest.mark.parametrize(
    ("form", "alpha", "length", "expected"),
    [
        ("power", 1.0, 7, 7.0),
        ("power", 0.5, 16, 4.0),
        ("power", 0.0, 9, 1.0),
        ("gnmt", 1.0, 1, 1.0),
        ("gnmt", 1.0, 7, 2.0),
        ("gnmt", 0.6, 19, 4.0**0.6),
        ("gnmt", 0.0, 30, 1.0),
    ],
)
def test_length_norm(form, alpha, length, expected):
    config = DecodingConfig(length_norm=form, alpha=alpha)
    assert length_norm(length, config) == pytest.approx(expected, rel=1e-12)
