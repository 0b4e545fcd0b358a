//! Which cameras there are for Connect: those of the printer's list that are on, and those whose tokens somebody entered.

use super::request::Card;
use super::trigger::Trigger;
use crate::bridge::prusa_connect::config::CameraToken;
use crate::printer::Webcam;

/// Most cameras.
const MOST: usize = 8;
/// What the one camera of a printer is called that lists none.
const UNLISTED: &str = "Camera";
/// What tells it from others.
const UNLISTED_ID: &str = "octobridge:unlisted";

/// A camera that Connect is to have.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wanted {
    /// What Connect knows it by.
    pub(super) card: Card,
    /// Its name or identity in the printer's list; none: it is not in there.
    pub(super) listed: Option<String>,
    /// The token that somebody entered for it.
    pub(super) entered: Option<CameraToken>,
}

/// The cameras of this list. `in_use` is the name of the one that the rest of the program uses.
pub(super) fn listed(
    webcams: &[Webcam],
    in_use: Option<&str>,
    trigger: Trigger,
    tokens: &[CameraToken],
) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for webcam in webcams {
        let is_it = |name: &str| name == &*webcam.name || webcam.uid.as_deref() == Some(name);
        let entered = tokens.iter().find(|token| match &token.camera {
            Some(name) => is_it(name),
            None => in_use == Some(&*webcam.name),
        });
        // Whoever enters a token for a camera wants it, also one that is switched off in the web interface.
        if (!webcam.enabled && entered.is_none()) || wanted.len() == MOST {
            continue;
        }
        let plain = webcam.uid.as_deref().filter(|uid| !uid.is_empty()).unwrap_or(&webcam.name);
        let card = Card::new(&webcam.name, plain, trigger);
        if wanted.iter().all(|known| known.card.id != card.id) {
            wanted.push(Wanted { card, listed: Some(plain.to_owned()), entered: entered.cloned() });
        }
    }
    wanted
}

/// The camera of a printer that lists none, and has one nevertheless.
pub(super) fn unlisted(name: Option<&str>, trigger: Trigger, tokens: &[CameraToken]) -> Wanted {
    let card = Card::new(name.unwrap_or(UNLISTED), UNLISTED_ID, trigger);
    let entered = tokens.iter().find(|token| token.camera.is_none()).cloned();
    Wanted { card, listed: None, entered }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::prusa_connect::connect::token::Token;

    fn webcam(name: &str, uid: Option<&str>, enabled: bool) -> Webcam {
        Webcam { name: name.into(), uid: uid.map(Into::into), enabled, ..Webcam::default() }
    }

    fn token(camera: Option<&str>) -> CameraToken {
        CameraToken { camera: camera.map(str::to_owned), token: Token::new("abc").unwrap() }
    }

    #[test]
    fn cameras_that_are_on_are_wanted_and_stay_themselves() {
        let list = [webcam("a", Some("1"), true), webcam("b", None, false), webcam("c", None, true)];
        let names = |wanted: &[Wanted]| wanted.iter().map(|one| one.card.name.clone()).collect::<Vec<_>>();
        let wanted = listed(&list, None, Trigger::TenSec, &[]);
        assert_eq!(names(&wanted), ["a", "c"]);
        assert_eq!(wanted[0].listed.as_deref(), Some("1"));
        // One that is renamed is the same one, where it has an identity.
        let renamed = [webcam("z", Some("1"), true)];
        assert_eq!(listed(&renamed, None, Trigger::TenSec, &[])[0].card.id, wanted[0].card.id);
        // Two of one name are one.
        assert_eq!(listed(&[list[2].clone(), list[2].clone()], None, Trigger::TenSec, &[]).len(), 1);
        let many: Vec<Webcam> = (0..16).map(|number| webcam(&number.to_string(), None, true)).collect();
        assert_eq!(listed(&many, None, Trigger::TenSec, &[]).len(), MOST);
    }

    #[test]
    fn entered_tokens_find_their_cameras() {
        let list = [webcam("a", Some("1"), true), webcam("b", None, false)];
        let with = |in_use, tokens: &[CameraToken]| {
            let wanted = listed(&list, in_use, Trigger::Manual, tokens);
            wanted.iter().map(|one| (one.card.name.clone(), one.entered.is_some())).collect::<Vec<_>>()
        };
        let (a, b) = (|entered| ("a".to_owned(), entered), ("b".to_owned(), true));
        assert_eq!(with(None, &[token(Some("1"))]), [a(true)]);
        assert_eq!(with(None, &[token(Some("b"))]), [a(false), b.clone()]);
        assert_eq!(with(Some("b"), &[token(None)]), [a(false), b]);
        assert_eq!(with(None, &[token(None)]), [a(false)]);
        assert!(unlisted(None, Trigger::Manual, &[token(None)]).entered.is_some());
        assert!(unlisted(Some("stock camera"), Trigger::Manual, &[token(Some("a"))]).entered.is_none());
    }
}
