//! `octoctl image`: by the container runtime of this machine, found as the server finds it.

use clap::Subcommand;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command as Process, Stdio};
use toml::Table;

use super::Context;
use super::failure::Failure;
use super::table::table;
use crate::cli::output::Format;
use crate::config::load;
use crate::runtime::Cli;

/// How images of sessions are known; `container/Dockerfile` sets it.
const LABEL: &str = "org.opencontainers.image.title=Octo workshop";

/// Images of sessions.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Ask the server which of your sessions would change by an upgrade.
    Check,
    /// Fetch an image.
    Pull {
        /// Its name [default: that of the settings].
        image: Option<String>,
    },
    Build(Build),
    /// List the images of sessions that are here.
    List,
    /// Remove builds of the image that no name refers to any more.
    Prune,
}

/// Build the image of sessions. The folder in which octoctl is called is what the build sees.
#[derive(Debug, clap::Args)]
pub(super) struct Build {
    /// The folder with the Dockerfile; on ARM, Dockerfile.arm64 where there is one.
    #[arg(default_value = "./container")]
    path: PathBuf,
    /// Build every step anew.
    #[arg(long)]
    no_cache: bool,
    /// The image's name.
    #[arg(short, long, value_name = "NAME", default_value = "octo-dev:latest")]
    tag: String,
    /// A value for the Dockerfile; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    build_arg: Vec<String>,
}

/// The runtime's program, its general arguments, and the settings' image.
struct Local {
    program: PathBuf,
    global: Vec<String>,
    image: String,
}

impl Local {
    fn find(context: &Context) -> Result<Self, Failure> {
        let config =
            load(&context.around, None, Table::new()).map_err(|why| Failure::new(why.to_string()))?.config;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let scratch = std::env::temp_dir().join("octoctl-none");
        let found =
            runtime.block_on(Cli::find(&config, scratch)).map_err(|why| Failure::new(why.to_string()))?;
        Ok(Self {
            program: found.program().to_owned(),
            global: config.container.global_args,
            image: config.container.default_image,
        })
    }

    fn process(&self, args: &[&str]) -> Process {
        let mut process = Process::new(&self.program);
        process.args(&self.global).args(args).stdin(Stdio::null());
        process
    }

    /// Runs a command whose progress the person sees; on standard error where standard output is for a program.
    fn watch(&self, context: &Context, args: &[&str]) -> Result<(), Failure> {
        let mut process = self.process(args);
        if context.format() != Format::Human {
            process.stdout(std::io::stderr());
        }
        let name = self.program.display();
        let status = process.status().map_err(|why| Failure::new(format!("cannot run {name}: {why}")))?;
        if status.success() {
            return Ok(());
        }
        let verb = args.first().copied().unwrap_or_default();
        Err(Failure::new(format!("{name} {verb} failed ({status}); what it said is above")))
    }

    /// Runs a command and gives what it printed.
    fn ask(&self, args: &[&str]) -> Result<String, Failure> {
        let name = self.program.display();
        let done =
            self.process(args).output().map_err(|why| Failure::new(format!("cannot run {name}: {why}")))?;
        if done.status.success() {
            return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&done.stderr);
        let verb = args.first().copied().unwrap_or_default();
        Err(Failure::new(format!("{name} {verb} failed ({}): {}", done.status, said.trim())))
    }
}

impl Command {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Check => check(context),
            Self::Pull { image } => {
                let local = Local::find(context)?;
                let image = image.unwrap_or_else(|| local.image.clone());
                named(&image)?;
                local.watch(context, &["pull", &image])?;
                context.show(&json!({"status": "pulled", "image": image}), || format!("Pulled {image}"))
            }
            Self::Build(args) => args.run(context),
            Self::List => list(context),
            Self::Prune => {
                let local = Local::find(context)?;
                let filter = format!("label={LABEL}");
                let said = local.ask(&["image", "prune", "--force", "--filter", &filter])?;
                let removed: Vec<&str> = said.lines().filter(|line| is_id(line)).collect();
                let count = removed.len();
                context.show(&json!({"removed": removed}), || format!("Removed {count} image(s)"))
            }
        }
    }
}

