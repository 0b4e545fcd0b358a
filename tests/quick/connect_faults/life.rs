//! A print that comes as an upload through Connect, from the first introduction to the deletion of its file.

use super::world::{Fault, World};
use serde_json::{Value, json};
use std::time::Duration;

const TEAM: u32 = 7;
const TEXT: &str = "; a print\nG28\nG1 X1\n";
/// How long something may take that nothing is in the way of, and what a server does that waits in vain: it asks again.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long all may take that waits for the end of something.
const LONGEST: Duration = Duration::from_secs(1800);
/// How often the user looks whether something has come about.
const LOOK: Duration = Duration::from_millis(250);
/// How often the server asks again.
const MOST_REPEATS: usize = 3;

/// What became of it.
#[derive(Debug)]
pub(super) struct Course {
    /// The requests.
    pub(super) sent: Vec<String>,
    /// What the printer was told to do.
    pub(super) done: Vec<String>,
    /// What Connect was told, in order: the event, the state, and which command it is about, counted from 0. Without what
    /// an introduction repeats.
    pub(super) told: Vec<String>,
    /// How often the server asked for an end once more, and how often the user pressed a button again.
    pub(super) repeats: usize,
    pub(super) again: usize,
}

struct Life {
    world: World,
    commands: Vec<u32>,
    repeats: usize,
    again: usize,
    /// Our program is killed somewhere: what was done just before may be forgotten, such as that the printer is ready.
    restarted: bool,
    /// Connect may miss something for good.
    may_miss: bool,
    /// How long the server is away somewhere, and a minute for what comes after.
    away: Duration,
}

/// Plays it, with that fault at that request.
pub(super) fn play(fault: Option<(usize, Fault)>) -> Result<Course, String> {
    let restarted = fault.is_some_and(|(_, fault)| matches!(fault, Fault::Killed(_)));
    let away = match fault {
        Some((_, Fault::Away(seconds))) => Duration::from_secs(seconds + 60),
        _ => Duration::ZERO,
    };
    let may_miss = fault.is_some_and(|(_, fault)| matches!(fault, Fault::Status(400) | Fault::Away(601..)));
    let world = World::new(fault);
    let mut life = Life { world, commands: Vec::new(), repeats: 0, again: 0, restarted, may_miss, away };
    let result = life.live();
    let faults = life.world.connect.take_faults();
    let told = life.told();
    let last = told[told.len().saturating_sub(12)..].join("\n    ");
    result.map_err(|why| {
        format!("{why}; the last that was told:\n    {last}\n    {}", faults.join("\n    "))
    })?;
    if !faults.is_empty() {
        return Err(format!("Connect has no such request: {}", faults.join("; ")));
    }
    life.ends()?;
    let World { sent, done, .. } = &life.world;
    Ok(Course { sent: sent.clone(), done: done.clone(), told, repeats: life.repeats, again: life.again })
}

impl Life {
    fn live(&mut self) -> Result<(), String> {
        self.shows("IDLE")?;
        self.download("cube 1.gcode", true)?;
        self.shows("PRINTING")?;
        self.command_until("PAUSE_PRINT", &json!({}), "PAUSED")?;
        self.command_until("RESUME_PRINT", &json!({}), "PRINTING")?;
        self.ask_for_job("/local/cube 1.gcode")?;
        self.world.turn("complete");
        self.shows("FINISHED")?;
        self.world.pass(Duration::from_secs(2));
        self.command_until("SET_PRINTER_READY", &json!({}), "READY")?;
        self.download("cube 2.gcode", false)?;
        self.command_until("START_PRINT", &json!({"path": "/local/cube 2.gcode"}), "PRINTING")?;
        self.command_until("STOP_PRINT", &json!({}), "STOPPED")?;
        self.delete("/local/cube 1.gcode")?;
        self.world.pass(Duration::from_secs(3));
        self.shows("STOPPED")
    }

    fn until(
        &mut self,
        what: &str,
        within: Duration,
        mut holds: impl FnMut(&Self) -> bool,
    ) -> Result<(), String> {
        let deadline = self.world.now() + within + self.away;
        while !holds(self) {
            if self.world.now() >= deadline {
                let shown = self.last_telemetry();
                return Err(format!(
                    "waited in vain for {what}; shown is {shown}, in truth {}",
                    self.world.printer().state()
                ));
            }
            self.world.pass(LOOK);
        }
        Ok(())
    }

    fn last_telemetry(&self) -> Value {
        self.world.connect.last_telemetry()
    }

    fn shows(&mut self, state: &str) -> Result<(), String> {
        self.until(&format!("telemetry of {state}"), LONGEST, |life| life.last_telemetry()["state"] == state)
    }

    /// Gives a command, and waits for its end. A server that hears nothing asks once more.
    fn command(&mut self, name: &str, kwargs: &Value) -> Result<Value, String> {
        let id = self.world.connect.command(name, kwargs);
        self.commands.push(id);
        for _ in 0..=MOST_REPEATS {
            let ended = |life: &Self| life.world.connect.has_ended(id);
            let came = self.until("it given", LONGEST, |life| life.world.connect.given(id) > 0);
            came.map_err(|why| format!("{name}: {why}"))?;
            if self.until("its end", PATIENCE, ended).is_ok() {
                return Ok(self.world.connect.ends(id)[0].clone());
            }
            self.repeats += 1;
            self.world.connect.repeat(id);
        }
        Err(format!("{name} never ends"))
    }

