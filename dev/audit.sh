#!/usr/bin/env bash
# `make audit`: known vulnerabilities of the dependencies. Not part of `make check`: its answer
# depends on the day, and it needs a database that is cloned from outside.

. "$(dirname "$0")/lib.sh"
. dev/tools.sh

need_rust
tools_cargo_deny
if ! cargo-deny --locked fetch db >target/dev/audit.log 2>&1; then
  say "Nothing was audited: the advisory database is out of reach (target/dev/audit.log says why)"
  exit 0
fi
cargo-deny --locked check --disable-fetch advisories
