"""Corrections of moto's Lambda, and reading its records."""
