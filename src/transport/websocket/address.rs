//! Where a WebSocket server is: `ws://` and `wss://` URLs and multiaddrs, one into the other. No name resolution.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};
use thiserror::Error;

use crate::base::limits::WEBSOCKET_ADDRESS_BYTES;

/// A WebSocket server's address, and the peer expected there if one is named. Valid by construction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WsAddress {
    secure: bool,
    host: Host,
    port: u16,
    /// Begins with `/`; a query belongs to it.
    path: String,
    peer: Option<PeerId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Host {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    /// Lower case, ASCII.
    Name(String),
}

impl WsAddress {
    /// The URL, without the peer: `ws://host:port/path`, the port left out where it is the scheme's own.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        if self.port == default_port(self.secure) {
            format!("{scheme}://{}{}", self.host, self.path)
        } else {
            format!("{scheme}://{}:{}{}", self.host, self.port, self.path)
        }
    }

    /// The peer named by `/p2p/…`, if any.
    #[must_use]
    pub fn peer(&self) -> Option<PeerId> {
        self.peer
    }

    /// Whether it is `wss://`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// As a multiaddr that [`url_of`] turns back into [`WsAddress::url`]: `/dns/host/tcp/8000/x-parity-ws/%2Fws`, with
    /// `/tls` before it for `wss://` and `/p2p/…` after it if a peer is named. Names become `/dns`.
    #[must_use]
    pub fn to_multiaddr(&self) -> Multiaddr {
        let mut address = Multiaddr::empty();
        address.push(match &self.host {
            Host::V4(ip) => Protocol::Ip4(*ip),
            Host::V6(ip) => Protocol::Ip6(*ip),
            Host::Name(name) => Protocol::Dns(name.into()),
        });
        address.push(Protocol::Tcp(self.port));
        if self.secure {
            address.push(Protocol::Tls);
        }
        address.push(Protocol::Ws((&self.path).into()));
        if let Some(peer) = self.peer {
            address.push(Protocol::P2p(peer));
        }
        address
    }

    fn from_url(text: &str) -> Result<Self, AddressError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(AddressError::Scheme { text: text.to_owned() });
        };
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "ws" => false,
            "wss" => true,
            _ => return Err(AddressError::Scheme { text: text.to_owned() }),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(AddressError::Credentials);
        }
        let (host, port) = split_authority(authority)?;
        let port = match port {
            Some(text) => parse_port(text)?,
            None => default_port(secure),
        };
        let (path, peer) = split_peer(path)?;
        Ok(Self { secure, host, port, path: check_path(path)?, peer })
    }
}

/// The URL of a multiaddr that names a WebSocket, `/p2p/…` left out.
///
/// # Errors
/// As `WsAddress::try_from(&Multiaddr)`.
pub fn url_of(address: &Multiaddr) -> Result<String, AddressError> {
    WsAddress::try_from(address).map(|address| address.url())
}

impl fmt::Display for WsAddress {
    /// [`WsAddress::url`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url())
    }
}

impl FromStr for WsAddress {
    type Err = AddressError;

    /// A URL (`ws://` or `wss://`, any path, optionally ending in `/p2p/<peer id>`) or a multiaddr.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if text.len() > WEBSOCKET_ADDRESS_BYTES {
            return Err(AddressError::TooLong { len: text.len(), max: WEBSOCKET_ADDRESS_BYTES });
        }
        if !text.starts_with('/') {
            return Self::from_url(text);
        }
        let address: Multiaddr = text
            .parse()
            .map_err(|error: libp2p::multiaddr::Error| AddressError::Multiaddr { reason: error.to_string() })?;
        Self::try_from(&address)
    }
}

impl TryFrom<&Multiaddr> for WsAddress {
    type Error = AddressError;

    /// `/{ip4,ip6,dns,dns4,dns6}/…/tcp/PORT`, then `ws`, `wss`, `tls/ws`, `tls/sni/NAME/ws` (the name is what is
    /// dialed: a browser cannot ask an address for another name) or `x-parity-ws[s]/PATH`, then perhaps `p2p/ID`.
    fn try_from(address: &Multiaddr) -> Result<Self, AddressError> {
        if address.len() > WEBSOCKET_ADDRESS_BYTES {
            return Err(AddressError::TooLong { len: address.len(), max: WEBSOCKET_ADDRESS_BYTES });
        }
        let other = || AddressError::NotWebSocket { address: address.clone() };
        let mut parts = address.iter();
        let mut host = match parts.next() {
            Some(Protocol::Ip4(ip)) => Host::V4(ip),
            Some(Protocol::Ip6(ip)) => Host::V6(ip),
            Some(Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name)) => Host::named(&name)?,
            _ => return Err(other()),
        };
        let Some(Protocol::Tcp(port)) = parts.next() else { return Err(other()) };
        let (secure, path) = match parts.next() {
            Some(Protocol::Ws(path)) => (false, path),
            Some(Protocol::Wss(path)) => (true, path),
            Some(Protocol::Tls) => {
                let mut next = parts.next();
                if let Some(Protocol::Sni(name)) = &next {
                    host = Host::named(name)?;
                    next = parts.next();
                }
                let Some(Protocol::Ws(path)) = next else { return Err(other()) };
                (true, path)
            }
            _ => return Err(other()),
        };
        let peer = match (parts.next(), parts.next()) {
            (None, _) => None,
            (Some(Protocol::P2p(peer)), None) => Some(peer),
            _ => return Err(other()),
        };
        if port == 0 {
            return Err(AddressError::Port { text: port.to_string() });
        }
        Ok(Self { secure, host, port, path: check_path(&path)?, peer })
    }
}

