//! Who is really calling: the peer's address, or what a proxy in a private range says about it.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::HeaderMap;
use http::request::Parts;

/// The address of the client behind a request.
///
/// `X-Forwarded-For` is believed only as far as each hop that wrote it is in a private range: from the right, the
/// first address that is not private is the client. A client on the public internet can therefore write into
/// the header what it likes. IPv4-mapped IPv6 addresses are unmapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientIp(pub IpAddr);

/// Whether the client spoke HTTPS to the outermost proxy, by `X-Forwarded-Proto` from a private range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForwardedHttps(pub bool);

/// Whether the peer is in a private range, so that it can be a proxy of ours whose headers are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BehindProxy(pub bool);

impl ClientIp {
    /// The client of a request from `peer` with these headers.
    pub fn of(peer: IpAddr, headers: &HeaderMap) -> Self {
        let mut client = peer.to_canonical();
        let forwarded = headers.get_all("x-forwarded-for");
        let hops: Vec<&str> =
            forwarded.iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).collect();
        for hop in hops.into_iter().rev() {
            if !is_private(client) {
                break;
            }
            match parse_hop(hop) {
                Some(ip) => client = ip,
                None => break,
            }
        }
        Self(client)
    }
}

impl ForwardedHttps {
    /// Whether a request from `peer` with these headers came over HTTPS.
    pub fn of(peer: IpAddr, headers: &HeaderMap) -> Self {
        let proto = headers.get("x-forwarded-proto").and_then(|v| v.to_str().ok());
        let first = proto.and_then(|v| v.split(',').next()).map(str::trim);
        Self(is_private(peer.to_canonical()) && first.is_some_and(|p| p.eq_ignore_ascii_case("https")))
    }
}

/// An address as proxies write it: bare, with a port, or in brackets.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(hop);
    bare.parse::<IpAddr>()
        .or_else(|_| hop.parse::<SocketAddr>().map(|a| a.ip()))
        .ok()
        .map(|ip| ip.to_canonical())
}

/// Loopback, link-local and private ranges: where a reverse proxy of ours can live.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// The peer's address, or the unspecified one where no listener of ours took the connection (in-process calls).
pub(crate) fn peer(parts: &Parts) -> IpAddr {
    parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(addr)| addr.ip())
}

impl<S: Sync> FromRequestParts<S> for BehindProxy {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(is_private(peer(parts).to_canonical())))
    }
}

impl<S: Sync> FromRequestParts<S> for ClientIp {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or_else(|| Self::of(peer(parts), &parts.headers)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        ClientIp::of(peer.parse().unwrap(), &headers).0.to_string()
    }

    #[test]
    fn a_public_peer_cannot_speak_for_others() {
        assert_eq!(of("8.8.8.8", &["1.2.3.4"]), "8.8.8.8");
        assert_eq!(of("2001:db8::1", &["1.2.3.4"]), "2001:db8::1");
    }

    #[test]
    fn a_private_proxy_is_believed_for_one_hop() {
        assert_eq!(of("127.0.0.1", &["6.6.6.6, 1.2.3.4"]), "1.2.3.4");
        assert_eq!(of("::1", &["6.6.6.6", "1.2.3.4:555"]), "1.2.3.4");
        assert_eq!(of("::ffff:10.0.0.1", &["6.6.6.6, 192.168.1.1"]), "6.6.6.6");
        assert_eq!(of("10.0.0.1", &["[2001:db8::2]"]), "2001:db8::2");
    }

    #[test]
    fn garbage_stops_the_walk() {
        assert_eq!(of("10.0.0.1", &["1.2.3.4, <script>"]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", &[""]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn https_is_believed_from_private_ranges_only() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        assert!(ForwardedHttps::of("10.1.1.1".parse().unwrap(), &headers).0);
        assert!(!ForwardedHttps::of("9.1.1.1".parse().unwrap(), &headers).0);
    }
}
