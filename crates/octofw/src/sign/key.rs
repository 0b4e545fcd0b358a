//! Minisign's key files: a line of comment, and a line of base64. A secret key may be encrypted with a passphrase.

use std::io;
use std::path::Path;

use ct_codecs::{Base64, Decoder as _};
use minisign::{PublicKeyBox, SecretKeyBox};

use super::{SignError, read_text};

/// How the second line of an encrypted secret key begins: `Ed` and `Sc` (scrypt) in base64. Without a passphrase
/// there are zeros in the place of the latter.
const ENCRYPTED: &str = "RWRTY";
/// Length of a secret key in bytes, and of the checksum at its end.
const LENGTH: usize = 158;
const CHECKSUM: usize = 32;
/// Longest passphrase that minisign takes, in bytes.
const LONGEST_PASSPHRASE: usize = 1024;

/// A key to sign with. It has no `Debug`, which would show it.
pub struct SecretKey(pub(super) minisign::SecretKey, PublicKey);

/// A key to check signatures with.
#[derive(Debug, Clone)]
pub struct PublicKey(pub(super) minisign::PublicKey);

/// The two files of a new key. It has no `Debug`, which would show the secret one.
pub struct KeyPair {
    /// Text of the file that everybody may have.
    pub public: String,
    /// Text of the file that nobody else may have.
    pub secret: String,
}

impl KeyPair {
    /// A new key, encrypted where there is a passphrase; that takes a second and 1 GB of memory, as with minisign.
    ///
    /// # Errors
    /// When the machine has no random numbers or not enough memory, or the passphrase is too long.
    pub fn generate(passphrase: Option<String>) -> Result<Self, SignError> {
        let failed = |reason: String| SignError::Failed { action: "make a key", reason };
        if passphrase.as_ref().is_some_and(|text| text.len() > LONGEST_PASSPHRASE) {
            return Err(failed(format!("a passphrase has {LONGEST_PASSPHRASE} bytes at most")));
        }
        let pair = match passphrase {
            Some(passphrase) => minisign::KeyPair::generate_encrypted_keypair(Some(passphrase)),
            None => minisign::KeyPair::generate_unencrypted_keypair(),
        };
        let texts = pair.and_then(|pair| Ok((pair.pk.to_box()?, pair.sk.to_box(None)?)));
        let (public, secret) = texts.map_err(|error| failed(error.to_string()))?;
        Ok(Self { public: public.into_string(), secret: secret.into_string() })
    }
}

impl SecretKey {
    /// The key that checks what this one signs.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.1
    }
}

impl PublicKey {
    /// The key's number, as minisign shows it.
    #[must_use]
    pub fn id(&self) -> String {
        self.0.keynum().iter().rev().map(|byte| format!("{byte:02X}")).collect()
    }
}

/// Whether the file of a secret key takes a passphrase to open.
///
/// # Errors
/// When it cannot be read.
pub fn is_encrypted(path: &Path) -> Result<bool, SignError> {
    let text = read_text(path, "secret key")?;
    Ok(text.lines().nth(1).is_some_and(|line| line.starts_with(ENCRYPTED)))
}

/// The bytes of a key as `minisign -G -W` writes it: without passphrase there are zeros also in the place of its
/// checksum, which the library would find wrong.
fn without_checksum(text: &str) -> Option<Vec<u8>> {
    let bytes = Base64::decode_to_vec(text.lines().nth(1)?.trim(), None).ok()?;
    let (function, checksum) = (bytes.get(2..4)?, bytes.get(LENGTH - CHECKSUM..)?);
    (bytes.len() == LENGTH && function == [0, 0] && checksum.iter().all(|byte| *byte == 0)).then_some(bytes)
}

/// Reads the file of a secret key.
///
/// # Errors
/// When it cannot be read, is no such key, or the passphrase is missing or wrong.
pub fn secret_key(path: &Path, passphrase: Option<String>) -> Result<SecretKey, SignError> {
    let malformed =
        |reason: String| SignError::Malformed { path: path.to_path_buf(), what: "secret key", reason };
    let text = read_text(path, "secret key")?;
    let encrypted = is_encrypted(path)?;
    let bare = without_checksum(&text);
    let text = SecretKeyBox::from_string(&text).map_err(|error| malformed(error.to_string()))?;
    let key = if let Some(bytes) = bare {
        minisign::SecretKey::from_bytes(&bytes).map_err(|error| malformed(error.to_string()))?
    } else if encrypted {
        let passphrase = passphrase.ok_or_else(|| SignError::NeedsPassphrase { path: path.to_path_buf() })?;
        minisign::SecretKey::from_box(text, Some(passphrase)).map_err(|error| match error.kind() {
            minisign::ErrorKind::Verify => SignError::WrongPassphrase { path: path.to_path_buf() },
            _ => malformed(error.to_string()),
        })?
    } else {
        minisign::SecretKey::from_unencrypted_box(text).map_err(|error| malformed(error.to_string()))?
    };
    let public = minisign::PublicKey::from_secret_key(&key).map_err(|error| malformed(error.to_string()))?;
    Ok(SecretKey(key, PublicKey(public)))
}

