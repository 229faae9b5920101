#!/usr/bin/env bash
# Why this exists: the one door to the labs, of Pulp 2 and of Pulp 3. It makes the image, boots a Pulp in a systemd container, says how
# Ansible reaches it, and takes it away. `lab.sh help` lists the commands; README.md and pulp3/README.md tell what is inside.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../../.." && pwd)
state=$repo/.cache/lab
base=localhost/pulp-broker-test/base:bookworm
prefix=pulp-broker-test-
admin_password=Sesame-admin-7f3a
ready_timeout=120

main() {
    local command=${1:-help}
    shift || true
    # Machines with hybrid cgroups need another runtime and other limits; all others use podman as it is.
    if hybrid_cgroups; then
        export CONTAINERS_CONF=$here/hybrid/containers.conf
    fi
    case $command in
    image | up | down | exec | inventory | env) "lab_$command" "$@" ;;
    help | -h | --help) usage ;;
    *) usage >&2; fail "unknown command: $command" ;;
    esac
}

usage() {
    cat <<'HELP'
lab.sh image [sysv|pulp3]      make the lab's image, or find it made already
lab.sh up NAME [VAR=VALUE...]  boot a lab and wait until it is ready (README.md lists the variables)
lab.sh exec NAME COMMAND...    run a command in it
lab.sh inventory NAME...       print an Ansible inventory of it
lab.sh down NAME               take it away, with its state
lab.sh env                     print what podman needs on this machine, for `eval`
HELP
}

fail() {
    echo "lab.sh: $*" >&2
    exit 1
}

hybrid_cgroups() {
    [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]
}

lab_env() {
    if hybrid_cgroups; then
        printf 'export CONTAINERS_CONF=%q\n' "$here/hybrid/containers.conf"
    fi
}

# Users may say `main` or `pulp-broker-test-main`.
container() {
    echo "$prefix${1#"$prefix"}"
}

fqdn() {
    echo "${1#"$prefix"}.pulp.test"
}

# An image's name, and the hash of everything that it is made of: these files and folders.
image_name() {
    local name=$1 hash
    shift
    hash=$(cd "$here" && find "$@" -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
    echo "localhost/pulp-broker-test/$name:${hash:0:12}"
}

lab_image() {
    local name lab trust=() bundle=/etc/ssl/certs/ca-certificates.crt
    case ${1:-systemd} in
    systemd)
        name=$(image_name pulp2 Containerfile rootfs)
        if ! podman image exists "$name"; then
            podman image exists "$base" || make_base
            podman build --quiet --build-arg "BASE=$base" --tag "$name" "$here" >/dev/null
        fi
        ;;
    sysv)
        name=$(image_name pulp2 Containerfile rootfs sysv)
        if ! podman image exists "$name"; then
            lab=$(lab_image)
            podman build --quiet --build-arg "LAB=$lab" --tag "$name" "$here/sysv" >/dev/null
        fi
        ;;
    pulp3)
        name=$(image_name pulp3 pulp3)
        if ! podman image exists "$name"; then
            podman image exists "$base" || make_base
            # pip trusts a bundle of its own, unless it is told whom this machine trusts.
            [ ! -e "$bundle" ] || trust=(--volume "$bundle:/run/trusted.crt:ro" --build-arg PIP_CERT=/run/trusted.crt)
            podman build --quiet "${trust[@]}" --build-arg "BASE=$base" --tag "$name" "$here/pulp3" >/dev/null
        fi
        ;;
    *) fail "there is no lab image $1: systemd, sysv and pulp3 are known" ;;
    esac
    echo "$name"
}

make_base() {
    echo "lab.sh: making $base" >&2
    if timeout 120 podman pull --quiet docker.io/library/debian:12 >/dev/null 2>&1; then
        podman tag docker.io/library/debian:12 "$base"
    else
        command -v debootstrap >/dev/null || fail "no registry can be reached and there is no debootstrap: install debootstrap"
        bootstrap
    fi
}

