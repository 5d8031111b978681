//! Which database, and how to get there: read from a URL.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use cloudstate_store::Error;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::tls::{Tls, TlsMode, TlsOptions};

/// The most connections that write.
const MOST_CONNECTIONS: usize = 8;

/// The settings of a store, each with a default but the server's address.
#[derive(Debug, Clone)]
pub struct Options {
    config: tokio_postgres::Config,
    tls: TlsOptions,
    schema: String,
    migrates: bool,
    connections: usize,
    timeout: Duration,
    lock_timeout: Duration,
}

/// A URL that names no store. The text never repeats a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store's URL is wrong: {0}")]
pub struct InvalidUrl(String);

impl Options {
    /// Reads a URL; `postgres:` alone stands for the variables of [`Options::from_variables`].
    ///
    /// # Errors
    /// [`Error::Unsuitable`] with what is wrong.
    pub fn parse(url: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Options, Error> {
        let options = match url {
            "postgres:" => Options::from_variables(variable),
            url => Options::from_url(url),
        };
        options.map_err(|invalid| Error::Unsuitable {
            store: "PostgreSQL".to_owned(),
            reason: invalid.to_string(),
        })
    }

    /// Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETER=VALUE&…`, with the parameters of PostgreSQL's own
    /// libraries that are named in the manual, and ours:
    ///
    /// * `schema` (`cloudstate`), `migrate` (`auto`, or `check` to change nothing), `connections` (1) that write,
    ///   `timeout` (5000) and `lock_timeout` (2000) of a statement in milliseconds.
    ///
    /// # Errors
    /// A part that is missing, unknown or malformed, by its name.
    pub fn from_url(url: &str) -> Result<Options, InvalidUrl> {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let known = ["postgres://", "postgresql://"];
        if !known.iter().any(|scheme| address.starts_with(scheme)) {
            return Err(InvalidUrl("it must start with postgres://".to_owned()));
        }
        let mut own = Own::default();
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !own.take(key, &decoded(value)?)? {
                rest.push(pair);
            }
        }
        let url = format!("{address}?{}", rest.join("&"));
        // The driver's text names the part, not what it holds.
        let config = tokio_postgres::Config::from_str(&url).map_err(|error| InvalidUrl(reason(&error)))?;
        own.finish(config)
    }

    /// Reads the variables of the original proxy: `POSTGRES_SERVICE` (localhost), `_PORT` (5432), `_DATABASE`, `_USERNAME`
    /// and `_PASSWORD` (cloudstate each), `_SCHEMA` (cloudstate); and what its operator sets: `_SSL_MODE`, `_SSL_ROOT_CERT`,
    /// `_SSL_CERT`, `_SSL_KEY`.
    ///
    /// # Errors
    /// As [`Options::from_url`].
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Options, InvalidUrl> {
        let get = |name: &str, default: &str| {
            let value = variable(&format!("POSTGRES_{name}")).filter(|value| !value.is_empty());
            value.unwrap_or_else(|| default.to_owned())
        };
        let mut config = tokio_postgres::Config::new();
        let port = get("PORT", "5432");
        config
            .host(get("SERVICE", "localhost"))
            .port(
                port.parse()
                    .map_err(|_| InvalidUrl(format!("POSTGRES_PORT is no port: {port}")))?,
            )
            .dbname(get("DATABASE", "cloudstate"))
            .user(get("USERNAME", "cloudstate"))
            .password(get("PASSWORD", "cloudstate"));
        let mut own = Own::default();
        own.take("schema", &get("SCHEMA", "cloudstate"))?;
        for (name, key) in [
            ("SSL_MODE", "sslmode"),
            ("SSL_ROOT_CERT", "sslrootcert"),
            ("SSL_CERT", "sslcert"),
            ("SSL_KEY", "sslkey"),
        ] {
            let value = get(name, "");
            if !value.is_empty() {
                own.take(key, &value)?;
            }
        }
        own.finish(config)
    }

    /// How messages name the store: without user and password.
    pub fn name(&self) -> String {
        let hosts: Vec<String> = self.config.get_hosts().iter().map(host).collect();
        let database = self.config.get_dbname().unwrap_or_default();
        let ports = self
            .config
            .get_ports()
            .first()
            .map_or(String::new(), |port| format!(":{port}"));
        format!(
            "postgres://{}{ports}/{database}?schema={}",
            hosts.join(","),
            self.schema
        )
    }

    pub(crate) fn config(&self) -> &tokio_postgres::Config {
        &self.config
    }

    pub(crate) fn tls(&self, store: &str) -> Result<Tls, Error> {
        Tls::new(store, &self.tls)
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    pub(crate) fn migrates(&self) -> bool {
        self.migrates
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections
    }

    /// Of one statement.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Of one wait for a shard's row.
    pub(crate) fn lock_timeout(&self) -> Duration {
        self.lock_timeout
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(1).max(1);
        self.config
            .get_connect_timeout()
            .map_or(Duration::from_secs(5), |each| *each * hosts)
    }
}

fn host(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    }
}

