#!/usr/bin/env bash
# What `windlass init` writes, held against the schemas and linters of those who read it, and the scripts of the stacks run.
#
#   starters.sh WINDLASS FOLDER
#
# FOLDER may be used for caches. On PATH: check-jsonschema, yamllint, actionlint, zizmor, shellcheck, npm-groovy-lint, pytest, node,
# npm, go, cargo, cargo-nextest, mvn, gradle, javac, podman. Any finding is a failure. Maven and Gradle take what they need from
# Maven Central, Maven as its settings on this machine say.
set -euo pipefail

windlass=$(realpath "$1")
mkdir -p "$2"
cache=$(realpath "$2")
rules=$(realpath .yamllint.yml)
samples=$(realpath tests/starters/maven)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The pipeline of one system, in a repository of its own; prints where it is. With a second word, that of a policy that
# names secrets of notifications.
pipeline() {
  local folder="$work/$1${2:-}" told
  mkdir "$folder"
  git -C "$folder" init -q -b main
  printf '[package]\nname = "shop"\n' >"$folder/Cargo.toml"
  told=$(cd "$folder" && "$windlass" init --yes --ci "$1")
  if [ -n "${2:-}" ]; then
    printf 'notify:\n  - slack: SLACK_URL\n  - webhook: { url: HOOK_URL, secret: HOOK_KEY }\n' >>"$folder/windlass.yml"
    (cd "$folder" && "$windlass" init --upgrade && "$windlass" init --check) >"$work/upgraded"
  fi
  printf '%s/%s\n' "$folder" "$(sed -n 's/^wrote //p' <<<"$told" | tail -n 1)"
}

fits() { # SCHEMA FILE [FLAG]...
  local schema=$1 file=$2
  shift 2
  check-jsonschema --quiet --builtin-schema "vendor.$schema" "$@" "$file"
  yamllint --config-file "$rules" --strict "$file"
}

mkdir "$work/groovy"
for told in "" -told; do
  github=$(pipeline github $told)
  fits github-workflows "$github"
  zizmor --offline --pedantic --color=never --no-progress --quiet "$github"
  # The label is the starter's own word, which actionlint cannot know.
  actionlint -ignore 'label "windlass" is unknown' -shellcheck "$(command -v shellcheck)" "$github"
  fits gitlab-ci "$(pipeline gitlab $told)"
  fits circle-ci "$(pipeline circleci $told)"
  fits azure-pipelines "$(pipeline azure $told)" --regex-variant nonunicode
  fits buildkite "$(pipeline buildkite $told)"
  fits woodpecker-ci "$(pipeline woodpecker $told)"
  jenkins=$(pipeline jenkins $told)
  mkdir "$work/groovy/plain$told"
  cp "$jenkins" "$work/groovy/plain$told/Jenkinsfile"
done
(cd "$work/groovy" && npm-groovy-lint --noserver --failon error --loglevel error . >"$work/groovy.log" 2>&1) || {
  cat "$work/groovy.log"
  exit 1
}
echo "seven pipelines fit their schemas, with secrets of notifications and without, and their linters find nothing"

# A repository of each stack, as small as it can be.
sample() { # STACK
  local folder="$work/stack-$1"
  mkdir "$folder"
  cd "$folder"
  case $1 in
    python)
      printf '[project]\nname = "shop"\n' >pyproject.toml
      printf 'def answer():\n    return 42\n' >app.py
      printf 'import app\n\n\ndef test_it_answers():\n    assert app.answer() == 42\n' >test_app.py
      ;;
    node)
      printf '{"name":"shop","version":"1.0.0","scripts":{"build":"mkdir -p dist && echo built >dist/built"}}\n' >package.json
      printf '{"name":"shop","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"shop","version":"1.0.0"}}}\n' \
        >package-lock.json
      printf "require('node:test').test('it answers', () => {});\n" >shop.test.js
      ;;
    go)
      printf 'module example.org/shop\n\ngo 1.21\n' >go.mod
      printf 'package main\n\nfunc main() {}\n' >main.go
      printf 'package main\n\nimport "testing"\n\nfunc TestItAnswers(t *testing.T) {}\n' >main_test.go
      ;;
    rust)
      mkdir src
      printf '[package]\nname = "shop"\nversion = "1.0.0"\nedition = "2021"\n' >Cargo.toml
      printf 'version = 3\n\n[[package]]\nname = "shop"\nversion = "1.0.0"\n' >Cargo.lock
      printf 'fn main() {}\n\n#[test]\nfn it_answers() {}\n' >src/main.rs
      ;;
    java-maven)
      cp "$samples/pom.xml.in" pom.xml
      mkdir -p src/main/java/org/example src/test/java/org/example
      cp "$samples/Shop.java" src/main/java/org/example/
      cp "$samples/ShopTest.java" src/test/java/org/example/
      ;;
    java-gradle)
      cp "$samples/../gradle/build.gradle.in" build.gradle
      mkdir -p src/main/java/org/example src/test/java/org/example
      cp "$samples/Shop.java" src/main/java/org/example/
      # Debian's Gradle is of before JUnit 5.
      sed -e 's/jupiter\.api\.Assertions/Assert/; s/jupiter\.api\.//; s/^class/public class/; s/ void/ public void/' \
        "$samples/ShopTest.java" >src/test/java/org/example/ShopTest.java
      # A wrapper would download its Gradle from a host of its own, which is no registry.
      printf '#!/bin/sh\nexec gradle "$@"\n' >gradlew
      chmod +x gradlew
      ;;
    container)
      printf 'FROM scratch\nCOPY shop /shop\nENTRYPOINT ["/shop"]\n' >Dockerfile
      echo '#!/bin/sh' >shop
      ;;
    unknown) touch notes ;;
  esac
  "$windlass" init --yes --ci none >"$work/told"
}

