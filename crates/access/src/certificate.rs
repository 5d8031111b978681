//! What a certificate says about its owner.

use std::time::Duration;

use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// The names in a certificate, and how long it holds. Nothing here was checked: that is the work of the TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The subject, as RFC 4514 writes it: `CN=shop,O=Example`. May be empty.
    pub subject: String,
    /// Alternative names that are URIs, such as SPIFFE ids.
    pub uris: Vec<String>,
    /// Alternative names that are DNS names.
    pub dns: Vec<String>,
    /// When it begins to hold, since 1970.
    pub not_before: Duration,
    /// When it ceases to hold, since 1970.
    pub not_after: Duration,
}

/// A certificate that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the certificate cannot be read: {0}")]
pub struct CertificateError(#[from] x509_cert::der::Error);

impl Certificate {
    /// Reads a certificate in DER form.
    ///
    /// # Errors
    /// If it is no certificate, or its alternative names are malformed.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        // Without the profile of RFC 5280, which refuses harmless things like a serial number of 21 bytes.
        let certificate = CertificateInner::<Raw>::from_der(der)?;
        let content = certificate.tbs_certificate();
        let names = content.get_extension::<SubjectAltName>()?;
        let (mut uris, mut dns) = (Vec::new(), Vec::new());
        for name in names.map(|(_, names)| names.0).unwrap_or_default() {
            match name {
                GeneralName::UniformResourceIdentifier(uri) => uris.push(uri.to_string()),
                GeneralName::DnsName(name) => dns.push(name.to_string()),
                _ => {}
            }
        }
        Ok(Certificate {
            subject: content.subject().to_string(),
            uris,
            dns,
            not_before: content.validity().not_before.to_unix_duration(),
            not_after: content.validity().not_after.to_unix_duration(),
        })
    }

    /// What its owner is called: the first URI, else the first DNS name, else the subject.
    pub fn name(&self) -> &str {
        self.uris.first().or(self.dns.first()).unwrap_or(&self.subject)
    }

    /// Whether one of its names is this one. DNS names compare without regard to case.
    pub fn has_name(&self, name: &str) -> bool {
        self.uris.iter().any(|uri| uri == name)
            || self.dns.iter().any(|dns| dns.eq_ignore_ascii_case(name))
            || (!name.is_empty() && self.subject == name)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType, date_time_ymd};

    use super::*;

    fn der(params: &CertificateParams) -> Vec<u8> {
        let key = KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().to_vec()
    }

    fn params(common_name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Example");
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_after = date_time_ymd(2030, 1, 1);
        params
    }

    #[test]
    fn names_and_times_are_read() {
        let mut params = params("shop");
        params.subject_alt_names = vec![
            SanType::URI("spiffe://example.org/shop".try_into().expect("ASCII")),
            SanType::DnsName("shop.example.org".try_into().expect("ASCII")),
            SanType::Rfc822Name("shop@example.org".try_into().expect("ASCII")),
        ];
        let certificate = Certificate::parse(&der(&params)).expect("well-formed");

        assert_eq!(certificate.subject, "CN=shop,O=Example");
        assert_eq!(certificate.uris, ["spiffe://example.org/shop"]);
        assert_eq!(certificate.dns, ["shop.example.org"]);
        assert_eq!(certificate.not_after, Duration::from_secs(1_893_456_000));
        assert_eq!(certificate.name(), "spiffe://example.org/shop");
        for name in [
            "spiffe://example.org/shop",
            "SHOP.example.org",
            "CN=shop,O=Example",
        ] {
            assert!(certificate.has_name(name), "{name}");
        }
        for name in ["", "shop", "spiffe://example.org/SHOP", "shop@example.org"] {
            assert!(!certificate.has_name(name), "{name}");
        }
    }

    #[test]
    fn a_common_name_cannot_forge_other_parts_of_the_subject() {
        let certificate = Certificate::parse(&der(&params("shop,O=Other"))).expect("well-formed");
        assert_eq!(certificate.subject, r"CN=shop\,O=Other,O=Example");
    }

    #[test]
    fn without_a_subject_no_empty_name_matches() {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let certificate = Certificate::parse(&der(&params)).expect("well-formed");
        assert_eq!(certificate.subject, "");
        assert!(!certificate.has_name(""));
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        assert!(Certificate::parse(b"").is_err());
        assert!(Certificate::parse(b"no certificate").is_err());
    }
}
