//! Tokens with RSA signatures, which are made by OpenSSL: what signs elsewhere in the tests has no RSA keys.

#![allow(clippy::unwrap_used, reason = "in a test, a failure is a panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cloudstate_access::{Algorithms, KeysError, TokenError, TokenOptions, Tokens};
use cloudstate_test_issuer::now;
use serde_json::json;

const TEST: &str = "access: tokens with RSA signatures";
const PSS: [&str; 4] = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"];

struct OpenSsl {
    program: PathBuf,
    directory: tempfile::TempDir,
}

impl OpenSsl {
    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new(&self.program).args(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    /// A key of so many bits; its modulus.
    fn generate(&self, bits: &str) -> Vec<u8> {
        let key = self.path("key.pem");
        self.run(&["genrsa", "-out", &key, bits]);
        let shown = String::from_utf8(self.run(&["rsa", "-in", &key, "-noout", "-modulus"])).unwrap();
        let digits = shown.trim().strip_prefix("Modulus=").unwrap();
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(byte).collect()
    }

    fn token(&self, algorithm: &str) -> String {
        let header = json!({"alg": algorithm, "kid": "rsa"}).to_string();
        let claims = json!({"sub": "ann", "aud": "shop", "exp": now() + 60}).to_string();
        let message = format!("{}.{}", encode(header), encode(claims));
        let path = self.path("message");
        std::fs::write(Path::new(&path), &message).unwrap();
        let (hash, key) = (format!("-sha{}", &algorithm[2..]), self.path("key.pem"));
        let padding = if algorithm.starts_with('P') { &PSS[..] } else { &[] };
        let sign = [&["dgst", &hash, "-sign", &key][..], padding, &[&path]].concat();
        format!("{message}.{}", encode(self.run(&sign)))
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn tokens(modulus: &[u8]) -> Result<Tokens, KeysError> {
    let set = json!({"keys": [{"kty": "RSA", "n": encode(modulus), "e": "AQAB", "kid": "rsa"}]}).to_string();
    let options = TokenOptions {
        audience: vec!["shop".to_owned()],
        issuer: vec![],
        leeway: std::time::Duration::ZERO,
        algorithms: Algorithms::from_names(["RS256", "RS512", "PS256"]).unwrap(),
    };
    Ok(Tokens::new(set.as_bytes(), options)?.0)
}

#[test]
fn rsa_signatures_are_checked() {
    let Some(program) = cloudstate_test_support::program(TEST, "openssl") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let openssl = OpenSsl { program, directory };
    let modulus = openssl.generate("2048");
    let good = tokens(&modulus).unwrap();
    for algorithm in ["RS256", "RS512", "PS256"] {
        let token = openssl.token(algorithm);
        assert_eq!(good.verify(&token).unwrap().subject, "ann", "{algorithm}");
        let (message, _) = token.rsplit_once('.').unwrap();
        let other = format!("{message}.{}", encode([1; 256]));
        assert_eq!(good.verify(&other), Err(TokenError::Signature), "{algorithm}");
    }
    assert_eq!(good.verify(&openssl.token("RS384")), Err(TokenError::Algorithm));

    let weak = tokens(&openssl.generate("1024")).unwrap_err().to_string();
    assert!(
        weak.contains("key [rsa] is too short: RSA keys want 2048 bits"),
        "{weak}"
    );
}
