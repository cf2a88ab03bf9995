#!/usr/bin/env bash
# Builds FOLDER/python: Python 3.11 on glibc 2.23, older than the 2.26 of Lambda's python3.11. What it
# loads, the runtime loads too. Compiling takes four minutes of a core.
#   usage: lambda_python.sh FOLDER        on Debian 12, as root, with debootstrap
# The system is Ubuntu 16.04, Python is Debian's source, and OpenSSL Ubuntu 20.04's: Python asks for 1.1.1.
set -euo pipefail
[ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null || { echo "needs root and debootstrap" >&2; exit 2; }
mkdir -p "$1"
folder=$(realpath "$1")
[ -z "$(ls "$folder")" ] || { echo "$folder is not empty" >&2; exit 2; }
work=$(mktemp -d "$folder/build.XXXX")
root=$work/root
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/lists/partial" "$work/python"
mirror=$(cat /etc/apt/sources.list* /etc/apt/sources.list.d/* 2>/dev/null | sed -n 's/^URIs: *\(.*debian\)$/\1/p; s/^deb .*\(http[^ ]*debian\) .*/\1/p' || true)
mirror=${mirror%%$'\n'*}
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" >"$work/sources"
options=(-qq -o "Dir::Etc::SourceList=$work/sources" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$work/lists" -o APT::Sandbox::User=root)
apt-get "${options[@]}" update
(cd "$work/python" && apt-get "${options[@]}" source --download-only python3.11)

debootstrap --variant=minbase --no-check-gpg xenial "$root" >"$work/log" || { tail "$work/log" >&2; exit 1; }
sed 's/^deb /deb-src /; s/xenial/focal/' "$root/etc/apt/sources.list" >"$root/etc/apt/sources.list.d/focal.list"
cp /etc/resolv.conf /etc/hosts "$root/etc"
mkdir "$root/build"
mv "$work"/python/*.orig.tar.gz "$root/build/python.tar.gz"
chroot "$root" bash -euo pipefail -s <<'BUILD' >"$work/log" 2>&1 || { tail -30 "$work/log" >&2; exit 1; }
cd /build
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends dpkg-dev g++ gcc libbz2-dev libffi-dev liblzma-dev libsqlite3-dev make perl zlib1g-dev
apt-get -o APT::Sandbox::User=root source --download-only openssl
mkdir openssl python
tar xzf openssl_*.orig.tar.gz --strip-components=1 -C openssl
tar xzf python.tar.gz --strip-components=1 -C python
cd /build/openssl
./config --prefix=/opt/openssl --openssldir=/etc/ssl shared no-tests
make -s -j"$(nproc)" build_libs
make -s install_dev
cd /build/python
./configure --prefix=/opt/python --with-openssl=/opt/openssl --with-openssl-rpath=auto --without-ensurepip --disable-test-modules
make -s -j"$(nproc)"
make -s install
/opt/python/bin/python3.11 -c "import bz2, ctypes, lzma, sqlite3, ssl, zlib"
BUILD

mkdir "$folder/lib"
cp -a "$root"/lib/x86_64-linux-gnu/*.so* "$root"/usr/lib/x86_64-linux-gnu/*.so* "$root"/opt/openssl/lib/*.so* "$folder/lib"
cp -a "$root/opt/python" "$folder/python3.11"
cat >"$folder/python" <<'RUN'
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
exec "$here/lib/ld-linux-x86-64.so.2" --library-path "$here/lib" "$here/python3.11/bin/python3.11" "$@"
RUN
chmod +x "$folder/python"
"$folder/python" -c 'import os, ssl, sys; print("Python", sys.version.split()[0], "on", os.confstr("CS_GNU_LIBC_VERSION"), "with", ssl.OPENSSL_VERSION)'