/// Whether the line of a public key says that it is of Ed25519, as all are; the library does not look. `Ed`, and the
/// two bits behind it, are these in base64.
fn is_ed25519(line: &str) -> bool {
    line.strip_prefix("RW").is_some_and(|rest| rest.starts_with(['Q', 'R', 'S', 'T']))
}

/// A public key: the name of its file, or the key itself, as `minisign -P` takes it.
///
/// # Errors
/// When it is neither.
pub fn public_key(file_or_key: &str) -> Result<PublicKey, SignError> {
    let line = file_or_key.trim();
    if let Some(key) = minisign::PublicKey::from_base64(line).ok().filter(|_| is_ed25519(line)) {
        return Ok(PublicKey(key));
    }
    let path = Path::new(file_or_key);
    let text = match read_text(path, "public key") {
        // A key with a letter too few or too many is a name that no file has, or that none can have.
        Err(SignError::File { source, .. })
            if matches!(
                source.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename
            ) =>
        {
            return Err(SignError::NoPublicKey { given: file_or_key.trim().to_owned() });
        }
        text => text?,
    };
    let malformed =
        |reason: String| SignError::Malformed { path: path.to_path_buf(), what: "public key", reason };
    if !text.lines().nth(1).is_some_and(|line| is_ed25519(line.trim())) {
        return Err(malformed("its second line is no key of Ed25519".to_owned()));
    }
    let text = PublicKeyBox::from_string(&text).map_err(|error| malformed(error.to_string()))?;
    minisign::PublicKey::from_box(text).map(PublicKey).map_err(|error| malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_without_passphrase_is_read_back_and_a_public_one_also_from_the_line_alone() {
        let folder = tempfile::tempdir().unwrap();
        let pair = KeyPair::generate(None).unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, &pair.secret).unwrap();
        assert!(!is_encrypted(&path).unwrap());
        let key = secret_key(&path, None).unwrap();
        let line = pair.public.lines().nth(1).unwrap();
        assert_eq!(public_key(line).unwrap().id(), key.public().id());
        assert!(pair.public.contains(&key.public().id()), "{} in {}", key.public().id(), pair.public);
    }

    /// Scrypt with minisign's parameters takes a while and a gigabyte, so all of it is one test.
    #[test]
    fn a_passphrase_opens_its_key_and_no_other_does() {
        let folder = tempfile::tempdir().unwrap();
        let pair = KeyPair::generate(Some("open sesame".into())).unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, &pair.secret).unwrap();
        assert!(is_encrypted(&path).unwrap());
        let error =
            |passphrase: Option<&str>| secret_key(&path, passphrase.map(str::to_owned)).err().unwrap();
        assert!(matches!(error(None), SignError::NeedsPassphrase { .. }));
        let wrong = error(Some("open wheat"));
        assert!(matches!(wrong, SignError::WrongPassphrase { .. }), "{wrong:?}");
        assert!(!format!("{wrong} {wrong:?}").contains("wheat"));
        secret_key(&path, Some("open sesame".into())).unwrap();
    }

    #[test]
    fn other_files_are_wrong_input() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for text in ["", "x", "untrusted comment: x\nRWQ\n", "untrusted comment: x\nRWRTYY\n", "a\nb\nc\n"] {
            std::fs::write(&path, text).unwrap();
            assert!(secret_key(&path, Some("x".into())).err().unwrap().is_wrong_input(), "{text:?}");
            assert!(public_key(path.to_str().unwrap()).unwrap_err().is_wrong_input(), "{text:?}");
        }
        let line = KeyPair::generate(None).unwrap().public.lines().nth(1).unwrap().to_owned();
        let (short, broken) = (&line[..line.len() - 1], line.replacen('R', "/", 1));
        for given in ["/no/such/file", short, &format!("{line}A"), &broken, &"R".repeat(300)] {
            let error = public_key(given).unwrap_err();
            let expected = format!("{given} is neither a file nor a public key; give ");
            assert!(error.to_string().starts_with(&expected), "{error}");
            assert!(!error.is_wrong_input());
        }
        std::fs::write(&path, format!("untrusted comment: x\n{broken}\n")).unwrap();
        assert!(public_key(path.to_str().unwrap()).unwrap_err().is_wrong_input());
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(?s)(.{0,200}|untrusted comment: x\n[A-Za-z0-9+/=]{0,230}\n)") {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            std::fs::write(&path, &text).unwrap();
            // An encrypted key's parameters decide how long it takes; that is tested above.
            if !is_encrypted(&path).unwrap() {
                let _ = secret_key(&path, None);
            }
            let _ = public_key(path.to_str().unwrap());
            let _ = public_key(&text);
        }
    }
}
