//! What beds make with podman: it goes with them, also when their test fails; and what a process left behind that was killed
//! goes when another one starts.

use std::path::Path;

use super::{at_once, docker, podman};

/// On all that a bed makes, with the bed's tag.
pub(crate) const LABEL: &str = "octo.test";
/// How images are called that are one bed's alone; the tag comes next.
pub(super) const IMAGES: &str = "localhost/octo-test/";

/// The tag of a bed of this process.
pub(super) fn tag(count: u16) -> String {
    format!("t{}-{count}", std::process::id())
}

/// Whether the process that made something of this tag is gone. What is no tag is nobody's to judge.
fn is_left(tag: &str) -> bool {
    let process = tag.strip_prefix('t').and_then(|rest| rest.split_once('-')).map(|(process, _)| process);
    process
        .and_then(|text| text.parse::<u32>().ok())
        .is_some_and(|id| !Path::new("/proc").join(id.to_string()).exists())
}

/// The lines that podman prints; none where it fails: who cleans up has nobody to tell.
fn lines(arguments: &[&str]) -> Vec<String> {
    let printed = podman(arguments).output().ok().filter(|done| done.status.success());
    let printed = printed.map(|done| String::from_utf8_lossy(&done.stdout).into_owned()).unwrap_or_default();
    printed.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

fn quietly(arguments: &[&str], names: &[String]) {
    if !names.is_empty() {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let _ = podman(&[arguments, &names].concat()).output();
    }
}

fn containers(label: &str) -> Vec<String> {
    lines(&["ps", "-aq", "--no-trunc", "--filter", &format!("label={label}")])
}

fn networks(label: &str) -> Vec<String> {
    lines(&["network", "ls", "--format", "{{.Name}}", "--filter", &format!("label={label}")])
}

/// Removes what has this label: containers first, since networks are in use by them.
pub(super) fn remove(label: &str) {
    quietly(&[&["rm", "-f"], at_once()].concat(), &containers(label));
    remove_networks(label);
}

/// Removes the networks that have this label.
pub(super) fn remove_networks(label: &str) {
    quietly(if docker().is_some() { &["network", "rm"] } else { &["network", "rm", "-f"] }, &networks(label));
}

/// Removes what processes left behind that are no more.
pub(crate) fn sweep() {
    let value = format!("{{{{index .Labels \"{LABEL}\"}}}}");
    let of_container = value.replace(".Labels", ".Config.Labels");
    let tags = |kind: &str, format: &str, names: Vec<String>| {
        names
            .into_iter()
            .flat_map(|name| lines(&[kind, "inspect", "--format", format, &name]))
            .collect::<Vec<_>>()
    };
    let mut left = tags("container", &of_container, containers(LABEL));
    left.extend(tags("network", &value, networks(LABEL)));
    left.sort();
    left.dedup();
    for tag in left.iter().filter(|tag| is_left(tag)) {
        remove(&format!("{LABEL}={tag}"));
    }
    let mut images =
        lines(&["images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "label=octo.test.image"]);
    images.retain(|image| image.strip_prefix(IMAGES).is_some_and(is_left));
    quietly(&["rmi", "-f"], &images);
}
