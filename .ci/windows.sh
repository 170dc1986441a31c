#!/usr/bin/env bash
# Builds the tools that judge for Windows, on Debian, without rustup and without Windows: Debian's newest compiler, the standard
# library from its source, MinGW's C compiler and linker.
#
#   .ci/windows.sh           checks that they compile
#   .ci/windows.sh --run     builds them, and runs them in Wine
#
# Says so and ends with 0 where Debian has no compiler that is new enough. Nothing of it is installed but MinGW, LLVM's library
# and Wine: the compiler is unpacked into the cache. Not a part of .ci/run: the first time takes minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

cache="${XDG_CACHE_HOME:-$HOME/.cache}/windlass-ci"
target=x86_64-pc-windows-gnu
export CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never CARGO_PROFILE_DEV_DEBUG=0
export CARGO_TARGET_DIR="${WINDLASS_WINDOWS_TARGET_DIR:-$cache/windows-target}"

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_packages() { # PACKAGE...
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 \
    -o DPkg::Lock::Timeout=300 install "$@" >/dev/null
}

# What a package needs whose name begins so.
needed_by() { # PACKAGE PREFIX
  apt-cache depends "$1" | sed -n "s/^ *Depends: \\($2[^ ]*\\)\$/\\1/p" | head -n 1
}

# Debian's compiler for what needs a new one, such as browsers, is newer than its own.
compiler() {
  local version wanted std llvm work
  version=$(apt-cache policy rustc-web 2>/dev/null | sed -n 's/^ *Candidate: \([0-9.]*\).*/\1/p')
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  if [ -z "$version" ] || [ "$(printf '%s\n' "$wanted" "$version" | sort -V | head -n 1)" != "$wanted" ]; then
    echo "not checked: Debian has rustc-web ${version:-not at all}, and $wanted is needed (apt-get update may bring it)"
    exit 0
  fi
  rust=$cache/windows-rust-$version
  std=$(needed_by libstd-rust-web-dev libstd-rust-web)
  llvm=$(needed_by "$std" libllvm)
  if [ ! -e "$rust/complete" ]; then
    rm -rf "$rust"
    work=$(mktemp -d)
    (cd "$work" && apt-get -qq download rustc-web rust-web-src libstd-rust-web-dev "$std")
    mkdir -p "$rust"
    for package in "$work"/*.deb; do dpkg-deb --extract "$package" "$rust"; done
    rm -rf "$work"
    touch "$rust/complete"
  fi
  LD_LIBRARY_PATH=$rust/usr/lib/$(uname -m)-linux-gnu
  export LD_LIBRARY_PATH
  if ! command -v x86_64-w64-mingw32-gcc >/dev/null || ! "$rust/usr/bin/rustc" --version >/dev/null 2>&1; then
    install_packages gcc-mingw-w64-x86-64-win32 "$llvm"
  fi
  export RUSTC="$rust/usr/bin/rustc" CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc
  # A released compiler builds its own standard library only when asked so.
  export RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_abort,panic_unwind
}

judging() { # COMMAND [FLAG]...
  cargo "$@" --locked --quiet --target "$target" --package windlass-gate-check --package windlass-security-scan \
    --package windlass-health-verify
}

compiler
"$RUSTC" --version
if [ "${1:-}" != --run ]; then
  judging check
  exit 0
fi
judging build --bins
if ! command -v wine64 >/dev/null && ! command -v wine >/dev/null && [ ! -x /usr/lib/wine/wine64 ]; then
  install_packages wine64
fi
bash .ci/wine.sh "$CARGO_TARGET_DIR/$target/debug"
