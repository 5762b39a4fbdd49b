#!/usr/bin/env bash
# `make check`: all that is checked without running anything: form, lints, the dependencies'
# licences and sources, the alerts, and that the generated files are those that the code generates.

. "$(dirname "$0")/lib.sh"
. dev/tools.sh

# Compared with the work tree, not with a commit: what is not committed yet counts as it stands.
generated() {
  local fresh=target/dev/generated.$$ path differs=
  dev/generate.sh "$fresh"
  while read -r path; do
    diff -ru --new-file "$path" "$fresh/$path" || differs=yes
  done < <(dev/generate.sh --list)
  rm -rf "$fresh"
  [ -z "$differs" ] || die "generated files are not what the code generates (- the file, + the code); \`make generate\` writes them"
}

alerts() {
  promtool check rules charts/keyreeve/files/alerts.yaml
  promtool test rules tests/alerts.yaml
}

need_rust
tools_cargo_deny
tools_promtool
step "Form" "" cargo fmt --check
step "Lints" "about 2 minutes" cargo clippy --locked --all-targets -- -D warnings
step "Lints of the check of rights" "" cargo clippy --locked --test rights -- -D warnings
step "Dependencies: bans, licences, sources" "" cargo-deny --log-level warn --locked check bans licenses sources
step "Alerts" "" alerts
step "Generated files" "about 2 minutes" generated
