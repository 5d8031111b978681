//! From PEM files to the TLS of the client port.

use std::sync::Arc;
use std::time::Duration;

use cloudstate_access::Certificate;
use cloudstate_gateway::ALPN;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{InconsistentKeys, RootCertStore, ServerConfig, SupportedProtocolVersion, version};

use crate::config::{ClientAuth, Tls, TlsVersion};
use crate::files::{FileError, Named};

/// Certificates that end within this time are worth a warning.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// The files of TLS. What is made from their contents: [`server_config`].
#[derive(Debug, Clone)]
pub(crate) struct TlsFiles {
    cert: Named,
    key: Named,
    client_ca: Option<Named>,
}

impl TlsFiles {
    /// What the configuration names; `None` if TLS is off.
    pub(crate) fn of(config: &Tls) -> Option<Self> {
        let named = |key, path: &Option<_>| path.clone().map(|path| Named { key, path });
        Some(TlsFiles {
            cert: named("http.tls.cert", &config.cert)?,
            key: named("http.tls.key", &config.key)?,
            client_ca: named("http.tls.client_ca", &config.client_ca),
        })
    }

    /// All of them, in the order in which [`server_config`] takes their contents.
    pub(crate) fn list(&self) -> Vec<Named> {
        let required = [self.cert.clone(), self.key.clone()];
        required.into_iter().chain(self.client_ca.clone()).collect()
    }
}

/// TLS as it is spoken.
pub(crate) struct Made {
    pub(crate) config: ServerConfig,
    /// When the certificate ends, since 1970.
    pub(crate) not_after: Duration,
}

/// Makes it from the contents of the files, in the order of their list. `now` is the time since 1970.
///
/// # Errors
/// Names the file and what is wrong with it. A certificate that does not hold now is only warned of: clients will say so.
pub(crate) fn server_config(
    files: &TlsFiles,
    config: &Tls,
    contents: &[Vec<u8>],
    now: Duration,
) -> Result<Made, FileError> {
    let [cert, key, rest @ ..] = contents else {
        return Err(files.cert.error("it was not read"));
    };
    let chain = certificates(&files.cert, cert)?;
    let own = Certificate::parse(&chain[0]).map_err(|error| files.cert.error(error.to_string()))?;
    check_time(&files.cert, &own, now);
    let key = private_key(&files.key, key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = match (&files.client_ca, rest.first()) {
        (Some(file), Some(roots)) => client_verifier(file, roots, config.client_auth, &provider)?,
        _ => WebPkiClientVerifier::no_client_auth(),
    };
    let mut made = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(config.min_version))
        .map_err(|error| files.cert.error(error.to_string()))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(|error| unfit(files, &error))?;
    made.alpn_protocols = ALPN.map(<[u8]>::to_vec).into();
    Ok(Made {
        config: made,
        not_after: own.not_after,
    })
}

fn versions(oldest: TlsVersion) -> Vec<&'static SupportedProtocolVersion> {
    match oldest {
        TlsVersion::V1_2 => vec![&version::TLS13, &version::TLS12],
        TlsVersion::V1_3 => vec![&version::TLS13],
    }
}

/// At least one.
pub(crate) fn certificates(file: &Named, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| file.error(format!("it is not in PEM form: {error}")))?;
    if found.is_empty() {
        let text = "it holds no certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----";
        return Err(file.error(text));
    }
    Ok(found)
}

pub(crate) fn private_key(file: &Named, bytes: &[u8]) -> Result<PrivateKeyDer<'static>, FileError> {
    const ENCRYPTED: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| {
        file.error(match error {
            pem::Error::NoItemsFound if bytes.windows(ENCRYPTED.len()).any(|part| part == ENCRYPTED) => {
                "it is encrypted; give an unencrypted one that only the proxy can read".to_owned()
            }
            pem::Error::NoItemsFound => {
                "it holds no private key in PEM form, which begins with -----BEGIN PRIVATE KEY-----"
                    .to_owned()
            }
            error => format!("it is not in PEM form: {error}"),
        })
    })
}

fn client_verifier(
    file: &Named,
    pem: &[u8],
    auth: ClientAuth,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, FileError> {
    let mut roots = RootCertStore::empty();
    for (at, root) in certificates(file, pem)?.into_iter().enumerate() {
        let unfit = |error| file.error(format!("certificate {} cannot be a root: {error}", at + 1));
        roots.add(root).map_err(unfit)?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let builder = match auth {
        ClientAuth::Required => builder,
        ClientAuth::Optional => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|error| file.error(error.to_string()))
}

fn unfit(files: &TlsFiles, error: &rustls::Error) -> FileError {
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            let cert = files.cert.path.display();
            files.key.error(format!("it does not belong to the certificate in {cert}"))
        }
        rustls::Error::InvalidCertificate(_) => files.cert.error(error.to_string()),
        _ => files.key.error(format!(
            "it cannot be used: {error}; RSA keys from 2048 bits, ECDSA keys on P-256 and P-384, and Ed25519 keys can"
        )),
    }
}

pub(crate) fn check_time(file: &Named, certificate: &Certificate, now: Duration) {
    let path = file.path.display();
    let days = |time: Duration| time.as_secs() / (24 * 3600);
    if certificate.not_after <= now {
        let ago = days(now.saturating_sub(certificate.not_after));
        tracing::warn!("the certificate in {path} has expired {ago} days ago; clients will refuse it");
    } else if certificate.not_before > now {
        let left = days(certificate.not_before.saturating_sub(now));
        tracing::warn!(
            "the certificate in {path} begins to hold in {left} days only; clients will refuse it"
        );
    } else if certificate.not_after.saturating_sub(now) < SOON {
        let left = days(certificate.not_after.saturating_sub(now));
        tracing::warn!("the certificate in {path} expires in {left} days");
    }
}

#[cfg(test)]
mod tests;
