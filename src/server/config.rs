//! What `peersync serve` is told: flags, then `PEERSYNC_…` variables, then the `--config` file (TOML, same names),
//! then defaults. Nothing here is a secret; the identity is a path.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum, builder::BoolishValueParser};
use libp2p::Multiaddr;
use serde::Deserialize;
use thiserror::Error;

use super::{
    client::Cidr,
    limits::{DEFAULT_MAX_CONNECTIONS, DEFAULT_MAX_CONNECTIONS_PER_IP, HEADER_TIMEOUT, MAX_ANNOUNCED},
    origin::AllowedOrigin,
    plain,
};

/// How log lines look on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// What was said, in one layer: the command line with the environment, or the file. Unsaid is `None`.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, env = "PEERSYNC_HOST", value_name = "ADDR")]
    pub host: Option<String>,
    /// Port for HTTP and WebSocket, 0 for any free one [default: 8000]
    #[arg(long, env = "PEERSYNC_PORT")]
    pub port: Option<u16>,
    /// Where rooms and the identity are kept [default: ./peersync-data]
    #[arg(long, env = "PEERSYNC_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Key file, created if absent [default: identity.key in the data directory]
    #[arg(long, env = "PEERSYNC_IDENTITY", value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Further addresses under which this server can be reached
    #[arg(long, env = "PEERSYNC_ANNOUNCE", value_name = "MULTIADDR", num_args = 1.., value_delimiter = ',')]
    pub announce: Option<Vec<Multiaddr>>,
    /// Web origins whose pages may connect, beside loopback and this server's own
    #[arg(long, env = "PEERSYNC_ALLOW_ORIGIN", value_name = "ORIGIN", num_args = 1.., value_delimiter = ',')]
    pub allow_origin: Option<Vec<AllowedOrigin>>,
    /// Proxies whose X-Forwarded-For counts
    #[arg(long, env = "PEERSYNC_TRUSTED_PROXY", value_name = "CIDR", num_args = 1.., value_delimiter = ',')]
    pub trusted_proxy: Option<Vec<Cidr>>,
    /// TOML file with any of these options; flags and environment win
    #[arg(long, env = "PEERSYNC_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Written once the server listens, removed on a clean exit
    #[arg(long, env = "PEERSYNC_READY_FILE", value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
    /// Format of log lines [default: text]
    #[arg(long, env = "PEERSYNC_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
    /// Log more; LIBP2P_DEBUG=1 does the same, RUST_LOG chooses precisely
    #[arg(long, env = "PEERSYNC_DEBUG", value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", value_parser = BoolishValueParser::new())]
    pub debug: Option<bool>,
    /// TCP connections in total [default: 5000]
    #[arg(long, env = "PEERSYNC_MAX_CONNECTIONS", value_name = "N")]
    pub max_connections: Option<usize>,
    /// TCP connections per client address, loopback excepted [default: 64]
    #[arg(long, env = "PEERSYNC_MAX_CONNECTIONS_PER_IP", value_name = "N")]
    pub max_connections_per_ip: Option<usize>,
    /// Folder with the demo pages.
    #[arg(long, env = "PEERSYNC_WWW", value_name = "DIR", hide = true)]
    pub www: Option<PathBuf>,
    /// Folder with the built package: `js/dist` and `pkg`.
    #[arg(long, env = "PEERSYNC_SDK", value_name = "DIR", hide = true)]
    pub sdk: Option<PathBuf>,
    /// Milliseconds a client may take for a request head.
    #[arg(long, env = "PEERSYNC_HEADER_TIMEOUT_MS", value_name = "MS", hide = true)]
    pub header_timeout_ms: Option<u64>,
}

/// What `peersync serve` runs with: every option decided.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// Name or address to listen on.
    pub host: String,
    /// Port, 0 for any free one.
    pub port: u16,
    /// Where rooms are kept.
    pub data_dir: PathBuf,
    /// The key file.
    pub identity: PathBuf,
    /// Addresses to tell beside the bound ones.
    pub announce: Vec<Multiaddr>,
    /// Origins allowed beside loopback and the server's own.
    pub allow_origin: Vec<AllowedOrigin>,
    /// Proxies whose `X-Forwarded-For` counts.
    pub trusted_proxy: Vec<Cidr>,
    /// Where to say that the server listens.
    pub ready_file: Option<PathBuf>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Whether to log more. `None`: nobody said.
    pub debug: Option<bool>,
    /// TCP connections in total.
    pub max_connections: usize,
    /// TCP connections per client address.
    pub max_connections_per_ip: usize,
    /// Folder of the demo pages.
    pub www: PathBuf,
    /// Folder of the built package.
    pub sdk: PathBuf,
    /// From accept to a whole request head.
    pub header_timeout: Duration,
}

impl Options {
    /// Decides every option: `self` first, then the file it names, then defaults.
    ///
    /// # Errors
    /// A file that cannot be read or understood, or a value out of range.
    pub fn resolve(self) -> Result<ServeConfig, ConfigError> {
        let file = self.config.as_deref().map(read_file).transpose()?.unwrap_or_default();
        self.or(file).decide()
    }

