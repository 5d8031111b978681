use rcgen::{
    BasicConstraints, CertificateParams, CertifiedKey, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd,
    generate_simple_self_signed,
};

use super::*;

const NOW: Duration = Duration::from_secs(1_800_000_000);

fn files(client_ca: bool) -> TlsFiles {
    let named = |key, path: &str| Named {
        key,
        path: path.into(),
    };
    TlsFiles {
        cert: named("http.tls.cert", "tls.crt"),
        key: named("http.tls.key", "tls.key"),
        client_ca: client_ca.then(|| named("http.tls.client_ca", "ca.crt")),
    }
}

fn own() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

fn made(client_ca: bool, contents: &[&str]) -> Result<Made, FileError> {
    let contents: Vec<_> = contents.iter().map(|text| text.as_bytes().to_vec()).collect();
    let config = crate::config::Config::default().tls;
    server_config(&files(client_ca), &config, &contents, NOW)
}

fn refused(client_ca: bool, contents: &[&str]) -> String {
    made(client_ca, contents)
        .err()
        .expect("these are no good")
        .to_string()
}

#[test]
fn a_certificate_and_its_key_are_enough() {
    let own = own();
    let made = made(false, &[&own.cert.pem(), &own.signing_key.serialize_pem()]).unwrap();
    assert_eq!(made.config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    assert_eq!(made.config.max_early_data_size, 0, "early data can be replayed");
    assert!(made.not_after > NOW);
}

#[test]
fn what_is_wrong_is_told_with_the_name_of_the_file() {
    let (own, other) = (own(), own());
    let (cert, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let broken = cert.replace("-----END CERTIFICATE-----", "");
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for (contents, expected) in [
        (
            ["", &key],
            "tls.crt (from http.tls.cert): it holds no certificate in PEM form",
        ),
        (
            [&key, &key],
            "tls.crt (from http.tls.cert): it holds no certificate in PEM form",
        ),
        (
            [&broken, &key],
            "tls.crt (from http.tls.cert): it is not in PEM form",
        ),
        (
            [no_certificate, &key],
            "tls.crt (from http.tls.cert): the certificate cannot be read",
        ),
        (
            [&cert, ""],
            "tls.key (from http.tls.key): it holds no private key in PEM form",
        ),
        (
            [&cert, &cert],
            "tls.key (from http.tls.key): it holds no private key in PEM form",
        ),
        ([&cert, encrypted], "tls.key (from http.tls.key): it is encrypted"),
        ([&cert, no_key], "tls.key (from http.tls.key): it cannot be used"),
        (
            [&cert, &other.signing_key.serialize_pem()],
            "tls.key (from http.tls.key): it does not belong to the certificate in tls.crt",
        ),
    ] {
        let text = refused(false, &contents);
        assert!(text.contains(expected), "{text}\ninstead of\n{expected}");
    }
}

#[test]
fn roots_of_clients_are_checked() {
    let own = own();
    let (cert, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = root.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    made(true, &[&cert, &key, &root]).unwrap();
    made(true, &[&cert, &key, &format!("{root}{root}")]).unwrap();

    let text = refused(true, &[&cert, &key, ""]);
    assert!(
        text.contains("ca.crt (from http.tls.client_ca): it holds no certificate"),
        "{text}"
    );
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let text = refused(true, &[&cert, &key, &format!("{root}{broken}")]);
    assert!(
        text.contains("ca.crt (from http.tls.client_ca): certificate 2 cannot be a root"),
        "{text}"
    );
}

#[test]
fn a_certificate_that_has_expired_is_used_with_a_warning() {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(2020, 1, 1);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().unwrap();
    let cert = params.self_signed(&key).unwrap().pem();
    let made = made(false, &[&cert, &key.serialize_pem()]).unwrap();
    assert_eq!(made.not_after, Duration::from_secs(1_577_836_800));
}
