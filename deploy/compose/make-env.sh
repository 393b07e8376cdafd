#!/bin/sh
# Prints a fresh .env for compose.yaml: every secret new. Keep it: without the encryption key what is
# stored sealed cannot be opened, and without the passwords no part signs in.
set -eu
secret() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n'; }
for name in POSTGRES_PASSWORD VALKEY_PASSWORD CONVEX_SECRETS__SIGNING_KEY \
	CONVEX_SECRETS__API_PASSWORD CONVEX_SECRETS__WORKER_PASSWORD CONVEX_SECRETS__DBT_PASSWORD \
	CONVEX_SECRETS__PREFECT_PASSWORD; do
	printf '%s=%s\n' "$name" "$(secret | tr -d '=')"
done
printf 'CONVEX_SECRETS__ENCRYPTION_KEY=%s\n' "$(secret)" # a Fernet key keeps its padding
