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
#   4. WINDLASS_MIRROR            https://host/folder that holds the release's archives
#   5. the release itself         WINDLASS_RELEASES, else GITHUB_SERVER_URL's release page of this repository
#   6. cargo                      only where WINDLASS_BUILD=true: built from this tree
# An archive must have the sha256 that `manifest` beside this script names: it came with the tree, not with the download.
# WINDLASS_ATTESTATION=auto|require|off says whether `gh attestation verify` must agree too.
#
# Kept to what bash 3.2 knows, which macOS still ships.
set -euo pipefail

# No program is started before it is needed: each costs a millisecond or more in every step.
here=${BASH_SOURCE[0]%/*}
if [ "$here" = "${BASH_SOURCE[0]}" ]; then here=.; fi
manifest=$here/manifest
work=

# Exit 3, could not judge: nothing was run.
fail() {
  printf 'windlass: %s\n' "$1" >&2
  shift
  local hint
  for hint in "$@"; do printf '  hint: %s\n' "$hint" >&2; done
  if [ "${GITHUB_ACTIONS:-}" = true ]; then
    printf '::error title=windlass::the tool cannot be had; see the log above\n' >&2
  fi
  exit 3
}

# Exit 2: the step itself is wrong.
wrong() {
  printf 'windlass: %s\n  hint: %s\n' "$1" "$2" >&2
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
  MINGW* | MSYS* | CYGWIN*) system=pc-windows-msvc suffix=.exe ;;
  *) system=${machine%% *} ;;
esac
case $machine in
  *\ x86_64 | *\ amd64) target=x86_64-$system ;;
  *\ aarch64 | *\ arm64) target=aarch64-$system ;;
  *) target=${machine##* }-$system ;;
esac
archive=windlass-$version-$target.tar.gz

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
  case $tool in
    deploy | rollback) tools=" $tool$suffix windlassd$suffix" ;;
    windlass) all_tools ;;
    *) tools=" $tool$suffix" ;;
  esac
  [ -n "$tools" ] || return 1
  for one in $tools; do [ -f "$1/$one" ] || return 1; done
  # shellcheck disable=SC2086 # names of tools hold no blanks
  are_released "$1" $tools
}

# Gets a URL into a file. 0: got; 1: the server has no such file; 2: it could not be asked.
get() { # URL FILE
  local status
  if command -v curl >/dev/null 2>&1; then
    status=$(curl --silent --show-error --location --proto '=https,http' --proto-redir '=https,http' \
      --connect-timeout "${WINDLASS_CONNECT_TIMEOUT:-15}" --max-time "${WINDLASS_DOWNLOAD_TIMEOUT:-300}" \
      --output "$2" --write-out '%{http_code}' "$1") || return 2
    case $status in 200) return 0 ;; 404 | 403 | 410) return 1 ;; *) return 2 ;; esac
  elif command -v wget >/dev/null 2>&1; then
    local code=0
    wget -q --tries=1 --timeout="${WINDLASS_CONNECT_TIMEOUT:-15}" -O "$2" "$1" || code=$?
    case $code in 0) return 0 ;; 8) return 1 ;; *) return 2 ;; esac
  else
    fail "neither curl nor wget is here to download with" \
      "install one of them, or set the input bin to a folder that holds the tools"
  fi
}

is_html() { head -c 512 "$1" | LC_ALL=C tr -d '\000' | grep -qi '<html\|<!doctype'; }

# Downloads the archive from a folder of the web, and checks it.
download() { # BASE
  local url=$1/$archive try code seen
  for try in 1 2 3; do
    code=0
    get "$url" "$work/$archive" || code=$?
    if [ "$code" -eq 0 ]; then break; fi
    if [ "$code" -eq 1 ]; then
      printf 'windlass: %s is not there\n' "$url" >&2
      return 1
    fi
    printf 'windlass: attempt %s of 3 to get %s failed\n' "$try" "$url" >&2
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
  sed 's/^/  gh: /' "$work/gh" >&2
  if [ "$attestation" = auto ] && [ -z "${GH_TOKEN:-}${GITHUB_TOKEN:-}" ]; then
    printf 'windlass: the attestation was not verified: gh has no token (attestation: require would stop here)\n' >&2
    return 0
  fi
  fail "the attestation of $archive does not verify" \
    "give the step GH_TOKEN: \${{ github.token }} and the job permissions: { attestations: read }, or set attestation: off"
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
  for base in ${WINDLASS_MIRROR:+"$WINDLASS_MIRROR"} "$releases"; do
    if download "${base%/}"; then
      got=true
      break
    fi
  done
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
  cargo build --release --locked --manifest-path "$tree/Cargo.toml" --bin "$tool" --bin windlass --bin windlassd >&2
  become "$folder" "$@"
fi

if [ -z "$wanted" ]; then
  fail "version $version has no release for $target in $manifest" \
    "refer to a released tag, set the input bin to a folder that holds the tools, or build: true"
fi
fail "the tools of version $version could not be downloaded" \
  "check the network of this runner, set mirror to a copy of the release, or bin to a folder that holds the tools"
