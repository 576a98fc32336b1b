//! The certificate that a client shows of itself (mutual TLS), with its private key: read from PEM, and refused with
//! words for what is wrong before anything is sent. This module refuses to know where the texts come from.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use secrecy::{ExposeSecret, SecretString};

/// A certificate with the ones that lead to its authority, and its private key. `Debug` does not show the key.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// Both in PEM, and nothing else.
    pem: SecretString,
}

/// Why a client certificate cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// No certificate in the file.
    #[error("it holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// No key in the file.
    #[error("it holds no private key in PEM (-----BEGIN PRIVATE KEY-----)")]
    NoKey,
    /// The key is protected with a passphrase.
    #[error("its private key is encrypted, and scimspec asks for no passphrase")]
    Encrypted,
    /// What is between the lines of PEM cannot be read.
    #[error("its PEM is damaged: {why}")]
    Damaged {
        /// What the reader says.
        why: String,
    },
    /// The key is of no known kind.
    #[error("its private key cannot be used: {why}")]
    Unusable {
        /// What the TLS library says.
        why: String,
    },
    /// Certificate and key belong to different pairs.
    #[error("its private key is not that of the certificate")]
    Mismatch,
}

impl CertificateError {
    /// Whether the file with the key is at fault, rather than the one with the certificate.
    pub fn is_about_key(&self) -> bool {
        !matches!(self, CertificateError::NoCertificate)
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            CertificateError::NoCertificate => {
                "give the client's certificate in PEM with --cert; from a PKCS #12 file: openssl pkcs12 -in client.p12 \
                 -nokeys -out cert.pem"
            }
            CertificateError::NoKey => {
                "give the private key in PEM with --key, or in the same file as the certificate; from a PKCS #12 file: \
                 openssl pkcs12 -in client.p12 -nocerts -noenc -out key.pem"
            }
            CertificateError::Encrypted => {
                "write it without a passphrase, where only you can read it: openssl pkey -in key.pem -out plain.pem"
            }
            CertificateError::Damaged { .. } | CertificateError::Unusable { .. } => {
                "write it anew in PEM: openssl pkey -in key.pem -out key.new.pem"
            }
            CertificateError::Mismatch => {
                "compare 'openssl x509 -in cert.pem -noout -pubkey' with 'openssl pkey -in key.pem -pubout'"
            }
        }
        .to_owned()
    }
}

impl ClientCertificate {
    /// Reads certificate and key; without a text for the key, both stand in the first.
    ///
    /// # Errors
    /// What is missing, encrypted, damaged or does not belong together.
    pub fn from_pem(certificate: &[u8], key: Option<&[u8]>) -> Result<ClientCertificate, CertificateError> {
        let damaged = |why: &dyn std::fmt::Display| CertificateError::Damaged { why: why.to_string() };
        let chain: Result<Vec<CertificateDer<'static>>, _> =
            CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.map_err(|error| damaged(&error))?;
        if chain.is_empty() {
            return Err(CertificateError::NoCertificate);
        }
        let key = key.unwrap_or(certificate);
        let Some(found) = PrivateKeyDer::pem_slice_iter(key).next() else {
            let holds = |mark: &[u8]| key.windows(mark.len()).any(|window| window == mark);
            let is_encrypted = holds(b"-----BEGIN ENCRYPTED PRIVATE KEY-----");
            return Err(if is_encrypted { CertificateError::Encrypted } else { CertificateError::NoKey });
        };
        // The old way to encrypt says so in a header inside of the block, which reads as damage.
        let marked = key.windows(b"Proc-Type: 4,ENCRYPTED".len()).any(|it| it == b"Proc-Type: 4,ENCRYPTED");
        let key = match found {
            Ok(_) | Err(_) if marked => return Err(CertificateError::Encrypted),
            Ok(key) => key,
            Err(error) => return Err(damaged(&error)),
        };
        let mut pem = String::new();
        for certificate in &chain {
            block(&mut pem, "CERTIFICATE", certificate);
        }
        let kind = match &key {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        block(&mut pem, kind, key.secret_der());
        match CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()) {
            Ok(_) => Ok(ClientCertificate { pem: pem.into() }),
            Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
                Err(CertificateError::Mismatch)
            }
            // A kind of key of which the library cannot tell; the server will.
            Err(rustls::Error::InconsistentKeys(_)) => Ok(ClientCertificate { pem: pem.into() }),
            Err(error) => Err(CertificateError::Unusable { why: error.to_string() }),
        }
    }

    /// What the HTTP client takes.
    pub(super) fn identity(&self) -> reqwest::Result<reqwest::Identity> {
        reqwest::Identity::from_pem(self.pem.expose_secret().as_bytes())
    }
}

/// Adds a block of PEM (RFC 7468).
fn block(pem: &mut String, label: &str, der: &[u8]) {
    pem.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = STANDARD.encode(der);
    while !rest.is_empty() {
        let tail = rest.split_off(rest.len().min(64));
        pem.push_str(&rest);
        pem.push('\n');
        rest = tail;
    }
    pem.push_str(&format!("-----END {label}-----\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["client".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn refused(certificate: &str, key: Option<&str>) -> CertificateError {
        let error = ClientCertificate::from_pem(certificate.as_bytes(), key.map(str::as_bytes)).unwrap_err();
        assert!(!error.hint().is_empty());
        error
    }

    #[test]
    fn certificate_and_key_come_from_one_file_or_two() {
        let (certificate, key) = pair();
        for (first, second) in [
            (certificate.clone(), Some(key.clone())),
            (format!("{certificate}{key}"), None),
            (format!("some words before\n{key}\n{certificate}"), None),
        ] {
            let both =
                ClientCertificate::from_pem(first.as_bytes(), second.as_deref().map(str::as_bytes)).unwrap();
            assert!(both.identity().is_ok());
            assert!(!format!("{both:?}").contains("BEGIN"), "the key is shown");
        }
    }

    #[test]
    fn what_is_wrong_with_them_has_its_name() {
        let (certificate, key) = pair();
        let (_, other) = pair();
        assert_eq!(refused("nothing", Some(&key)), CertificateError::NoCertificate);
        assert_eq!(refused(&certificate, None), CertificateError::NoKey);
        assert_eq!(refused(&certificate, Some(&certificate)), CertificateError::NoKey);
        assert_eq!(refused(&certificate, Some(&other)), CertificateError::Mismatch);
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert_eq!(refused(&certificate, Some(&encrypted)), CertificateError::Encrypted);
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        assert_eq!(refused(&certificate, Some(old)), CertificateError::Encrypted);
        let damaged = "-----BEGIN PRIVATE KEY-----\n%%%%\n-----END PRIVATE KEY-----\n";
        assert!(matches!(refused(&certificate, Some(damaged)), CertificateError::Damaged { .. }));
        let unusable = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert!(matches!(refused(&certificate, Some(unusable)), CertificateError::Unusable { .. }));
    }
}
