//! `/metrics`: Prometheus text exposition format 0.0.4.

use std::{fmt::Write as _, fs, sync::atomic::Ordering::Relaxed};

use super::{accept::Edge, metrics::Reject};
use crate::node::NodeStats;

/// The text of `/metrics`.
pub(super) fn render(edge: &Edge, node: &NodeStats) -> String {
    let metrics = &edge.metrics;
    let mut text = Text::default();
    text.head("build_info", "gauge", "The running version.");
    text.line("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.gauge("tcp_connections", "TCP connections open now.", edge.admission.open() as u64);
    text.gauge("websockets", "WebSockets open now.", metrics.sockets.load(Relaxed));
    if let Some(bytes) = resident_bytes() {
        text.gauge("resident_memory_bytes", "Resident memory of the process.", bytes);
    }
    for (name, help, value) in [
        ("tcp_accepted", "TCP connections accepted.", metrics.accepted.load(Relaxed)),
        ("tcp_accept_errors", "Accept calls that the system refused.", metrics.accept_errors.load(Relaxed)),
        ("connection_panics", "Connection tasks that ended in a bug.", metrics.panics.load(Relaxed)),
        ("websocket_received_bytes", "Payload bytes received over WebSockets.", edge.traffic.bytes_received()),
        ("websocket_sent_bytes", "Payload bytes sent over WebSockets.", edge.traffic.bytes_sent()),
    ] {
        text.counter(name, help, value);
    }
    text.head("rejected_total", "counter", "Connections, requests and sockets refused or closed, by reason.");
    for reason in Reject::ALL {
        text.line("rejected_total", &[("reason", reason.as_str())], metrics.rejected(*reason));
    }
    text.head("http_responses_total", "counter", "HTTP responses by part of the server and status class.");
    for (route, class, count) in metrics.responses() {
        let class = format!("{class}xx");
        text.line("http_responses_total", &[("route", route.as_str()), ("status", &class)], count);
    }
    node_lines(&mut text, node);
    text.0
}

fn node_lines(text: &mut Text, node: &NodeStats) {
    for gauge in &node.gauges {
        text.gauge(gauge.name, gauge.help, gauge.value);
    }
    for counter in &node.counters {
        text.counter(counter.name, counter.help, counter.value);
    }
    text.head("refused_total", "counter", "Bytes from peers that were refused, by reason.");
    for (reason, count) in &node.refusals {
        text.line("refused_total", &[("reason", reason.as_str())], *count);
    }
}

/// Resident bytes, on systems that tell in `/proc`.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[derive(Default)]
struct Text(String);

// Writing to a `String` cannot fail.
impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP peersync_{name} {help}\n# TYPE peersync_{name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let labels: Vec<_> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        let _ = writeln!(self.0, "peersync_{name}{{{}}} {value}", labels.join(","));
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "gauge", help);
        let _ = writeln!(self.0, "peersync_{name} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        let name = format!("{name}_total");
        self.head(&name, "counter", help);
        let _ = writeln!(self.0, "peersync_{name} {value}");
    }
}
