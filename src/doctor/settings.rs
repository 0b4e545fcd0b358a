//! What the settings say, and what is wrong with them.

use super::Finding;
use crate::settings::Settings;
use crate::worker;

pub(super) fn examine(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for instance in settings.instances.iter().filter(|instance| instance.enabled.value) {
        findings.push(Finding::ok(format!(
            "{} is switched on ({})",
            instance.name(),
            instance.enabled.origin
        )));
    }
    if findings.is_empty() && !settings.serves_alone {
        let on = "switch one on: on the page /firmware-config/, or with `enabled: true` in its section of extended2.cfg";
        findings.push(Finding::warn("no bridge is switched on, so nothing of ours runs", on));
    }
    for problem in &settings.problems {
        findings.push(Finding::fail(&problem.what, &problem.remedy));
    }
    let inside = |text: &String| Finding::fail_with_remedy_inside(text, "correct that setting");
    findings.extend(worker::check(settings).iter().map(inside));
    findings
}