/// A name that the runtime could not read as an option.
fn named(image: &str) -> Result<(), Failure> {
    let fits = |char: char| char.is_ascii_alphanumeric() || "._/:@-".contains(char);
    if image.is_empty() || image.starts_with('-') || !image.chars().all(fits) {
        return Err(Failure::usage(format!("{image:?} is not the name of an image")));
    }
    Ok(())
}

/// Whether a line is the id of an image, with or without its kind of sum.
fn is_id(line: &str) -> bool {
    let line = line.trim().trim_start_matches("deleted: ").trim_start_matches("sha256:");
    line.len() >= 12 && line.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn check(context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let checked = client.list("/api/sessions")?.len();
    let updates = client.list("/api/sessions/updates")?;
    let available = |update: &&Value| update.get("update_available") == Some(&Value::Bool(true));
    let outdated: Vec<&Value> =
        updates.iter().filter(available).filter_map(|update| update.get("session_id")).collect();
    let count = outdated.len();
    let value = json!({"sessions_checked": checked, "outdated": count, "sessions": outdated});
    context.show(&value, || {
        let mut text = format!("{checked} session(s) checked, {count} outdated");
        for id in outdated.iter().filter_map(|id| id.as_str()) {
            text.push_str(&format!("\n  {id}: octoctl session upgrade {id}"));
        }
        text
    })
}

impl Build {
    fn run(self, context: &Context) -> Result<(), Failure> {
        named(&self.tag)?;
        let arm = self.path.join("Dockerfile.arm64");
        let is_arm = cfg!(any(target_arch = "aarch64", target_arch = "arm"));
        let file = if is_arm && arm.exists() { arm } else { self.path.join("Dockerfile") };
        if !file.exists() {
            let said =
                format!("there is no {}; call octoctl where the folder is, or name it", file.display());
            return Err(Failure::new(said));
        }
        let local = Local::find(context)?;
        let file = file.display().to_string();
        let mut args = vec!["build", "-f", &file, "-t", &self.tag];
        if self.no_cache {
            args.push("--no-cache");
        }
        for value in &self.build_arg {
            args.extend(["--build-arg", value]);
        }
        args.push(".");
        local.watch(context, &args)?;
        let tag = &self.tag;
        context.show(&json!({"status": "built", "image": tag}), || format!("Built {tag}"))
    }
}

fn list(context: &Context) -> Result<(), Failure> {
    let local = Local::find(context)?;
    let filter = format!("label={LABEL}");
    let columns = "{{.Repository}}:{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
    let said = local.ask(&["image", "ls", "--filter", &filter, "--format", columns])?;
    let rows: Vec<Vec<String>> =
        said.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>()).collect();
    let value: Vec<Value> = rows
        .iter()
        .map(|row| {
            let cell = |column: usize| row.get(column).cloned().unwrap_or_default();
            json!({"image": cell(0), "id": cell(1), "created": cell(2), "size": cell(3)})
        })
        .collect();
    context.show(&value.into(), || {
        if rows.is_empty() {
            return "No images of sessions here; octoctl image build makes one".to_owned();
        }
        table(&["IMAGE", "ID", "CREATED", "SIZE"], &rows)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_read_as_an_option() {
        for (name, fits) in [
            ("octo-dev:latest", true),
            ("localhost/octo-dev@sha256:0123", true),
            ("--privileged", false),
            ("", false),
            ("a b", false),
        ] {
            assert_eq!(named(name).is_ok(), fits, "{name}");
        }
    }

    #[test]
    fn ids_are_told_from_other_lines() {
        for (line, is) in [
            ("0123456789ab", true),
            ("deleted: sha256:0123456789abcdef", true),
            ("Total reclaimed space: 0B", false),
            ("Deleted Images:", false),
            ("", false),
        ] {
            assert_eq!(is_id(line), is, "{line}");
        }
    }
}
