use crate::FetchError;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// Which targets may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Guard {
    /// Public addresses over `https` only. The one right setting for a server on the internet.
    #[default]
    Public,
    /// Loopback addresses too, and `http`: an explicit setting for development and tests on one machine.
    AllowLoopback,
    /// Any address, and `http`: for a client of its own whose every target the operator has named, for the limits
    /// and streaming of this crate. Never for a target that someone else chooses.
    Configured,
}

impl Guard {
    /// Whether an address may be connected to.
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Public => is_public(address),
            Self::AllowLoopback => is_public(address) || address.is_loopback(),
            Self::Configured => true,
        }
    }

    /// Checks everything about a URL that can be checked before its name is resolved.
    ///
    /// # Errors
    /// [`FetchError`], one of those that [`FetchError::is_refusal`] names.
    pub fn check(self, url: &Url) -> Result<(), FetchError> {
        match url.scheme() {
            "https" => {}
            "http" if self != Self::Public => {}
            other => return Err(FetchError::Scheme(other.to_owned())),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::Userinfo);
        }
        // Low ports other than the web's belong to services that may be confused by what we send.
        match url.port() {
            Some(port) if port < 1024 && port != 443 && port != 80 && self == Self::Public => {
                return Err(FetchError::Port(port));
            }
            _ => {}
        }
        // The parser has read decimal, octal and hexadecimal forms of IPv4 addresses as what they are.
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(name)) if !name.trim_matches('.').is_empty() => return Ok(()),
            _ => return Err(FetchError::Host),
        };
        if self.allows(address) { Ok(()) } else { Err(FetchError::Forbidden(address)) }
    }
}

/// Whether an address belongs to the public internet: no private, loopback, link-local, carrier, documentation,
/// benchmark, multicast or reserved range, no cloud's metadata service, and no IPv6 form that wraps an IPv4
/// address (mapped, 6to4, Teredo, NAT64).
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    // IANA's special-purpose registry; 192.88.99/24 was the relays of 6to4.
    const SPECIAL: [([u8; 4], u32); 16] = [
        ([0, 0, 0, 0], 8),
        ([10, 0, 0, 0], 8),
        ([100, 64, 0, 0], 10),
        ([127, 0, 0, 0], 8),
        ([169, 254, 0, 0], 16),
        ([172, 16, 0, 0], 12),
        ([192, 0, 0, 0], 24),
        ([192, 0, 2, 0], 24),
        ([192, 88, 99, 0], 24),
        ([192, 168, 0, 0], 16),
        ([198, 18, 0, 0], 15),
        ([198, 51, 100, 0], 24),
        ([203, 0, 113, 0], 24),
        ([224, 0, 0, 0], 4),
        ([240, 0, 0, 0], 4),
        // The host agent of a large cloud, at an address that is public everywhere else.
        ([168, 63, 129, 16], 32),
    ];
    let bits = address.to_bits();
    !SPECIAL.iter().any(|(network, length)| {
        let mask = u32::MAX << (32 - length);
        bits & mask == u32::from_be_bytes(*network)
    })
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // Only global unicast, 2000::/3: mapped, NAT64, unique-local, link-local and multicast lie outside of it.
    segments[0] & 0xe000 == 0x2000
        // 2001::/23: IETF protocol assignments, with Teredo and ORCHID.
        && !(segments[0] == 0x2001 && segments[1] & 0xfe00 == 0)
        && !(segments[0] == 0x2001 && segments[1] == 0x0db8)
        // 6to4 wraps an IPv4 address.
        && segments[0] != 0x2002
        // 3fff::/20: documentation.
        && !(segments[0] == 0x3fff && segments[1] & 0xf000 == 0)
        // 5f00::/16 and the rest of the special registry lie outside of 2000::/3.
        // ISATAP interface identifiers wrap an IPv4 address too.
        && !(segments[4] & 0xfdff == 0 && segments[5] == 0x5efe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn public(text: &str) -> bool {
        is_public(text.parse().unwrap())
    }

    #[test]
    fn special_ranges_are_not_public() {
        for text in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::ffff:127.0.0.1",
            "::8.8.8.8",
            "64:ff9b::8.8.8.8",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2606:4700::5efe:7f00:1",
            "2606:4700:0:0:200:5efe:7f00:1",
        ] {
            assert!(!public(text), "{text}");
        }
    }

    #[test]
    fn neighbours_of_special_ranges_are_public() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "168.63.129.15",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00::1",
            "2003::1",
            "3ffe::1",
        ] {
            assert!(public(text), "{text}");
        }
    }

    #[test]
    fn urls() {
        let check = |text: &str, guard: Guard| guard.check(&Url::parse(text).unwrap());
        for text in [
            "http://example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "data:text/plain,x",
            "https://user@example.com/",
            "https://:secret@example.com/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://127.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest/",
            "https://0/",
            "https://example.com:25/",
            "https://./",
        ] {
            assert!(check(text, Guard::Public).is_err(), "{text}");
        }
        for text in ["https://example.com/", "https://example.com:8443/", "https://8.8.8.8/"] {
            check(text, Guard::Public).unwrap();
        }
        check("http://127.0.0.1:3000/", Guard::AllowLoopback).unwrap();
        for text in
            ["http://10.0.0.1/", "http://[::ffff:127.0.0.1]/", "http://a@127.0.0.1/", "ws://127.0.0.1/"]
        {
            assert!(check(text, Guard::AllowLoopback).is_err(), "{text}");
        }
    }

    proptest! {
        // The standard library's own predicates, as an independent twin for the ranges that it knows.
        #[test]
        fn never_more_than_the_standard_library(bits in any::<u32>()) {
            let address = Ipv4Addr::from_bits(bits);
            if address.is_private() || address.is_loopback() || address.is_link_local() || address.is_multicast()
                || address.is_broadcast() || address.is_documentation() || address.is_unspecified() {
                prop_assert!(!is_public_v4(address));
            }
            prop_assert!(!is_public_v6(address.to_ipv6_mapped()));
            prop_assert!(!is_public_v6(address.to_ipv6_compatible()));
        }
    }
}
