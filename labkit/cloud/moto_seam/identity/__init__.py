"""Corrections of moto's IAM and STS, and reading its records."""
