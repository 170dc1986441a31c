#!/usr/bin/env bash
# Finds the Windlass tool of exactly this tree's version, checks it, and becomes it.
#
#   run.sh TOOL [ARGUMENT]…       becomes the tool: signals and the exit code are its own
#   run.sh --path                 prints the folder that holds the tools, for a later step's PATH
#
# Looked for in this order; what is found later is never preferred to what is found sooner:
#   1. WINDLASS_BIN               a folder that holds the tools, trusted as it is
#   2. PATH                       a tool of exactly this version
#   3. RUNNER_TOOL_CACHE          hashed again before it is used
#   4. WINDLASS_MIRROR            https://host/folder that holds the release's archives; WINDLASS_MIRROR_TOKEN goes there alone
#   5. the release itself         WINDLASS_RELEASES, else GITHUB_SERVER_URL's release page of this repository
#   6. cargo                      only where WINDLASS_BUILD=true: built from this tree
# An archive must have the sha256 that `manifest` beside this script names: it came with the tree, not with the download.
# WINDLASS_ATTESTATION=auto|require|off says whether `gh attestation verify` must agree too.
#
# Kept to what bash 3.2 knows, which macOS still ships. On Windows it is the bash of Git for Windows, which has the rest, too.
set -euo pipefail

# No program is started before it is needed: each costs a millisecond or more in every step.
here=${BASH_SOURCE[0]%/*}
if [ "$here" = "${BASH_SOURCE[0]}" ]; then here=.; fi
manifest=$here/manifest
work=

# A line of the log, which nothing in it can end or begin anew.
say() { printf '%s\n' "${1//[[:cntrl:]]/ }" >&2; }

# Says why there is no tool, and what to do: in the log, and where there is one in the job's summary, verdict first.
explain() { # OUTCOME MESSAGE HINT...
  local outcome=$1 line text
  text="windlass: ${2//[[:cntrl:]]/ }"
  shift 2
  for line in "$@"; do
    text="$text
  hint: ${line//[[:cntrl:]]/ }"
  done
  printf '%s\n' "$text" >&2
  if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
    # What is fenced is shown as it is written; no line of it can be the fence.
    printf '## %s: no tool was run\n\n~~~text\n%s\n~~~\n' "$outcome" "$text" >>"$GITHUB_STEP_SUMMARY" || true
  fi
  if [ -n "${GITHUB_OUTPUT:-}" ]; then printf 'outcome=%s\n' "$outcome" >>"$GITHUB_OUTPUT" || true; fi
}

# Exit 3, could not judge: nothing was run.
fail() { # MESSAGE HINT...
  explain unknown "$@"
  if [ "${GITHUB_ACTIONS:-}" = true ]; then
    printf '::error title=windlass::the tool cannot be had; see the log above\n' >&2
  fi
  exit 3
}

# Exit 2: the step itself is wrong.
wrong() { # MESSAGE HINT
  explain invalid "$@"
  exit 2
}

clean() { if [ -n "$work" ]; then rm -rf "$work"; fi; }
trap clean EXIT

word() { # NAME VALUE ALLOWED...
  local name=$1 value=$2 one
  shift 2
  for one in "$@"; do if [ "$value" = "$one" ]; then return 0; fi; done
  wrong "$name is not one of: $*" "correct the input of that name"
}

[ -r "$manifest" ] || fail "there is no manifest beside $here/run.sh" "refer to a released version of this action"
version='' repository='' promises=''
while read -r kind value file; do
  case $kind in
    version) version=$value ;;
    repository) repository=$value ;;
    sha256) promises="$promises$file $value
" ;;
  esac
done <"$manifest"
attestation=${WINDLASS_ATTESTATION:-auto}
build=${WINDLASS_BUILD:-false}
word attestation "$attestation" auto require off
word build "$build" true false
mirror_token=${WINDLASS_MIRROR_TOKEN:-}
# The tool has no use for it.
unset WINDLASS_MIRROR_TOKEN
case $mirror_token in
  *[!A-Za-z0-9._~+/=-]*) wrong "mirror-token holds what no token holds: a blank, a quote, a line break" "set the secret again" ;;
esac

tool=${1:-}
case $tool in
  gate-check | security-scan | deploy | health-verify | rollback | windlass) shift ;;
  --path) tool=windlass path=true ;;
  *) wrong "run.sh knows no such tool" "one of gate-check, security-scan, deploy, health-verify, rollback, windlass" ;;
esac

suffix=
machine=$(uname -sm)
case $machine in
  Linux\ *) system=unknown-linux-musl ;;
  Darwin\ *) system=apple-darwin ;;
  MINGW* | MSYS* | CYGWIN*) system=pc-windows-gnu suffix=.exe ;;
  *) system=${machine%% *} ;;
esac
case $machine in
  # Windows on Arm runs what is built for x64.
  *\ x86_64 | *\ amd64 | M*\ aarch64 | M*\ arm64 | CYGWIN*\ aarch64) target=x86_64-$system ;;
  *\ aarch64 | *\ arm64) target=aarch64-$system ;;
  *) target=${machine##* }-$system ;;
esac
archive=windlass-$version-$target.tar.gz

if [ -n "$suffix" ]; then
  if [ "${path:-}" = true ]; then
    # There is no umbrella: any tool finds the folder of all.
    tool=gate-check
  else
    case $tool in
      deploy | rollback | windlass)
        wrong "$tool is not for Windows: what moves an environment is made of Unix processes, signals and sockets" \
          "let this job run on Linux or macOS, or in WSL; gate-check, security-scan and health-verify are for Windows, too"
        ;;
    esac
  fi
  # tar takes C:\folder for a folder of the machine C.
  if command -v cygpath >/dev/null 2>&1; then
    for one in WINDLASS_BIN RUNNER_TOOL_CACHE AGENT_TOOLSDIRECTORY RUNNER_TEMP TMPDIR CARGO_TARGET_DIR; do
      if [ -n "${!one:-}" ]; then printf -v "$one" '%s' "$(cygpath -u "${!one}")"; fi
    done
  fi
  # What looks like a path of Unix, such as /healthz, is none to be rewritten on its way to the tool.
  export MSYS_NO_PATHCONV=1 MSYS2_ARG_CONV_EXCL='*' MSYS2_ENV_CONV_EXCL=WINDLASS_
fi

# Puts the sha256 that the manifest names for a file into `promise`, or nothing.
promised() { # FILE
  local file value
  promise=
  while read -r file value; do
    if [ "$file" = "$target/$1" ]; then promise=$value; fi
  done <<PROMISES
$promises
PROMISES
}

# Puts the names of all tools of this target into `tools`.
all_tools() {
  local file value
  tools=
  while read -r file value; do
    case $file in "$target/$archive" | '') ;; "$target"/*) tools="$tools ${file#"$target"/}" ;; esac
  done <<PROMISES
$promises
PROMISES
}

# The sha256 of files, a line each that begins with it. openssl first: it uses what the processor has for this.
hashes_of() { # FILE...
  if command -v openssl >/dev/null 2>&1; then
    openssl dgst -sha256 -r "$@"
  elif command -v sha256sum >/dev/null 2>&1; then
    sha256sum "$@"
  elif command -v shasum >/dev/null 2>&1; then
    shasum -a 256 "$@"
  else
    fail "nothing here can take a sha256" "install one of openssl, sha256sum and shasum"
  fi
}

# Whether each of these files of a folder has the sha256 that was promised; none that nobody promised.
are_released() { # FOLDER FILE...
  local folder=$1 one seen
  shift
  # Their own names only: one with a backslash would be written with another before its line.
  seen=$(cd "$folder" && hashes_of "$@") || return 1
  for one in "$@"; do
    promised "$one"
    if [ -z "$promise" ] || [ "${seen%%[ *]*}" != "$promise" ]; then return 1; fi
    seen=${seen#*
}
  done
}

# Ends this script in the tool of a folder.
become() { # FOLDER ARGUMENT...
  local folder=$1
  shift
  if [ "${path:-}" = true ]; then
    # The next step may be no bash.
    if [ -n "$suffix" ] && command -v cygpath >/dev/null 2>&1; then folder=$(cygpath -w "$folder"); fi
    printf '%s\n' "$folder"
    exit 0
  fi
  clean
  trap - EXIT
  exec "$folder/$tool$suffix" "$@"
}

# Whether a folder of the cache is whole, and what is going to be run is what was released: the tool itself, the agent that it
# may start, and for a later step's PATH every tool.
is_whole() { # FOLDER
  local one tools
  [ -e "$1/.complete" ] || return 1
  case ${path:-}$tool in
    deploy | rollback) tools=" $tool windlassd" ;;
    windlass | true*) all_tools ;;
    *) tools=" $tool$suffix" ;;
  esac
  [ -n "$tools" ] || return 1
  for one in $tools; do [ -f "$1/$one" ] || return 1; done
  # shellcheck disable=SC2086 # names of tools hold no blanks
  are_released "$1" $tools
}

# Gets a URL into a file. 0: got; 1: the server refuses, by `status`; 2: it could not be asked, or not now.
get() { # URL FILE TOKEN
  status=
  if command -v curl >/dev/null 2>&1; then
    # By standard input: what stands in arguments is seen by every process of the machine.
    status=$(printf '%s' "${3:+header = \"Authorization: Bearer $3\"}" | curl --config - --silent --show-error --location \
      --proto '=https,http' --proto-redir '=https,http' --connect-timeout "${WINDLASS_CONNECT_TIMEOUT:-15}" \
      --max-time "${WINDLASS_DOWNLOAD_TIMEOUT:-300}" --output "$2" --write-out '%{http_code}' "$1") || {
      status=
      return 2
    }
  elif command -v wget >/dev/null 2>&1; then
    set -- "$1" "$2" "${3:-}" --server-response --tries=1 --timeout="${WINDLASS_CONNECT_TIMEOUT:-15}"
    if [ -n "$3" ]; then
      # It would show the token to whomever it is redirected to.
      printf 'header = Authorization: Bearer %s\nmax_redirect = 0\n' "$3" >"$work/wgetrc"
      set -- "$@" --config="$work/wgetrc"
    fi
    if wget "${@:4}" -O "$2" "$1" 2>"$work/wget"; then
      status=200
    else
      status=$(sed -n 's|^ *HTTP/[0-9.]* \([0-9]*\).*|\1|p' "$work/wget" | tail -n 1)
    fi
  else
    fail "neither curl nor wget is here to download with" \
      "install one of them, or set the input bin to a folder that holds the tools"
  fi
  case $status in 200) return 0 ;; 401 | 403 | 404 | 410) return 1 ;; *) return 2 ;; esac
}

# What a server's refusal means, and what mends it: into `why` and `mends`.
refused() { # STATUS mirror|release
  # shellcheck disable=SC2016 # shown to be copied
  local token='set the input `mirror-token: ${{ secrets.WINDLASS_MIRROR_TOKEN }}`' this="\`uses: $repository/actions/…@<sha of a release>\`"
  if [ "${GITLAB_CI:-}" = true ]; then
    token='set the masked variable WINDLASS_MIRROR_TOKEN'
    this="\`component: …@$version\`, a released version"
  fi
  case $2-$1 in
    mirror-401)
      why="the mirror is private, and got no token or one that it does not accept"
      mends="$token to one that may read it"
      ;;
    mirror-403)
      why="the mirror knows who asks, and this token or this runner may not read it"
      mends="$token to one that may read it"
      ;;
    mirror-*)
      why="the mirror does not hold version $version, or hides it from whoever shows no token"
      mends="copy the archives of the release there; where it is private, $token"
      ;;
    release-401 | release-403)
      why="a proxy, or a server in private mode, wants to know who asks"
      mends="set the input \`mirror:\` to a copy of the release, and where that wants one, $token; or \`bin:\` to a folder that holds the tools"
      ;;
    *)
      why="version $version was never released there, or $repository is private, which is answered in the same way"
      mends="refer to a release as $this; where the repository is private, set the input \`mirror:\` to a copy of the release, and where that wants one, $token"
      ;;
  esac
}

is_html() { head -c 512 "$1" | LC_ALL=C tr -d '\000' | grep -qi '<html\|<!doctype'; }

# Downloads the archive from a folder of the web, and checks it. What would mend a refusal is added to `remedies`.
download() { # BASE mirror|release
  local url=$1/$archive try code seen token=
  if [ "$2" = mirror ]; then token=$mirror_token; fi
  for try in 1 2 3; do
    code=0
    get "$url" "$work/$archive" "$token" || code=$?
    if [ "$code" -eq 0 ]; then break; fi
    if [ "$code" -eq 1 ]; then
      refused "$status" "$2"
      say "windlass: $url answers $status: $why"
      remedies[${#remedies[@]}]="$2, $status: $mends"
      return 1
    fi
    say "windlass: attempt $try of 3 to get $url failed${status:+, status $status}"
    if [ "$try" -lt 3 ]; then sleep "${WINDLASS_RETRY_PAUSE:-$((try * 3))}"; fi
  done
  if [ "$code" -ne 0 ]; then return 1; fi
  seen=$(hashes_of <"$work/$archive")
  seen=${seen%%[ *]*}
  if [ "$seen" != "$wanted" ]; then
    if is_html "$work/$archive"; then
      fail "$url answers with a web page, not with the archive" \
        "a proxy or a login page stands before it: check the mirror's address from this runner"
    fi
    fail "$url is not the released archive: sha256 $seen, and $wanted was promised ($(wc -c <"$work/$archive" | tr -d ' ') bytes)" \
      "it was cut off, altered, or belongs to another version; nothing of it was run"
  fi
}

attest() {
  if [ "$attestation" = off ]; then return 0; fi
  if ! command -v gh >/dev/null 2>&1; then
    if [ "$attestation" = auto ]; then return 0; fi
    fail "attestation is required, and gh is not here to verify it" \
      "install the GitHub CLI on the runner, or set attestation: auto"
  fi
  set -- attestation verify "$work/$archive" --repo "$repository"
  if [ -n "${WINDLASS_ATTESTATION_BUNDLE:-}" ]; then set -- "$@" --bundle "$WINDLASS_ATTESTATION_BUNDLE"; fi
  if gh "$@" >"$work/gh" 2>&1; then return 0; fi
  local line answered='' why='' mends=''
  while IFS= read -r line || [ -n "$line" ]; do
    say "  gh: $line"
    case $line in
      *"HTTP 401"*) answered=401 ;;
      *"HTTP 403"*) answered=403 ;;
      *"HTTP 404"*) answered=404 ;;
    esac
  done <"$work/gh"
  if [ "$attestation" = auto ] && [ -z "${GH_TOKEN:-}${GITHUB_TOKEN:-}" ]; then
    printf 'windlass: the attestation was not verified: gh has no token (attestation: require would stop here)\n' >&2
    return 0
  fi
  # shellcheck disable=SC2016 # shown to be copied
  local token='set the input `token: ${{ github.token }}`' permissions='`permissions: { attestations: read, contents: read }`'
  if [ -z "${GH_TOKEN:-}${GITHUB_TOKEN:-}" ]; then mends="$token; "; fi
  case $answered in
    401)
      why=": GitHub answers 401, the token is missing, wrong or expired"
      mends="$token; "
      ;;
    403)
      why=": GitHub answers 403, the token may not read attestations"
      mends="add $permissions to the job, beside what it has there, and $token; "
      ;;
    404)
      why=": GitHub answers 404, there is no attestation of it, or the token may not see $repository"
      mends="refer to a released version; where $repository is private, add $permissions to the job, and $token of somebody who sees it; "
      ;;
  esac
  fail "the attestation of $archive does not verify$why" \
    "${mends}or set \`attestation: off\`: the sha256 of the manifest is checked all the same"
}

# Puts the checked archive where later steps find it. Two steps may do so at once: the first one's stays.
install() { # BASE
  local base=$1 folder=$1/$target staging tools
  mkdir -p "$base" 2>/dev/null && [ -w "$base" ] || return 1
  staging=$(mktemp -d "$base/.windlass.XXXXXX") || return 1
  # A full disk leaves no half a cache: the mark comes last, and the folder gets its name whole.
  if ! tar -xzf "$work/$archive" -C "$staging"; then
    rm -rf "$staging"
    return 1
  fi
  all_tools
  # shellcheck disable=SC2086 # names of tools hold no blanks
  if [ -z "$tools" ] || ! are_released "$staging" $tools; then
    rm -rf "$staging"
    fail "the archive's tools are not the ones that were released" "report it: nothing of it was run"
  fi
  : >"$staging/.complete"
  if [ -d "$folder" ] && ! is_whole "$folder"; then
    # Left half made, or altered: out of the way in one step, so that nobody meets it half removed.
    mv "$folder" "$staging.old" 2>/dev/null || true
    rm -rf "$staging.old"
  fi
  if [ -d "$folder" ] || ! mv "$staging" "$folder" 2>/dev/null; then
    rm -rf "$staging"
  fi
  # Where two came at once, `mv` may have put one inside the other.
  rm -rf "${folder:?}/$(basename "$staging")"
  is_whole "$folder"
}

# 1
if [ -n "${WINDLASS_BIN:-}" ]; then
  [ -x "$WINDLASS_BIN/$tool$suffix" ] ||
    wrong "bin holds no $tool: $WINDLASS_BIN" "name the folder that holds the tools, or leave the input empty"
  become "$WINDLASS_BIN" "$@"
fi

# 2
found=$(command -v "$tool$suffix" 2>/dev/null || true)
if [ -n "$found" ] && [ -x "$found" ] && [ "$("$found" --version 2>/dev/null)" = "$tool $version" ]; then
  become "$(cd "$(dirname "$found")" && pwd)" "$@"
fi

promised "$archive"
wanted=$promise
if [ -n "$wanted" ]; then
  # 3
  cache=${RUNNER_TOOL_CACHE:-${AGENT_TOOLSDIRECTORY:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}}}/windlass/$version
  if is_whole "$cache/$target"; then become "$cache/$target" "$@"; fi
  # 4 and 5
  work=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/windlass.XXXXXX")
  releases=${WINDLASS_RELEASES:-${WINDLASS_SERVER:-https://github.com}/$repository/releases/download/v$version}
  got=false
  remedies=()
  if [ -n "${WINDLASS_MIRROR:-}" ] && download "${WINDLASS_MIRROR%/}" mirror; then
    got=true
  elif download "${releases%/}" release; then
    got=true
  fi
  if [ "$got" = true ]; then
    attest
    if install "$cache"; then become "$cache/$target" "$@"; fi
    # A tool cache that cannot be written costs the download each time, and nothing else.
    own=${RUNNER_TEMP:-${TMPDIR:-/tmp}}/windlass-tools/$version
    if install "$own"; then become "$own/$target" "$@"; fi
    fail "neither $cache nor $own can hold the tools" "make room there, or set the input bin"
  fi
fi

# 6
if [ "$build" = true ]; then
  command -v cargo >/dev/null 2>&1 || fail "cargo is not here to build with" "install Rust on the runner, or leave build out"
  tree=$(cd "$here/../.." && pwd)
  printf 'windlass: building version %s from %s\n' "$version" "$tree" >&2
  folder=${CARGO_TARGET_DIR:-$tree/target}/release
  # Its log is progress; standard output is the tool's.
  if [ -z "$suffix" ]; then others='--bin windlass --bin windlassd'; else others=; fi
  # shellcheck disable=SC2086 # words without blanks, or none
  cargo build --release --locked --manifest-path "$tree/Cargo.toml" $others --bin "$tool" >&2
  become "$folder" "$@"
fi

if [ -z "$wanted" ]; then
  fail "version $version has no release for $target in $manifest" \
    "refer to a released tag, set the input bin to a folder that holds the tools, or build: true"
fi
fail "the tools of version $version could not be downloaded" ${remedies[@]+"${remedies[@]}"} \
  "check the network of this runner, set mirror to a copy of the release, or bin to a folder that holds the tools"
