#!/bin/bash
# Puts the OpenSSH client of Debian 13 into a folder, with the libraries that it runs on, so that tests can try it on an
# older Debian. Nothing is installed and no root is needed: apt reads its lists anew, into the folder, and checks their
# signature with the keys that Debian has brought along.
set -euo pipefail
folder=$(realpath -m "${1:-$(dirname "$0")/../node_modules/.cache/newer-openssh}")
ssh=$folder/ssh
if [[ -x $ssh ]] && "$ssh" -V 2>/dev/null; then exit 0; fi

packages='openssh-client libc6 libedit2 libfido2-1 libgssapi-krb5-2 libselinux1 libssl3t64 zlib1g libbsd0 libmd0 libtinfo6
libcbor0.10 libudev1 libcap2 libkrb5-3 libk5crypto3 libcom-err2 libkrb5support0 libkeyutils1 libpcre2-8-0 libzstd1'

rm -rf "$folder"
mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial" "$folder/root"
# From where this machine has its own packages.
mirrors=$(apt-get --print-uris update | sed -n "s|^'\(.*/debian\)/dists/[^/]*/InRelease'.*|\1|p")
mirror=${mirrors%%$'\n'*}
cat >"$folder/apt/sources.list" <<EOF
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:?this machine knows no server of Debian packages} trixie main
EOF
cat >"$folder/apt/apt.conf" <<EOF
Dir::State "$folder/apt";
Dir::State::lists "$folder/apt/lists";
Dir::State::status "/dev/null";
Dir::Cache "$folder/apt/cache";
Dir::Etc::sourcelist "$folder/apt/sources.list";
Dir::Etc::sourceparts "-";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "10";
EOF
export APT_CONFIG=$folder/apt/apt.conf
apt-get -q update
# shellcheck disable=SC2086
(cd "$folder/apt" && apt-get -q download $packages)
for package in "$folder"/apt/*.deb; do dpkg-deb -x "$package" "$folder/root"; done
rm -rf "$folder/apt"

# By its own loader: the one of this machine belongs to an older libc.
cat >"$ssh" <<'EOF'
#!/bin/sh
root=$(dirname "$0")/root
exec "$root"/usr/lib*/ld-linux*.so.* --library-path "$(echo "$root"/usr/lib/*-linux-gnu)" "$root/usr/bin/ssh" "$@"
EOF
chmod 755 "$ssh"
"$ssh" -V
