#!/bin/sh
# Writes what the configuration's schema generates: config/smb3d.toml and the keys in smb3d.toml(5).
# usage: scripts/generate.sh BUILD_DIRECTORY
set -eu
smb3d=$(readlink -f "$1/smb3d")
cd "$(dirname "$0")/.."
"$smb3d" --print-default-config > config/smb3d.toml
manual=docs/man/smb3d.toml.5
"$smb3d" --print-reference > "$manual.keys"
sed -i -e '/BEGIN GENERATED/,/END GENERATED/{/GENERATED/!d}' -e "/BEGIN GENERATED/r $manual.keys" "$manual"
rm "$manual.keys"
