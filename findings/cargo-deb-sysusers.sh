#!/bin/sh
# cargo-deb: a package with a file for sysusers.d asks systemd-sysusers for a file of another name when it is installed.
#
# Expected: an asset that is installed as /usr/lib/sysusers.d/NAME.conf has `systemd-sysusers NAME.conf` in postinst, as debhelper writes it.
# Happens: postinst has the name of the asset's source, with .conf, so `systemd-sysusers` does not find the file, and as the script has `set -e` the
#   package stays unconfigured; the same for the snippet of tmpfiles.d, whose failure is passed over: nothing is made until the next boot.
# Versions: cargo-deb 3.8.0 (from crates.io), its snippets for sysusers and tmpfiles.
# Why it matters: cargo-deb builds such a package without a word, and it installs on no machine. Give the source the name that it is installed with.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
CARGO_TARGET_DIR=$folder/target cargo install --quiet --locked --version 3.8.0 --root "$folder" cargo-deb
mkdir -p "$folder/package/src" "$folder/package/scripts"
cd "$folder/package"
cat >Cargo.toml <<'TOML'
[package]
name = "sample"
version = "1.0.0"
edition = "2021"
description = "A sample"
license = "MIT"

[package.metadata.deb]
maintainer = "a sample <sample@localhost>"
maintainer-scripts = "scripts"
systemd-units = { unit-scripts = "scripts", enable = false, start = false }
assets = [
    ["target/release/sample", "usr/bin/", "755"],
    ["scripts/users", "usr/lib/sysusers.d/sample.conf", "644"],
    ["scripts/files", "usr/lib/tmpfiles.d/sample.conf", "644"],
]
TOML
echo 'fn main() {}' >src/main.rs
echo 'u sample - "A sample"' >scripts/users
echo 'd /var/lib/sample 0755 sample sample -' >scripts/files
printf '[Service]\nExecStart=/usr/bin/sample\n' >scripts/sample.service
"$folder/bin/cargo-deb" --version
"$folder/bin/cargo-deb" --quiet
dpkg-deb --ctrl-tarfile target/debian/sample_*.deb | tar -xOf - ./postinst | tee postinst
echo "installed:"
dpkg-deb --contents target/debian/sample_*.deb | grep -o 'usr/lib/\(sysusers\|tmpfiles\)\.d/.*'
grep -q 'systemd-sysusers .* users\.conf$' postinst
grep -q 'systemd-tmpfiles --create files\.conf ' postinst
dpkg-deb --contents target/debian/sample_*.deb | grep -q 'usr/lib/sysusers\.d/sample\.conf'
