"""Origins of CORS rules: plain moto makes regular expressions of them, which a rule can make last for ever."""

import re

import pytest
from moto.s3 import responses

from labkit.cloud.moto_seam.replacing import Replacements
from labkit.cloud.moto_seam.s3_buckets import correct_buckets


def test_a_rule_is_text_with_a_star() -> None:
    """Amazon S3 user guide, "Elements of a CORS configuration": AllowedOrigin."""
    with pytest.raises(re.error):
        responses.cors_matches_origin("http://a", ["http://[a"])
    replacements = Replacements()
    correct_buckets(replacements)
    try:
        fits = responses.cors_matches_origin
        assert fits("http://a.example.com", ["http://*.example.com"])
        assert not fits("http://a.example.com.evil", ["http://*.example.com"])
        assert not fits("http://a", ["http://[a", "http://(a+)+b", "http://?"])
        assert not fits("http://" + "a" * 60, ["http://" + "*a" * 20 + "*b"])
        assert not fits(None, ["http://a"])
    finally:
        replacements.undo()
