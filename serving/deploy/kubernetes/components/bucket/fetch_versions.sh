#!/bin/sh
# Copies complete model versions from SOURCE/<model>/<version>/ (a path of rclone's) to TARGET, the
# KEEP newest of each model, and removes the others. `once` does it one time, `follow` for ever.
#
# A bucket has no rename, so a version can be seen while it is being uploaded. One counts as complete
# once it has saved_model.pb, which must be uploaded last. Here it is copied to a hidden folder and
# then renamed, as Darkroom's Pusher does: the model server sees whole versions only.
set -eu
: "${SOURCE:?set it to the bucket and folder of the models, such as bucket:name/models}"
TARGET=${TARGET:-/models}
KEEP=${KEEP:-2}
INTERVAL=${INTERVAL:-30}

fetch_versions() {
    # A listing that fails ends the script here, before anything is removed.
    listing=$(rclone lsf --recursive --files-only --include '/*/*/saved_model.pb' "$SOURCE")
    wanted=$(printf '%s\n' "$listing" |
        sed -n 's,^\([^/]*/[1-9][0-9]*\)/saved_model\.pb$,\1,p' |
        sort -t/ -k1,1 -k2,2nr |
        awk -F/ -v keep="$KEEP" '++seen[$1] <= keep')
    for name in $wanted; do
        [ -d "$TARGET/$name" ] || fetch_version "${name%/*}" "${name#*/}"
    done
    for folder in "$TARGET"/*/[0-9]*; do
        remove_unwanted "${folder#"$TARGET"/}"
    done
}

fetch_version() {
    partial=$TARGET/$1/.$2.partial
    rm -rf "$partial"
    mkdir -p "$partial"
    rclone copy "$SOURCE/$1/$2" "$partial"
    mv "$partial" "$TARGET/$1/$2"
    echo "fetched $1/$2"
}

# A model that has left the bucket altogether stays: more likely a mistake than a wish.
remove_unwanted() {
    if wants_model "${1%/*}" && ! wants_version "$1"; then
        rm -rf "${TARGET:?}/$1"
        echo "removed $1"
    fi
}

wants_model() {
    printf '%s\n' "$wanted" | cut -d/ -f1 | grep -qxF -e "$1"
}

wants_version() {
    printf '%s\n' "$wanted" | grep -qxF -e "$1"
}

case ${1:-} in
    once)
        fetch_versions
        ;;
    follow)
        # The shell is process 1, which never gets a signal that it has no handler for.
        trap 'exit 0' TERM INT
        while :; do
            sh "$0" once || echo "cannot follow $SOURCE; trying again in $INTERVAL s" >&2
            sleep "$INTERVAL" &
            wait $!
        done
        ;;
    *)
        echo "usage: fetch_versions.sh once|follow" >&2
        exit 2
        ;;
esac
