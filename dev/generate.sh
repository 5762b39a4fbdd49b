#!/usr/bin/env bash
# `make generate`: writes the files that come from the code. With a folder as its argument it writes
# them below that folder instead, and with --list it prints their paths; check.sh uses both.

. "$(dirname "$0")/lib.sh"

if [ "${1-}" = --list ]; then
  printf '%s\n' crds charts/keyreeve/files/crds charts/keyreeve/README.md docs/fields docs/reasons.md \
    docs/store-settings.md docs/metrics.md
  exit
fi

into=${1-.}
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

cargo run --locked --quiet -- crds --dir "$fresh/crds"
cargo run --locked --quiet -- docs --dir "$fresh/docs" --values charts/keyreeve/values.yaml
rm -rf "${into:?}/docs/fields" # a kind that is gone must not stay behind
# The table of values stands in the chart's README, between two lines that say so.
awk -v table="$fresh/docs/values.md" '
  /^<!-- the end of the values -->/ { inside = 0 }
  !inside { print }
  /^<!-- the values: / { inside = 1; while ((getline line < table) > 0) print line; print "" }
' charts/keyreeve/README.md >"$fresh/README.md"
rm "$fresh/docs/values.md"
mkdir -p "$into/docs" "$into/charts/keyreeve"
cp "$fresh/README.md" "$into/charts/keyreeve/README.md"
cp -r "$fresh/docs/." "$into/docs/"
# Helm reads nothing from outside of a chart, so the chart carries a copy.
for folder in crds charts/keyreeve/files/crds; do
  rm -rf "${into:?}/$folder"
  mkdir -p "$into/$folder"
  cp "$fresh"/crds/* "$into/$folder/"
done
