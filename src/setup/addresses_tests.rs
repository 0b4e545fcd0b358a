//! Addresses by what Moonraker tells, and what answers there.

use super::*;
use crate::tls;
use proptest::prelude::*;
use std::io::{Read, Write};
use std::net::TcpListener;

fn interface(name: &str, addresses: &[&str]) -> Interface {
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Interface { name: name.to_owned(), mac: None, addresses }
}

#[test]
fn the_addresses_of_the_machine_count_where_moonraker_is_on_this_one() {
    let lo = interface("lo", &["127.0.0.1", "::1"]);
    let wlan = interface("wlan0", &["fd00::7", "192.168.1.7"]);
    let eth = interface("eth0", &["10.0.0.7"]);
    let docker = interface("docker0", &["172.17.0.1"]);
    let six = interface("wlan0", &["fd00::7"]);
    let here = "http://127.0.0.1:7125";
    type Case<'a> = (&'a str, &'a [Interface], &'a [[&'a str; 2]]);
    let table: [Case<'_>; 9] = [
        (here, &[lo.clone(), wlan.clone()], &[["http://192.168.1.7", "http://192.168.1.7:7125"]]),
        (
            here,
            &[wlan.clone(), docker, eth],
            &[["http://192.168.1.7", "http://192.168.1.7:7125"], ["http://10.0.0.7", "http://10.0.0.7:7125"]],
        ),
        (here, std::slice::from_ref(&six), &[["http://[fd00::7]", "http://[fd00::7]:7125"]]),
        (
            "http://[::1]:80/one",
            std::slice::from_ref(&wlan),
            &[["http://192.168.1.7", "http://192.168.1.7:80/one"]],
        ),
        (
            "http://localhost:7125",
            std::slice::from_ref(&six),
            &[["http://[fd00::7]", "http://[fd00::7]:7125"]],
        ),
        (here, &[lo], &[]),
        (here, &[], &[]),
        // One that is set is how the owner reaches the printer.
        ("http://u1.lan:7125", std::slice::from_ref(&wlan), &[["http://u1.lan", "http://u1.lan:7125"]]),
        ("http://[fd00::9]:7125/p", &[], &[["http://[fd00::9]", "http://[fd00::9]:7125/p"]]),
    ];
    for (base, interfaces, expected) in table {
        assert_eq!(candidates(base, interfaces), expected, "{base} {interfaces:?}");
    }
    let many: Vec<String> = (1..50).map(|number| format!("10.0.0.{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(candidates(here, &[interface("wlan0", &many)]).len(), MOST);
}

#[test]
fn of_each_machine_the_first_that_answers_is_shown() {
    let of = |name: &str| [format!("http://{name}"), format!("http://{name}:7125")];
    let all = [of("a"), of("b")];
    type Case<'a> = (&'a [(&'a str, bool)], &'a [&'a str], bool, bool);
    let table: [Case<'_>; 5] = [
        (&[("http://a", false), ("http://a:7125", false)], &["http://a"], true, false),
        (&[("http://a:7125", false), ("http://b", false)], &["http://a:7125", "http://b"], true, false),
        (&[("http://b:7125", true)], &["http://b:7125"], true, true),
        (&[], &["http://a", "http://b"], false, false),
        (&[("http://c", false)], &["http://a", "http://b"], false, false),
    ];
    for (there, urls, answers, login) in table {
        let probe = |url: &str| there.iter().find(|(known, _)| *known == url).map(|(_, login)| *login);
        let urls = urls.iter().map(|url| (*url).to_owned()).collect();
        assert_eq!(choose(&all, probe), Found { urls, answers, login }, "{there:?}");
    }
    let nowhere = choose(&[], |_| Some(false));
    assert_eq!(nowhere, Found { urls: Vec::new(), answers: false, login: false });
}

#[test]
fn moonraker_is_known_by_its_answer() {
    tls::install_provider();
    let agent = http::agent(tls::client_config(None).unwrap(), CONNECT, ANSWER);
    for (answer, expected) in [
        ("200 OK\r\nContent-Length: 13\r\n\r\n{\"result\":{}}", Some(false)),
        ("401 Unauthorized\r\nContent-Length: 12\r\n\r\n{\"error\":{}}", Some(true)),
        ("200 OK\r\nContent-Length: 6\r\n\r\n<html>", None),
        ("401 Unauthorized\r\nContent-Length: 6\r\n\r\n<html>", None),
        ("502 Bad Gateway\r\nContent-Length: 2\r\n\r\n{}", None),
        ("302 Found\r\nLocation: /x\r\nContent-Length: 2\r\n\r\n{}", None),
        ("200 OK\r\nContent-Length: 99999999\r\n\r\n{", None),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let count = stream.read(&mut [0; 4096]).unwrap();
            assert!(count > 0);
            write!(stream, "HTTP/1.1 {answer}").unwrap();
        });
        assert_eq!(probe(&agent, &url), expected, "{answer}");
        server.join().unwrap();
    }
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(probe(&agent, &format!("http://{gone}")), None);
}

proptest! {
    #[test]
    fn any_base_gives_addresses_of_http(base in r"(http://)?[\[\]a-z0-9:./é]{0,20}", ip in any::<[u8; 4]>()) {
        let interfaces = [Interface { name: String::new(), mac: None, addresses: vec![IpAddr::from(ip)] }];
        for url in candidates(&base, &interfaces).iter().flatten() {
            prop_assert!(url.starts_with("http://"), "{url}");
        }
    }
}
