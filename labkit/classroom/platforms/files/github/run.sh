#!/bin/sh
# Written by ./lab class pack github. Judges what is in this repository and gives the result to the steps that follow.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
work=${RUNNER_TEMP:-$here/.tmp}/lab
repository=${GITHUB_WORKSPACE:-$(dirname "$here")}
mkdir -p "$work"
"${LAB_PYTHON:-python3}" -m zipfile -e "$here/kit.zip" "$work/kit" || exit 75
[ -n "${LAB_PYTHON:-}" ] || sh "$work/kit/lab" setup || exit 75
# Ubuntu's runners refuse namespaces until they are asked to allow them
[ -n "${LAB_PYTHON:-}" ] || sudo sysctl -q -w kernel.apparmor_restrict_unprivileged_userns=0 || true
# the student's files, with the commit that tells when, without what belongs to this look
cp -R "$repository/." "$work/submission" && rm -rf "$work/submission/.grader" "$work/submission/.github"
"${LAB_PYTHON:-$work/kit/.venv/bin/python}" -m labkit.classroom.platforms.running github \
  --submission "$work/submission" --out "$work/result.json"
status=$?
[ -z "${GITHUB_OUTPUT:-}" ] || printf 'result=%s\n' "$(base64 <"$work/result.json" | tr -d '\n')" >>"$GITHUB_OUTPUT"
"${LAB_PYTHON:-python3}" - "$work/result.json" <<'END'
import json, sys
value = json.load(open(sys.argv[1]))
points, most = sum(test["score"] for test in value["tests"]), value["max_score"]
if most:
    print(f"::notice title=Autograding complete::Points {points}/{most}")
    print("::notice title=Autograding report::" + json.dumps({"totalPoints": points, "maxPoints": most}))
for test in value["tests"]:
    print(f"{test['status']:<6} {test['score']:>3}  {test['name']}")
END
exit "$status"
