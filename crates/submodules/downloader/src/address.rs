//! Which addresses may be contacted: those of the public internet, and not what is only reachable from where we are.
//!
//! A caller names an address and gets what is there. Without this rule it would get what our own machine and network
//! show to their own: management pages, metadata services, internal hosts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::Settings;

/// Not for the public internet, by the registry of special-purpose addresses.
const SPECIAL_V4: [(Ipv4Addr, u8); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Within `2000::/3`: protocol assignments with Teredo, documentation, 6to4, documentation again.
const SPECIAL_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// All that is assigned for the public internet.
const GLOBAL_V6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What a translator turns into the IPv4 address in the last four bytes.
const NAT64: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// The rule as the settings make it.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    private: bool,
    allowed: Vec<IpNet>,
    denied: Vec<IpNet>,
}

impl Rule {
    pub fn new(settings: &Settings) -> Self {
        Self {
            private: settings.allow_private_addresses,
            allowed: settings.allowed_networks.clone(),
            denied: settings.denied_networks.clone(),
        }
    }

    /// May this address be contacted? One that stands for an IPv4 address is that address.
    pub fn allows(&self, address: IpAddr) -> bool {
        let meant = meant(address);
        let is_in = |networks: &[IpNet]| {
            networks
                .iter()
                .any(|network| network.contains(&address) || network.contains(&meant))
        };
        !is_in(&self.denied) && (self.private || is_in(&self.allowed) || is_public(meant))
    }
}

fn meant(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if NAT64.contains(&v6) => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        canonical => canonical,
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !SPECIAL_V4
            .iter()
            .any(|(network, length)| Ipv4Net::new_assert(*network, *length).contains(&v4)),
        IpAddr::V6(v6) => {
            GLOBAL_V6.contains(&v6)
                && !SPECIAL_V6
                    .iter()
                    .any(|(network, length)| Ipv6Net::new_assert(*network, *length).contains(&v6))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(allowed: &[&str], denied: &[&str], private: bool) -> Rule {
        let networks = |list: &[&str]| list.iter().map(|net| net.parse().unwrap()).collect();
        Rule {
            private,
            allowed: networks(allowed),
            denied: networks(denied),
        }
    }

    #[test]
    fn only_the_public_internet() {
        let rule = rule(&[], &[], false);
        for public in [
            "8.8.8.8",
            "195.113.0.1",
            "172.32.0.1",
            "100.128.0.1",
            "2001:718:1::1",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(rule.allows(public.parse().unwrap()), "{public}");
        }
        for own in [
            "127.0.0.1",
            "127.255.0.9",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd12:3456::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "100::1",
        ] {
            assert!(!rule.allows(own.parse().unwrap()), "{own}");
        }
    }

    #[test]
    fn exceptions_both_ways() {
        let rule = rule(&["10.1.0.0/16"], &["10.1.2.0/24", "8.8.8.0/24"], false);
        for (address, allowed) in [
            ("10.1.1.1", true),
            ("::ffff:10.1.1.1", true),
            ("10.2.1.1", false),
            ("10.1.2.1", false),
            ("8.8.8.8", false),
            ("::ffff:8.8.8.8", false),
            ("9.9.9.9", true),
        ] {
            assert_eq!(rule.allows(address.parse().unwrap()), allowed, "{address}");
        }
        let open = self::rule(&[], &["127.0.0.0/8"], true);
        assert!(open.allows("10.0.0.1".parse().unwrap()));
        assert!(!open.allows("127.0.0.1".parse().unwrap()));
    }
}
