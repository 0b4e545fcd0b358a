#![allow(clippy::unwrap_used)]

use super::*;
use crate::runtime::Limits;
use std::net::IpAddr;

fn manner(kind: Kind) -> Manner {
    Manner {
        kind,
        rootless: false,
        selinux: false,
        owner: "1000:1000".into(),
        global: Vec::new(),
        run: Vec::new(),
    }
}

fn a_launch() -> Launch {
    let labels = [(labels::MANAGED, "true"), (labels::INSTANCE, "i1"), (labels::USER, "usr_a")];
    Launch {
        name: "octo-0a1b2c3d".into(),
        image: "octo-dev:latest".into(),
        labels: labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        ports: vec![(41820, 41820), (41821, 41821)],
        publish_host: IpAddr::from([127, 0, 0, 1]),
        home: "/data/home/usr_a".into(),
        workspace: None,
        env: [("TOKEN".to_owned(), "secret".to_owned())].into(),
        network: Some("octo-i1-usr_a".into()),
        limits: Limits { memory: "4g".into(), cpus: 1.5, pids: 2048, nofile: None },
        patience: Duration::from_secs(10),
    }
}

fn said(arguments: &[OsString]) -> Vec<&str> {
    arguments.iter().map(|argument| argument.to_str().unwrap()).collect()
}

const PLAIN: &str = "run --detach --pull=never --name=octo-0a1b2c3d --hostname=octo-0a1b2c3d \
    --label=octo.instance=i1 --label=octo.managed=true --label=octo.user=usr_a \
    --publish=127.0.0.1:41820:41820 --publish=127.0.0.1:41821:41821 --volume=/data/home/usr_a:/home/dev \
    --env-file=/state/e --memory=4g --memory-swap=4g --cpus=1.5 --pids-limit=2048 \
    --security-opt=no-new-privileges --cap-drop=ALL --cap-add=CHOWN --cap-add=DAC_OVERRIDE --cap-add=FOWNER \
    --cap-add=FSETID --cap-add=KILL --cap-add=NET_BIND_SERVICE --cap-add=SETGID --cap-add=SETUID \
    --stop-timeout=10 --log-opt=max-size=10m --network=octo-i1-usr_a -- octo-dev:latest";

#[test]
fn a_container_is_asked_for_with_all_that_belongs_to_it() {
    for kind in [Kind::Podman, Kind::Docker] {
        let arguments = manner(kind).launch(&a_launch(), Path::new("/state/e"));
        let options = if kind == Kind::Podman { ":nosuid,nodev" } else { "" };
        let expected = PLAIN.replace(":/home/dev ", &format!(":/home/dev{options} "));
        assert_eq!(said(&arguments).join(" "), expected);
    }
}

#[test]
fn what_differs_by_machine_and_settings_is_said_where_it_applies() {
    type Change = fn(&mut Manner, &mut Launch);
    let rows: [(Change, &[&str], &[&str]); 8] = [
        (
            |_, launch| launch.limits = Limits::default(),
            &[],
            &["--memory=", "--memory-swap", "--cpus", "--pids"],
        ),
        (|_, launch| launch.limits.nofile = Some("1024:4096".into()), &["--ulimit=nofile=1024:4096"], &[]),
        (|_, launch| launch.network = None, &[], &["--network"]),
        (|manner, _| manner.rootless = true, &["--userns=keep-id:uid=1000,gid=1000"], &[]),
        (
            |manner, _| manner.selinux = true,
            &["--volume=/data/home/usr_a:/home/dev:Z,nosuid,nodev"],
            &["--volume=/data/home/usr_a:/home/dev "],
        ),
        (
            |_, launch| launch.workspace = Some("/ws/a".into()),
            &["--volume=/ws/a:/home/dev/workspace:nosuid,nodev"],
            &[],
        ),
        (|_, launch| launch.publish_host = "::1".parse().unwrap(), &["--publish=[::1]:41820:41820"], &[]),
        (|manner, _| manner.run = vec!["--memory=1g".into()], &["--memory=1g -- octo-dev:latest"], &[]),
    ];
    for (change, there, absent) in rows {
        let (mut manner, mut launch) = (manner(Kind::Podman), a_launch());
        change(&mut manner, &mut launch);
        let arguments = manner.launch(&launch, Path::new("/state/e"));
        let line = said(&arguments).join(" ");
        assert!(there.iter().all(|part| line.contains(part)), "{there:?}: {line}");
        assert!(!absent.iter().any(|part| line.contains(part)), "{absent:?}: {line}");
    }
}

#[test]
fn values_of_variables_are_never_arguments() {
    let arguments = manner(Kind::Podman).launch(&a_launch(), Path::new("/state/e"));
    assert!(!said(&arguments).iter().any(|argument| argument.contains("secret")));
}

