//! The proxies beside Debian's nginx, which proxies the same bodies of the same service in the same run, and their memory.
//! `cargo bench -p octo --profile tool --bench proxy`; `NGINX_PROGRAM` is nginx (default: `.cache/nginx/usr/sbin/nginx`),
//! `OCTO_BENCH_SECONDS` (3) how long each of the five rounds of a measurement takes, `OCTO_BENCH_KEPT` how many connections
//! to a service are kept (default: as the server does), `OCTO_BENCH_ONE_RUNTIME` serves all connections on one runtime.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints a table for a person"
)]

mod live;
mod load;
mod nginx;
#[path = "../../../../benches/report.rs"]
mod report;
mod sockets;

use live::Child;
use load::Load;
use report::Row;

const MEGABYTE: usize = 1_000_000;

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(role) = arguments.first().filter(|word| word.starts_with("--live-")) {
        live::run(role, arguments.get(1).map(String::as_str));
        return std::process::ExitCode::SUCCESS;
    }
    // Two connections for each of a thousand sockets.
    let (_, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, hard, hard).unwrap();

    let service = Child::start("--live-service", None);
    let proxy = Child::start("--live-proxy", Some(service.address));
    let idle = proxy.resident();
    let nginx = nginx::start(service.address);
    let mut rows = vec![row("server resident idle (proxies alone)", "MB", idle, None, Some(20.0))];
    let peer = |value: f64| Some((value, format!("nginx {}", nginx.version)));

    let prefix = "/sessions/cold-lamp/files";
    let large = Load { path: "/large", connections: 8, headers: String::new() };
    let (ours, theirs) = load::both(&large, (proxy.address, prefix), (nginx.address, ""));
    rows.push(row(
        "1 MB bodies down, 8 at once",
        "ms/body",
        ours.milliseconds_each(),
        peer(theirs.milliseconds_each()),
        Some(theirs.milliseconds_each() / 0.8),
    ));
    for connections in [1, 32] {
        let small = Load { path: "/small", connections, headers: String::new() };
        let (ours, theirs) = load::both(&small, (proxy.address, prefix), (nginx.address, ""));
        rows.push(row(
            &format!("100 byte answers, {connections} at once"),
            "µs/request",
            1000.0 * ours.milliseconds_each(),
            peer(1000.0 * theirs.milliseconds_each()),
            None,
        ));
        rows.push(row(
            &format!("100 byte answers, {connections} at once, p99"),
            "µs",
            ours.p99_microseconds(),
            peer(theirs.p99_microseconds()),
            None,
        ));
    }
    rows.push(row("server resident after that", "MB", proxy.resident(), None, None));
    drop(nginx);

    for (name, protocol) in [("ttyd's protocol", Some("tty")), ("the simple dialect", None)] {
        let fresh = Child::start("--live-proxy", Some(service.address));
        let open = sockets::open(fresh.address, 1000, protocol);
        rows.push(row(
            &format!("server resident with 1,000 terminals open, {name}"),
            "MB",
            fresh.resident(),
            None,
            Some(40.0),
        ));
        drop(open);
    }
    if let Err(error) = report::write_json("octo_proxy", &rows) {
        eprintln!("cannot write dist/bench/octo_proxy.json: {error}");
    }
    report::print_table(&rows);
    let missed = rows.iter().any(|row| row.met() == Some(false));
    if missed { std::process::ExitCode::FAILURE } else { std::process::ExitCode::SUCCESS }
}

fn row(what: &str, unit: &'static str, ours: f64, peer: Option<(f64, String)>, budget: Option<f64>) -> Row {
    Row { what: what.to_owned(), unit, ours, peer, budget }
}
