#!/bin/sh
# Written by ./lab class pack prairielearn. The entrypoint; there is a results.json whatever happens.
here=${LAB_GRADE:-/grade}
kit=$here/kit
mkdir -p "$here/results" "$kit"
printf '{"gradable": false, "format_errors": ["Not judged: the grader did not start. Tell your instructor."]}\n' >"$here/results/results.json"
"${LAB_PYTHON:-python3}" -m zipfile -e "$here/tests/kit.zip" "$kit" || exit 75
chmod -R go-rwx "$here/tests" "$kit/solution" "$kit/grader" "$kit/private"
cd "$here" || exit 75
exec "${LAB_PYTHON:-/lab/python}" -m labkit.classroom.platforms.running prairielearn \
  --submission "$here/student" --out "$here/results/results.json" --key "$kit/private/grader.key"
