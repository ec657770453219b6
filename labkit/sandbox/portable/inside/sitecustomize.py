"""Imported by every Python of an instance before anything else."""

from _lab_portable.start import in_instance  # type: ignore[import-not-found]

in_instance()
