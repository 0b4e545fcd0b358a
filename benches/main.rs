//! The budgets, measured: each benchmark runs a peer and us side by side where there is a peer, prints a row, and
//! writes `dist/bench/NAME.json`. Run by `make bench`; a name as argument runs one:
//! `toolchain/bench.sh startup`.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints a table for a person"
)]

#[path = "../tests/support/mod.rs"]
mod support;

mod connect_program;
mod connect_telemetry;
mod connect_transfer;
mod counted;
mod firmware;
mod gcode_scan;
mod hot_path;
mod memory;
mod network;
mod octoapp_plugin;
mod overlay;
mod page;
mod processes;
mod program_size;
mod report;
#[allow(dead_code, reason = "the tests use the rest")]
mod scripted;
mod seed_stack;
mod startup;
mod three_days;
mod traffic;
#[allow(dead_code, reason = "the replay uses the rest")]
#[path = "../tests/replay/telegram/vector.rs"]
mod vector;

use report::{Row, print_table, write_json};

type Benchmark = fn() -> Result<Vec<Row>, String>;

const BENCHMARKS: [(&str, Benchmark); 15] = [
    ("program_size", program_size::measure),
    ("startup", startup::measure),
    ("hot_path", hot_path::measure),
    ("gcode_scan", gcode_scan::measure),
    ("three_days", three_days::measure),
    ("traffic", traffic::measure),
    ("network", network::measure),
    ("seed_stack", seed_stack::measure),
    ("octoapp_plugin", octoapp_plugin::measure),
    ("connect_telemetry", connect_telemetry::measure),
    ("connect_transfer", connect_transfer::measure),
    ("page", page::measure),
    ("memory", memory::measure),
    ("overlay", overlay::measure),
    ("firmware", firmware::measure),
];

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // Some benchmarks measure a process of their own, which is this program again.
    let own = match arguments.split_first() {
        Some((first, rest)) if first == three_days::ARGUMENT => Some(three_days::live(rest)),
        Some((first, rest)) if first == gcode_scan::ARGUMENT => Some(gcode_scan::live(rest)),
        _ => None,
    };
    if let Some(result) = own {
        return match result {
            Ok(()) => std::process::ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                std::process::ExitCode::FAILURE
            }
        };
    }
    // `cargo bench` adds an argument of its own.
    let only: Vec<String> = arguments.into_iter().filter(|arg| !arg.starts_with("--")).collect();
    let mut rows = Vec::new();
    let mut failed = false;
    for (name, measure) in BENCHMARKS {
        if !only.is_empty() && !only.iter().any(|wanted| name.contains(wanted.as_str())) {
            continue;
        }
        eprintln!("measuring {name} …");
        match measure() {
            Ok(measured) => {
                if let Err(error) = write_json(name, &measured) {
                    eprintln!("cannot write dist/bench/{name}.json: {error}");
                    failed = true;
                }
                rows.extend(measured);
            }
            Err(error) => {
                eprintln!("{name}: {error}");
                failed = true;
            }
        }
    }
    print_table(&rows);
    let missed = rows.iter().any(|row| row.met() == Some(false));
    if failed || missed { std::process::ExitCode::FAILURE } else { std::process::ExitCode::SUCCESS }
}
