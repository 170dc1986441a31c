#!/usr/bin/env bash
# Runs one of the tools in a GitLab job: gitlab.sh TOOL ARGUMENTS...
#
# A component comes without files beside it, so this script, run.sh and the manifest are carried within the template and
# written out by the job; run.sh beside this one finds the tool. What is left for here is what only GitLab needs:
#
#   WINDLASS_SIGNING_KEY_VARIABLE   names the variable that holds the key, since a masked one does not expand in an input
#   WINDLASS_APPROVAL               a signed approval, as whoever starts a manual job gives it: added to the evidence
#   WINDLASS_AFTER=health-verify    go back only where the health check before this job judged no
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tool=${1:-}

end() { # CODE WHAT HINT
  printf 'windlass: %s\n  hint: %s\n' "$2" "$3" >&2
  exit "$1"
}

# The variable that says it, not its value: a job's log is read by many.
name=${WINDLASS_SIGNING_KEY_VARIABLE:-WINDLASS_SIGNING_KEY}
case $name in
  [A-Za-z_]*) ;;
  *) end 2 "signing-key-variable is not the name of a variable" "give the name alone, without a dollar sign" ;;
esac
case $name in
  *[!A-Za-z0-9_]*) end 2 "signing-key-variable is not the name of a variable" "give the name alone, without a dollar sign" ;;
esac
if [ -n "${!name:-}" ]; then
  export WINDLASS_SIGNING_KEY=${!name}
elif [ "$name" != WINDLASS_SIGNING_KEY ]; then
  end 2 "this job has no variable $name to sign with" \
    "a protected variable reaches only protected branches and tags, and one of an environment only its jobs"
fi

evidence=${WINDLASS_EVIDENCE:-.windlass/evidence.intoto.jsonl}
if [ -n "${WINDLASS_APPROVAL:-}" ] && [ "$tool" != rollback ]; then
  # A variable of type file names its file.
  approval=$WINDLASS_APPROVAL
  if [ -f "$approval" ]; then approval=$(cat "$approval"); fi
  mkdir -p "$(dirname "$evidence")"
  if [ ! -f "$evidence" ] || ! grep -qxF -- "$approval" "$evidence"; then
    printf '%s\n' "$approval" >>"$evidence"
  fi
fi

if [ "$tool" = rollback ] && [ "${WINDLASS_AFTER:-}" = health-verify ]; then
  case ${HEALTH_VERIFY_OUTCOME:-} in
    failed) ;;
    passed)
      printf 'windlass: nothing is rolled back: the health check passed\n' >&2
      exit 0
      ;;
    '')
      end 4 "nothing is rolled back: no health check of this pipeline has said anything" \
        "a deploy that failed put the environment back itself; else decide, and run the rollback by hand"
      ;;
    *)
      end 4 "nothing is rolled back: the health check could not judge" \
        "look at its job; it can be run again, and the rollback that is run by hand asks nobody"
      ;;
  esac
fi

# What an earlier job handed on under this name is not this job's answer.
rm -f "${WINDLASS_REPORT_DIR:-.windlass}/$tool.env"
exec bash "$here/run.sh" "$@"
