#!/usr/bin/env bash
# Records docs/images/push.svg, the terminal picture of the README, from a real daemon: a first push as set-up,
# then a second one, the page, the lists and a rollback. Needs asciinema (Debian) and svg-term-cli (by npx).
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
scene=$(mktemp -d)
export PATH="$root/node_modules/.bin:$PATH"
export KERNEL_HOST="unix://$scene/kernel.sock" DOCKER_HOST="unix://$scene/kernel.sock"
kernel daemon --data-dir "$scene/data" --host "$KERNEL_HOST" --http 127.0.0.1:8088 --ssh 127.0.0.1:2299 \
  --stop-workloads --log-format json >"$scene/log" 2>&1 &
daemon=$!
trap 'kernel apps:destroy my-app --force >/dev/null 2>&1 || true; kill $daemon; wait $daemon || true; rm -rf "$scene"' EXIT
until kernel system:info >/dev/null 2>&1; do sleep 0.2; done

ssh-keygen -q -t ed25519 -N '' -f "$scene/key"
kernel ssh-keys:add ann "$scene/key.pub" >/dev/null
export GIT_SSH_COMMAND="ssh -F none -i $scene/key -o UserKnownHostsFile=$scene/known -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR"
cp -r examples/hello-node "$scene/my-app"
cd "$scene/my-app"
git init -q -b main
git add -A
git -c user.name=ann -c user.email=ann@example.com commit -qm 'Say hello'
git remote add kernel ssh://kernel@127.0.0.1:2299/my-app
git push -q kernel main 2>/dev/null
sed -i 's/Hello from/Welcome to/' server.js
git -c user.name=ann -c user.email=ann@example.com commit -qam 'Say welcome'

cat >"$scene/play.sh" <<'PLAY'
say() { printf '\033[1;32m$\033[0m %s' "$1"; sleep 1.2; printf '\n'; eval "$1"; sleep 1.5; }
say 'git push kernel main'
say 'curl -s http://my-app.localhost:8088/ | grep h1'
say 'kernel apps:list'
say 'docker ps --format "table {{.Names}}\t{{.Status}}"'
say 'kernel releases:rollback my-app'
say 'curl -s http://my-app.localhost:8088/ | grep h1'
sleep 4
PLAY
TERM=xterm-256color asciinema rec -q --overwrite --cols 104 --rows 36 -c "bash $scene/play.sh" "$scene/push.cast" </dev/null
npx --yes svg-term-cli@2.1.1 --in "$scene/push.cast" --out "$root/docs/images/push.svg" --window --no-cursor \
  --width 104 --height 36
