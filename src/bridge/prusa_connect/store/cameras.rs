//! The tokens of the cameras, each by the camera's identity.
//!
//! Written by the service.

use super::{Drawer, StoreError};
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
}

impl CameraTokens {
    pub(super) const NAME: &str = "cameras";

    /// Opens it. The second is why it is begun anew, or not kept at all; the service goes on nevertheless.
    pub(crate) fn open(data_dir: &Path, id: &str) -> (Self, Option<StoreError>) {
        let mut drawer = Drawer::new(data_dir, id, Self::NAME);
        let (content, error) = match drawer.open() {
            Ok(content) => (content, None),
            Err(error) => (Map::new(), Some(error)),
        };
        let tokens = content.get("tokens").and_then(Value::as_array).into_iter().flatten();
        let tokens = tokens.filter_map(|entry| {
            let text = |name: &str| entry.get(name)?.as_str();
            Some((text("camera")?.to_owned(), Token::new(text("token")?)?))
        });
        (Self { drawer, tokens: tokens.take(MOST).collect() }, error)
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
        let entry = |(camera, token): &(String, Token)| serde_json::json!({"camera": camera, "token": token.reveal()});
        let mut content = Map::new();
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
        let (mut file, error) = CameraTokens::open(dir.path(), "p");
        assert!(error.is_none());
        let token = |text: &str| Token::new(text);
        file.set("a", token("one")).unwrap();
        file.set("b", token("two")).unwrap();
        file.set("a", token("three")).unwrap();
        let again = || CameraTokens::open(dir.path(), "p").0;
        assert_eq!((again().get("a"), again().get("b")), (token("three").as_ref(), token("two").as_ref()));
        file.set("a", None).unwrap();
        assert_eq!((again().get("a"), again().get("b")), (None, token("two").as_ref()));
        assert!(!format!("{file:?}").contains("two"));
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let dir = tempfile::tempdir().unwrap();
        let (mut file, _) = CameraTokens::open(dir.path(), "p");
        for number in 0..=MOST {
            file.set(&number.to_string(), Token::new("t")).unwrap();
        }
        assert!(file.get("0").is_none() && file.get("1").is_some() && file.get(&MOST.to_string()).is_some());
    }
}
