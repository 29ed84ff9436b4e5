//! Which web pages may use this server. Browsers send `Origin` with every WebSocket upgrade and do not apply CORS to
//! it (OWASP ASVS 4.4.2), so one matcher decides for both. RFC 6454 origins; no wildcards inside a host.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::Deserialize;

/// One value of `--allow-origin`: an origin, `null` (sandboxed pages and files) or `*` (every page).
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AllowedOrigin(String);

impl AllowedOrigin {
    /// Whether this allows pages of every origin.
    pub(super) fn is_everyone(&self) -> bool {
        self.0 == "*"
    }
}

impl FromStr for AllowedOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "*" || text == "null" {
            return Ok(Self(text.to_owned()));
        }
        match WebOrigin::parse(text) {
            Some(origin) => Ok(Self(origin.to_string())),
            None => Err(format!("`{text}` is not an origin such as https://example.com")),
        }
    }
}

impl TryFrom<String> for AllowedOrigin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Debug for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Decides about `Origin` headers.
#[derive(Clone, Debug, Default)]
pub(super) struct OriginPolicy {
    allowed: Vec<AllowedOrigin>,
}

impl OriginPolicy {
    pub(super) fn new(allowed: Vec<AllowedOrigin>) -> Self {
        Self { allowed }
    }

    /// Whether a page of `origin` may connect to this server under the name `host`. No origin: not a web page, and
    /// nothing that a header could protect.
    pub(super) fn allows(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let Some(origin) = origin else { return true };
        if self.lists(origin) {
            return true;
        }
        let Some(origin) = WebOrigin::parse(origin) else { return false };
        origin.is_loopback() || host.is_some_and(|host| origin.is_served_at(host)) || self.lists(&origin.to_string())
    }

    fn lists(&self, origin: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed.is_everyone() || allowed.0 == origin)
    }
}

/// A parsed `scheme://host[:port]`, lower case, without the scheme's own port.
struct WebOrigin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl WebOrigin {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let is_name = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        if scheme.is_empty() || !scheme.chars().all(is_name) {
            return None;
        }
        let (host, port) = split_authority(authority)?;
        let port = port.filter(|port| Some(*port) != default_port(&scheme));
        Some(Self { scheme, host, port })
    }

    /// Pages of this machine, on any port: a developer's own, and nobody else's on the network.
    fn is_loopback(&self) -> bool {
        if self.scheme != "http" && self.scheme != "https" {
            return false;
        }
        if self.host == "localhost" || self.host.ends_with(".localhost") {
            return true;
        }
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    }

    /// Whether the page came from the server that is asked now. The scheme is not compared, because a proxy in front
    /// may have taken off the TLS.
    fn is_served_at(&self, host: &str) -> bool {
        let Some((name, port)) = split_authority(host) else { return false };
        name == self.host && port.filter(|port| Some(*port) != default_port(&self.scheme)) == self.port
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

/// `host[:port]` as lower-case host (IPv6 keeps its brackets) and port. `None` for anything more or less.
fn split_authority(authority: &str) -> Option<(String, Option<u16>)> {
    let host_end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, rest) = authority.split_at_checked(host_end)?;
    let port = match rest.strip_prefix(':') {
        Some(digits) => Some(digits.parse().ok()?),
        None if rest.is_empty() => None,
        None => return None,
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    (!host.is_empty() && host.chars().all(is_host)).then(|| (host.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(allowed: &[&str]) -> OriginPolicy {
        OriginPolicy::new(allowed.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn no_origin_is_no_web_page() {
        assert!(policy(&[]).allows(None, Some("example.com")));
    }

    #[test]
    fn loopback_pages_are_always_allowed() {
        for origin in [
            "http://localhost",
            "http://LOCALHOST:5173",
            "https://app.localhost",
            "http://127.0.0.9:1",
            "http://[::1]:8",
        ] {
            assert!(policy(&[]).allows(Some(origin), None), "{origin}");
        }
    }

    #[test]
    fn look_alikes_of_loopback_are_foreign() {
        for origin in [
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "http://evil.example#localhost",
            "http://localhost@evil.example",
            "http://evil.example/127.0.0.1",
            "file://",
            "null",
            "",
            "localhost",
            "http://notlocalhost",
            "http://[::1",
            "http://127.0.0.1:99999",
            "ftp://localhost",
        ] {
            assert!(!policy(&[]).allows(Some(origin), Some("server.example")), "{origin}");
        }
    }

    #[test]
    fn the_servers_own_pages_are_allowed_whatever_the_proxy_did_to_the_scheme() {
        let policy = policy(&[]);
        assert!(policy.allows(Some("https://sync.example"), Some("sync.example")));
        assert!(policy.allows(Some("https://sync.example"), Some("Sync.example:443")));
        assert!(policy.allows(Some("http://sync.example:8000"), Some("sync.example:8000")));
        assert!(!policy.allows(Some("http://sync.example:8001"), Some("sync.example:8000")));
        assert!(!policy.allows(Some("http://other.example"), Some("sync.example")));
        assert!(!policy.allows(Some("http://other.example"), None));
    }

    #[test]
    fn listed_origins_match_exactly_after_normalising() {
        let policy = policy(&["https://App.Example:443", "null"]);
        assert!(policy.allows(Some("https://app.example"), Some("s")));
        assert!(policy.allows(Some("null"), Some("s")));
        assert!(!policy.allows(Some("http://app.example"), Some("s")));
        assert!(!policy.allows(Some("https://x.app.example"), Some("s")));
    }

    #[test]
    fn a_star_allows_every_page_and_a_path_is_no_origin() {
        assert!(policy(&["*"]).allows(Some("https://any.example"), None));
        assert!("https://app.example/path".parse::<AllowedOrigin>().is_err());
        assert!("app.example".parse::<AllowedOrigin>().is_err());
    }
}