#[test]
fn containers_of_one_user_share_a_level_and_those_of_two_do_not() {
    let of = |user: &str| {
        let mut launch = a_launch();
        launch.labels.insert(labels::USER.into(), user.into());
        level(&launch)
    };
    assert_eq!(of("usr_a"), of("usr_a"));
    assert_ne!(of("usr_a"), of("usr_b"));
    for user in 0..5000 {
        let level = of(&user.to_string());
        let (first, second) = level.strip_prefix("s0:c").unwrap().split_once(",c").unwrap();
        let (first, second): (u32, u32) = (first.parse().unwrap(), second.parse().unwrap());
        assert!(first < second && second < 1024, "{level}");
    }
}

#[test]
fn other_commands() {
    let mut podman = manner(Kind::Podman);
    podman.global = vec!["--runtime".into(), "runc".into()];
    let exec = Exec {
        command: vec!["ls".into(), "-l; id".into()],
        user: "1000:1000".into(),
        folder: Some("/home/dev".into()),
        limit: Duration::ZERO,
    };
    let seven = Duration::from_secs(7);
    let rows = [
        (podman.version(), "version --format json"),
        (podman.start("c1"), "start -- c1"),
        (podman.stop("c1", seven), "stop -t 7 -- c1"),
        (podman.remove("c1"), "rm --force --volumes -t 0 -- c1"),
        (
            podman.list("i1"),
            "ps --all --no-trunc --format json --filter=label=octo.managed=true --filter=label=octo.instance=i1",
        ),
        (podman.inspect("c1"), "container inspect -- c1"),
        (podman.image("octo-dev:latest"), "image inspect -- octo-dev:latest"),
        (podman.logs("c1", 50, false), "logs --tail=50 -- c1"),
        (podman.logs("c1", 50, true), "logs --tail=50 --follow -- c1"),
        (podman.stats(&["c1".into(), "c2".into()]), "stats --no-stream --no-trunc --format json -- c1 c2"),
        (podman.exec("c1", &exec), "exec --user=1000:1000 --workdir=/home/dev -- c1 ls -l; id"),
        (podman.network_there("n"), "network inspect -- n"),
        (
            podman.network("n", "i1"),
            "network create --label=octo.managed=true --label=octo.instance=i1 --opt=isolate=true -- n",
        ),
        (podman.networks("i1"), "network ls --format {{.Name}} --filter=label=octo.instance=i1"),
        (podman.remove_network("n"), "network rm -- n"),
    ];
    for (arguments, expected) in rows {
        assert_eq!(said(&arguments).join(" "), format!("--runtime runc {expected}"));
    }
    let docker = manner(Kind::Docker);
    let network = docker.network("n", "i1");
    assert_eq!(
        said(&network).join(" "),
        "network create --label=octo.managed=true --label=octo.instance=i1 -- n"
    );
    assert_eq!(said(&docker.remove("c1")).join(" "), "rm --force --volumes -- c1");
    // Not `json`, which docker 20.10 takes for a template without fields.
    let template = "--format {{json .}}";
    assert_eq!(said(&docker.version()).join(" "), format!("version {template}"));
    assert!(
        said(&docker.list("i1")).join(" ").starts_with(&format!("ps --all --no-trunc {template} --filter"))
    );
    assert_eq!(
        said(&docker.stats(&["c1".into()])).join(" "),
        format!("stats --no-stream --no-trunc {template} -- c1")
    );
}

/// Whatever a name looks like, it stays behind `--` or within an argument that begins with its option.
#[test]
fn nothing_is_read_as_an_option() {
    let (manner, evil) = (manner(Kind::Podman), "--privileged");
    let exec = Exec {
        command: vec![evil.into()],
        user: evil.into(),
        folder: Some(evil.into()),
        limit: Duration::ZERO,
    };
    let mut launch = a_launch();
    launch.name = evil.into();
    launch.image = evil.into();
    launch.network = Some(evil.into());
    launch.home = evil.into();
    launch.limits.memory = evil.into();
    let lines = [
        manner.launch(&launch, Path::new(evil)),
        manner.start(evil),
        manner.stop(evil, Duration::ZERO),
        manner.remove(evil),
        manner.list(evil),
        manner.inspect(evil),
        manner.image(evil),
        manner.logs(evil, 1, true),
        manner.stats(&[evil.into()]),
        manner.exec(evil, &exec),
        manner.network(evil, evil),
        manner.network_there(evil),
        manner.networks(evil),
        manner.remove_network(evil),
    ];
    for line in lines {
        let words = said(&line);
        let before = words.iter().take_while(|word| **word != "--");
        assert!(!before.into_iter().any(|word| *word == evil), "{words:?}");
    }
}
