//! What pairing with Prusa Connect stores: the printer's token, and the server where it is another one.

use super::place::{Note, Place, Stop};
use crate::bridge::prusa_connect::NAME;
use crate::bridge::prusa_connect::connect::token::Token;
use crate::bridge::prusa_connect::pairing::{Pairing, forget};
use crate::bridge::prusa_connect::{config, settings_file};
use crate::settings::{BridgeName, Environment, Settings};

/// The file of the printer's token, in the data folder.
const TOKEN_FILE: &str = "prusa_connect_token";
/// The variables of what is stored.
const STORED: [&str; 3] = ["PRUSA_CONNECT_TOKEN", "PRUSA_CONNECT_TOKEN_FILE", "PRUSA_CONNECT_URL"];

/// What a file brings.
#[derive(Debug)]
pub(crate) struct Import {
    /// Its server.
    pub(crate) server: String,
    /// Its token.
    pub(crate) token: Token,
    /// What is to be written besides.
    values: Vec<(&'static str, String)>,
}

/// Where it is stored.
#[derive(Debug)]
pub(crate) struct Target {
    /// The bridge's place in the settings.
    pub(crate) place: Place,
}

impl Target {
    /// Finds it.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub(crate) fn find(settings: Settings, environment: &Environment) -> Result<Self, Stop> {
        let place = Place::of(settings, BridgeName::PrusaConnect, None, &STORED, environment)?;
        Ok(Self { place })
    }

    /// Reads the text of a file of Connect's.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn import(&self, text: &str) -> Result<Import, Stop> {
        let wrong = |why: String| Stop::Wrong(format!("{why}; nothing was stored"));
        let file = settings_file::read(text).map_err(|error| wrong(error.to_string()))?;
        let server = config::server(&file.server)
            .map_err(|problem| wrong(format!("the server {} {problem}", file.server)))?;
        let missing =
            "there is no token in it; download the file again, after the printer was added in Connect";
        let token = file.token.ok_or_else(|| wrong(missing.to_owned()))?;
        let usual = self.place.text("PRUSA_CONNECT_URL").unwrap_or_else(|| config::SERVER.to_owned());
        let usual = usual.trim_end_matches('/');
        // The file always has the port in it.
        let same = server == usual || server.strip_suffix(":443") == Some(usual);
        match same {
            true => Ok(Import { server: usual.to_owned(), token, values: Vec::new() }),
            false => Ok(Import { values: vec![("url", server.clone())], server, token }),
        }
    }

    /// The settings of the bridge; the server of a file counts from now on, for all that follows.
    pub(crate) fn with_import<'a>(
        &'a self,
        import: Option<&'a Import>,
    ) -> impl Fn(&str) -> Option<String> + 'a {
        move |name| match (name, import) {
            ("PRUSA_CONNECT_URL", Some(import)) => Some(import.server.clone()),
            (name, _) => self.place.text(name),
        }
    }

    /// Stores what a file brought.
    ///
    /// # Errors
    ///
    /// If that cannot be done.
    pub(crate) fn take(&self, pairing: &Pairing, import: &Import) -> Result<Vec<Note>, Stop> {
        self.store_with(pairing, &import.token, &import.values)
    }

    /// Stores the token, and switches the bridge on.
    ///
    /// # Errors
    ///
    /// If that cannot be done.
    pub(crate) fn store(&self, pairing: &Pairing, token: &Token) -> Result<Vec<Note>, Stop> {
        self.store_with(pairing, token, &[])
    }

    fn store_with(
        &self,
        pairing: &Pairing,
        token: &Token,
        more: &[(&'static str, String)],
    ) -> Result<Vec<Note>, Stop> {
        let kept = self.place.keep(TOKEN_FILE, token.reveal());
        let mut notes = vec![kept.map_err(|error| {
            Stop::Failed(format!("{error}; remove the printer in Connect, and pair it again"))
        })?];
        pairing.registered().map_err(|error| Stop::Failed(format!("{error}. The token is stored")))?;
        let mut values = vec![("enabled", "true".to_owned())];
        values.extend_from_slice(more);
        notes.push(self.place.set(&values)?);
        notes.extend(self.place.beware());
        Ok(notes)
    }

    /// Deletes token and code, and switches the bridge off.
    ///
    /// # Errors
    ///
    /// If that cannot be done.
    pub(crate) fn forget(&self) -> Result<Vec<Note>, Stop> {
        let kept = self.place.keep(TOKEN_FILE, "");
        let mut notes = vec![kept.map_err(|error| Stop::Failed(format!("{error}; nothing was changed")))?];
        forget(&self.place.settings.paths.data, NAME).map_err(Stop::failed)?;
        if self.place.is_on() {
            notes.push(self.place.switch(false)?);
        }
        notes.push(Note::Done(
            "Serial number and fingerprint stay, so that it is the same printer when it is paired again. No printer can \
             remove itself from Connect: do that in the web page."
                .to_owned(),
        ));
        notes.extend(self.place.beware());
        Ok(notes)
    }
}
