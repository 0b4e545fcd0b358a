//! Signatures in minisign's format: what [`SecretKey::sign`] makes, Debian's `minisign` verifies, and the other way
//! round. The cryptography is that of the crate `minisign`, by minisign's author; here are the files around it.
//!
//! Keys and signatures are small texts. A longer file is refused before it is read.

mod key;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use minisign::{PError, SignatureBox};
use nix::errno::Errno;

use crate::output;

pub use key::{KeyPair, PublicKey, SecretKey, is_encrypted, public_key, secret_key};

/// Longest file of a key or signature, in bytes; real ones have a few hundred.
const LONGEST: u64 = 64 * 1024;
/// Ed25519 signatures have 64 bytes, and so many characters in base64.
const SIGNATURE_CHARACTERS: usize = 88;

/// Why something could not be signed, or a signature not be checked. A secret is in none of them.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// A file could not be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no key or signature of minisign's.
    #[error("{} is no {what} of minisign's: {reason}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// What was given as a public key is neither its file nor the key itself.
    #[error(
        "{given} is neither a file nor a public key; give the file that keygen --public wrote, or its second line"
    )]
    NoPublicKey {
        /// As it was given.
        given: String,
    },
    /// The secret key is encrypted, and there is no passphrase.
    #[error("the key {} has a passphrase: give --passphrase-file, or call it in a terminal", path.display())]
    NeedsPassphrase {
        /// The key's file.
        path: PathBuf,
    },
    /// The passphrase does not open the key.
    #[error("the passphrase does not open the key {}", path.display())]
    WrongPassphrase {
        /// The key's file.
        path: PathBuf,
    },
    /// The comment cannot be part of a signature.
    #[error("the comment must be one line of text")]
    Comment,
    /// The library failed, for want of random numbers for example.
    #[error("cannot {action}: {reason}")]
    Failed {
        /// What was tried.
        action: &'static str,
        /// The library's words.
        reason: String,
    },
    /// The signature is not that of this file by this key.
    #[error("the signature {} does not hold for {}: {reason}", signature.display(), file.display())]
    Wrong {
        /// The signature's file.
        signature: PathBuf,
        /// The signed file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
}

impl SignError {
    /// Whether an input is not what it claims to be, rather than missing or in the way.
    #[must_use]
    pub fn is_wrong_input(&self) -> bool {
        matches!(self, Self::Malformed { .. })
    }
}

fn file_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SignError {
    let path = path.to_path_buf();
    move |source| SignError::File { action, path, source }
}

/// The text of a small file.
fn read_text(path: &Path, what: &'static str) -> Result<String, SignError> {
    let failed = |source| SignError::File { action: "read", path: path.to_path_buf(), source };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes)).map_err(failed)?;
    let malformed =
        |reason: &str| SignError::Malformed { path: path.to_path_buf(), what, reason: reason.into() };
    if bytes.len() as u64 > LONGEST {
        return Err(malformed("it is too long"));
    }
    String::from_utf8(bytes).map_err(|_| malformed("it is no text"))
}

/// Where the signature of a file is: `minisign` looks there too.
#[must_use]
pub fn path_for(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".minisig");
    PathBuf::from(name)
}

/// Writes the two files of a new key, the secret one for its owner alone. Neither replaces a file that is there.
///
/// # Errors
/// When one of them exists or cannot be written.
pub fn write_pair(pair: &KeyPair, secret: &Path, public: &Path) -> Result<(), SignError> {
    check_places(secret, public)?;
    output::write_secret(secret, &pair.secret).map_err(file_error("write", secret))?;
    output::write_text(public, &pair.public).map_err(file_error("write", public))
}

/// Whether the files of a new key would replace any.
///
/// # Errors
/// When one of them exists.
pub fn check_places(secret: &Path, public: &Path) -> Result<(), SignError> {
    match [secret, public].into_iter().find(|path| path.symlink_metadata().is_ok()) {
        Some(path) => Err(file_error("write", path)(Errno::EEXIST.into())),
        None => Ok(()),
    }
}

impl SecretKey {
    /// The signature of a file, as the text of a `.minisig` file. The comment is signed too, and shown by whoever
    /// verifies.
    ///
    /// # Errors
    /// When the file cannot be read, or the comment has more than one line.
    pub fn sign(&self, file: &Path, comment: &str) -> Result<String, SignError> {
        if comment.chars().any(char::is_control) {
            return Err(SignError::Comment);
        }
        let data = File::open(file).map_err(file_error("read", file))?;
        let untrusted = format!("signature from octofw, key {}", self.public().id());
        let comment = comment.trim();
        minisign::sign(Some(&self.public().0), &self.0, data, Some(comment), Some(&untrusted))
            .map(SignatureBox::into_string)
            .map_err(|error| SignError::Failed { action: "sign", reason: error.to_string() })
    }
}

