//! The server: one HTTP port for WebSocket upgrades, demos, the package and operations, in front of a libp2p node.
//! Everything a stranger can reach passes `accept` (limits), then `http` (routes) and, for sockets, `upgrade`
//! (Origin, per-client limits) before the node sees a byte.

mod accept;
mod addresses;
mod admission;
mod assets;
mod client;
mod config;
mod http;
mod identity;
mod lifecycle;
mod limits;
mod metrics;
mod metrics_text;
mod origin;
mod readiness;
mod ready_file;
mod socket;
mod tunnels;
mod upgrade;

pub use client::Cidr;
pub use config::{ConfigError, LogFormat, Options, ServeConfig};
pub use identity::{Identity, IdentityError};
pub use lifecycle::{ServeError, Server};
pub use origin::AllowedOrigin;

/// What an I/O error means, without the platform's error number: it ends up in a sentence for a person.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
