//! A runtime in memory, whose containers really listen, and which fails or hangs where it is told to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::lifecycle::lock;
use crate::runtime::{
    Answer, Condition, Container, Exec, Executed, Image, Kind, Launch, Lines, Runtime, RuntimeError, Stats,
    labels,
};

/// What a container does once it is started.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Conduct {
    /// Its services answer.
    Answers,
    /// It runs and says nothing.
    Silent,
    /// It ends at once.
    Exits(i32),
}

/// What goes wrong in a call.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// It fails and does nothing.
    Fail(RuntimeError),
    /// It never returns, and does nothing.
    HangBefore,
    /// It does what it should and never returns.
    HangAfter,
}

pub(super) struct Made {
    pub(super) container: Container,
    pub(super) launch: Launch,
    services: Vec<JoinHandle<()>>,
}

impl Made {
    /// A container that somebody else made.
    pub(super) fn new(container: Container, launch: Launch) -> Self {
        Self { container, launch, services: Vec::new() }
    }
}

pub(super) struct World {
    pub(super) containers: BTreeMap<String, Made>,
    pub(super) images: HashMap<String, String>,
    pub(super) networks: BTreeSet<String>,
    pub(super) conduct: Conduct,
    /// The fault of the n-th next call of a verb; 0 is the next.
    pub(super) faults: Vec<(&'static str, usize, Fault)>,
    pub(super) calls: Vec<&'static str>,
    pub(super) cpu_seconds: f64,
    /// How long `stats` takes before and after it reads that.
    pub(super) reading: (Duration, Duration),
    count: u32,
}

pub(super) struct Fake(pub(super) Mutex<World>);

impl Fake {
    pub(super) fn new() -> Self {
        Self(Mutex::new(World {
            containers: BTreeMap::new(),
            images: [("octo-dev:latest".to_owned(), "image-1".to_owned())].into(),
            networks: BTreeSet::new(),
            conduct: Conduct::Answers,
            faults: Vec::new(),
            calls: Vec::new(),
            cpu_seconds: 0.0,
            reading: Default::default(),
            count: 0,
        }))
    }

    pub(super) fn world(&self) -> std::sync::MutexGuard<'_, World> {
        lock(&self.0)
    }

    pub(super) fn fault(&self, verb: &'static str, fault: Fault) {
        self.world().faults.push((verb, 0, fault));
    }

    /// Kills the only container.
    pub(super) fn kill(&self, code: i32) {
        let mut world = self.world();
        let made = world.containers.values_mut().next().unwrap();
        end(made, code);
    }

    /// Notes the call; waits forever or fails where it is told to. Whether it shall hang afterwards.
    async fn turn(&self, verb: &'static str) -> Result<bool, RuntimeError> {
        let fault = {
            let mut world = self.world();
            world.calls.push(verb);
            let mut found = None;
            world.faults.retain_mut(|(of, left, fault)| {
                let mine = *of == verb || *of == "any";
                let now = mine && *left == 0 && found.is_none();
                if now {
                    found = Some(fault.clone());
                } else if mine {
                    *left = left.saturating_sub(1);
                }
                !now
            });
            found
        };
        match fault {
            None => Ok(false),
            Some(Fault::Fail(error)) => Err(error),
            Some(Fault::HangBefore) => std::future::pending().await,
            Some(Fault::HangAfter) => Ok(true),
        }
    }
}

/// Lets a call return, or not.
async fn leave<T>(hang: bool, value: T) -> Result<T, RuntimeError> {
    if hang { std::future::pending().await } else { Ok(value) }
}

fn end(made: &mut Made, code: i32) {
    for service in made.services.drain(..) {
        service.abort();
    }
    made.container.condition = Condition::Exited { code, out_of_memory: false };
}

/// Binds the ports as a container's start does, and answers on them.
fn begin(made: &mut Made, conduct: Conduct) -> Result<(), RuntimeError> {
    if let Conduct::Exits(code) = conduct {
        made.container.condition = Condition::Exited { code, out_of_memory: false };
        return Ok(());
    }
    let mut listeners = Vec::new();
    for (port, _) in &made.launch.ports {
        let listener = std::net::TcpListener::bind((made.launch.publish_host, *port))
            .map_err(|_| RuntimeError::PortTaken(port.to_string()))?;
        listener.set_nonblocking(true).unwrap();
        listeners.push(TcpListener::from_std(listener).unwrap());
    }
    made.container.condition = Condition::Running;
    for listener in listeners {
        made.services.push(tokio::spawn(async move {
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                if conduct == Conduct::Answers {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
                }
            }
        }));
    }
    Ok(())
}

