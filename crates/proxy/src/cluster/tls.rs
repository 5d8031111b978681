//! The certificates of links between nodes, read again when they change.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cloudstate_access::Certificate;
use cloudstate_cluster::{Security, TlsPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::config::Config;
use crate::files::{FileError, Named, Watched};
use crate::security_metrics::Reloads;
use crate::tls::{certificates, check_time, private_key};

/// What keeps the certificates in step with their files.
pub(crate) struct Watch {
    pair: Watched<TlsPair>,
    interval: Duration,
}

impl Watch {
    /// Looks at the files again and again. Never ends.
    pub(crate) async fn follow(self) {
        self.pair.follow(self.interval).await;
    }
}

/// Reads the files. Blocks.
///
/// # Errors
/// Names a file that cannot be used.
pub(crate) fn prepare(config: &Config) -> Result<(Security, Watch), FileError> {
    let tls = &config.cluster_tls;
    let named = |key, path: &Option<std::path::PathBuf>| Named {
        key,
        // The configuration was checked: links with TLS have their files.
        path: path.clone().unwrap_or_default(),
    };
    let files = [
        named("cluster.tls.ca", &tls.ca),
        named("cluster.tls.cert", &tls.cert),
        named("cluster.tls.key", &tls.key),
    ];
    let server_name = tls.server_name.clone();
    let list = files.to_vec();
    let make = move |contents: &[Vec<u8>]| pair(&files, contents, server_name.clone());
    let pair = Watched::new(list, Box::new(make), Arc::<Reloads>::default())?;
    let security = Security::Tls(pair.subscribe());
    let interval = config.http.reload_interval;
    Ok((security, Watch { pair, interval }))
}

fn pair(files: &[Named; 3], contents: &[Vec<u8>], server_name: Option<String>) -> Result<TlsPair, FileError> {
    let [ca, cert, key] = files;
    let [ca_pem, cert_pem, key_pem] = contents else {
        return Err(ca.error("it was not read"));
    };
    let mut roots = RootCertStore::empty();
    for (at, root) in certificates(ca, ca_pem)?.into_iter().enumerate() {
        let unfit = |error| ca.error(format!("certificate {} cannot be a root: {error}", at + 1));
        roots.add(root).map_err(unfit)?;
    }
    let roots = Arc::new(roots);
    let chain = certificates(cert, cert_pem)?;
    let own = Certificate::parse(&chain[0]).map_err(|error| cert.error(error.to_string()))?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    check_time(cert, &own, now.unwrap_or_default());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let unfit =
        |error: rustls::Error| cert.error(format!("it does not fit the key, or cannot be used: {error}"));
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
    let verifier = verifier.build().map_err(|error| ca.error(error.to_string()))?;
    let mut server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unfit)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.clone(), private_key(key, key_pem)?)
        .map_err(unfit)?;
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unfit)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, private_key(key, key_pem)?)
        .map_err(unfit)?;
    server.alpn_protocols = vec![b"h2".to_vec()];
    client.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsPair {
        client: Arc::new(client),
        server: Arc::new(server),
        server_name,
    })
}
