//! Addresses that a stranger's URL may lead to.

use std::net::IpAddr;

/// Whether anybody on the internet may be reached at an address. Not at a loopback, private,
/// link-local, shared, multicast, documentation or reserved one (IANA's special-purpose
/// registries), nor at an IPv6 address that may hide such an IPv4 one.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let is_shared = a == 100 && (64..128).contains(&b);
            let is_reserved =
                a == 0 || a >= 240 || (a == 192 && b == 0) || (a == 198 && b & 0xfe == 18);
            !(v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_documentation()
                || is_shared
                || is_reserved)
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public(IpAddr::V4(v4)),
            // Global unicast is 2000::/3. Of it, 2002::/16 (6to4) and 2001::/32 (Teredo) can hide
            // a private IPv4, and 2001:db8::/32 is for documentation.
            None => {
                let [first, second, ..] = v6.segments();
                let is_special = first == 0x2001 && matches!(second, 0 | 0xdb8);
                first & 0xe000 == 0x2000 && first != 0x2002 && !is_special
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_told_apart() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "2001:db8::1",
            "2001::7f00:1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "::",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
