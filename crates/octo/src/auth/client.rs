//! From where a request comes: the connection's other end, or what a trusted proxy says of it.

use http::header::HeaderMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// From where a request comes. A layer puts it into the request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its address.
    pub address: IpAddr,
    /// Whether it spoke https to the proxy before us.
    pub is_https: bool,
    /// The host that it named to the proxy before us.
    pub host: Option<String>,
}

impl Client {
    /// Of a request on a connection with `peer`. `X-Forwarded-…` count only from an address in `trusted`; of several addresses,
    /// the last that is not trusted is the client's, since everybody can write what stands before it.
    #[must_use]
    pub fn of(headers: &HeaderMap, peer: SocketAddr, trusted: &[IpAddr]) -> Self {
        let is_trusted =
            |address: &IpAddr| trusted.iter().any(|trusted| trusted.to_canonical() == address.to_canonical());
        let mut client = Self { address: peer.ip().to_canonical(), is_https: false, host: None };
        if !is_trusted(&client.address) {
            return client;
        }
        for address in listed(headers, "x-forwarded-for").into_iter().rev() {
            let Some(address) = parse(address) else { break };
            client.address = address.to_canonical();
            if !is_trusted(&address) {
                break;
            }
        }
        client.is_https = listed(headers, "x-forwarded-proto")
            .last()
            .is_some_and(|proto| proto.eq_ignore_ascii_case("https"));
        client.host = listed(headers, "x-forwarded-host").last().map(|host| (*host).to_owned());
        client
    }
}

/// The parts of a header with commas, in order, over all its lines.
fn listed<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

/// `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`.
fn parse(text: &str) -> Option<IpAddr> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

/// What one client has for certain: a customer of IPv6 has at least the lower 64 bits to choose from.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}
