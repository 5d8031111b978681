//! Who may call, what, and how tokens are signed.

use cloudstate_access::{Algorithms, Allowed, Rules};

use super::Value;

impl Value for Allowed {
    const KIND: &'static str = "WHO";
    const FORM: &'static str = "`anyone`, `authenticated`, `internal`, or some of `certificate`, `certificate:NAME`, `token`, `token:SUBJECT` and `claim:NAME=VALUE`, joined by ` | `";

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for Rules {
    const KIND: &'static str = "RULES";
    const FORM: &'static str = "rules such as `shop.Cart/GetCart = anyone; shop.Cart/* = authenticated`, or a table of them in the file";
    const TABLE: bool = true;

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for Algorithms {
    const KIND: &'static str = "LIST";
    const FORM: &'static str = "some of `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`, `ES384`, `EdDSA`, `HS256`, `HS384` and `HS512`, separated by commas";
    const LIST: bool = true;

    fn parse(text: &str) -> Option<Self> {
        Self::from_names(text.split(',').map(str::trim))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_names_every_algorithm() {
        let form = <Algorithms as Value>::FORM;
        assert!(Algorithms::names().all(|name| form.contains(&format!("`{name}`"))));
    }
}
