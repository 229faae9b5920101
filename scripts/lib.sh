# shellcheck shell=bash
# shellcheck disable=SC2034  # the names below are for those who source this
# What every script beside this one needs: where things are, and one way to speak and to stop. Sourced, never run.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
ROOT=$PWD
CACHE=$ROOT/.cache
VENV=$CACHE/venv
# Which hosts the binary is for: `make build ARCH=aarch64`. Nothing else but the packages looks at more than one.
ARCH=${ARCH:-x86_64}
ARCHITECTURES=(x86_64 aarch64)
TARGET=$ARCH-unknown-linux-musl
BINARY=${CARGO_TARGET_DIR:-target}/$TARGET/release/pulp_broker
# Ansible takes modules from library/. Other architectures' have to stand beside it: what is below it would be found as well.
LIBRARY=library
[ "$ARCH" = x86_64 ] || LIBRARY=library-$ARCH
LAB=molecule/shared/lab/lab.sh

[[ " ${ARCHITECTURES[*]} " == *" $ARCH "* ]] || {
    printf 'error: value of ARCH must be one of: %s, got: %s\n' "${ARCHITECTURES[*]}" "$ARCH" >&2
    exit 1
}

# The pinned tools come before any that the machine has; what only root's PATH knows is found by everybody.
export PATH="$VENV/bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# When the first of our scripts began, so that what each says shows where the time goes.
export PULP_BROKER_BEGAN=${PULP_BROKER_BEGAN:-$(date +%s)}
say() { printf '\n==> %s s: %s\n' $(($(date +%s) - PULP_BROKER_BEGAN)) "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
    printf '\nerror: %s\n' "$*" >&2
    exit 1
}

# Every module has its documentation beside it, so the documents are the list of modules.
modules() {
    local document
    for document in library/*.yml; do
        [ -e "$document" ] || die "library/ holds no module documentation, so there is no module to name"
        basename "$document" .yml
    done
}

# Of the binary and of what it is packed in.
version() { sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1; }

# Every molecule scenario of this repository; what they share is no scenario.
scenarios() {
    local file
    for file in molecule/*/molecule.yml; do
        [ -e "$file" ] || die "molecule/ holds no scenario"
        basename "$(dirname "$file")"
    done
}

# The first Python that Ansible accepts. A name on PATH proves nothing (version managers leave stubs), so each is asked.
find_python() {
    local name
    for name in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    return 1
}