/// What the driver says, without what it was given.
fn reason(error: &tokio_postgres::Error) -> String {
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

/// The parameters that the driver does not know.
#[derive(Default)]
struct Own {
    tls: TlsOptions,
    schema: Option<String>,
    check: bool,
    connections: Option<usize>,
    timeout: Option<Duration>,
    lock_timeout: Option<Duration>,
}

impl Own {
    /// `false`: not ours.
    fn take(&mut self, key: &str, value: &str) -> Result<bool, InvalidUrl> {
        let wrong = |form: &str| InvalidUrl(format!("{key} is {value:?}, and has to be {form}"));
        let milliseconds = || {
            let number: Option<u64> = value.parse().ok().filter(|number| *number > 0);
            number
                .map(Duration::from_millis)
                .ok_or_else(|| wrong("milliseconds, 1 or more"))
        };
        match key {
            "sslmode" => {
                let form = "disable, prefer, require, verify-ca or verify-full";
                self.tls.mode = TlsMode::parse(value).ok_or_else(|| wrong(form))?;
            }
            "sslrootcert" => self.tls.roots = Some(PathBuf::from(value)),
            "sslcert" => self.tls.certificate = Some(PathBuf::from(value)),
            "sslkey" => self.tls.key = Some(PathBuf::from(value)),
            "schema" => {
                // PostgreSQL cuts longer names off, silently.
                let fits = (1..=63).contains(&value.len()) && !value.contains('\0');
                self.schema = Some(value.to_owned()).filter(|_| fits);
                self.schema.as_ref().ok_or_else(|| wrong("1 to 63 bytes"))?;
            }
            "migrate" => {
                self.check = match value {
                    "auto" => false,
                    "check" => true,
                    _ => return Err(wrong("auto or check")),
                }
            }
            "connections" => {
                let number = value
                    .parse()
                    .ok()
                    .filter(|number| (1..=MOST_CONNECTIONS).contains(number));
                self.connections = Some(number.ok_or_else(|| wrong("1 to 8"))?);
            }
            "timeout" => self.timeout = Some(milliseconds()?),
            "lock_timeout" => self.lock_timeout = Some(milliseconds()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(self, mut config: tokio_postgres::Config) -> Result<Options, InvalidUrl> {
        if config.get_hosts().is_empty() {
            return Err(InvalidUrl("it names no host".to_owned()));
        }
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            return Err(InvalidUrl("sslcert and sslkey go together".to_owned()));
        }
        let local = config
            .get_hosts()
            .iter()
            .all(|host| matches!(host, Host::Unix(_)));
        config.ssl_mode(match self.tls.mode {
            // Nobody listens to a Unix socket.
            _ if local => SslMode::Disable,
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            _ => SslMode::Require,
        });
        // Of several hosts the one that writes; a lone standby is refused when it is connected to.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("cloudstate");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        config.keepalives_idle(Duration::from_secs(5));
        Ok(Options {
            config,
            tls: self.tls,
            schema: self.schema.unwrap_or_else(|| "cloudstate".to_owned()),
            migrates: !self.check,
            connections: self.connections.unwrap_or(1),
            timeout: self.timeout.unwrap_or(Duration::from_secs(5)),
            lock_timeout: self.lock_timeout.unwrap_or(Duration::from_secs(2)),
        })
    }
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Result<String, InvalidUrl> {
    let wrong = || InvalidUrl("a percent sign has to begin an escape of two digits".to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
        bytes.push((16 * high + low) as u8);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_server_schema_and_limits() {
        let url =
            "postgres://ann:s3cret@db:6543/shop?schema=a%20b&connections=2&timeout=700&connect_timeout=3";
        let options = Options::from_url(url).unwrap();
        assert_eq!(options.name(), "postgres://db:6543/shop?schema=a b");
        assert_eq!(options.connections(), 2);
        assert_eq!(options.timeout(), Duration::from_millis(700));
        assert_eq!(options.connect_timeout(), Duration::from_secs(3));
        assert!(options.migrates());
    }

    #[test]
    fn what_is_wrong_is_named_without_the_password() {
        for (url, named) in [
            ("mysql://db", "postgres://"),
            ("postgres:///shop", "host"),
            ("postgres://ann:s3cret@db/?sslmode=maybe", "sslmode"),
            ("postgres://ann:s3cret@db/?sslcert=/a", "sslkey"),
            ("postgres://ann:s3cret@db/?schema=", "schema"),
            ("postgres://ann:s3cret@db/?migrate=no", "migrate"),
            ("postgres://ann:s3cret@db/?connections=0", "connections"),
            ("postgres://ann:s3cret@db/?timeout=0", "timeout"),
            ("postgres://ann:s3cret@db/?schema=%4", "percent"),
            ("postgres://ann:s3cret@db/?colour=red", "colour"),
        ] {
            let error = Options::from_url(url).err().unwrap().to_string();
            assert!(
                error.contains(named) && !error.contains("s3cret"),
                "{url}: {error}"
            );
        }
    }

    #[test]
    fn the_variables_of_the_original_have_its_defaults() {
        let options = Options::from_variables(|_| None).unwrap();
        assert_eq!(
            options.name(),
            "postgres://localhost:5432/cloudstate?schema=cloudstate"
        );
        let options = Options::from_variables(|name| match name {
            "POSTGRES_SERVICE" => Some("db".to_owned()),
            "POSTGRES_PORT" => Some("6000".to_owned()),
            "POSTGRES_SCHEMA" => Some("shop".to_owned()),
            _ => None,
        });
        assert_eq!(
            options.unwrap().name(),
            "postgres://db:6000/cloudstate?schema=shop"
        );
    }
}
