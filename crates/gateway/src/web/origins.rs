//! Which web origins are meant, as a user writes them.

use std::fmt;
use std::str::FromStr;

/// A list of web origins, such as `https://shop.example.com, https://*.example.org, localhost`. Empty means none.
///
/// An item is an origin (RFC 6454: scheme, host, and a port unless it is the usual one), an origin whose host begins with
/// `*.` for all hosts below it, or `localhost` for this machine by any of its names, over HTTP and HTTPS, on any port.
/// `*`, as the only item, means all.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origins(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Pattern {
    Any,
    Localhost,
    /// As a browser writes it: in lower case, without the usual port.
    Exact(String),
    /// All hosts that end in `suffix`, which begins with a dot and may hold a port.
    Below {
        scheme: String,
        suffix: String,
    },
}

/// A text that names no web origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("[{0}] is no origin such as https://shop.example.com")]
pub struct MalformedOrigin(String);

impl Origins {
    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all origins are meant.
    pub fn is_any(&self) -> bool {
        self.0.contains(&Pattern::Any)
    }

    /// Whether the value of an `Origin` header is meant.
    pub fn contains(&self, origin: &str) -> bool {
        self.0.iter().any(|pattern| pattern.contains(origin))
    }
}

impl Pattern {
    fn contains(&self, origin: &str) -> bool {
        match self {
            Pattern::Any => true,
            Pattern::Localhost => is_local(origin),
            Pattern::Exact(exact) => exact == origin,
            Pattern::Below { scheme, suffix } => origin.split_once("://").is_some_and(|(of, host)| {
                of == scheme && host.len() > suffix.len() && host.ends_with(suffix.as_str())
            }),
        }
    }
}

fn is_local(origin: &str) -> bool {
    let Some(("http" | "https", host)) = origin.split_once("://") else {
        return false;
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]") || name.ends_with(".localhost")
}

impl FromStr for Origins {
    type Err = MalformedOrigin;

    fn from_str(text: &str) -> Result<Self, MalformedOrigin> {
        let items: Vec<&str> = text.split(',').map(str::trim).collect();
        if items == [""] {
            return Ok(Origins::default());
        }
        let patterns: Vec<Pattern> = items.iter().map(|item| pattern(item)).collect::<Result<_, _>>()?;
        if patterns.len() > 1 && patterns.contains(&Pattern::Any) {
            return Err(MalformedOrigin(text.to_owned()));
        }
        Ok(Origins(patterns))
    }
}

fn pattern(item: &str) -> Result<Pattern, MalformedOrigin> {
    match item {
        "*" => return Ok(Pattern::Any),
        "localhost" => return Ok(Pattern::Localhost),
        _ => {}
    }
    let malformed = || MalformedOrigin(item.to_owned());
    let (scheme, authority) = item.split_once("://").ok_or_else(malformed)?;
    let scheme = scheme.to_ascii_lowercase();
    let authority = authority.to_ascii_lowercase();
    let authority = match scheme.as_str() {
        "http" => authority.strip_suffix(":80").unwrap_or(&authority),
        "https" => authority.strip_suffix(":443").unwrap_or(&authority),
        _ => &authority,
    };
    let below = authority.strip_prefix('*').filter(|rest| rest.starts_with('.'));
    let host = below.map_or(authority, |suffix| &suffix[1..]);
    let is_plain = is_host_with_port(&scheme, host);
    match below {
        _ if !is_plain => Err(malformed()),
        Some(suffix) => Ok(Pattern::Below {
            scheme,
            suffix: suffix.to_owned(),
        }),
        None => Ok(Pattern::Exact(format!("{scheme}://{authority}"))),
    }
}

/// Whether this is a host with or without a port, and nothing else that a URI may hold.
fn is_host_with_port(scheme: &str, host: &str) -> bool {
    let Ok(uri) = format!("{scheme}://{host}").parse::<http::Uri>() else {
        return false;
    };
    let name = uri.host().unwrap_or_default();
    let port = uri.port_u16().filter(|port| *port > 0);
    !name.is_empty()
        && !name.contains('*')
        && (name == host || port.is_some_and(|port| format!("{name}:{port}") == host))
}

impl fmt::Display for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, pattern) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            match pattern {
                Pattern::Any => write!(f, "{comma}*")?,
                Pattern::Localhost => write!(f, "{comma}localhost")?,
                Pattern::Exact(origin) => write!(f, "{comma}{origin}")?,
                Pattern::Below { scheme, suffix } => write!(f, "{comma}{scheme}://*{suffix}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn origins(text: &str) -> Origins {
        text.parse().unwrap()
    }

    #[test]
    fn an_origin_is_itself_and_nothing_like_it() {
        let listed = origins("https://shop.example.com, HTTP://Other:8080,https://x:443");
        for origin in ["https://shop.example.com", "http://other:8080", "https://x"] {
            assert!(listed.contains(origin), "{origin}");
        }
        for origin in [
            "http://shop.example.com",
            "https://shop.example.com:8443",
            "https://shop.example.com.evil.org",
            "https://evilshop.example.com",
            "http://other",
            "null",
            "",
        ] {
            assert!(!listed.contains(origin), "{origin}");
        }
    }

    #[test]
    fn hosts_below_another_are_meant_at_any_depth_but_not_that_one() {
        let listed = origins("https://*.example.com, http://*.example.org:8080");
        for origin in [
            "https://a.example.com",
            "https://a.b.example.com",
            "http://a.example.org:8080",
        ] {
            assert!(listed.contains(origin), "{origin}");
        }
        for origin in [
            "https://example.com",
            "https://.example.com",
            "https://evilexample.com",
            "https://a.example.com:8443",
            "http://a.example.com",
            "http://a.example.org",
        ] {
            assert!(!listed.contains(origin), "{origin}");
        }
    }

    #[test]
    fn this_machine_has_several_names() {
        let listed = origins("localhost");
        for origin in [
            "http://localhost",
            "https://localhost:5173",
            "http://127.0.0.1:9000",
            "http://[::1]:1",
            "http://[::1]",
            "http://shop.localhost:1",
        ] {
            assert!(listed.contains(origin), "{origin}");
        }
        for origin in [
            "http://localhost.evil.org",
            "http://evil.org:localhost",
            "ftp://localhost",
            "http://127.0.0.1.evil.org",
            "http://evillocalhost",
            "null",
        ] {
            assert!(!listed.contains(origin), "{origin}");
        }
    }

    #[test]
    fn a_star_is_all_and_stands_alone() {
        assert!(origins("*").is_any() && origins("*").contains("null"));
        assert!("*, https://x".parse::<Origins>().is_err());
    }

    #[test]
    fn nothing_is_nothing() {
        assert!(origins("").is_empty() && origins(" ").is_empty());
        assert!(!origins("").contains("https://x"));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            ",",
            "https://x,",
            "x.example.com",
            "https://",
            "https://x/",
            "https://x/path",
            "https://x?q",
            "https://user@x",
            "https://a.*.x",
            "https://*",
            "https://*x",
            "https://x:",
            "https://x:0",
            "https://x:70000",
            "https://a b",
        ] {
            assert!(text.parse::<Origins>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(text in "(https?://(\\*\\.)?[a-z]{1,5}(\\.[a-z]{1,3})?(:[1-9][0-9]{0,3})?|localhost)(, ?https?://[a-z]{1,4}){0,2}") {
            let read = origins(&text);
            prop_assert_eq!(origins(&read.to_string()), read);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,30}", origin in ".{0,30}") {
            if let Ok(origins) = text.parse::<Origins>() {
                let _ = origins.contains(&origin);
            }
        }
    }
}
