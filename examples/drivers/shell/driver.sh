#!/bin/sh
# A driver of Windlass for a static site: each release is a folder, and a symbolic link says which one is served.
# Any web server whose document root is ROOT/current serves it; a server that resolves the link at each request
# switches at once.
#
#   target: { kind: exec, command: [examples/drivers/shell/driver.sh, --root, /srv/shop, --url, "http://shop.example/"] }
#
# It needs flock (util-linux) and cp, mv, ln, sync, date as GNU and busybox have them, and no parser of JSON: what it is
# asked is in variables too. docs/exec-driver.md describes the protocol. To run it on another host, call it through
# ssh and give it the WINDLASS_* variables; the files of a release must then be copied there first.
set -eu
LC_ALL=C
export LC_ALL

root=/srv/windlass url=null
while [ $# -gt 1 ]; do
  case $1 in
    --root) root=$2 ;;
    --url)
      url=$(printf '"%s"' "$2" | sed "s/{app}/$WINDLASS_APP/g; s/{environment}/$WINDLASS_ENVIRONMENT/g")
      ;;
    *) echo "unknown flag $1; known are --root DIR and --url URL" >&2; exit 3 ;;
  esac
  shift 2
done
verb=${1:?the verb is the last argument}

# What cannot be done for want of the disk, a right or a tool is a fault: the next run goes on.
fault() {
  printf '{"rejected":"fault","why":"%s"}\n' "$1"
  exit 3
}
judged() {
  printf '{"rejected":"judged","why":"%s"}\n' "$1"
  exit 1
}
done_with() {
  printf '{"note":"%s"}\n' "$1"
}

# Each environment has a folder of its own, and nothing is done outside of it.
case "$WINDLASS_APP/$WINDLASS_ENVIRONMENT" in
  *..* | */*/*) fault "a name that is no folder's" ;;
esac
place=$root/$WINDLASS_APP/$WINDLASS_ENVIRONMENT
state=$place/.windlass
mkdir -p "$state" "$place/revisions"

# One lock around everything that reads the fence and then acts on it.
lock() {
  exec 9>"$state/lock"
  flock 9
}

# A durable write: whole or not at all.
write() {
  cat >"$state/$1.new"
  sync "$state/$1.new"
  mv "$state/$1.new" "$state/$1"
  sync "$state"
}

now() {
  date -u +%s
}

time_of() {
  date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ
}

# The last epoch given out, and the lease: epoch, end in seconds, run, and the owner as it was given.
# A file that is there and is not one of ours is a fault, never a free fence.
read_fence() {
  epoch=0 lease_epoch=0 ends=0 run='' owner=''
  if [ -e "$state/epoch" ]; then
    epoch=$(cat "$state/epoch")
    case $epoch in '' | *[!0-9]*) fault "the epoch in $state/epoch is unreadable" ;; esac
  fi
  if [ -e "$state/lease" ]; then
    { read -r lease_epoch && read -r ends && read -r run && IFS= read -r owner; } <"$state/lease" ||
      fault "the lease in $state/lease is unreadable"
    case $lease_epoch$ends in *[!0-9]*) fault "the lease in $state/lease is unreadable" ;; esac
  fi
}

is_held() {
  [ -n "$owner" ] && [ "$ends" -gt "$(now)" ]
}

lease() {
  printf '{"owner":%s,"epoch":%s,"expires":"%s"}' "$owner" "$lease_epoch" "$(time_of "$ends")"
}

refuse() {
  printf '{"rejected":"fence","refusal":%s}\n' "$1"
  exit 6
}

# Whether a mutation under the carried epoch may happen now. The lock is held, and stays so until the effect is there.
admit() {
  read_fence
  if [ -z "$owner" ] || [ "$lease_epoch" != "$WINDLASS_EPOCH" ]; then
    refuse "{\"kind\":\"stale\",\"carried\":$WINDLASS_EPOCH,\"current\":$epoch}"
  fi
  is_held || refuse "{\"kind\":\"expired\",\"at\":\"$(time_of "$ends")\"}"
}

head_number() {
  if [ -e "$state/ledger/head" ]; then cut -d ' ' -f 1 "$state/ledger/head"; else echo 0; fi
}

head_hash() {
  if [ -e "$state/ledger/head" ]; then
    cut -d ' ' -f 2 "$state/ledger/head"
  else
    printf 'sha256:%064d\n' 0
  fi
}

# What is served: the link's target, or nothing.
served() {
  if [ -L "$place/current" ]; then
    link=$(readlink "$place/current")
    echo "${link##*/}"
  fi
}