    /// Asks for the job, again where it is not known at the moment.
    fn ask_for_job(&mut self, path: &str) -> Result<(), String> {
        for _ in 0..3 {
            self.shows("PRINTING")?;
            let job = self.last_telemetry()["job_id"].clone();
            let told = self.command("SEND_JOB_INFO", &json!({ "job_id": job }))?;
            match told["data"]["path"].as_str() {
                Some(known) if known == path => return Ok(()),
                // What is told once more is told without details.
                None if failed(&told) || self.restarted || self.repeats > 0 => self.again += 1,
                _ => return Err(format!("another job: {told}")),
            }
        }
        Err("the job is not known".to_owned())
    }

    /// Gives a command until the printer shows this state: as a user who presses a button again whose press came to nothing.
    fn command_until(&mut self, name: &str, kwargs: &Value, state: &str) -> Result<(), String> {
        for _ in 0..3 {
            let end = self.command(name, kwargs)?;
            let patience = if failed(&end) || self.restarted { Duration::from_secs(10) } else { LONGEST };
            let shown = |life: &Self| life.last_telemetry()["state"] == state;
            match self.until(&format!("{state} after {end}"), patience, shown) {
                Err(why) if !failed(&end) && !self.restarted => return Err(why),
                Err(_) => self.again += 1,
                Ok(()) => return Ok(()),
            }
        }
        Err(format!("{name} comes to nothing"))
    }

    fn download(&mut self, name: &str, printing: bool) -> Result<(), String> {
        self.world.connect.add_file(TEAM, name, TEXT);
        let path = format!("/local/{name}");
        let order =
            json!({"path": path, "team_id": TEAM, "hash": name.replace(' ', ""), "printing": printing});
        self.world.connect.add_file(TEAM, &name.replace(' ', ""), TEXT);
        for _ in 0..3 {
            let end = self.command("START_CONNECT_DOWNLOAD", &order)?;
            let id = *self.commands.last().unwrap();
            if failed(&end) {
                self.again += 1;
                continue;
            }
            let ended = |life: &Self, kind: &str| {
                let of = |event: &Value| event["event"] == kind && event["data"]["start_cmd_id"] == id;
                life.world.connect.was_told(of)
            };
            let (finished, aborted) = ("TRANSFER_FINISHED", "TRANSFER_ABORTED");
            let came = self.until("the end of the transfer", PATIENCE * 2, |life| {
                ended(life, finished) || ended(life, aborted)
            });
            if ended(self, finished) {
                return self.prints(printing, &path);
            }
            if !ended(self, aborted) {
                // Too old to be told, or refused for good: then it is seen that none is under way any more.
                if !self.may_miss || self.last_telemetry().get("transfer_id").is_some() {
                    came?;
                }
                let prints = |life: &Self| life.last_telemetry()["state"] == "PRINTING";
                if self.until("a print", PATIENCE, prints).is_ok() == printing {
                    return Ok(());
                }
            }
            self.again += 1;
        }
        Err("no file comes".to_owned())
    }

    /// A file that came to be printed prints, or it is told that it does not.
    fn prints(&mut self, printing: bool, path: &str) -> Result<(), String> {
        if !printing {
            return Ok(());
        }
        let told = |life: &Self| {
            let of = |event: &Value| event["event"] == "FAILED" && event.get("command_id").is_none();
            life.world.connect.was_told(of)
        };
        let came = self.until("the print that was ordered", PATIENCE, |life| {
            life.last_telemetry()["state"] == "PRINTING" || told(life)
        });
        // The news that there is no file may have been too old to be told.
        came.or_else(|why| if self.may_miss { Ok(()) } else { Err(why) })?;
        match self.last_telemetry()["state"] == "PRINTING" {
            true => Ok(()),
            false => {
                self.again += 1;
                self.command_until("START_PRINT", &json!({ "path": path }), "PRINTING")
            }
        }
    }

    fn delete(&mut self, path: &str) -> Result<(), String> {
        let end = self.command("DELETE_FILE", &json!({ "path": path }))?;
        if failed(&end) {
            self.again += 1;
        }
        Ok(())
    }

    /// Each command that was given has one end, or the same once more for each time that it was asked for again, and one
    /// more where our program was killed before it could write down that it was told.
    fn ends(&self) -> Result<(), String> {
        for (number, id) in self.commands.iter().enumerate() {
            let connect = &self.world.connect;
            let (given, accepted, ends) = (connect.given(*id), connect.accepted(*id), connect.ends(*id));
            let kinds: Vec<_> = ends.iter().map(|end| end["event"].clone()).collect();
            let most = given + usize::from(self.restarted);
            if ends.is_empty() || ends.len() > most || accepted > given {
                return Err(format!(
                    "command {number}: given {given} times, accepted {accepted}, ends {kinds:?}"
                ));
            }
        }
        Ok(())
    }

    fn told(&self) -> Vec<String> {
        let number = |id: &Value| self.commands.iter().position(|known| *id == *known);
        let (mut told, mut state) = (Vec::new(), Value::Null);
        for event in self.world.connect.events() {
            let command = event.get("command_id").and_then(number);
            let kind = event["event"].as_str().unwrap();
            let repeats = kind == "STATE_CHANGED" && command.is_none() && event["state"] == state;
            let introduces = matches!(kind, "INFO" | "MEDIUM_INSERTED") && command.is_none();
            if kind == "STATE_CHANGED" {
                state = event["state"].clone();
            }
            if !repeats && !introduces {
                let of = command.map(|number| format!(" of {number}")).unwrap_or_default();
                told.push(format!("{kind}{of}, {}", event["state"].as_str().unwrap()));
            }
        }
        told
    }
}

fn failed(end: &Value) -> bool {
    matches!(end["event"].as_str(), Some("FAILED" | "REJECTED"))
}
