#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn exited(code: i32) -> Condition {
    Condition::Exited { code, out_of_memory: false }
}

#[test]
fn containers_of_podman_and_docker_are_listed_alike() {
    let podman = br#"[{"Id":"d966","Image":"localhost/octo-t:latest","ImageID":"1e90","Labels":{"octo.managed":"true","octo.session":"s1"},
        "Names":["octo-abc"],"State":"exited","ExitCode":137,"Created":1795298599,"Ports":null,"Size":null}]"#;
    let docker = br#"{"ID":"d966","Image":"octo-t","Labels":"octo.managed=true,octo.session=s1,octo.image-id=1e90","Names":"octo-abc","State":"exited","Status":"Exited (137) 2 minutes ago"}
{"ID":"e000","Image":"octo-t","Labels":"","Names":"b","State":"running","Status":"Up 3 seconds"}
"#;
    let (podman, docker) = (listed(podman), listed(docker));
    assert_eq!((podman.len(), docker.len()), (1, 2));
    for container in [&podman[0], &docker[0]] {
        assert_eq!((container.id.as_str(), container.name.as_str()), ("d966", "octo-abc"));
        assert_eq!(container.image_id, "1e90");
        assert_eq!(container.condition, exited(137));
        assert_eq!(container.labels["octo.session"], "s1");
    }
    assert_eq!(docker[1].condition, Condition::Running);
    assert_eq!(docker[1].labels, BTreeMap::new());
    for nothing in [&b"[]"[..], b"", b"null", b"[]\n"] {
        assert_eq!(listed(nothing), []);
    }
}

#[test]
fn every_word_for_a_state_has_a_meaning() {
    let rows = [
        ("created", Condition::Starting),
        ("configured", Condition::Starting),
        ("initialized", Condition::Starting),
        ("restarting", Condition::Starting),
        ("running", Condition::Running),
        ("stopping", Condition::Running),
        ("paused", Condition::Paused),
        ("exited", exited(3)),
        ("stopped", exited(3)),
        ("dead", exited(3)),
        ("removing", Condition::Other("removing".into())),
    ];
    for (word, expected) in rows {
        let out = json!([{"Id": "a", "State": {"Status": word, "ExitCode": 3, "OOMKilled": false}}]);
        assert_eq!(inspected(out.to_string().as_bytes()).unwrap().condition, expected, "{word}");
    }
}

#[test]
fn a_container_is_inspected() {
    let out = json!([{"Id": "d966", "Name": "/octo-abc", "Image": "sha256:1e90",
        "State": {"Status": "exited", "ExitCode": 137, "OOMKilled": true}, "Config": {"Labels": {"octo.session": "s1"}}}]);
    let container = inspected(out.to_string().as_bytes()).unwrap();
    assert_eq!((container.name.as_str(), container.image_id.as_str()), ("octo-abc", "1e90"));
    assert_eq!(container.condition, Condition::Exited { code: 137, out_of_memory: true });
    assert_eq!(container.labels["octo.session"], "s1");
    assert_eq!(inspected(b"[]\n"), None);
}

#[test]
fn an_image_has_one_id_in_both_runtimes() {
    let podman = br#"[{"Id":"1e90","Labels":{"octo.agent":"true"}}]"#;
    let docker = br#"[{"Id":"sha256:1e90","Config":{"Labels":{"octo.agent":"true"}}}]"#;
    for out in [&podman[..], docker] {
        let image = image(out).unwrap();
        assert_eq!((image.id.as_str(), image.labels["octo.agent"].as_str()), ("1e90", "true"));
    }
    assert_eq!(image(b"[]"), None);
    assert_eq!(image(br#"[{"Id":"1e90","Labels":null}]"#).unwrap().labels, BTreeMap::new());
}

#[test]
fn samples_of_both_runtimes_are_read() {
    let podman = br#"[{"id":"d96653a97c09","name":"octo-abc","cpu_time":"37.706601ms","cpu_percent":"5.64%","avg_cpu":"5.64%",
        "mem_usage":"421.9kB / 268.4MB","mem_percent":"0.16%","net_io":"472B / 1.056kB","block_io":"0B / 0B","pids":"1"}]"#;
    let docker = br#"{"BlockIO":"0B / 0B","CPUPerc":"5.64%","Container":"d966","ID":"d96653a97c09","MemPerc":"0.16%","MemUsage":"421.9kB / 268.4MB","Name":"octo-abc","NetIO":"472B / 1.056kB","PIDs":"1"}"#;
    let expected = Stats {
        id: "d96653a97c09".into(),
        cpu_percent: Some(5.64),
        cpu_seconds: None,
        memory_bytes: Some(421_900),
        memory_limit_bytes: Some(268_400_000),
        received_bytes: Some(472),
        sent_bytes: Some(1056),
        read_bytes: Some(0),
        written_bytes: Some(0),
        processes: Some(1),
    };
    assert_eq!(stats(docker), std::slice::from_ref(&expected));
    assert_eq!(stats(podman), [Stats { cpu_seconds: Some(0.037_706_601), ..expected }]);
    let odd = stats(br#"[{"id":"x","cpu_percent":5,"mem_usage":"--"}]"#);
    assert_eq!(odd, [Stats { id: "x".into(), ..Stats::default() }]);
}

#[test]
fn a_docker_client_without_its_daemon_is_no_runtime() {
    let podman = br#"{"Client":{"APIVersion":"4.3.1","Version":"4.3.1"}}"#;
    let docker = br#"{"Client":{"Version":"24.0.7"},"Server":{"Version":"24.0.5","ApiVersion":"1.43"}}"#;
    let alone = br#"{"Client":{"Version":"24.0.7"},"Server":null}"#;
    assert_eq!(version(Kind::Podman, podman).as_deref(), Some("4.3.1"));
    assert_eq!(version(Kind::Docker, docker).as_deref(), Some("24.0.5"));
    assert_eq!(version(Kind::Docker, alone), None);
    assert_eq!(version(Kind::Docker, b""), None);
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "Id",
        "ID",
        "Names",
        "Name",
        "Labels",
        "State",
        "Status",
        "ExitCode",
        "OOMKilled",
        "Image",
        "ImageID",
        "Config",
        "Server",
        "Client",
        "Version",
        "id",
        "cpu_time",
        "cpu_percent",
        "mem_usage",
        "net_io",
        "pids",
    ]);
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn read_all(out: &[u8]) {
    let _ = (listed(out), inspected(out), image(out), stats(out));
    let _ = (version(Kind::Podman, out), version(Kind::Docker, out));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(out in prop::collection::vec(any::<u8>(), 0..400)) {
        read_all(&out);
    }

    #[test]
    fn no_json_makes_it_panic(value in anything()) {
        read_all(value.to_string().as_bytes());
    }

    #[test]
    fn as_many_containers_as_have_an_id(ids in prop::collection::vec("[0-9a-f]{1,64}", 0..20), lines in any::<bool>()) {
        let all: Vec<Value> = ids.iter().map(|id| json!({"Id": id, "State": "running"})).collect();
        let out = if lines {
            all.iter().map(|value| format!("{value}\n")).collect()
        } else {
            Value::from(all).to_string()
        };
        let found: Vec<String> = listed(out.as_bytes()).into_iter().map(|container| container.id).collect();
        prop_assert_eq!(found, ids);
    }
}