# The image of the container stack, by podman in place of Docker: an empty base image needs no network, and nothing is
# started. That the tests are the user's to fill in is seen, too.
image_is_built_and_loaded() {
  if ! command -v podman >/dev/null; then
    echo "container: podman is not here (apt-get install podman)" >&2
    if [ "${WINDLASS_REQUIRE_TOOLS:-}" = 1 ]; then exit 1; fi
    return
  fi
  mkdir "$work/docker"
  cat >"$work/docker/docker" <<DOCKER
#!/bin/sh
exec podman --root "\${STORE:-$work/images}" --runroot "\${STORE:-$work/images}-run" --storage-driver vfs \\
  --cgroup-manager cgroupfs --events-backend file "\$@"
DOCKER
  chmod +x "$work/docker/docker"
  if ! "$work/docker/docker" info >"$work/log" 2>&1; then
    echo "container: podman cannot work on this machine, so the scripts are linted and not run: $(tail -n 1 "$work/log")"
    return
  fi
  PATH="$work/docker:$PATH" sh windlass/build.sh >"$work/log" 2>&1 || {
    echo "container: windlass/build.sh failed" >&2
    cat "$work/log" >&2
    exit 1
  }
  [ -f dist/start.sh ]
  # Another machine knows the image by what was kept of it alone.
  STORE="$work/elsewhere" "$work/docker/docker" load --quiet --input dist/image.tar >/dev/null
  [ "$(STORE="$work/elsewhere" "$work/docker/docker" image inspect --format '{{.Id}}' "$(cat dist/image.id)")" = "$(cat dist/image.id)" ]
  if sh windlass/test.sh 2>/dev/null; then
    echo "container: a script that nobody wrote yet passes" >&2
    exit 1
  fi
}

for stack in python node go rust java-maven java-gradle container unknown; do
  sample "$stack"
  shellcheck --severity=info windlass/build.sh windlass/test.sh
  case $stack in
    container)
      image_is_built_and_loaded
      continue
      ;;
    java-maven | java-gradle)
      tool=mvn
      [ "$stack" = java-maven ] || tool=gradle
      if ! command -v "$tool" >/dev/null || ! command -v javac >/dev/null; then
        echo "$stack: $tool or javac is not here (apt-get install maven gradle default-jdk-headless)" >&2
        if [ "${WINDLASS_REQUIRE_TOOLS:-}" = 1 ]; then exit 1; fi
        continue
      fi
      ;;
    go)
      if ! command -v go >/dev/null; then
        echo "go: not here, so its scripts are linted and not run"
        continue
      fi
      ;;
    unknown)
      if sh windlass/build.sh 2>/dev/null || sh windlass/test.sh 2>/dev/null; then
        echo "$stack: a script that nobody wrote yet passes" >&2
        exit 1
      fi
      continue
      ;;
  esac
  for script in build test; do
    BUILD_CACHE="$cache/$stack" sh "windlass/$script.sh" >"$work/log" 2>&1 || {
      echo "$stack: windlass/$script.sh failed" >&2
      cat "$work/log" >&2
      exit 1
    }
  done
  # What was built is there, and the gate reads one passed test.
  [ -n "$(find dist -type f)" ]
  [ "$stack" != node ] || [ -f dist/dist/built ]
  case $stack in
    java-*) [ "$(cd dist && java -jar ./*.jar)" = 42 ] ;;
  esac
  "$windlass" gate-check read reports/*.xml | grep -q '1 tests: 0 failed' || {
    echo "$stack: the gate reads no test in reports/*.xml" >&2
    exit 1
  }
done
echo "the scripts of the stacks that can be run here build, test and are read"
