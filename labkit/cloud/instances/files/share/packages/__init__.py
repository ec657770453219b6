"""dnf and yum: what a boot script installs on Amazon Linux.

The files are in the image already, out of sight; installing a package makes its programs appear. Amazon's
repository is asked all the same: without a way to S3 nothing is installed, as on AWS (AL2023 user guide,
"Getting started with AL2023 in a VPC": its repositories lie in S3).

What belongs here: the packages and the commands about them. What does not: the programs. Runs inside the instance, by
this machine's interpreter: standard library only.
"""
