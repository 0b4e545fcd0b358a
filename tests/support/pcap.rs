//! Reads a packet dump of QEMU: classic pcap files of Ethernet frames.

use std::path::Path;

/// The transport protocol of a packet, as far as the tests ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// TCP over IPv4 or IPv6.
    Tcp,
    /// UDP over IPv4 or IPv6.
    Udp,
    /// Anything else: ARP, ICMP, neighbour discovery.
    Other,
}

/// The protocols of all whole packets in a dump, in their order. Panics when the file is no such dump.
pub(crate) fn protocols(path: &Path) -> Vec<Protocol> {
    let bytes = std::fs::read(path).unwrap();
    let magic = u32::from_le_bytes(bytes[..4].try_into().unwrap());
    assert_eq!(magic, 0xA1B2_C3D4, "{} is no pcap file of this machine", path.display());
    assert_eq!(bytes[20..24], 1u32.to_le_bytes(), "{} holds no Ethernet frames", path.display());
    let mut rest = &bytes[24..];
    let mut protocols = Vec::new();
    while rest.len() >= 16 {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let Some(frame) = rest.get(16..16 + length) else { break };
        protocols.push(protocol(frame));
        rest = &rest[16 + length..];
    }
    protocols
}

fn protocol(frame: &[u8]) -> Protocol {
    let number = match frame.get(12..14) {
        Some([0x08, 0x00]) => frame.get(23).copied(),
        Some([0x86, 0xDD]) => ipv6_payload(frame.get(14..).unwrap_or_default()),
        _ => None,
    };
    match number {
        Some(6) => Protocol::Tcp,
        Some(17) => Protocol::Udp,
        _ => Protocol::Other,
    }
}

/// What follows the IPv6 header and its hop-by-hop options.
fn ipv6_payload(packet: &[u8]) -> Option<u8> {
    match packet.get(6).copied() {
        Some(0) => packet.get(40).copied(),
        next => next,
    }
}
