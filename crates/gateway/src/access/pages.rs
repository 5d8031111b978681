//! Whether a request is made by a page of another origin, on the strength of a certificate that the browser shows by itself.
//!
//! A token is put into a request by the page, which must know it; a certificate goes with every request of the browser, also of
//! one that a stranger's page makes without its reader's knowledge. CORS keeps the answer from that page, but comes too late
//! for what the request has done. Source: the Fetch standard; W3C Fetch Metadata; RFC 9110 §9.2.1.

use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderValue, Method};

use crate::web::Cors;

/// Whether such a page makes the request, and neither is it one that only reads, nor may the page use credentials.
pub(super) fn is_forged(head: &Parts, cors: &Cors) -> bool {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(&head.method) {
        return false;
    }
    let origin = head.headers.get(ORIGIN).map(HeaderValue::as_bytes);
    let is_foreign = match head.headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        Some(site) => !matches!(site, b"same-origin" | b"none"),
        // An older browser, or none: that sends no origin.
        None => origin.is_some_and(|origin| !is_own(origin, head)),
    };
    let may = origin.and_then(|origin| std::str::from_utf8(origin).ok());
    is_foreign && !may.is_some_and(|origin| cors.lets_use_credentials(origin))
}

/// Whether the origin is the one that was asked. Certificates are shown with `https` only.
fn is_own(origin: &[u8], head: &Parts) -> bool {
    let authority = head
        .uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    let asked = authority.or_else(|| head.headers.get(HOST).map(HeaderValue::as_bytes));
    let of_origin = origin.strip_prefix(b"https://");
    of_origin.is_some() && of_origin == asked.map(|asked| asked.strip_suffix(b":443").unwrap_or(asked))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn forged(method: &str, uri: &str, headers: &[(&str, &str)]) -> bool {
        let request = Request::builder().method(method).uri(uri);
        let request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value));
        let cors = Cors {
            origins: "https://listed".parse().unwrap(),
            credentials: true,
        };
        is_forged(&request.body(()).unwrap().into_parts().0, &cors)
    }

    #[test]
    fn only_a_page_that_is_not_ours_forges() {
        let site = |site| ("sec-fetch-site", site);
        let origin = |origin| ("origin", origin);
        for headers in [
            &[][..],
            &[site("same-origin"), origin("https://shop")],
            &[site("none")],
            &[site("cross-site"), origin("https://listed")],
            &[origin("https://shop"), ("host", "shop")],
            &[origin("https://shop"), ("host", "shop:443")],
            &[origin("https://listed")],
        ] {
            assert!(!forged("POST", "/x", headers), "{headers:?}");
        }
        for headers in [
            &[site("cross-site")][..],
            &[site("cross-site"), origin("https://evil")],
            &[site("same-site"), origin("https://other.shop")],
            &[site("cross-site"), origin("null")],
            &[origin("https://evil"), ("host", "shop")],
            &[origin("http://shop"), ("host", "shop")],
            &[origin("https://shop:444"), ("host", "shop")],
            &[origin("null"), ("host", "shop")],
            &[origin("https://evil")],
        ] {
            assert!(forged("POST", "/x", headers), "{headers:?}");
            assert!(forged("DELETE", "/x", headers), "{headers:?}");
            assert!(!forged("GET", "/x", headers), "it only reads: {headers:?}");
        }
        assert!(!forged("POST", "https://shop/x", &[origin("https://shop")]));
        assert!(forged(
            "POST",
            "https://shop/x",
            &[origin("https://evil"), ("host", "evil")]
        ));
    }
}
