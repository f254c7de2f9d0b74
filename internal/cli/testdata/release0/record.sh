#!/bin/bash
# Writes the services of release 0 into trees.tar.zst beside this script, see README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'git -C "$here" worktree remove --force "$work/checkout"; rm -rf "$work"' EXIT
git -C "$here" worktree add --quiet --detach "$work/checkout" 818ec59d
(cd "$work/checkout" && go build -o "$work/scaffold" ./cmd/scaffold)
mkdir "$work/trees" && cd "$work/trees"
new() { "$work/scaffold" new orders --owner team-a --runtime "$work/checkout/runtime" "$@" >/dev/null; }

new --module example.com/orders --dir plain
new --module example.com/orders --dir postgres --with postgres
new --module example.com/orders --dir httpclient --with httpclient
new --module example.com/orders --dir both --with postgres,httpclient --pipeline github,gitlab,jenkins
sed -i 's/^deploy:$/telemetry: {metrics: push}\ndeploy:\n  platforms: [kubernetes, cloud-run]\n  terraform: [aws, gcp, azure]/' both/scaffold.yaml
"$work/scaffold" generate both >/dev/null

mkdir repository && git -C repository init --quiet
new --module example.com/orders --dir repository/services/orders
mkdir inmodule && git -C inmodule init --quiet
printf 'module example.com/shop\n\ngo 1.26.0\n' >inmodule/go.mod
(cd inmodule && new --in-module --dir services/orders)
rm -rf repository/.git inmodule/.git

# Similar files are adjacent, so that they compress well.
find . -type f -printf '%f %P\n' | LC_ALL=C sort | cut -d' ' -f2- |
  tar --create --files-from=- --owner=0 --group=0 --numeric-owner --mtime=@0 | zstd --ultra -22 --long=27 --quiet --force -o "$here/trees.tar.zst"