bootstrap() (
    root=$(mktemp -d)
    trap 'rm -rf "$root" "$root.log"' EXIT
    if ! debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >"$root.log" 2>&1; then
        tail -n 20 "$root.log" >&2
        fail "debootstrap failed"
    fi
    rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/archives/*.deb
    tar -C "$root" -c . | podman import --quiet - "$base" >/dev/null
)

lab_up() {
    [ $# -ge 1 ] || fail "up: which lab?"
    local name=$1 container image wanted
    shift
    container=$(container "$name")
    image=$(lab_image "$(kind_of "$@")")
    ssh_key
    # A lab is what it should be if image, variables and the key that opens it are the same.
    wanted=$(printf '%s\n' "$image" "$(cat "$state/id_ed25519.pub")" "$(printf '%s\n' "$@" | LC_ALL=C sort)" | sha256sum | cut -c1-16)
    if [ "$(podman inspect --format '{{.State.Running}} {{index .Config.Labels "pulp-lab"}}' "$container" 2>/dev/null)" != "true $wanted" ]; then
        boot "$name" "$image" "$wanted" "$@"
    fi
    if ! podman exec "$container" pulp-lab wait "$ready_timeout"; then
        podman logs "$container" >&2 || true
        podman exec "$container" systemctl --no-pager --failed >&2 || true
        fail "$container did not become ready; look with: podman exec $container journalctl -b"
    fi
    ! hybrid_cgroups || tell_of_cgroups "$container"
}

# Which image the variables of `up` ask for.
kind_of() {
    local variable kind=systemd
    for variable in "$@"; do
        case $variable in
        PULP_LAB_PULP=3) kind=pulp3 ;;
        PULP_LAB_INIT=*) kind=${variable#*=} ;;
        esac
    done
    echo "$kind"
}

boot() {
    local name=$1 image=$2 wanted=$3 server options=() variable broker
    shift 3
    server=$(container "$name")
    for variable in "$@"; do
        case $variable in
        PULP_LAB_BROKER=*)
            broker=${variable#*=}
            server=$(container "$broker")
            options+=(--add-host "$(fqdn "$broker"):$(address "$broker")" --env "PULP_LAB_BROKER=$(fqdn "$broker")")
            ;;
        PULP_LAB_INIT=systemd | PULP_LAB_PULP=2 | PULP_LAB_PULP=3) ;;
        PULP_LAB_INIT=*) options+=(--systemd=false) ;;
        PULP_LAB_DEFECT=* | PULP_LAB_DEFECT_ACTORS=* | PULP_LAB_DEFECT_BEGINS=* | PULP_LAB_REPLIES=* | PULP_LAB_TLS=* | PULP_CONCURRENCY=* | PULP_LAB_WORKER_TYPE=*)
            options+=(--env "$variable")
            ;;
        *) fail "up: no such variable: $variable (README.md lists them)" ;;
        esac
    done
    remove "$name"
    # The state's volume says whose state it is, so that a second host can be found and removed with its first.
    [ "$server" = "$(container "$name")" ] || options+=(--label "pulp-lab-state=$server-state")
    podman run --detach --systemd=always --cap-add NET_ADMIN,SYS_PTRACE --name "$(container "$name")" --hostname "$(fqdn "$name")" \
        --label "pulp-lab=$wanted" --env "PULP_LAB_AUTHORIZED_KEY=$(cat "$state/id_ed25519.pub")" \
        --volume "$server-state:/var/lib/pulp" "${options[@]}" "$image" >/dev/null
}

tell_of_cgroups() {
    # Who has no systemd has nobody to tell.
    podman exec "$1" test -d /etc/systemd/system || return 0
    podman cp "$here/hybrid/cgroups-agent" "$1:/usr/local/sbin/pulp-lab-cgroups"
    podman cp "$here/hybrid/pulp-lab-cgroups.service" "$1:/etc/systemd/system/pulp-lab-cgroups.service"
    podman exec "$1" sh -c '[ ! -d /run/systemd/system ] || { systemctl daemon-reload && systemctl enable --quiet --now pulp-lab-cgroups; }'
}

address() {
    local address
    address=$(podman inspect --format '{{.NetworkSettings.IPAddress}}' "$(container "$1")" 2>/dev/null) || true
    [ -n "$address" ] || fail "lab $1 does not run: start it with: lab.sh up ${1#"$prefix"}"
    echo "$address"
}

# Labs that boot side by side open with the same key: one of them makes it, the others wait.
ssh_key() {
    mkdir -p "$state"
    (
        flock 9
        [ -e "$state/id_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -C pulp-lab -f "$state/id_ed25519"
    ) 9>"$state/lock"
}

# A second host cannot live without the first one's state: it goes with it.
remove() {
    local state_volume
    state_volume=$(container "$1")-state
    podman ps --all --quiet --filter "label=pulp-lab-state=$state_volume" | xargs --no-run-if-empty podman rm --force --time 0 >/dev/null
    podman rm --force --time 0 --ignore "$(container "$1")" >/dev/null
    if podman volume exists "$state_volume"; then
        podman volume rm "$state_volume" >/dev/null
    fi
    rm -f "$state/$(container "$1").known_hosts"
}

lab_down() {
    [ $# -ge 1 ] || fail "down: which lab?"
    local name
    for name in "$@"; do
        remove "$name"
    done
}

lab_exec() {
    [ $# -ge 2 ] || fail "exec: which lab, which command?"
    local container
    container=$(container "$1")
    shift
    podman exec "$container" "$@"
}

lab_inventory() {
    [ $# -ge 1 ] || fail "inventory: which lab?"
    local name container url=''
    echo '[pulp]'
    for name in "$@"; do
        container=$(container "$name")
        echo "${name#"$prefix"} ansible_host=$(address "$name")" \
            "ansible_ssh_common_args='-o UserKnownHostsFile=$state/$container.known_hosts -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=no'"
        : "${url:=https://$(fqdn "$name")}"
    done
    cat <<VARS

[pulp:vars]
ansible_user=root
ansible_ssh_private_key_file=$state/id_ed25519
pulp_broker_test_url=$url
pulp_broker_test_username=admin
pulp_broker_test_password=$admin_password
pulp_broker_test_ca_path=/etc/pki/pulp/ca.crt
VARS
}

main "$@"