    /// Each option as said here, else as in `other`. Lists replace, they do not add up.
    fn or(self, other: Self) -> Self {
        Self {
            host: self.host.or(other.host),
            port: self.port.or(other.port),
            data_dir: self.data_dir.or(other.data_dir),
            identity: self.identity.or(other.identity),
            announce: self.announce.or(other.announce),
            allow_origin: self.allow_origin.or(other.allow_origin),
            trusted_proxy: self.trusted_proxy.or(other.trusted_proxy),
            config: self.config,
            ready_file: self.ready_file.or(other.ready_file),
            log_format: self.log_format.or(other.log_format),
            debug: self.debug.or(other.debug),
            max_connections: self.max_connections.or(other.max_connections),
            max_connections_per_ip: self.max_connections_per_ip.or(other.max_connections_per_ip),
            www: self.www.or(other.www),
            sdk: self.sdk.or(other.sdk),
            header_timeout_ms: self.header_timeout_ms.or(other.header_timeout_ms),
        }
    }

    fn decide(self) -> Result<ServeConfig, ConfigError> {
        let data_dir = self.data_dir.unwrap_or_else(|| PathBuf::from("peersync-data"));
        let announce = self.announce.unwrap_or_default();
        if announce.len() > MAX_ANNOUNCED {
            return Err(ConfigError::TooManyAnnounced { max: MAX_ANNOUNCED });
        }
        Ok(ServeConfig {
            host: self.host.unwrap_or_else(|| "127.0.0.1".to_owned()),
            port: self.port.unwrap_or(8000),
            identity: self.identity.unwrap_or_else(|| data_dir.join("identity.key")),
            data_dir,
            announce,
            allow_origin: self.allow_origin.unwrap_or_default(),
            trusted_proxy: self.trusted_proxy.unwrap_or_default(),
            ready_file: self.ready_file,
            log_format: self.log_format.unwrap_or_default(),
            debug: self.debug,
            max_connections: at_least_one("max-connections", self.max_connections, DEFAULT_MAX_CONNECTIONS)?,
            max_connections_per_ip: at_least_one(
                "max-connections-per-ip",
                self.max_connections_per_ip,
                DEFAULT_MAX_CONNECTIONS_PER_IP,
            )?,
            www: self.www.unwrap_or_else(|| PathBuf::from("www")),
            sdk: self.sdk.unwrap_or_else(|| PathBuf::from(".")),
            header_timeout: self.header_timeout_ms.map_or(HEADER_TIMEOUT, Duration::from_millis),
        })
    }
}

fn at_least_one(name: &'static str, said: Option<usize>, default: usize) -> Result<usize, ConfigError> {
    match said {
        Some(0) => Err(ConfigError::Zero { name }),
        other => Ok(other.unwrap_or(default)),
    }
}

fn read_file(path: &Path) -> Result<Options, ConfigError> {
    let text = fs::read_to_string(path)
        .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), reason: plain(&error) })?;
    toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        // The first line of toml's message says what is wrong; the rest repeats the text.
        let reason = error.message().lines().next().unwrap_or("not understood").to_owned();
        ConfigError::Invalid { path: path.to_owned(), line, reason }
    })
}

/// Why the options do not make a configuration.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the config file {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The file is not TOML, or has a key or value that is none of ours.
    #[error("the config file {} is wrong in line {line}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// A limit of nothing.
    #[error("{name} must be at least 1")]
    Zero {
        /// The option.
        name: &'static str,
    },
    /// More addresses than are worth telling.
    #[error("announce takes at most {max} addresses")]
    TooManyAnnounced {
        /// The bound.
        max: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("peersync.toml");
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn what_is_said_first_wins_and_the_rest_is_default() {
        let (_dir, path) = file("port = 1\nhost = '::1'\nallow-origin = ['https://a.example']\ndebug = true\n");
        let config = Options { port: Some(2), config: Some(path), ..Options::default() }.resolve().unwrap();
        assert_eq!((config.port, config.host.as_str(), config.debug), (2, "::1", Some(true)));
        assert_eq!(config.allow_origin.len(), 1);
        assert_eq!(config.identity, PathBuf::from("peersync-data/identity.key"));
        assert_eq!(config.max_connections_per_ip, 64);
    }

    #[test]
    fn a_file_with_an_unknown_key_or_a_bad_value_names_its_line() {
        for (text, said) in [
            ("port = 1\nprot = 2\n", "line 2: unknown field `prot`"),
            ("\nport = 'x'\n", "line 2: invalid type"),
            ("allow-origin = ['nonsense']", "line 1: `nonsense` is not an origin"),
            ("trusted-proxy = ['10.0.0.0/99']", "is not a range"),
            ("announce = ['http://x']", "line 1"),
            ("config = 'other.toml'", "unknown field `config`"),
            ("port = ", "line 1"),
        ] {
            let (_dir, path) = file(text);
            let error = Options { config: Some(path), ..Options::default() }.resolve().unwrap_err().to_string();
            assert!(error.contains(said) && !error.contains('\n'), "{text}: {error}");
        }
    }

    #[test]
    fn a_limit_of_nothing_is_refused() {
        assert!(Options { max_connections: Some(0), ..Options::default() }.resolve().is_err());
    }
}