impl PublicKey {
    /// Checks that a signature's file is that of a file by this key; returns the comment that was signed with it.
    ///
    /// # Errors
    /// When one of the files cannot be read, the signature is none, or it does not hold.
    pub fn check(&self, file: &Path, signature: &Path) -> Result<String, SignError> {
        let text = read_text(signature, "signature")?;
        let parsed = parse(&text).map_err(|reason| SignError::Malformed {
            path: signature.to_path_buf(),
            what: "signature",
            reason,
        })?;
        let data = File::open(file).map_err(file_error("read", file))?;
        let wrong = |error: PError| SignError::Wrong {
            signature: signature.to_path_buf(),
            file: file.to_path_buf(),
            reason: error.to_string(),
        };
        minisign::verify(&self.0, &parsed, data, true, false, true).map_err(wrong)?;
        parsed.trusted_comment().map_err(wrong)
    }
}

/// A signature out of its text. The library takes the last line's length for granted.
fn parse(text: &str) -> Result<SignatureBox, String> {
    let last = text.lines().nth(3).unwrap_or_default().trim();
    if last.len() != SIGNATURE_CHARACTERS {
        return Err("its fourth line is no signature of the comment".into());
    }
    SignatureBox::from_string(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Bed {
        folder: tempfile::TempDir,
        pair: KeyPair,
    }

    impl Bed {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("file"), "content").unwrap();
            Self { folder, pair: KeyPair::generate(None).unwrap() }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            std::fs::write(self.path(name), text).unwrap();
            self.path(name)
        }

        fn secret(&self) -> SecretKey {
            secret_key(&self.write("key", &self.pair.secret), None).unwrap()
        }

        fn public(&self) -> PublicKey {
            public_key(self.write("key.pub", &self.pair.public).to_str().unwrap()).unwrap()
        }
    }

    #[test]
    fn a_signature_holds_for_its_file_key_and_comment_only() {
        let bed = Bed::new();
        let text = bed.secret().sign(&bed.path("file"), "made for a test").unwrap();
        let signature = bed.write("file.minisig", &text);
        assert_eq!(bed.public().check(&bed.path("file"), &signature).unwrap(), "made for a test");

        let other = bed.write("other", "contents");
        let refused = |key: &PublicKey, file: &Path, signature: &Path| {
            let error = key.check(file, signature).unwrap_err();
            assert!(matches!(error, SignError::Wrong { .. }), "{error:?}");
            error.to_string()
        };
        refused(&bed.public(), &other, &signature);
        let message = refused(&Bed::new().public(), &bed.path("file"), &signature);
        assert!(message.contains("key id"), "{message}");
        let comment = bed.write("comment", &text.replace("made for a test", "made for a king"));
        refused(&bed.public(), &bed.path("file"), &comment);
    }

    #[test]
    fn comments_are_one_line() {
        let bed = Bed::new();
        for comment in ["two\nlines", "a\rb", "nul\0"] {
            assert!(matches!(bed.secret().sign(&bed.path("file"), comment), Err(SignError::Comment)));
        }
    }

    #[test]
    fn what_is_no_signature_is_wrong_input() {
        let bed = Bed::new();
        let text = bed.secret().sign(&bed.path("file"), "x").unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let short = format!("{}\n{}\n{}\nAAAA\n", lines[0], lines[1], lines[2]);
        for text in
            ["", "untrusted comment: x\n", &lines[..3].join("\n"), &short, &text.replace("untrusted", "x")]
        {
            let error = bed.public().check(&bed.path("file"), &bed.write("bad", text)).unwrap_err();
            assert!(error.is_wrong_input(), "{text:?}: {error:?}");
        }
        let long = bed.write("long", &"x".repeat(70_000));
        assert!(bed.public().check(&bed.path("file"), &long).unwrap_err().is_wrong_input());
    }

    #[test]
    fn a_signature_lies_beside_its_file() {
        assert_eq!(path_for(Path::new("d/a.json")), Path::new("d/a.json.minisig"));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(?s).{0,300}", at in 0usize..400, with in "(?s).") {
            let _ = parse(&text);
            let bed = Bed::new();
            let mut text = bed.secret().sign(&bed.path("file"), "x").unwrap();
            if let Some((at, found)) = text.char_indices().nth(at) {
                text.replace_range(at..at + found.len_utf8(), &with);
            }
            let _ = bed.public().check(&bed.path("file"), &bed.write("signature", &text));
        }
    }
}
