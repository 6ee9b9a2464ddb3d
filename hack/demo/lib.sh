# Narration and small tools of the demo; sourced by hack/demo.sh.
# shellcheck shell=bash

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
else
  bold='' dim='' plain=''
fi

chapter_number=0

# chapter TITLE: starts a part of the story.
chapter() {
  chapter_number=$((chapter_number + 1))
  printf '\n%s== %d. %s%s   %s(+%ds)%s\n' "$bold" "$chapter_number" "$1" "$plain" "$dim" "$SECONDS" "$plain"
}

# say TEXT...: one line of narration.
say() { printf '%s# %s%s\n' "$dim" "$*" "$plain"; }

# show USER COMMAND...: prints the command as a person would type it.
show() {
  local user=$1 word line=''
  shift
  for word in "$@"; do
    case $word in
      *' '*) line+=" '$word'" ;;
      *) line+=" ${word/#$PWD\//}" ;;
    esac
  done
  printf '%s%s$%s%s\n' "$bold" "$user" "$line" "$plain"
}

# as USER COMMAND...: runs a command as that user of the cluster.
as() {
  local user=$1
  shift
  show "$user" "$@"
  KUBECONFIG="$work/$user.kubeconfig" "$@"
}

# expect CODE USER COMMAND...: runs a command whose exit code is part of the story.
expect() {
  local want=$1 got=0
  shift
  as "$@" || got=$?
  if [ "$got" -ne "$want" ]; then
    printf 'demo: exit code %d, expected %d\n' "$got" "$want" >&2
    return 1
  fi
  say "exit code $got"
}

# field NAME: the value of a string field in the cluster's description.
field() { sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p' "$work/cluster.json" | head -n 1; }

# stats ENVIRONMENT: what the client that plays the users has counted so far, as JSON.
stats() {
  KUBECONFIG="$work/admin.kubeconfig" kubectl get --raw \
    "/api/v1/namespaces/traffic/services/http:client-$1:8080/proxy/stats"
}

# count NAME: a number out of such JSON on standard input.
count() { sed -n 's/.*"'"$1"'":\([0-9]*\).*/\1/p'; }

# watch_users ENVIRONMENT: remembers the counts before a release.
watch_users() { stats "$1" >"$work/stats-before-$1"; }

# judge_users ENVIRONMENT zero|some: prints what the users saw since watch_users, and fails the demo
# where a request failed that must not have, or none was sent.
judge_users() {
  local before requests failed
  before="$work/stats-before-$1"
  stats "$1" >"$work/stats-after-$1"
  requests=$(($(count requests <"$work/stats-after-$1") - $(count requests <"$before")))
  failed=$(($(count failed <"$work/stats-after-$1") - $(count failed <"$before")))
  printf '%susers of %s: %d requests during this, %d failed%s\n' "$bold" "$1" "$requests" "$failed" "$plain"
  if [ "$requests" -eq 0 ]; then
    echo 'demo: the client sent nothing, so nothing is shown' >&2
    return 1
  fi
  if [ "$2" = zero ] && [ "$failed" -ne 0 ]; then
    echo "demo: users saw failures: $(cat "$work/stats-after-$1")" >&2
    return 1
  fi
}

# image_of NAMESPACE: the images that web runs there, one a line; pods on their way out do not count.
image_of() {
  KUBECONFIG="$work/admin.kubeconfig" kubectl -n "$1" get pods -l app=web -o 'go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{(index .spec.containers 0).image}}{{"\n"}}{{end}}{{end}}' | sort -u
}
