//! Who may connect and call, from the configuration and the files that it names.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cloudstate_access::{Allowed, Policy, TokenOptions, Tokens};
use cloudstate_gateway::Security;
use prometheus_client::registry::Registry;
use rustls::ServerConfig;

use crate::config::{Config, Jwt};
use crate::files::{FileError, Named, Watched};
use crate::security_metrics::SecurityMetrics;
use crate::tls::{TlsFiles, server_config};

/// What keeps [`Security`] in step with its files.
pub(crate) struct Watch {
    tls: Option<Watched<ServerConfig>>,
    tokens: Option<Watched<Tokens>>,
    interval: Duration,
}

/// Reads the files. Blocks.
///
/// # Errors
/// Names a file that cannot be used.
pub(crate) fn prepare(config: &Config, registry: &mut Registry) -> Result<(Security, Watch), FileError> {
    let metrics = Arc::new(SecurityMetrics::default());
    let tls = TlsFiles::of(&config.tls)
        .map(|files| watched_tls(config, files, &metrics))
        .transpose()?;
    let tokens = config.jwt.keys.as_ref().map(|path| {
        let file = Named {
            key: "http.jwt.keys",
            path: path.clone(),
        };
        watched_tokens(&config.jwt, file, &metrics)
    });
    let tokens = tokens.transpose()?;
    if tokens.is_some() && tls.is_none() {
        tracing::warn!(
            "http.jwt.keys is set without http.tls.cert: tokens come in clear text, unless something in front speaks TLS"
        );
    }
    SecurityMetrics::register(metrics, registry);
    let security = Security {
        tls: tls.as_ref().map(Watched::subscribe),
        tokens: tokens.as_ref().map(Watched::subscribe),
        policy: Arc::new(policy(config)),
    };
    let interval = config.http.reload_interval;
    Ok((
        security,
        Watch {
            tls,
            tokens,
            interval,
        },
    ))
}

impl Watch {
    /// Looks at the files again and again. Never ends.
    pub(crate) async fn follow(self) {
        let tls = async {
            match self.tls {
                Some(watched) => watched.follow(self.interval).await,
                None => std::future::pending().await,
            }
        };
        let tokens = async {
            match self.tokens {
                Some(watched) => watched.follow(self.interval).await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(tls, tokens);
    }
}

fn watched_tls(
    config: &Config,
    files: TlsFiles,
    metrics: &Arc<SecurityMetrics>,
) -> Result<Watched<ServerConfig>, FileError> {
    let (tls, told) = (config.tls.clone(), metrics.clone());
    let list = files.list();
    let make = move |contents: &[Vec<u8>]| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let made = server_config(&files, &tls, contents, now.unwrap_or_default())?;
        told.certificate_expires(made.not_after);
        Ok(made.config)
    };
    Watched::new(list, Box::new(make), metrics.tls.clone())
}

fn watched_tokens(
    config: &Jwt,
    file: Named,
    metrics: &Arc<SecurityMetrics>,
) -> Result<Watched<Tokens>, FileError> {
    let options = TokenOptions {
        audience: config.audience.items().to_vec(),
        issuer: config.issuer.items().to_vec(),
        leeway: config.leeway,
        algorithms: config.algorithms,
    };
    let files = vec![file.clone()];
    let make = move |contents: &[Vec<u8>]| {
        let set = contents.first().map(Vec::as_slice).unwrap_or_default();
        let made = Tokens::new(set, options.clone());
        let (tokens, left_out) = made.map_err(|error| file.error(error.to_string()))?;
        for text in left_out {
            tracing::warn!("{}: {text}; it is left out", file.path.display());
        }
        Ok(tokens)
    };
    Watched::new(files, Box::new(make), metrics.tokens.clone())
}

fn policy(config: &Config) -> Policy {
    let access = &config.access;
    let default = access.default.clone().unwrap_or_else(|| default_of(config));
    let or_default = |allowed: &Option<Allowed>| allowed.clone().unwrap_or_else(|| default.clone());
    Policy {
        reflection: or_default(&access.reflection),
        openapi: or_default(&access.openapi),
        health: access.health.clone(),
        static_files: access.static_files.clone(),
        rules: access.rules.clone(),
        default,
    }
}

/// Who takes the trouble to tell callers apart wants to know them.
fn default_of(config: &Config) -> Allowed {
    if config.jwt.keys.is_some() || config.tls.client_ca.is_some() {
        Allowed::authenticated()
    } else {
        Allowed::anyone()
    }
}
