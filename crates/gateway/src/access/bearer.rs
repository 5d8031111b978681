//! The token of a request. Source: RFC 6750 §2.1. The other ways of that RFC, in body or query, are not offered: they end
//! up in logs and caches.

use cloudstate_access::TokenError;
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// The token, if there is one. Credentials of other schemes are not for us.
///
/// # Errors
/// If there are several: whom the function would see must not depend on who reads which one.
pub(super) fn token(headers: &HeaderMap) -> Result<Option<&str>, TokenError> {
    let mut tokens = headers
        .get_all(AUTHORIZATION)
        .iter()
        .filter_map(|value| value.to_str().ok()?.trim().split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim_start());
    let token = tokens.next();
    match tokens.next() {
        None => Ok(token),
        Some(_) => Err(TokenError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(values: &[&'static str]) -> Result<Option<String>, TokenError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        token(&headers).map(|token| token.map(str::to_owned))
    }

    #[test]
    fn only_bearer_tokens_count() {
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["Basic YTpi"]), Ok(None));
        assert_eq!(of(&["Bearer"]), Ok(None));
        assert_eq!(of(&["bearertoken a"]), Ok(None));
        assert_eq!(of(&["Bearer a.b.c"]), Ok(Some("a.b.c".into())));
        assert_eq!(of(&["bEARER   a.b.c "]), Ok(Some("a.b.c".into())));
        assert_eq!(of(&["Basic YTpi", "Bearer a"]), Ok(Some("a".into())));
        assert_eq!(of(&["Bearer a", "Bearer b"]), Err(TokenError::Malformed));
    }
}
