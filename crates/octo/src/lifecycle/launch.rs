//! How a session's container is asked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::homes::component;
use super::{Lifecycle, LifecycleError};
use crate::runtime::{Launch, Limits, labels};
use crate::session::limits::{self, Most};
use crate::session::{Service, Session};

/// The user's home in the container.
const HOME: &str = "/home/dev";
/// The workspace in the container, where it is not in the home.
const WORKSPACE: &str = "/home/dev/workspace";

/// How a session reaches others.
enum Network {
    /// As the runtime has it, or of this name.
    Given(Option<String>),
    /// The host's own: nothing is published, and the services listen on the host's ports.
    Host,
    /// One of ours, to be made.
    Ours(String),
}

impl Lifecycle {
    fn network_of(&self, session: &Session) -> Network {
        let instance = self.0.instance.get(..8).unwrap_or(&self.0.instance);
        match self.0.config.container.network.as_str() {
            "" => Network::Given(None),
            "host" => Network::Host,
            "per-user" => Network::Ours(format!("octo-{instance}-{}", component(&session.user_id))),
            "per-session" => Network::Ours(format!("octo-{instance}-{}", session.id.simple())),
            name => Network::Given(Some(name.to_owned())),
        }
    }

    /// The network of ours that a session uses.
    pub(super) fn our_network(&self, session: &Session) -> Option<String> {
        match self.network_of(session) {
            Network::Ours(name) => Some(name),
            Network::Given(_) | Network::Host => None,
        }
    }

    /// Where the workspace is in the container, and the folder of the host that is to be mounted there, where it is not
    /// in the home. What is in the home is found inside: the user can change it at any time, also into a link.
    fn workspace_of(&self, session: &Session) -> (String, Option<PathBuf>) {
        let path = Path::new(&session.workspace_path);
        let home = self.0.homes.home(&session.user_id);
        let resolved = std::fs::canonicalize(&home).unwrap_or_else(|_| home.clone());
        match path.strip_prefix(&home).or_else(|_| path.strip_prefix(&resolved)) {
            Ok(rest) => (format!("{HOME}/{}", rest.display()), None),
            Err(_) => (WORKSPACE.to_owned(), Some(path.to_owned())),
        }
    }

    /// Makes the home where it is missing, and sees that a workspace outside it is still where it was: what is mounted
    /// must not have become a link.
    pub(super) async fn prepare_folders(&self, session: &Session) -> Result<(), LifecycleError> {
        let (_, mounted) = self.workspace_of(session);
        let (homes, user) = (self.0.homes.clone(), session.user_id.clone());
        let work = move || {
            homes.prepare(&user)?;
            match mounted {
                Some(path) if !std::fs::canonicalize(&path).is_ok_and(|now| now == path && now.is_dir()) => {
                    let why = format!("the workspace {} is not there any more", path.display());
                    Err(LifecycleError::Workspace(why))
                }
                _ => Ok(()),
            }
        };
        tokio::task::spawn_blocking(work).await.unwrap_or(Err(LifecycleError::Ending))
    }

    /// The container of a session, with the variables that its user gave. Ours have the last word.
    pub(super) fn launch_of(&self, session: &Session, mut env: BTreeMap<String, String>) -> Launch {
        let settings = &self.0.config.container;
        let network = self.network_of(session);
        let on_host = matches!(network, Network::Host);
        let (workspace, mounted) = self.workspace_of(session);
        for service in Service::ALL {
            let name = match service {
                Service::Opencode => "OPENCODE_PORT",
                Service::Files => "FILESERVER_PORT",
                Service::Terminal => "TTYD_PORT",
            };
            let port = if on_host { session.port(service) } else { service.inner_port() };
            env.insert(name.to_owned(), port.to_string());
        }
        if on_host {
            // Nothing is published there: what a service listens on is what others reach.
            env.insert("OCTO_BIND".to_owned(), settings.publish_host.to_string());
        }
        env.insert("OCTO_SESSION_ID".to_owned(), session.id.to_string());
        env.insert("OCTO_SESSION_NAME".to_owned(), session.readable_id.clone());
        for key in Service::ALL.iter().filter_map(|service| self.0.keys.of(session.id, *service)) {
            env.extend(key.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        }
        // As the first process of the image reads it.
        env.insert("WORKSPACE".to_owned(), workspace);
        if let Some(agent) = &session.agent {
            // Not OCTO_AGENT: that is a command line, which the image decides on.
            env.insert("OCTO_AGENT_PROFILE".to_owned(), agent.clone());
        }
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let ports = Service::ALL.iter().map(|service| (session.port(*service), service.inner_port()));
        Launch {
            name: session.container_name.clone(),
            image: session.image.clone(),
            labels: BTreeMap::from([
                label(labels::MANAGED, "true"),
                label(labels::INSTANCE, &self.0.instance),
                label(labels::SESSION, &session.id.to_string()),
                label(labels::USER, &session.user_id),
                label(labels::IMAGE, session.image_digest.as_deref().unwrap_or("")),
            ]),
            ports: if on_host { Vec::new() } else { ports.collect() },
            publish_host: settings.publish_host,
            home: self.0.homes.home(&session.user_id),
            workspace: mounted,
            env,
            network: match network {
                Network::Given(name) => name,
                Network::Host => Some("host".to_owned()),
                Network::Ours(name) => Some(name),
            },
            limits: self.limits_of(session),
            patience: self.patience(),
        }
    }

    /// What a container may use: as its user asked for, else as the settings have it.
    fn limits_of(&self, session: &Session) -> Limits {
        let settings = &self.0.config.container;
        let asked = session.limits.within(&self.most());
        Limits {
            memory: asked.memory_bytes.map_or_else(|| settings.memory.clone(), |bytes| format!("{bytes}b")),
            cpus: asked.cpus.unwrap_or(settings.cpus),
            pids: asked.pids_limit.map_or(settings.pids_limit, i64::from),
            nofile: settings.nofile.clone(),
        }
    }

    /// The most that a session may ask for: where the settings say nothing of that, what every session has.
    pub(super) fn most(&self) -> Most {
        let settings = &self.0.config.container;
        let pids = |limit: i64| u32::try_from(limit).ok().filter(|limit| *limit > 0);
        Most {
            memory_bytes: limits::memory(&settings.max_memory).or_else(|| limits::memory(&settings.memory)),
            cpus: [settings.max_cpus, settings.cpus].into_iter().find(|cpus| *cpus > 0.0),
            pids_limit: pids(settings.max_pids_limit).or_else(|| pids(settings.pids_limit)),
        }
    }

    /// From SIGTERM to SIGKILL.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(self.0.config.container.stop_timeout_seconds)
    }
}
