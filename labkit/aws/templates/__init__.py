"""CloudFormation's template language: reading the source, parameters, references, intrinsic functions."""
