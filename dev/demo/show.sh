# shellcheck shell=bash
# How the demo shows things and makes sure of them. Sourced by demo.sh, never run.

# chapter TEXT: what the next part is about.
chapter() {
  if [ -t 1 ]; then
    printf '\n\n\033[1;36m%s\033[0m\n' "$1"
  else
    printf '\n\n## %s\n' "$1"
  fi
}

# tell TEXT: what the next lines show.
tell() {
  local text
  text=$(fold --spaces --width=100 <<<"$1" | sed 's/ *$//')
  if [ -t 1 ]; then
    printf '\n\033[1m%s\033[0m\n' "$text"
  else
    printf '\n%s\n' "$text"
  fi
}

# indented: what is not a command's own output stands a little to the right.
indented() {
  sed 's/^/    /; s/ *$//'
}

# shown COMMAND…: prints the command as one would type it, and runs it.
shown() {
  local typed word
  for word; do
    # What a shell would take apart stands in quotes.
    if [[ $word == *[\ \{\[\;]* ]]; then
      word="'$word'"
    fi
    typed+=" $word"
  done
  printf '$%s\n' "$typed"
  "$@"
}

# applied: applies the YAML on its standard input, and prints both.
applied() {
  local yaml
  yaml=$(cat)
  printf '$ kubectl apply -f - <<END\n%s\nEND\n' "$yaml"
  kubectl apply -f - <<<"$yaml"
}

# says KIND NAME [NAMESPACE]: the sentence in its condition Ready, as `kubectl describe` shows it.
says() {
  printf '%s: %s\n' "$2" "$(message "$@")" | fold --spaces --width=96 | indented
}

# message KIND NAME [NAMESPACE]
message() {
  kubectl get "$1" "$2" --namespace "${3-team-bank}" \
    -o 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}: {.status.conditions[?(@.type=="Ready")].message}{"\n"}'
}

# is REASON KIND NAME [NAMESPACE]: whether that is what stands in the column STATUS.
is() {
  local reason=$1
  shift
  message "$@" | grep -q "^$reason: "
}

# awaited WHAT COMMAND…: until the command succeeds.
awaited() {
  local what=$1 end=$((SECONDS + 30))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || die "$what did not come about within 30 s; what the operator did instead stands in its log"
    sleep 0.1
  done
}

# ready KIND NAME [NAMESPACE]: waits until it is, and says how long that took; most of it is kubectl's own time.
ready() {
  local begin=${EPOCHREALTIME/[.,]/}
  awaited "a $1 $2 that is Ready" is Synced "$@"
  printf '    … Ready within %d ms\n' $(((${EPOCHREALTIME/[.,]/} - begin) / 1000))
}

# expect WHAT WANTED FOUND: ends the demo when something is not as it should be.
expect() {
  [ "$2" = "$3" ] || die "$1 should be '$2' and is '$3'"
}

# has_event NAME REASON
has_event() {
  kubectl get events --field-selector "involvedObject.name=$1,reason=$2" -o name | grep -q .
}

# show_event NAME REASON: what the operator says has happened to it, once it says so.
show_event() {
  awaited "an event $2 of $1" has_event "$1" "$2"
  kubectl get events --field-selector "involvedObject.name=$1,reason=$2" \
    -o 'jsonpath={range .items[*]}{.type} {.reason}: {.message}{"\n"}{end}' | fold --spaces --width=96 | indented
}
