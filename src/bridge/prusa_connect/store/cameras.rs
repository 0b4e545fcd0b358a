//! The tokens of the cameras, each by the camera's identity.
//!
//! Written by the service.

use super::{Drawer, StoreError};
use crate::bridge::prusa_connect::connect::identity::fingerprint;
use crate::bridge::prusa_connect::connect::token::Token;
use serde_json::{Map, Value};
use std::path::Path;

/// Most cameras whose tokens are kept. Those that a printer no longer has stay: they may be plugged in again.
const MOST: usize = 32;

/// The file, as long as the service runs.
#[derive(Debug)]
pub(crate) struct CameraTokens {
    drawer: Drawer,
    /// In the order in which they came; the newest last.
    tokens: Vec<(String, Token)>,
    /// What tells the printer's token from others, under which the cameras were registered.
    printer: String,
}

/// What tells a token from others, and does not give it away.
fn mark(token: &Token) -> String {
    let mut mark = fingerprint(token.reveal());
    mark.truncate(16);
    mark
}

impl CameraTokens {
    pub(super) const NAME: &str = "cameras";

    /// Opens it. What is in it of another registration of the printer than that of this token counts as not there. The
    /// second is why it is begun anew, or not kept at all; the service goes on nevertheless.
    pub(crate) fn open(data_dir: &Path, id: &str, printer: Option<&Token>) -> (Self, Option<StoreError>) {
        let mut drawer = Drawer::new(data_dir, id, Self::NAME);
        let (content, error) = match drawer.open() {
            Ok(content) => (content, None),
            Err(error) => (Map::new(), Some(error)),
        };
        let of = content.get("printer").and_then(Value::as_str).unwrap_or_default();
        let printer = printer.map_or_else(|| of.to_owned(), mark);
        let tokens = content.get("tokens").filter(|_| of == printer);
        let tokens = tokens.and_then(Value::as_array).into_iter().flatten();
        let tokens = tokens.filter_map(|entry| {
            let text = |name: &str| entry.get(name)?.as_str();
            Some((text("camera")?.to_owned(), Token::new(text("token")?)?))
        });
        let tokens = tokens.take(MOST).collect();
        (Self { drawer, tokens, printer }, error)
    }

    /// The printer has that token from now on. On the medium when it returns.
    ///
    /// # Errors
    ///
    /// If it cannot be written; it counts in this run nevertheless.
    pub(crate) fn belong_to(&mut self, printer: &Token) -> Result<(), StoreError> {
        let mark = mark(printer);
        if self.printer == mark {
            return Ok(());
        }
        self.printer = mark;
        if self.tokens.is_empty() { Ok(()) } else { self.write() }
    }

    /// The token of the camera of this identity.
    pub(crate) fn get(&self, camera: &str) -> Option<&Token> {
        self.tokens.iter().find(|(known, _)| known == camera).map(|(_, token)| token)
    }

    /// Keeps the token of a camera, or forgets it. On the medium when it returns.
    ///
    /// # Errors
    ///
    /// If it cannot be written; it counts in this run nevertheless.
    pub(crate) fn set(&mut self, camera: &str, token: Option<Token>) -> Result<(), StoreError> {
        if self.get(camera) == token.as_ref() {
            return Ok(());
        }
        self.tokens.retain(|(known, _)| known != camera);
        self.tokens.extend(token.map(|token| (camera.to_owned(), token)));
        let surplus = self.tokens.len().saturating_sub(MOST);
        self.tokens.drain(..surplus);
        self.write()
    }

    fn write(&self) -> Result<(), StoreError> {
        let entry = |(camera, token): &(String, Token)| serde_json::json!({"camera": camera, "token": token.reveal()});
        let mut content = Map::new();
        content.insert("printer".to_owned(), self.printer.as_str().into());
        content.insert("tokens".to_owned(), self.tokens.iter().map(entry).collect());
        self.drawer.write(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_kept_replaced_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let (mut file, error) = CameraTokens::open(dir.path(), "p", None);
        assert!(error.is_none());
        let token = |text: &str| Token::new(text);
        file.set("a", token("one")).unwrap();
        file.set("b", token("two")).unwrap();
        file.set("a", token("three")).unwrap();
        let again = || CameraTokens::open(dir.path(), "p", None).0;
        assert_eq!((again().get("a"), again().get("b")), (token("three").as_ref(), token("two").as_ref()));
        file.set("a", None).unwrap();
        assert_eq!((again().get("a"), again().get("b")), (None, token("two").as_ref()));
        assert!(!format!("{file:?}").contains("two"));
    }

    #[test]
    fn cameras_of_another_registration_are_not_known() {
        let dir = tempfile::tempdir().unwrap();
        let token = |text: &str| Token::new(text).unwrap();
        let (one, other) = (token("one"), token("other"));
        let open = |printer| CameraTokens::open(dir.path(), "p", Some(printer)).0;
        let mut file = open(&one);
        file.set("a", Some(token("secret"))).unwrap();
        assert!(open(&one).get("a").is_some() && open(&other).get("a").is_none());
        // Connect gives the printer another token: the cameras stay as they are.
        file.belong_to(&other).unwrap();
        assert!(open(&one).get("a").is_none() && open(&other).get("a").is_some());
        let text = std::fs::read_to_string(dir.path().join("p_cameras.json")).unwrap();
        assert!(!text.contains("other"), "{text}");
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let dir = tempfile::tempdir().unwrap();
        let (mut file, _) = CameraTokens::open(dir.path(), "p", None);
        for number in 0..=MOST {
            file.set(&number.to_string(), Token::new("t")).unwrap();
        }
        assert!(file.get("0").is_none() && file.get("1").is_some() && file.get(&MOST.to_string()).is_some());
    }
}
