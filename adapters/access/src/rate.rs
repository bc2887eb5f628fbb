//! How many handshakes an address may begin in a second.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use nightjar_model::Mono;

/// Addresses counted at a time; above it the count starts anew.
const ADDRESSES_MAX: usize = 65_536;

/// Counts handshakes by address in windows of a second.
#[derive(Debug)]
pub struct HandshakeRate {
    per_s_max: u32,
    counts: Mutex<(u64, HashMap<IpAddr, u32>)>,
}

impl HandshakeRate {
    /// At most so many a second from one address; 0 counts nothing.
    #[must_use]
    pub fn new(per_s_max: u32) -> Self {
        Self { per_s_max, counts: Mutex::new((0, HashMap::new())) }
    }

    /// Whether one more may begin now. IPv6 is counted by /64, which is what one host gets.
    pub fn allows(&self, address: IpAddr, now: Mono) -> bool {
        if self.per_s_max == 0 {
            return true;
        }
        let address = match address {
            IpAddr::V6(v6) => {
                let mut segments = v6.segments();
                segments[4..].fill(0);
                IpAddr::V6(segments.into())
            }
            v4 @ IpAddr::V4(_) => v4,
        };
        let second = now.0 / 1_000;
        let mut counts = self.counts.lock().expect("no holder of this lock can panic");
        if counts.0 != second || counts.1.len() >= ADDRESSES_MAX {
            *counts = (second, HashMap::new());
        }
        let count = counts.1.entry(address).or_insert(0);
        *count += 1;
        *count <= self.per_s_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_second() {
        let rate = HandshakeRate::new(2);
        let (a, b): (IpAddr, IpAddr) = ("127.0.0.1".parse().unwrap(), "::1".parse().unwrap());
        assert!(rate.allows(a, Mono(0)) && rate.allows(a, Mono(999)));
        assert!(!rate.allows(a, Mono(999)));
        assert!(rate.allows(b, Mono(999)));
        assert!(rate.allows(a, Mono(1_000)));
        assert!((0..10).all(|_| HandshakeRate::new(0).allows(a, Mono(0))));
    }
}
