//! docs/ci.md: what it shows is what there is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use yaml_rust2::{Yaml, YamlLoader};

use crate::{octofw, printed};

fn project(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

/// The documents in the page, by the comment in their first line.
fn recipes() -> Vec<(String, Yaml)> {
    let page = project("docs/ci.md");
    let blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap().to_owned());
    let named = |block: String| {
        let name = block.lines().next().unwrap().trim_start_matches("# ").to_owned();
        let mut documents = YamlLoader::load_from_str(&block).unwrap();
        assert_eq!(documents.len(), 1, "{name}");
        (name, documents.remove(0))
    };
    blocks.map(named).collect()
}

fn recipe(name: &str) -> Yaml {
    recipes().into_iter().find(|(known, _)| known == name).expect("the page has both recipes").1
}

/// Every script of both recipes.
fn scripts() -> Vec<String> {
    let mut list = Vec::new();
    for job in jobs(&recipe(".github/workflows/firmware.yml")) {
        list.extend(
            job["steps"].as_vec().unwrap().iter().filter_map(|step| step["run"].as_str()).map(str::to_owned),
        );
    }
    let gitlab = recipe(".gitlab-ci.yml");
    for job in gitlab.as_hash().unwrap().values() {
        let lines = job["script"].as_vec().into_iter().flatten().filter_map(Yaml::as_str);
        list.push(lines.collect::<Vec<_>>().join("\n"));
    }
    list
}

fn jobs(workflow: &Yaml) -> Vec<Yaml> {
    workflow["jobs"].as_hash().unwrap().values().cloned().collect()
}

#[test]
fn githubs_workflow_has_the_form_of_one() {
    let workflow = recipe(".github/workflows/firmware.yml");
    assert!(workflow["on"].as_hash().is_some() && workflow["permissions"].as_hash().is_some());
    let jobs = jobs(&workflow);
    assert!(jobs.len() >= 2);
    for job in &jobs {
        assert!(job["runs-on"].as_str().is_some(), "{job:?}");
        for step in job["steps"].as_vec().unwrap() {
            match (step["uses"].as_str(), step["run"].as_str()) {
                (Some(action), None) => {
                    let (name, version) = action.split_once('@').expect(action);
                    assert!(name.starts_with("actions/") && version.starts_with('v'), "{action}");
                }
                (None, Some(_)) => assert!(step["name"].as_str().is_some(), "{step:?}"),
                _ => panic!("a step either uses an action or runs a script: {step:?}"),
            }
        }
    }
    let steps = jobs[0]["steps"].as_vec().unwrap();
    let with = |action: &str, key: &str| {
        let used = |step: &&Yaml| step["uses"].as_str().is_some_and(|uses| uses.starts_with(action));
        steps.iter().find(used).unwrap()["with"][key].as_str().unwrap().to_owned()
    };
    assert!(with("actions/cache@", "path").contains(".cache/octofw"));
    assert!(with("actions/upload-artifact@", "path").contains("dist/firmware.bin"));
}

#[test]
fn gitlabs_pipeline_has_the_form_of_one() {
    let pipeline = recipe(".gitlab-ci.yml");
    let job = &pipeline["firmware"];
    let texts = |list: &Yaml| -> Vec<String> {
        list.as_vec().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
    };
    assert!(job["image"].as_str().is_some());
    assert!(!texts(&job["script"]).is_empty());
    assert!(texts(&job["cache"]["paths"]).contains(&".cache/octofw".to_owned()));
    assert!(texts(&job["artifacts"]["paths"]).contains(&"dist/firmware.bin".to_owned()));
}

#[test]
fn their_scripts_are_shell_and_call_what_there_is() {
    let makefile = project("Makefile");
    let (mut commands, mut targets) = (BTreeSet::new(), BTreeSet::new());
    for script in scripts() {
        let checked = Command::new("bash").args(["-n", "-c", &script]).output().unwrap();
        assert!(checked.status.success(), "{script}\n{}", String::from_utf8_lossy(&checked.stderr));
        let joined = script.replace("\\\n", " ");
        for line in joined.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let Some(at) = words.iter().position(|word| word.ends_with("target/tool/octofw")) {
                let call = words[at + 1];
                let help = printed(octofw(&std::env::temp_dir(), &[call, "--help"]), 0);
                for option in words[at + 1..].iter().filter(|word| word.starts_with("--")) {
                    assert!(help.contains(*option), "octofw {call} has no {option}");
                }
                commands.insert(call.to_owned());
            }
            if words.first() == Some(&"make") {
                let target =
                    words[1..].iter().find(|word| !word.contains('=') && !word.starts_with('-')).unwrap();
                assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
                for (name, _) in words[1..].iter().filter_map(|word| word.split_once('=')) {
                    let exported = makefile.lines().find(|line| line.starts_with("export ")).unwrap();
                    assert!(exported.split(' ').any(|word| word == name), "make does not know {name}");
                }
                targets.insert((*target).to_owned());
            }
        }
    }
    assert!(targets.contains("overlay"), "{targets:?}");
    assert!(["lint", "plan", "verify"].iter().all(|command| commands.contains(*command)), "{commands:?}");
}
