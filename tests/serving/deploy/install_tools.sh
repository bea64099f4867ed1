#!/usr/bin/env bash
# Puts kustomize, docker-compose and rclone into a folder, for the tests beside this file.
#
# They are Debian 13's packages: Debian 12 has them older or not at all, and runs these, which need
# glibc 2.34 and nothing else. apt verifies them with the host's own keys; the host's packages and
# its lists stay as they are.
set -euo pipefail

tools=(kustomize docker-compose rclone)
folder=$(realpath -m "${1:?usage: install_tools.sh FOLDER}")
mkdir -p "$folder"

missing=()
for tool in "${tools[@]}"; do
    [[ -x $folder/$tool ]] || missing+=("$tool")
done
((${#missing[@]})) || exit 0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch"/{sources.list.d,lists/partial,cache/archives/partial,root}
for sources in sources.list sources.list.d/debian.sources; do
    if [[ -e /etc/apt/$sources ]]; then
        sed 's/bookworm/trixie/g' "/etc/apt/$sources" > "$scratch/$sources"
    fi
done
apt=(
    apt-get -qq
    -o "Dir::Etc::SourceList=$scratch/sources.list"
    -o "Dir::Etc::SourceParts=$scratch/sources.list.d"
    -o "Dir::State::Lists=$scratch/lists"
    -o "Dir::Cache=$scratch/cache"
    -o APT::Sandbox::User=root
    -o Acquire::Retries=3
)
cd "$scratch"
"${apt[@]}" update
"${apt[@]}" download "${missing[@]}"
for package in "$scratch"/*.deb; do
    dpkg-deb --extract "$package" "$scratch/root"
done
for tool in "${missing[@]}"; do
    install "$scratch/root/usr/bin/$tool" "$folder/$tool"
done
