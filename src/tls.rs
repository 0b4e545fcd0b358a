//! The one TLS set-up of the program: ring as provider, built-in roots plus those of `EXTRA_CA_FILE`.
//!
//! The roots are compiled in, because the certificate store of a vendor's image may be missing or old.

use crate::whole_file::{self, ReadError};
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Largest file of extra roots that is read, in bytes.
const MOST: u64 = 1024 * 1024;
/// Servers whose sessions are remembered for a faster next handshake.
const SESSIONS: usize = 8;

/// Why there is no TLS set-up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file of extra roots cannot be read.
    #[error("EXTRA_CA_FILE: {0}")]
    Unreadable(#[from] ReadError),
    /// The file of extra roots is no list of certificates.
    #[error("EXTRA_CA_FILE: {} holds no PEM certificate; it needs a block from BEGIN CERTIFICATE to END CERTIFICATE", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A certificate in the file of extra roots is damaged.
    #[error("EXTRA_CA_FILE: the certificate at line {line} of {} is unusable: {reason}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Line of its BEGIN, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The provider refuses the protocol versions.
    #[error("TLS cannot be set up: {0}")]
    Versions(#[from] rustls::Error),
}

/// Makes ring the provider of every TLS connection of the process. Call it first thing; a second call
/// changes nothing.
pub fn install_provider() {
    // An error says that a provider is installed already, which is what is wanted.
    let _ = ring::default_provider().install_default();
}

/// The client side of every TLS connection, to be shared: the built-in roots plus the PEM roots of `extra_ca`.
///
/// # Errors
///
/// If `extra_ca` cannot be read or holds anything but usable certificates.
pub fn client_config(extra_ca: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = extra_ca {
        add_extra_roots(&mut roots, path)?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok(Arc::new(config))
}

fn add_extra_roots(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsError> {
    let pem = whole_file::read(path, MOST)?;
    let blocks = certificate_blocks(&pem);
    if blocks.is_empty() {
        return Err(TlsError::Empty { path: path.to_owned() });
    }
    for (line, block) in blocks {
        let unusable = |reason: String| TlsError::Certificate { path: path.to_owned(), line, reason };
        let certificate =
            CertificateDer::from_pem_slice(block).map_err(|error| unusable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    Ok(())
}

/// The certificates of a PEM text: the line where each begins, counted from 1, and its bytes up to the next.
fn certificate_blocks(pem: &[u8]) -> Vec<(usize, &[u8])> {
    let mut starts = Vec::new();
    let mut offset = 0;
    for (n, line) in pem.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if line.starts_with(b"-----BEGIN CERTIFICATE-----") {
            starts.push((n + 1, offset));
        }
        offset += line.len();
    }
    let ends = starts.iter().skip(1).map(|(_, start)| *start).chain([pem.len()]);
    let block = |((line, start), end)| Some((line, pem.get(start..end)?));
    starts.iter().copied().zip(ends).filter_map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ca() -> String {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().pem()
    }

    fn read(pem: &str) -> Result<Arc<ClientConfig>, TlsError> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("roots.pem");
        std::fs::write(&path, pem).unwrap();
        client_config(Some(&path))
    }

    #[test]
    fn built_in_roots_are_enough() {
        install_provider();
        install_provider();
        client_config(None).unwrap();
    }

    #[test]
    fn extra_roots_are_read_with_what_stands_around_them() {
        let file = format!("# ours\r\n{}\nsome text\n{}", ca(), ca().replace('\n', "\r\n"));
        read(&file).unwrap();
        assert_eq!(certificate_blocks(file.as_bytes()).len(), 2);
    }

    #[test]
    fn errors_say_where() {
        let good = ca();
        let lines = good.lines().count();
        let cut = good.lines().take(lines - 1).collect::<Vec<_>>().join("\n");
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let cases = [
            (String::new(), "holds no PEM certificate".to_owned()),
            ("-----BEGIN PRIVATE KEY-----\n".to_owned(), "holds no PEM certificate".to_owned()),
            (format!("{good}{garbage}"), format!("the certificate at line {} of", lines + 1)),
            (format!("\n\n{cut}"), "the certificate at line 3 of".to_owned()),
            (garbage.replace("AAAA", "!!!!"), "the certificate at line 1 of".to_owned()),
        ];
        for (file, expected) in cases {
            let error = read(&file).unwrap_err().to_string();
            assert!(error.contains(&expected) && error.contains("roots.pem"), "{expected}: {error}");
        }
        let missing = client_config(Some(Path::new("/nowhere/roots.pem"))).unwrap_err().to_string();
        assert!(missing.starts_with("EXTRA_CA_FILE: cannot read /nowhere/roots.pem"), "{missing}");
        let place = tempfile::tempdir().unwrap();
        let pipe = place.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let refused = client_config(Some(&pipe)).unwrap_err().to_string();
        assert!(refused.contains("is not a regular file"), "{refused}");
    }

    proptest! {
        #[test]
        fn any_file_is_read(pem in "(-----BEGIN CERTIFICATE-----|-----END CERTIFICATE-----|\n|[A-Z=+]{1,8}|\\PC){0,30}") {
            let _ = read(&pem);
        }
    }
}
