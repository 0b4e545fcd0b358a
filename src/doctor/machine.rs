//! The machine below the printer's software: clock, network, memory.

use super::Finding;
use crate::calendar;
use crate::whole_file;
use std::path::Path;
use std::time::Duration;

/// Less free memory than this is trouble for everything on the printer.
const LITTLE_MEMORY_KB: u64 = 40 * 1024;

pub(super) fn examine(now: Duration) -> Vec<Finding> {
    let read = |path: &str| whole_file::read_text(Path::new(path), 256 * 1024).unwrap_or_default();
    let mut findings = vec![judge_clock(now)];
    findings.push(judge_route(&read("/proc/net/route"), &read("/proc/net/ipv6_route")));
    findings.push(judge_resolver(&read("/etc/resolv.conf")));
    findings.extend(judge_memory(&read("/proc/meminfo")));
    findings
}

fn judge_clock(now: Duration) -> Finding {
    let shown = calendar::utc(now);
    if calendar::is_set(now) {
        return Finding::ok(format!("the clock is set ({shown})"));
    }
    Finding::fail(
        format!("the clock is not set (it shows {shown}), and no certificate can be valid before it is"),
        "connect the printer to a network with access to a time server; it sets its clock by itself then",
    )
}

/// A line of `/proc/net/route` whose destination and mask are zero is a way to everywhere.
fn judge_route(ipv4: &str, ipv6: &str) -> Finding {
    let field = |line: &str, number: usize| line.split_whitespace().nth(number).map(str::to_owned);
    let everywhere = |line: &str| {
        field(line, 1).as_deref() == Some("00000000") && field(line, 7).as_deref() == Some("00000000")
    };
    let everywhere6 = |line: &str| {
        field(line, 0).is_some_and(|to| to.len() == 32 && to.bytes().all(|digit| digit == b'0'))
            && field(line, 1).as_deref() == Some("00")
            && field(line, 9).as_deref() != Some("lo")
    };
    let way = ipv4.lines().skip(1).find(|line| everywhere(line)).and_then(|line| field(line, 0));
    let way = way.or_else(|| ipv6.lines().find(|line| everywhere6(line)).and_then(|line| field(line, 9)));
    match way {
        Some(interface) => Finding::ok(format!("there is a way into the network ({interface})")),
        None => Finding::fail(
            "there is no way into the network",
            "connect the printer to Wi-Fi or to a cable on its touch screen",
        ),
    }
}

fn judge_resolver(text: &str) -> Finding {
    let servers = text.lines().filter(|line| line.trim_start().starts_with("nameserver ")).count();
    match servers {
        0 => Finding::warn(
            "/etc/resolv.conf names no name server, so that no service can be found by its name",
            "reconnect the network; a router that gives addresses should name one",
        ),
        _ => Finding::ok("a name server is set"),
    }
}

fn judge_memory(text: &str) -> Option<Finding> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let free: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(match free {
        free if free < LITTLE_MEMORY_KB => Finding::warn(
            format!("only {} MB of memory are free", free / 1024),
            "switch off what the printer need not run (remote screen, other cloud services), or restart it",
        ),
        free => Finding::ok(format!("{} MB of memory are free", free / 1024)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    const HEAD: &str =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

    #[test]
    fn a_default_route_of_either_family_is_a_way() {
        let default = format!("{HEAD}wlan0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
        let local = format!("{HEAD}wlan0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n");
        let zeros = "0".repeat(32);
        let six = |interface| format!("{zeros} 00 {zeros} 00 fe80 00000400 1 0 00000003 {interface}\n");
        for (ipv4, ipv6, level) in [
            (default.as_str(), "", Level::Ok),
            (local.as_str(), "", Level::Fail),
            (local.as_str(), &six("eth0"), Level::Ok),
            (HEAD, &six("lo"), Level::Fail),
            ("", "", Level::Fail),
        ] {
            assert_eq!(judge_route(ipv4, ipv6).level, level, "{ipv4:?} {ipv6:?}");
        }
    }

    #[test]
    fn clock_name_server_and_memory() {
        assert_eq!(judge_clock(Duration::from_secs(1_795_227_600)).level, Level::Ok);
        let unset = judge_clock(Duration::from_secs(30));
        assert!(unset.level == Level::Fail && unset.text.contains("1970-01-01"), "{unset:?}");
        assert_eq!(judge_resolver("# none\n").level, Level::Warn);
        assert_eq!(judge_resolver("search lan\nnameserver 192.168.1.1\n").level, Level::Ok);
        assert_eq!(judge_memory("MemAvailable:   20000 kB\n").unwrap().level, Level::Warn);
        assert_eq!(judge_memory("MemAvailable:  400000 kB\n").unwrap().level, Level::Ok);
        assert_eq!(judge_memory("nonsense"), None);
    }
}
