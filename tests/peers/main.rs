//! Tests against real peers: Moonraker, QEMU, podman.
