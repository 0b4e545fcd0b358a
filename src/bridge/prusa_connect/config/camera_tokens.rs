//! Tokens of cameras that somebody added in Connect itself ("other camera"), by the names of the cameras.

use crate::bridge::prusa_connect::connect::token::Token;

/// A camera that was added in Connect itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CameraToken {
    /// Name or identity of the camera in the printer's list; none: the one that is in use.
    pub(crate) camera: Option<String>,
    /// Its token.
    pub(crate) token: Token,
}

/// Reads `NAME=TOKEN` with commas between; a token alone is that of the camera in use.
pub(super) fn parse(text: &str) -> Result<Vec<CameraToken>, &'static str> {
    let entries = text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
    let mut tokens: Vec<CameraToken> = Vec::new();
    for entry in entries {
        // A name may hold the sign, a token does not.
        let (camera, token) = match entry.rsplit_once('=') {
            Some((camera, token)) => (Some(camera.trim().to_owned()), token),
            None => (None, entry),
        };
        if camera.as_deref() == Some("") {
            return Err("has an entry without a name before its =");
        }
        let token =
            Token::new(token).ok_or("has an entry without a token; it is NAME=TOKEN, with commas between")?;
        if tokens.iter().any(|known| known.camera == camera) {
            return Err("has two tokens for one camera");
        }
        tokens.push(CameraToken { camera, token });
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_their_cameras() {
        let told = |text: &str| {
            let tokens = parse(text)?;
            let told = tokens.iter().map(|token| (token.camera.clone(), token.token.reveal().to_owned()));
            Ok::<_, &str>(told.collect::<Vec<_>>())
        };
        let entry = |camera: Option<&str>, token: &str| (camera.map(str::to_owned), token.to_owned());
        assert_eq!(told(" "), Ok(vec![]));
        assert_eq!(told("abc"), Ok(vec![entry(None, "abc")]));
        let two = vec![entry(Some("Nozzle cam"), "abc"), entry(Some("a=b"), "def"), entry(None, "ghi")];
        assert_eq!(told("Nozzle cam = abc, a=b=def\nghi"), Ok(two));
        for wrong in ["=abc", "a=", "a=b c", "a=b,a=c", "a,b"] {
            assert!(told(wrong).is_err(), "{wrong}");
        }
    }
}
