#!/bin/sh
# Makes the secrets that compose.yaml mounts, each once: what is there is left alone. Needs openssl.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets/keys
for name in access turn mqtt grafana metrics; do
  [ -s "secrets/$name" ] || openssl rand -hex 24 >"secrets/$name"
done
# mosquitto's own format: PBKDF2-SHA512, 101 rounds, salt and hash in base64.
if [ ! -s secrets/mosquitto ]; then
  salt=$(openssl rand -hex 12)
  hash=$(openssl kdf -keylen 64 -kdfopt digest:SHA512 -kdfopt "pass:$(cat secrets/mqtt)" -kdfopt "hexsalt:$salt" -kdfopt iter:101 -binary PBKDF2 | openssl base64 -A)
  printf 'doppel:$7$101$%s$%s\n' "$(printf '%s' "$salt" | sed 's/../\\x&/g' | xargs -0 printf '%b' | openssl base64 -A)" "$hash" >secrets/mosquitto
fi
# What Prometheus may do: read the metrics. Keys of your own go to the same folder: `doppel token keygen secrets/keys/first.json`.
cat >secrets/keys/prometheus.toml <<END
[[keys]]
name = "prometheus"
sha256 = "$(printf '%s' "$(cat secrets/metrics)" | openssl dgst -sha256 -r | cut -d' ' -f1)"
scopes = ["metrics"]
streams = ["*"]
END
# The containers' users have other numbers than the one who runs this; nobody else gets into the folder.
chmod 755 secrets/keys
chmod 644 secrets/[!k]* secrets/keys/*
echo "The secrets are in $(pwd)/secrets"
