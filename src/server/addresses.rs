//! Under which addresses this server can be reached.

use std::net::{IpAddr, SocketAddr};

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

/// Where the server listens and what it tells others.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    /// Bound addresses, as the swarm listens on them: `/ip4/…/tcp/…/ws`.
    pub(super) listen: Vec<Multiaddr>,
    /// Bound and announced addresses, each ending in `/p2p/<this server>`.
    pub(super) all: Vec<String>,
    /// Those of `all` that a browser can dial.
    pub(super) bootstrap_peers: Vec<String>,
    /// URL of the HTTP port, for a person or script on this machine.
    pub(super) http: String,
}

impl Addresses {
    /// From the bound socket and the announced addresses, which may end in this server's own `/p2p`.
    ///
    /// # Errors
    /// The first announced address that names another peer.
    pub(super) fn new(bound: SocketAddr, announce: &[Multiaddr], peer_id: PeerId) -> Result<Self, Multiaddr> {
        let listen: Vec<_> = interface_ips(bound.ip()).into_iter().map(|ip| websocket(ip, bound.port())).collect();
        let mut told = listen.clone();
        for address in announce {
            let bare = without_own_peer_id(address, peer_id).ok_or_else(|| address.clone())?;
            if !told.contains(&bare) {
                told.push(bare);
            }
        }
        let full = |address: &Multiaddr| address.clone().with(Protocol::P2p(peer_id)).to_string();
        Ok(Self {
            all: told.iter().map(full).collect(),
            bootstrap_peers: told.iter().filter(|address| is_websocket(address)).map(full).collect(),
            listen,
            http: format!("http://{}", SocketAddr::new(reachable(bound.ip()), bound.port())),
        })
    }
}

/// `/ip4/…/tcp/…/ws` (or `/ip6/…`).
pub(super) fn websocket(ip: IpAddr, port: u16) -> Multiaddr {
    Multiaddr::empty().with(ip.into()).with(Protocol::Tcp(port)).with(Protocol::Ws("/".into()))
}

fn is_websocket(address: &Multiaddr) -> bool {
    address.iter().any(|part| matches!(part, Protocol::Ws(_) | Protocol::Wss(_)))
}

fn without_own_peer_id(address: &Multiaddr, own: PeerId) -> Option<Multiaddr> {
    let mut bare = address.clone();
    match address.iter().last() {
        Some(Protocol::P2p(peer_id)) if peer_id != own => return None,
        Some(Protocol::P2p(_)) => drop(bare.pop()),
        _ => {}
    }
    Some(bare)
}

/// The addresses behind a bound one: itself, or for "all interfaces" those of each, loopback first. Link-local ones
/// need a scope that a multiaddr of ours does not carry and are left out.
fn interface_ips(bound: IpAddr) -> Vec<IpAddr> {
    if !bound.is_unspecified() {
        return vec![bound];
    }
    let mut ips: Vec<_> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .filter(|interface| !interface.is_link_local())
        .map(|interface| interface.ip())
        .filter(|ip| ip.is_ipv4() || bound.is_ipv6())
        .collect();
    ips.push(reachable(bound));
    ips.sort_by_key(|ip| (!ip.is_loopback(), ip.is_ipv6(), *ip));
    ips.dedup();
    ips
}

/// The address itself, or for "all interfaces" the loopback one.
fn reachable(bound: IpAddr) -> IpAddr {
    match bound {
        IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announced_addresses_follow_the_bound_one_and_name_this_server() {
        let peer_id = PeerId::random();
        let announce = [
            "/dns4/sync.example/tcp/443/wss".parse().unwrap(),
            format!("/ip4/9.9.9.9/tcp/8001/p2p/{peer_id}").parse().unwrap(),
        ];
        let addresses = Addresses::new("127.0.0.1:8000".parse().unwrap(), &announce, peer_id).unwrap();
        assert_eq!(
            addresses.all,
            [
                format!("/ip4/127.0.0.1/tcp/8000/ws/p2p/{peer_id}"),
                format!("/dns4/sync.example/tcp/443/wss/p2p/{peer_id}"),
                format!("/ip4/9.9.9.9/tcp/8001/p2p/{peer_id}"),
            ]
        );
        assert_eq!(addresses.bootstrap_peers, addresses.all[..2]);
        assert_eq!(addresses.http, "http://127.0.0.1:8000");
    }

    #[test]
    fn another_peers_address_cannot_be_announced() {
        let announce = [format!("/ip4/9.9.9.9/tcp/1/ws/p2p/{}", PeerId::random()).parse().unwrap()];
        assert!(Addresses::new("127.0.0.1:1".parse().unwrap(), &announce, PeerId::random()).is_err());
    }

    #[test]
    fn all_interfaces_include_loopback_and_never_the_unspecified_address() {
        let addresses = Addresses::new("0.0.0.0:8000".parse().unwrap(), &[], PeerId::random()).unwrap();
        assert_eq!(addresses.listen[0].to_string(), "/ip4/127.0.0.1/tcp/8000/ws");
        assert!(addresses.all.iter().all(|address| !address.contains("0.0.0.0")));
        let v6 = Addresses::new("[::1]:8000".parse().unwrap(), &[], PeerId::random()).unwrap();
        assert_eq!(v6.http, "http://[::1]:8000");
    }
}
