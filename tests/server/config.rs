//! Flags, environment, file, defaults: which wins, and what is wrong.

use crate::process::Setup;

fn max_connections(setup: Setup) -> u64 {
    let server = setup.start();
    let info: serde_json::Value = serde_json::from_str(&server.get("/info").body).unwrap();
    info["limits"]["maxConnections"].as_u64().unwrap()
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let file = || Setup::new().file("p.toml", "max-connections = 11\n").args(&["--config", "p.toml"]);
    assert_eq!(max_connections(Setup::new()), 5_000);
    assert_eq!(max_connections(file()), 11);
    assert_eq!(max_connections(file().env("PEERSYNC_MAX_CONNECTIONS", "12")), 12);
    let all = file().env("PEERSYNC_MAX_CONNECTIONS", "12").args(&["--max-connections", "13"]);
    assert_eq!(max_connections(all), 13);
}

#[test]
fn every_option_is_a_flag_a_variable_and_a_key() {
    let toml = r#"
        host = "127.0.0.1"
        port = 0
        data-dir = "data"
        identity = "id.key"
        announce = ["/dns4/a.example/tcp/443/wss"]
        allow-origin = ["https://a.example"]
        trusted-proxy = ["10.0.0.0/8", "::1"]
        log-format = "json"
        debug = true
        max-connections = 100
        max-connections-per-ip = 10
        www = "www"
        sdk = "."
        header-timeout-ms = 5000
    "#;
    let by_file = Setup::bare().file("p.toml", toml).env("PEERSYNC_CONFIG", "p.toml").start();
    assert!(by_file.setup.path("id.key").exists() && by_file.setup.path("data/peersync.redb").exists());
    let log: serde_json::Value = serde_json::from_str(by_file.stderr().lines().next().unwrap()).unwrap();
    assert_eq!(log["level"], "INFO");

    let mut by_env = Setup::bare();
    for (name, value) in [
        ("HOST", "127.0.0.1"),
        ("PORT", "0"),
        ("DATA_DIR", "data"),
        ("IDENTITY", "id.key"),
        ("ANNOUNCE", "/dns4/a.example/tcp/443/wss,/dns4/b.example/tcp/443/wss"),
        ("ALLOW_ORIGIN", "https://a.example,null"),
        ("TRUSTED_PROXY", "10.0.0.0/8"),
        ("LOG_FORMAT", "json"),
        ("DEBUG", "1"),
        ("MAX_CONNECTIONS", "100"),
        ("MAX_CONNECTIONS_PER_IP", "10"),
        ("WWW", "www"),
        ("SDK", "."),
        ("HEADER_TIMEOUT_MS", "5000"),
    ] {
        by_env = by_env.env(&format!("PEERSYNC_{name}"), value);
    }
    let by_env = by_env.start();
    assert_eq!(by_env.ready["bootstrapPeers"].as_array().unwrap().len(), 3);
    assert!(by_env.setup.path("id.key").exists());
}

#[test]
fn what_is_not_understood_is_one_sentence() {
    for (args, said) in [
        (&["--prot", "1"][..], "--prot"),
        (&["--port", "66000"], "66000"),
        (&["--port"], "--port"),
        (&["--announce", "sync.example:443"], "sync.example:443"),
        (&["--allow-origin", "sync.example"], "sync.example"),
        (&["--trusted-proxy", "10.0.0.0/40"], "10.0.0.0/40"),
        (&["--log-format", "xml"], "xml"),
        (&["--max-connections", "0"], "max-connections"),
        (&["--config", "missing.toml"], "missing.toml"),
        (&["extra"], "extra"),
    ] {
        let answer = Setup::bare().args(args).refused();
        assert!(answer.contains(said), "{args:?}: {answer}");
    }
    assert!(Setup::bare().env("PEERSYNC_DEBUG", "perhaps").refused().contains("perhaps"));
    assert!(Setup::new().env("RUST_LOG", "peersync=loud").refused().contains("peersync=loud"));
    let said = Setup::new().file("p.toml", "port = 0\nprot = 1\n").args(&["--config", "p.toml"]).refused();
    assert!(said.contains("p.toml") && said.contains("line 2") && said.contains("prot"), "{said}");
}

#[test]
fn without_a_subcommand_it_says_what_there_is() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_peersync")).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("peersync serve"));
}

#[test]
fn rust_log_and_libp2p_debug_choose_what_is_logged() {
    let quiet = Setup::new().env("RUST_LOG", "error").start();
    assert_eq!(quiet.stderr(), "");
    let server = Setup::new().env("LIBP2P_DEBUG", "1").start();
    assert_eq!(server.websocket("/ws", &[("origin", "https://evil.example")]).err(), Some(403));
    assert!(server.stderr().contains("refused a WebSocket"), "{}", server.stderr());
}