# The numbers of the revisions that are here, oldest first.
numbers() {
  for path in "$place"/revisions/r*; do
    if [ -d "$path" ]; then echo "${path##*/r}"; fi
  done | sort -n
}

is_whole() {
  [ -d "$place/revisions/$1" ]
}

case $verb in
  capabilities)
    echo '{"protocol":1,"weights":false}'
    ;;

  observe)
    lock
    read_fence
    live=$(served)
    if [ -n "$live" ]; then weights="{\"$live\":10000}"; else weights='{}'; fi
    revisions=''
    for number in $(numbers); do
      ready=0
      if [ -e "$state/up.r$number" ]; then ready=1; fi
      revisions="$revisions${revisions:+,}{\"revision\":$number,\"ready\":$ready}"
    done
    held=null
    if is_held; then held=$(lease); fi
    printf '{"weights":%s,"revisions":[%s],"url":%s,"lease":%s,"now":"%s"}\n' \
      "$weights" "$revisions" "$url" "$held" "$(time_of "$(now)")"
    ;;

  claim)
    lock
    read_fence
    if is_held; then
      [ "$run" = "$WINDLASS_RUN" ] || refuse "{\"kind\":\"held\",\"by\":$(lease)}"
    else
      epoch=$((epoch + 1))
      echo "$epoch" | write epoch
      lease_epoch=$epoch
    fi
    run=$WINDLASS_RUN owner=$WINDLASS_OWNER
    # Whole seconds, rounded up: a lease may last longer than asked for, and not shorter.
    ends=$(($(now) + WINDLASS_TTL_MS / 1000 + 1))
    printf '%s\n%s\n%s\n%s\n' "$lease_epoch" "$ends" "$run" "$owner" | write lease
    lease
    ;;

  release)
    lock
    read_fence
    if [ "$lease_epoch" = "$WINDLASS_EPOCH" ]; then rm -f "$state/lease"; fi
    ;;

  read)
    lock
    if [ -e "$state/ledger/journal" ]; then cat "$state/ledger/journal"; fi
    ;;

  append)
    lock
    admit
    if [ "$(head_number) $(head_hash)" != "$WINDLASS_AFTER_NUMBER $WINDLASS_AFTER_HASH" ]; then
      printf '{"rejected":"head","head":{"number":%s,"hash":"%s"}}\n' "$(head_number)" "$(head_hash)"
      exit 6
    fi
    # The head is a file of its own, so that no entry has to be read here. It is true only together with the journal,
    # so both lie in one folder, and one rename switches from the folder before to the next.
    generation=$state/journal.$WINDLASS_HEAD_NUMBER
    rm -rf "$generation"
    mkdir "$generation"
    if [ -e "$state/ledger/journal" ]; then cat "$state/ledger/journal" >"$generation/journal"; fi
    # The first line is the request; the entries follow it.
    tail -n +2 >>"$generation/journal"
    echo "$WINDLASS_HEAD_NUMBER $WINDLASS_HEAD_HASH" >"$generation/head"
    sync "$generation/journal" "$generation/head" "$generation"
    before=$(readlink "$state/ledger" || :)
    ln -sfn "journal.$WINDLASS_HEAD_NUMBER" "$state/ledger.new"
    mv -T "$state/ledger.new" "$state/ledger"
    sync "$state"
    if [ -n "$before" ]; then rm -rf "${state:?}/$before"; fi
    printf '{"head":{"number":%s,"hash":"%s"}}\n' "$WINDLASS_HEAD_NUMBER" "$WINDLASS_HEAD_HASH"
    ;;

  apply)
    case $WINDLASS_STEP in
      stage)
        # The copy takes its time, so it is made before the fence is asked, under a name that nothing looks at.
        copy=$place/revisions/.$WINDLASS_REVISION.$$
        if ! is_whole "$WINDLASS_REVISION" && [ -n "${WINDLASS_ARTIFACT_PATH:-}" ]; then
          trap 'rm -rf "$copy"' EXIT
          if [ -d "$WINDLASS_ARTIFACT_PATH" ]; then
            cp -R "$WINDLASS_ARTIFACT_PATH" "$copy"
          else
            mkdir "$copy"
            cp "$WINDLASS_ARTIFACT_PATH" "$copy/"
          fi
          tab=$(printf '\t')
          printf '%s' "${WINDLASS_CONFIG_PATHS:-}" | while IFS="$tab" read -r name path; do
            mkdir -p "$copy/$(dirname "$name")"
            cp -R "$path" "$copy/$name"
          done
          sync "$copy"
        fi
        lock
        admit
        if ! is_whole "$WINDLASS_REVISION"; then
          [ -d "$copy" ] || judged "the files of $WINDLASS_REVISION are not here"
          mv -T "$copy" "$place/revisions/$WINDLASS_REVISION"
        fi
        if [ "$WINDLASS_INSTANCES" -gt 0 ]; then : >"$state/up.$WINDLASS_REVISION"; fi
        done_with "$WINDLASS_REVISION lies in $place/revisions"
        ;;

      await-ready)
        lock
        admit
        # Files need no time to get ready; what runs would be asked here until it answers.
        [ -e "$state/up.$WINDLASS_REVISION" ] || judged "$WINDLASS_REVISION is not staged"
        done_with "its files are there"
        ;;

      shift)
        lock
        admit
        case $WINDLASS_WEIGHTS in
          '') rm -f "$place/current" ;;
          *=10000)
            revision=${WINDLASS_WEIGHTS%=10000}
            is_whole "$revision" || judged "$revision is not here"
            ln -sfn "revisions/$revision" "$place/current.new"
            # A rename puts the new link where the old was: at no moment is there none.
            mv -T "$place/current.new" "$place/current"
            ;;
          *) judged "a link cannot be split by weight" ;;
        esac
        done_with "${WINDLASS_WEIGHTS:-nothing} is served"
        ;;

      settle)
        lock
        admit
        # The next request already goes through the new link. A server that keeps files open, or a cache in
        # front, would be waited for here.
        done_with "the link is read at each request"
        ;;

      commit)
        lock
        admit
        done_with "the journal says it"
        ;;

      retire)
        lock
        admit
        for number in $(numbers); do
          revision=r$number
          case " $WINDLASS_LIVE $WINDLASS_WARM " in
            *" $revision "*) continue ;;
          esac
          rm -f "$state/up.$revision"
          case " $WINDLASS_KEEP " in
            *" $revision "*) ;;
            *)
              # Out of the way first, so that a kill leaves it there or gone.
              mv -T "$place/revisions/$revision" "$place/revisions/.gone.$revision.$$"
              ;;
          esac
        done
        rm -rf "$place"/revisions/.gone.*
        done_with "kept $WINDLASS_KEEP"
        ;;

      withdraw)
        lock
        admit
        rm -f "$state/up.$WINDLASS_REVISION"
        done_with "$WINDLASS_REVISION keeps its files"
        ;;

      migrate)
        judged "a static site has no data to migrate"
        ;;

      *)
        fault "unknown step $WINDLASS_STEP"
        ;;
    esac
    ;;

  *)
    fault "unknown verb $verb"
    ;;
esac