impl Host {
    /// A DNS name in ASCII, or an IPv4 address where a name was expected.
    fn named(text: &str) -> Result<Self, AddressError> {
        if let Ok(ip) = text.parse() {
            return Ok(Self::V4(ip));
        }
        let refused = || AddressError::Host { text: text.to_owned() };
        let name = text.to_ascii_lowercase();
        if name.len() > 253 || !name.strip_suffix('.').unwrap_or(&name).split('.').all(is_label) {
            return Err(refused());
        }
        // A browser reads `127.1` and `0x7f.1` as IPv4 addresses. Nobody means that.
        let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") {
            return Err(refused());
        }
        Ok(Self::Name(name))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(ip) => ip.fmt(f),
            Self::V6(ip) => write!(f, "[{ip}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

fn parse_port(text: &str) -> Result<u16, AddressError> {
    let refused = || AddressError::Port { text: text.to_owned() };
    // `parse` alone would take `+80`.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(refused());
    }
    text.parse().ok().filter(|port| *port != 0).ok_or_else(refused)
}

/// Host and, if there is a colon, what follows it.
fn split_authority(authority: &str) -> Result<(Host, Option<&str>), AddressError> {
    let refused = || AddressError::Host { text: authority.to_owned() };
    if let Some(rest) = authority.strip_prefix('[') {
        let (ip, rest) = rest.split_once(']').ok_or_else(refused)?;
        let host = Host::V6(ip.parse().map_err(|_| refused())?);
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(refused()),
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Ok((Host::named(host)?, Some(port))),
        None => Ok((Host::named(authority)?, None)),
    }
}

/// Cuts `/p2p/<peer id>` off the end of a URL's path. Only a path that ends like that can name a peer.
fn split_peer(path: &str) -> Result<(&str, Option<PeerId>), AddressError> {
    let Some((before, text)) = path.rsplit_once("/p2p/") else { return Ok((path, None)) };
    match text.parse() {
        Ok(peer) => Ok((before, Some(peer))),
        Err(_) => Err(AddressError::Peer { text: text.to_owned() }),
    }
}

fn check_path(path: &str) -> Result<String, AddressError> {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !br##""#<>\^`{|}"##.contains(&byte);
    if !path.bytes().all(allowed) {
        return Err(AddressError::Path { text: path.to_owned() });
    }
    Ok(if path.starts_with('/') { path.to_owned() } else { format!("/{path}") })
}

/// Why text or a multiaddr is no WebSocket address.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// Over [`WEBSOCKET_ADDRESS_BYTES`].
    #[error("an address of {len} bytes, longer than {max}")]
    TooLong {
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// Neither a WebSocket URL nor a multiaddr.
    #[error(
        "{text:?} is no server address: expected ws://…, wss://… or a multiaddr such as /dns/example.org/tcp/443/tls/ws"
    )]
    Scheme {
        /// The text.
        text: String,
    },
    /// A user name or password in the URL. Browsers drop them silently.
    #[error("a WebSocket URL cannot carry a user name or password")]
    Credentials,
    /// The host is neither an IP address nor a DNS name in ASCII.
    #[error("{text:?} is no host: expected an IP address or a DNS name (in ASCII)")]
    Host {
        /// The text.
        text: String,
    },
    /// The port is none, or 0.
    #[error("{text:?} is no port: expected 1 to 65535")]
    Port {
        /// The text.
        text: String,
    },
    /// The path has characters that a WebSocket URL cannot carry, a fragment for example.
    #[error("{text:?} is no path of a WebSocket URL: percent-encode it, and leave out any #fragment")]
    Path {
        /// The text.
        text: String,
    },
    /// What follows `/p2p/` is no peer id.
    #[error("{text:?} is no peer id")]
    Peer {
        /// The text.
        text: String,
    },
    /// Begins like a multiaddr and is none.
    #[error("not a valid multiaddr: {reason}")]
    Multiaddr {
        /// The parser's words.
        reason: String,
    },
    /// A multiaddr of another transport, or one that goes through a relay.
    #[error("{address} is not the address of a WebSocket")]
    NotWebSocket {
        /// The address.
        address: Multiaddr,
    },
}
