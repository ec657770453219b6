#!/bin/sh
# Written by ./lab class pack gradescope. Runs once, as root, when the image is made.
set -eu
source=/autograder/source
find_python() { for name in python3.13 python3.12 python3.11; do command -v "$name" && return 0; done; return 1; }
if ! find_python >/dev/null; then
  apt-get update -qq
  apt-get install -y -qq python3.12 python3.12-venv || apt-get install -y -qq python3.11 python3.11-venv
fi
command -v unzip >/dev/null || apt-get install -y -qq unzip
mkdir -p "$source/kit"
unzip -q -o "$source/kit.zip" -d "$source/kit"
PYTHON=$(find_python) sh "$source/kit/lab" setup
# what students must not read belongs to root alone; their code runs as users of its own
chmod -R go-rwx "$source/kit/solution" "$source/kit/grader" "$source/kit.zip" "$source/kit/private"
command -v terraform >/dev/null || command -v tofu >/dev/null \
  || echo "Terraform is not in this image: submissions made with it will not be judged. Install it here if your course takes it."
