#!/usr/bin/env bash
# WuKongIM's own clients, one after the other, against a server that runs.
#
# usage: wukong.sh READY_FILE
set -euo pipefail
cd "$(dirname "$0")"
address() { node -p "JSON.parse(require('fs').readFileSync('$1', 'utf8')).$2"; }
ws=$(address "$1" wukong_ws)
http=$(address "$1" wukong_http)
node wukongimjssdk.mjs "$ws" "$http"
.venv/bin/python easy_sdk.py "$ws" "$http"