impl Runtime for Fake {
    fn probe(&self) -> Answer<'_, (Kind, String)> {
        Box::pin(async { Ok((Kind::Podman, "0".into())) })
    }

    fn launch<'a>(&'a self, launch: &'a Launch) -> Answer<'a, String> {
        Box::pin(async move {
            let hang = self.turn("launch").await?;
            let id = {
                let mut world = self.world();
                if world.containers.values().any(|made| made.container.name == launch.name) {
                    return Err(RuntimeError::NameTaken(launch.name.clone()));
                }
                let Some(image_id) = world.images.get(&launch.image).cloned() else {
                    return Err(RuntimeError::NoImage(launch.image.clone()));
                };
                if launch.network.as_ref().is_some_and(|network| !world.networks.contains(network)) {
                    let said = "unable to find network".to_owned();
                    return Err(RuntimeError::Failed { command: "run".into(), status: "125".into(), said });
                }
                world.count += 1;
                let id = format!("{:064x}", world.count);
                let container = Container {
                    id: id.clone(),
                    name: launch.name.clone(),
                    image_id,
                    condition: Condition::Starting,
                    labels: launch.labels.clone(),
                };
                let mut made = Made { container, launch: launch.clone(), services: Vec::new() };
                begin(&mut made, world.conduct)?;
                world.containers.insert(id.clone(), made);
                id
            };
            leave(hang, id).await
        })
    }

    fn start<'a>(&'a self, container: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let hang = self.turn("start").await?;
            {
                let mut world = self.world();
                let conduct = world.conduct;
                let made = world.containers.get_mut(container);
                begin(made.ok_or_else(|| RuntimeError::NoContainer(container.into()))?, conduct)?;
            }
            leave(hang, ()).await
        })
    }

    fn stop<'a>(&'a self, container: &'a str, _: Duration) -> Answer<'a, ()> {
        Box::pin(async move {
            let hang = self.turn("stop").await?;
            {
                let mut world = self.world();
                let made = world.containers.get_mut(container);
                end(made.ok_or_else(|| RuntimeError::NoContainer(container.into()))?, 0);
            }
            // So that its ports are free when we say so, as the kernel does it for a container.
            tokio::task::yield_now().await;
            leave(hang, ()).await
        })
    }

    fn remove<'a>(&'a self, container: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let hang = self.turn("remove").await?;
            if let Some(mut made) = self.world().containers.remove(container) {
                end(&mut made, 0);
            }
            leave(hang, ()).await
        })
    }

    fn list<'a>(&'a self, instance: &'a str) -> Answer<'a, Vec<Container>> {
        Box::pin(async move {
            let hang = self.turn("list").await?;
            let ours =
                |made: &&Made| made.container.labels.get(labels::INSTANCE).is_some_and(|it| it == instance);
            let found =
                self.world().containers.values().filter(ours).map(|made| made.container.clone()).collect();
            leave(hang, found).await
        })
    }

    fn inspect<'a>(&'a self, container: &'a str) -> Answer<'a, Option<Container>> {
        Box::pin(async move {
            let hang = self.turn("inspect").await?;
            let found = {
                let world = self.world();
                let mut all = world.containers.values().map(|made| &made.container);
                all.find(|found| found.id == container || found.name == container).cloned()
            };
            leave(hang, found).await
        })
    }

    fn image<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Image>> {
        Box::pin(async move {
            let hang = self.turn("image").await?;
            let id = self.world().images.get(name).cloned();
            leave(hang, id.map(|id| Image { id, labels: BTreeMap::new() })).await
        })
    }

    fn logs<'a>(&'a self, _: &'a str, _: u32) -> Answer<'a, String> {
        Box::pin(async {
            let hang = self.turn("logs").await?;
            leave(hang, "cannot find the toolhead\n".to_owned()).await
        })
    }

    fn follow<'a>(&'a self, _: &'a str, _: u32) -> Answer<'a, Lines> {
        Box::pin(async { Ok(tokio::sync::mpsc::channel(1).1) })
    }

    fn stats<'a>(&'a self, containers: &'a [String]) -> Answer<'a, Vec<Stats>> {
        Box::pin(async move {
            self.turn("stats").await?;
            let (before, after) = self.world().reading;
            tokio::time::sleep(before).await;
            let cpu_seconds = Some(self.world().cpu_seconds);
            tokio::time::sleep(after).await;
            Ok(containers
                .iter()
                .map(|id| Stats { id: id.clone(), cpu_seconds, ..Stats::default() })
                .collect())
        })
    }

    fn exec<'a>(&'a self, _: &'a str, exec: &'a Exec) -> Answer<'a, Executed> {
        let stdout = exec.command.join(" ").into_bytes();
        Box::pin(async { Ok(Executed { exit_code: 0, stdout, stderr: Vec::new(), truncated: false }) })
    }

    fn network<'a>(&'a self, name: &'a str, _: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let hang = self.turn("network").await?;
            self.world().networks.insert(name.to_owned());
            leave(hang, ()).await
        })
    }

    fn networks<'a>(&'a self, _: &'a str) -> Answer<'a, Vec<String>> {
        Box::pin(async { Ok(self.world().networks.iter().cloned().collect()) })
    }

    fn remove_network<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let hang = self.turn("remove_network").await?;
            self.world().networks.remove(name);
            leave(hang, ()).await
        })
    }
}
