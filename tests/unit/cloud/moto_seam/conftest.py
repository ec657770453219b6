"""One moto server for the tests of its corrections."""

from tests.unit.cloud.moto_seam.fixtures import _refusal, aws, moto, moto_server  # noqa: F401
