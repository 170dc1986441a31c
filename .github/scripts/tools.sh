#!/usr/bin/env bash
# The files of one target's release, a line each. On Windows there are the tools that judge; what moves an environment, and the
# umbrella and the agent with it, are made of Unix processes, signals and sockets.
#
#   tools.sh TARGET
set -euo pipefail
case $1 in
  *-windows-*) printf '%s.exe\n' gate-check health-verify security-scan ;;
  *) printf '%s\n' deploy gate-check health-verify rollback security-scan windlass windlassd ;;
esac
