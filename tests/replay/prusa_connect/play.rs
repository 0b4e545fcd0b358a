//! The application of a vector, on a clock that jumps.
//!
//! Where it differs from that of the recordings:
//! - P1: the printer does not introduce itself: no vector knows that.
//! - P2: what was answered by 401, 403, 404, 408, 429 or 5xx comes again. The server takes it then, as the recordings lack
//!   that request.
//! - P3: while the line waits for a retry, time goes on; what the application does keeps its time.
//! - P8: where the notes say that `FILE_CHANGED` was left out, it may come.

use super::expect;
use super::parts::{self, steps};
use super::stage::{Command, Move, PATIENCE, Stage, Wish, seconds};
use octobridge::bridge::prusa_connect::rehearsal::{Ended, Made};
use serde_json::Value;

/// A part of the bridge in a vector: it does some of the actions, and carries out some of the commands.
pub(crate) trait Actor {
    /// Does an action; none if it is not one of its own.
    fn act(&mut self, stage: &mut Stage<'_>, action: &str, step: &Value) -> Option<Result<(), String>>;

    /// Carries out a command; none if it is not one of its own.
    fn carry_out(
        &mut self,
        stage: &mut Stage<'_>,
        command: &Command,
        step: &Value,
    ) -> Option<Result<Ended, String>>;
}

/// What came of a vector.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// The requests, without those of P2, each with its server.
    pub(crate) made: Vec<(String, Made)>,
    /// The G-code that was to be run last, and how.
    pub(crate) gcode: Option<(Value, Vec<Value>, bool)>,
    /// Commands that were to be stopped.
    pub(crate) stopped: Vec<u32>,
    /// The code that was shown.
    pub(crate) code_shown: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) camera_token: Option<String>,
    pub(crate) camera_fingerprint: Option<String>,
    /// What people were told last.
    pub(crate) error: Option<String>,
    /// Whether the line goes on asking for a token.
    pub(crate) polls: bool,
    /// Whether a command waits.
    pub(crate) pending: bool,
}

struct Player<'v> {
    stage: Stage<'v>,
    actors: Vec<Box<dyn Actor>>,
    pending: Option<Command>,
    /// What a command in the background will raise once it is stopped.
    background: Option<(Command, String)>,
    played: Played,
}

/// Plays the steps.
pub(crate) fn play(vector: &Value) -> Result<Played, String> {
    let first = seconds(&steps(vector).next().ok_or("there is no step")?["now"]);
    let mut player = Player {
        stage: Stage::new(vector, first),
        actors: parts::actors(vector),
        pending: None,
        background: None,
        played: Played::default(),
    };
    for step in steps(vector) {
        let action = step["action"].as_str().unwrap();
        player.stage.go_to(seconds(&step["now"]), action);
        player.step(action, step).map_err(|error| format!("{action} at {}: {error}", step["now"]))?;
    }
    let (stage, mut played) = (player.stage, player.played);
    played.code = stage.line.code().map(str::to_owned);
    played.token = stage.line.token().map(str::to_owned);
    played.error = stage.line.report().last_error;
    played.polls = played.code.is_some();
    played.pending = player.pending.is_some();
    (played.camera_token, played.camera_fingerprint) = stage.camera.unwrap_or_default();
    played.made = stage.made;
    Ok(played)
}

impl Player<'_> {
    fn step(&mut self, action: &str, step: &Value) -> Result<(), String> {
        match action {
            "register" | "poll_once" => {
                self.act(action, step)?;
                return self.ask(true);
            }
            "poll_until_token" | "poll_until_done" => return self.ask(false),
            "execute_pending_command" => self.execute(step)?,
            "execute_pending_command_in_background" => {
                let command = self.pending.take().ok_or("there is no command to run")?;
                let error = step["handler_raises"].as_str().unwrap_or_default();
                self.background = Some((command, error.to_owned()));
            }
            _ => self.act(action, step)?,
        }
        self.run()
    }

    fn act(&mut self, action: &str, step: &Value) -> Result<(), String> {
        let mut actors = self.actors.iter_mut();
        let done = actors.find_map(|actor| actor.act(&mut self.stage, action, step));
        done.unwrap_or_else(|| Err("nobody does that".to_owned()))
    }

    /// Has the application run the command that it got.
    fn execute(&mut self, step: &Value) -> Result<(), String> {
        let command = self.pending.take().ok_or("there is no command to run")?;
        let mut actors = self.actors.iter_mut();
        let end = actors.find_map(|actor| actor.carry_out(&mut self.stage, &command, step));
        let end = end.unwrap_or_else(|| Ok(Ended::Unserved(command.name.clone())))?;
        let done = self.stage.line.conclude(command.id, end, self.stage.now());
        done.ok_or_else(|| format!("{} ends in a way that nobody knows", command.name))
    }

    /// Has the line do all that it has to do for what happens in the printer.
    fn run(&mut self) -> Result<(), String> {
        let until = self.stage.now().monotonic + PATIENCE;
        loop {
            match self.stage.next()? {
                Move::Rests(time) if time > self.stage.now().monotonic => {
                    if self.stage.line.waits() == (0, false) || time > until {
                        return Ok(());
                    }
                    self.stage.sleep(time);
                }
                Move::Wish(wish) => self.grant(wish)?,
                Move::Sent | Move::Rests(_) => {}
            }
        }
    }

    /// Has the line ask for its registration: once, or until it is over.
    fn ask(&mut self, once: bool) -> Result<(), String> {
        let until = self.stage.now().monotonic + PATIENCE;
        loop {
            if !once && self.stage.is_over() && expect::polls_on(self.stage.vector) {
                return Ok(());
            }
            match self.stage.next()? {
                Move::Sent if once => return Ok(()),
                Move::Rests(time) if time > until => return Ok(()),
                Move::Rests(time) => self.stage.sleep(time),
                Move::Wish(wish) => {
                    self.grant(wish)?;
                    if self.stage.line.token().is_some() {
                        return Ok(());
                    }
                }
                Move::Sent => {}
            }
        }
    }

    fn grant(&mut self, wish: Wish) -> Result<(), String> {
        match wish {
            Wish::Run(command) => {
                if command.name == "GCODE" {
                    let gcode = command.kwargs["gcode"].clone();
                    self.played.gcode = Some((gcode, command.args.clone(), command.force));
                }
                self.pending = Some(command);
            }
            Wish::Stop(id) => {
                self.played.stopped.push(id);
                let (command, error) = self.background.take().ok_or("nothing runs that could be stopped")?;
                let now = self.stage.now();
                self.stage.line.conclude(command.id, Ended::Failed(error), now);
            }
            Wish::Say(words) => {
                if self.stage.line.code() == Some(&words) {
                    self.played.code_shown = Some(words);
                }
            }
        }
        Ok(())
    }
}
