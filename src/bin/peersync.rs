//! The `peersync` command. Exit codes: 0 done, 1 failed while running, 2 could not start (one sentence says why).

use std::{
    ffi::OsString,
    io::{self, IsTerminal as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand, error::ErrorKind};
use peersync::server::{Identity, LogFormat, Options, ServeConfig, Server};
use tracing_subscriber::{EnvFilter, filter::LevelFilter, fmt};

/// Real-time sync for web pages: the server.
#[derive(Debug, Parser)]
#[command(name = "peersync", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve rooms, the demo pages and the package on one port
    Serve(Box<Options>),
    /// Show this server's peer id, creating its identity if there is none
    Key(KeyOptions),
}

#[derive(Debug, clap::Args)]
struct KeyOptions {
    /// Where the server keeps its data [default: ./peersync-data]
    #[arg(long, env = "PEERSYNC_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Key file [default: <data-dir>/identity.key]
    #[arg(long, env = "PEERSYNC_IDENTITY", value_name = "FILE")]
    identity: Option<PathBuf>,
    /// The server's config file, which may name either
    #[arg(long, env = "PEERSYNC_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Could not start.
const CANNOT_START: u8 = 2;

fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => return complain_about_usage(&error),
    };
    let (done, code) = match command {
        Command::Serve(options) => serve(*options),
        Command::Key(options) => (key(options), CANNOT_START),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peersync: {error:#}");
            ExitCode::from(code)
        }
    }
}

/// Help and version as they are; anything else in one sentence.
fn complain_about_usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if matches!(error.kind(), ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) {
        eprintln!("peersync: say what to do, for example `peersync serve` (`peersync --help` lists everything)");
        return ExitCode::from(CANNOT_START);
    }
    let text = error.to_string();
    let sentence: Vec<_> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let sentence = sentence.join(" ");
    eprintln!("peersync: {}", sentence.strip_prefix("error: ").unwrap_or(&sentence));
    ExitCode::from(CANNOT_START)
}

/// What came of it, and the exit code if nothing good.
fn serve(options: Options) -> (anyhow::Result<()>, u8) {
    let started = options.resolve().map_err(anyhow::Error::from).and_then(|config| {
        start_logging(&config)?;
        let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
        let signals = runtime.block_on(async { Signals::listen() }).context("cannot listen for signals")?;
        let server = runtime.block_on(Server::start(config))?;
        Ok((runtime, signals, server))
    });
    match started {
        Err(error) => (Err(error), CANNOT_START),
        Ok((runtime, signals, server)) => {
            println!("peersync is ready at {} (peer id {})", server.http(), server.peer_id());
            (runtime.block_on(run_until_told(server, signals)), 1)
        }
    }
}

async fn run_until_told(server: Server, mut signals: Signals) -> anyhow::Result<()> {
    signals.next().await;
    tokio::select! {
        stopped = server.stop() => Ok(stopped?),
        () = signals.next() => anyhow::bail!("stopped at once, as told twice"),
    }
}

fn key(options: KeyOptions) -> anyhow::Result<()> {
    let KeyOptions { data_dir, identity, config } = options;
    let path = Options { data_dir, identity, config, ..Options::default() }.resolve()?.identity;
    let identity = Identity::load_or_create(&path)?;
    let verb = if identity.is_new() { "created" } else { "found" };
    eprintln!("{verb} the identity {}", path.display());
    println!("{}", identity.peer_id());
    Ok(())
}

fn start_logging(config: &ServeConfig) -> anyhow::Result<()> {
    let debug = config.debug.unwrap_or_else(|| std::env::var_os("LIBP2P_DEBUG").is_some_and(|value| is_yes(&value)));
    let usual = if debug { "info,peersync=debug,libp2p=debug,libp2p_swarm=debug" } else { "warn,peersync=info" };
    let filter = match std::env::var("RUST_LOG") {
        Ok(directives) if !directives.is_empty() => EnvFilter::builder()
            .with_default_directive(LevelFilter::WARN.into())
            .parse(&directives)
            .with_context(|| format!("RUST_LOG=`{directives}` is not a log filter"))?,
        _ => EnvFilter::new(usual),
    };
    let logs = fmt().with_env_filter(filter).with_writer(io::stderr);
    match config.log_format {
        LogFormat::Text => logs.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
    Ok(())
}

fn is_yes(value: &OsString) -> bool {
    !matches!(value.to_str(), Some("" | "0" | "false" | "no" | "off"))
}

/// The signals that ask a server to stop.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Must be called inside a runtime. From here on a signal waits to be seen instead of ending the process.
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Cancel-safe.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    async fn next(&mut self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
