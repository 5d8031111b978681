//! Settings as users write them, and every error that they can make.
#![expect(clippy::expect_used, reason = "tests stop at what they did not expect")]

use std::path::PathBuf;
use std::time::Duration;

use cloudstate_proxy::config::{
    Config, Errors, KEYS, Key, Loaded, Origin, Preset, Size, Sources, StoreUrl, load,
};
use tempfile::TempDir;

/// Sources under construction; the file lives as long as this.
#[derive(Default)]
struct Given {
    sources: Sources,
    directory: Option<TempDir>,
}

impl Given {
    fn file(mut self, text: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let path = directory.path().join("c.toml");
        std::fs::write(&path, text).expect("it can be written");
        self.sources.file = Some(path);
        self.directory = Some(directory);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.into(), value.into()));
        self
    }

    fn flag(mut self, name: &str, value: &str) -> Self {
        self.sources.flags.push((name.into(), value.into()));
        self
    }

    fn load(&self) -> Result<Loaded, Errors> {
        load(&self.sources)
    }

    fn config(&self) -> Config {
        self.load().unwrap_or_else(|errors| panic!("{errors}")).config
    }

    /// The error texts, with the temporary directory cut off.
    fn errors(&self) -> String {
        let text = self.load().expect_err("this configuration is wrong").to_string();
        match &self.directory {
            Some(directory) => text.replace(&format!("{}/", directory.path().display()), ""),
            None => text,
        }
    }
}

fn given() -> Given {
    Given::default()
}

fn key(name: &str) -> &'static Key {
    Key::find(name).expect("a known key")
}

#[test]
fn every_default_of_the_table_is_well_formed_and_in_its_range() {
    for key in KEYS {
        let given = given().flag(&key.flag(), key.default);

        assert_eq!(given.config(), Config::default(), "{}", key.name);
    }
}

#[test]
fn no_variable_or_flag_means_two_keys() {
    let names = |of: fn(&Key) -> Vec<String>| {
        let mut names: Vec<String> = KEYS.iter().flat_map(of).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "{names:?}");
    };
    names(|key| {
        key.variables
            .iter()
            .map(ToString::to_string)
            .chain([key.variable()])
            .collect()
    });
    names(|key| {
        key.flags
            .iter()
            .map(ToString::to_string)
            .chain([key.flag()])
            .collect()
    });
}

#[test]
fn without_sources_the_defaults_hold() {
    let config = given().config();
    assert_eq!(
        (config.http.port, config.admin.port, config.function.port),
        (9000, 9090, 8080)
    );
    assert_eq!(config.http.max_request_bytes, Size::of(8 << 20));
    assert_eq!(config.store.url, StoreUrl::Sqlite("./cloudstate-data".into()));
    assert_eq!(config.entity.turn_timeout, Duration::from_secs(60));
    assert_eq!(config.admin.management_port, None);
}

#[test]
fn flags_win_over_variables_over_the_file_over_presets() {
    let mut given = given().file("[http]\nport = 2\n[admin]\nport = 2\n[function]\nport = 2\n");
    for name in ["http.port", "admin.port", "function.port", "store.shards"] {
        given.sources.presets.push(Preset {
            key: name,
            value: "1".into(),
            by: "`cloudstate dev`",
        });
    }
    let given = given
        .variable("CLOUDSTATE_HTTP_PORT", "3")
        .variable("CLOUDSTATE_ADMIN_PORT", "3")
        .flag("http.port", "4");
    let config = given.config();
    assert_eq!(
        (
            config.http.port,
            config.admin.port,
            config.function.port,
            config.store.shards
        ),
        (4, 3, 2, 1)
    );

    let loaded = given.load().expect("well-formed");
    let origin = |name| loaded.origin(key(name)).to_string();
    assert_eq!(origin("http.port"), "flag --http.port");
    assert_eq!(origin("admin.port"), "variable CLOUDSTATE_ADMIN_PORT");
    assert!(
        origin("function.port").ends_with("c.toml:6"),
        "{}",
        origin("function.port")
    );
    assert_eq!(origin("store.shards"), "set by `cloudstate dev`");
    assert_eq!(loaded.origin(key("log.level")), Origin::Default);
}

#[test]
fn a_file_may_be_named_by_variable_and_a_flag_wins() {
    let other = given().file("[http]\nport = 7\n");
    let path = other.sources.file.as_ref().and_then(|path| path.to_str());
    let by_variable = given().variable("CLOUDSTATE_CONFIG", path.expect("UTF-8"));
    assert_eq!(by_variable.config().http.port, 7);
    let both = given()
        .file("[http]\nport = 8\n")
        .variable("CLOUDSTATE_CONFIG", "/nowhere");
    assert_eq!(both.config().http.port, 8);
}

#[test]
fn names_of_the_original_proxy_are_understood() {
    let config = given()
        .variable("HTTP_HOST", "127.0.0.1")
        .variable("HTTP_PORT", "1")
        .variable("METRICS_HOST", "::1")
        .variable("METRICS_PORT", "2")
        .variable("MANAGEMENT_PORT", "8558")
        .variable("USER_FUNCTION_HOST", "function")
        .variable("USER_FUNCTION_PORT", "3")
        .config();
    assert_eq!((config.http.host.as_str(), config.http.port), ("127.0.0.1", 1));
    assert_eq!((config.admin.host.as_str(), config.admin.port), ("::1", 2));
    assert_eq!(config.admin.management_port, Some(8558));
    assert_eq!(
        (config.function.host.as_str(), config.function.port),
        ("function", 3)
    );
    let config = given().variable("USER_FUNCTION_SOCKET", "/run/f.sock").config();
    assert_eq!(config.function.socket, Some(PathBuf::from("/run/f.sock")));
}

#[test]
fn store_is_short_for_store_url() {
    assert_eq!(
        given().flag("store", "memory:").config().store.url,
        StoreUrl::Memory
    );
}

#[test]
fn flags_may_be_written_with_dashes_or_underscores() {
    assert_eq!(
        given()
            .flag("http.max-connections", "5")
            .config()
            .http
            .max_connections,
        5
    );
    assert_eq!(
        given()
            .flag("http.max_connections", "5")
            .config()
            .http
            .max_connections,
        5
    );
}

#[test]
fn toml_values_may_be_bare_or_text() {
    let config = given()
        .file("http.port = 9_001\nhttp.max_connections = \"12\"\n[function]\nbackoff_random = 0.5\ncompatibility_check = false\n")
        .config();
    assert_eq!((config.http.port, config.http.max_connections), (9001, 12));
    assert!(!config.function.compatibility_check);
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let config = given()
        .variable("HTTP_PORT", "")
        .variable("CLOUDSTATE_HTTP_PORT", "7")
        .config();
    assert_eq!(config.http.port, 7);
}

#[test]
fn an_empty_flag_takes_away_what_an_earlier_source_set() {
    let given = given()
        .variable("USER_FUNCTION_SOCKET", "/run/f.sock")
        .flag("function.socket", "");
    assert_eq!(given.config().function.socket, None);
}

#[test]
fn two_names_of_a_key_may_agree_however_they_are_written() {
    let given = given().flag("store", "memory:").flag("store.url", "memory:");
    assert_eq!(given.config().store.url, StoreUrl::Memory);
}

#[test]
fn two_names_of_a_key_that_disagree_are_refused() {
    assert_eq!(
        given()
            .variable("HTTP_PORT", "1")
            .variable("CLOUDSTATE_HTTP_PORT", "2")
            .errors(),
        "http.port is set twice, to `2` (variable CLOUDSTATE_HTTP_PORT) and to `1` (variable HTTP_PORT); \
         remove one of them"
    );
    assert_eq!(
        given()
            .flag("store", "memory:")
            .flag("store.url", "sqlite:x")
            .errors(),
        "store.url is set twice, to `memory:` (flag --store) and to `sqlite:x` (flag --store.url); remove one of them"
    );
}

#[test]
fn unknown_names_are_refused_with_the_nearest_known_one() {
    assert_eq!(
        given().file("# ports\n[http]\nprot = 1\n").errors(),
        "unknown key `http.prot` (c.toml:3); the nearest known one is `http.port`"
    );
    assert_eq!(
        given().file("[htpp]\nport = 1\n").errors(),
        "unknown key `htpp` (c.toml:1); the nearest known one is `http.port`"
    );
    assert_eq!(
        given().variable("CLOUDSTATE_HTTP_PROT", "1").errors(),
        "unknown variable `CLOUDSTATE_HTTP_PROT`; the nearest known one is `CLOUDSTATE_HTTP_PORT`"
    );
    assert_eq!(
        given().flag("htp.port", "1").errors(),
        "unknown flag `--htp.port`; the nearest known one is `--http.port`"
    );
}

#[test]
fn values_of_the_wrong_form_are_refused_with_place_and_form() {
    assert_eq!(
        given().file("\n\n[http]\nport = 90000\n").errors(),
        "http.port: expected a port number, found `90000` (c.toml:4)"
    );
    assert_eq!(
        given().variable("METRICS_PORT", "tcp").errors(),
        "admin.port: expected a port number, found `tcp` (variable METRICS_PORT)"
    );
    assert_eq!(
        given().flag("entity.turn-timeout", "10").errors(),
        "entity.turn_timeout: expected a duration such as `10s`, `500ms` or `1m30s` from 10ms to 1d, \
         found `10` (flag --entity.turn-timeout)"
    );
    assert_eq!(
        given().flag("http.max-request-bytes", "8M").errors(),
        "http.max_request_bytes: expected a size such as `8MiB`, `64KiB` or `1000B` from 1KiB to 1GiB, \
         found `8M` (flag --http.max-request-bytes)"
    );
    assert_eq!(
        given().file("http.host = [\"a\"]\n").errors(),
        "http.host: expected a host name or an IP address without a port, found `a TOML array` (c.toml:1)"
    );
    assert_eq!(
        given().flag("log.level", "loud").errors(),
        "log.level: expected one of `off`, `error`, `warn`, `info`, `debug`, `trace`, found `loud` (flag --log.level)"
    );
    assert_eq!(
        given().flag("function.compatibility-check", "yes").errors(),
        "function.compatibility_check: expected `true` or `false`, found `yes` (flag --function.compatibility-check)"
    );
}

#[test]
fn values_out_of_range_are_refused() {
    for (flag, value) in [
        ("store.shards", "0"),
        ("store.shards", "4097"),
        ("function.port", "0"),
        ("function.backoff-random", "1.5"),
        ("function.backoff-random", "NaN"),
        ("function.max-message-bytes", "2GiB"),
    ] {
        let text = given().flag(flag, value).errors();
        assert!(text.contains(" from ") && text.contains(value), "{text}");
    }
}

#[test]
fn a_store_of_unknown_kind_is_refused_without_showing_its_password() {
    assert_eq!(
        given().flag("store", "mysql://ann:s3cret@db/x").errors(),
        "store.url: expected `memory:`, `sqlite:DIRECTORY` or `postgres://USER:PASSWORD@HOST/DATABASE`, found `mysql://ann:***@db/x` (flag --store)"
    );
}

#[test]
fn a_wrong_value_is_refused_even_if_a_later_source_replaces_it() {
    assert!(
        given()
            .variable("HTTP_PORT", "x")
            .flag("http.port", "1")
            .errors()
            .contains("HTTP_PORT")
    );
}

#[test]
fn a_file_that_cannot_be_read_or_is_not_toml_is_refused() {
    let text = given().variable("CLOUDSTATE_CONFIG", "/nowhere/c.toml").errors();
    assert!(
        text.starts_with(
            "cannot read the configuration file /nowhere/c.toml (named by variable CLOUDSTATE_CONFIG): "
        ),
        "{text}"
    );
    let text = given().file("[http]\nport = \n").errors();
    assert!(text.starts_with("c.toml:2: not valid TOML: "), "{text}");
}

#[test]
fn values_that_do_not_fit_together_are_refused() {
    assert_eq!(
        given()
            .variable("USER_FUNCTION_PORT", "8080")
            .flag("function.socket", "/run/f")
            .errors(),
        "function.socket = `/run/f` (flag --function.socket) and function.port = `8080` (variable USER_FUNCTION_PORT) \
         exclude each other; set either the socket or host and port"
    );
    assert_eq!(
        given().flag("function.backoff-max", "500ms").errors(),
        "function.backoff_min = `1s` (default) and function.backoff_max = `500ms` (flag --function.backoff-max) \
         are in the wrong order; the first wait must not be longer than the longest"
    );
    assert_eq!(
        given().flag("http.port", "9090").errors(),
        "http.port = `9090` (flag --http.port) and admin.port = `9090` (default) are the same port; \
         give each its own, or 0 for a free one"
    );
    assert!(
        given()
            .flag("admin.management-port", "9090")
            .errors()
            .contains("are the same port")
    );
    for flag in [
        "entity.queue-bytes",
        "runtime.max-queued-bytes",
        "store.queue-bytes",
    ] {
        assert!(
            given().flag(flag, "1MiB").errors().contains("must have room"),
            "{flag}"
        );
    }
    assert_eq!(
        given()
            .flag("http.cors.origins", "*")
            .flag("http.cors.credentials", "true")
            .errors(),
        "http.cors.origins = `*` (flag --http.cors.origins) and http.cors.credentials = `true` \
         (flag --http.cors.credentials) do not fit together; list the origins that may send cookies: browsers refuse it \
         for `*`"
    );
}

#[test]
fn origins_are_read_as_browsers_write_them() {
    let config = given()
        .flag("http.cors.origins", "HTTPS://Shop.example.com:443, localhost")
        .config();
    assert!(config.cors.origins.contains("https://shop.example.com"));
    let config = given()
        .file("[http.cors]\norigins = [\"https://a\", \"https://*.b\"]\n")
        .config();
    assert!(config.cors.origins.contains("https://x.b"));
    assert_eq!(
        given().flag("http.cors.origins", "shop.example.com").errors(),
        "http.cors.origins: expected origins such as `https://shop.example.com`, separated by commas, or `*`, found \
         `shop.example.com` (flag --http.cors.origins)"
    );
}

#[test]
fn equal_ports_on_separate_addresses_and_free_ports_are_fine() {
    let apart = given()
        .flag("http.port", "9090")
        .flag("http.host", "127.0.0.1")
        .flag("admin.host", "127.0.0.2");
    assert_eq!(apart.config().http.port, 9090);
    assert_eq!(
        given()
            .flag("http.port", "0")
            .flag("admin.port", "0")
            .config()
            .admin
            .port,
        0
    );
}

#[test]
fn a_preset_port_gives_way_to_a_socket() {
    let mut given = given().flag("function.socket", "/run/f");
    given.sources.presets.push(Preset {
        key: "function.port",
        value: "1234".into(),
        by: "`cloudstate dev`",
    });
    assert!(given.config().function.socket.is_some());
}

#[test]
fn all_problems_are_reported_at_once() {
    let text = given()
        .file("nope = 1\n")
        .variable("HTTP_PORT", "x")
        .flag("log.format", "xml")
        .errors();
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn variables_of_kubernetes_services_are_left_alone() {
    let config = given()
        .variable("CLOUDSTATE_SERVICE_HOST", "10.0.0.1")
        .variable("CLOUDSTATE_SERVICE_PORT", "9000")
        .variable("CLOUDSTATE_SERVICE_PORT_GRPC", "9000")
        .variable("CLOUDSTATE_PORT", "tcp://10.0.0.1:9000")
        .variable("CLOUDSTATE_PORT_9000_TCP", "tcp://10.0.0.1:9000")
        .variable("CLOUDSTATE_PORT_9000_TCP_ADDR", "10.0.0.1")
        .variable("HTTP_SERVICE_HOST", "10.0.0.2")
        .variable("HTTP_PORT", "tcp://10.0.0.2:80")
        .config();
    assert_eq!(config, Config::default());
}

#[test]
fn a_setting_named_like_a_service_variable_still_counts() {
    let config = given()
        .variable("HTTP_SERVICE_HOST", "10.0.0.2")
        .variable("HTTP_PORT", "7")
        .config();
    assert_eq!(config.http.port, 7);
}

#[test]
fn keys_of_the_development_command_are_accepted_in_the_file() {
    given()
        .file("[function]\nbuild = \"make\"\nrun = [\"./f\"]\nwatch = [\"src\"]\n")
        .config();
}

#[test]
fn variables_of_the_test_suite_are_left_alone() {
    given().variable("CLOUDSTATE_TEST_SERVERS", "all").config();
}

/// Settings that hold together, with one of them replaced or left out.
fn secured(change: &str, value: Option<&str>) -> Given {
    let all = [
        ("http.tls.cert", "tls.crt"),
        ("http.tls.key", "tls.key"),
        ("http.tls.client-ca", "ca.crt"),
        ("http.jwt.keys", "keys.json"),
        ("http.jwt.audience", "shop"),
        ("http.jwt.issuer", "https://issuer"),
        ("access.default", "authenticated"),
        ("access.health", "certificate"),
        ("access.rules", "a.B/C = token:ann | claim:role=admin"),
    ];
    let mut given = given();
    for (key, original) in all {
        match value {
            _ if key != change => given = given.flag(key, original),
            Some(value) => given = given.flag(key, value),
            None => {}
        }
    }
    given
}

#[test]
fn settings_of_security_hold_together() {
    secured("", None).config();
    for (change, expected) in [
        (
            "http.tls.cert",
            "http.tls.key = `tls.key` (flag --http.tls.key) needs http.tls.cert; a private key is of use only with its \
             certificate\nhttp.tls.client_ca = `ca.crt` (flag --http.tls.client-ca) needs http.tls.cert; clients show \
             certificates only where TLS is spoken",
        ),
        (
            "http.tls.key",
            "http.tls.cert = `tls.crt` (flag --http.tls.cert) needs http.tls.key; a certificate is of use only with its \
             private key",
        ),
        (
            "http.tls.client-ca",
            "access.health = `certificate` (flag --access.health) needs http.tls.client_ca; without it, clients are not \
             asked for certificates",
        ),
        (
            "http.jwt.audience",
            "http.jwt.keys = `keys.json` (flag --http.jwt.keys) needs http.jwt.audience; say for whom tokens must be, or \
             those made for another service would be good here",
        ),
        (
            "http.jwt.keys",
            "http.jwt.audience = `shop` (flag --http.jwt.audience) needs http.jwt.keys; without keys, tokens are not \
             looked at\nhttp.jwt.issuer = `https://issuer` (flag --http.jwt.issuer) needs http.jwt.keys; without keys, \
             tokens are not looked at\naccess.rules = `a.B/C = token:ann | claim:role=admin` (flag --access.rules) needs \
             http.jwt.keys; without keys, tokens are not looked at",
        ),
    ] {
        assert_eq!(secured(change, None).errors(), expected, "{change}");
    }
    let alone = given().flag("access.default", "authenticated").errors();
    assert!(
        alone.contains("needs http.jwt.keys or http.tls.client_ca"),
        "{alone}"
    );
}

#[test]
fn access_rules_are_read_from_a_table_and_from_text() {
    let file = given().file(
        "[http.jwt]\nkeys = \"k\"\naudience = [\"shop\", \"store\"]\nalgorithms = [\"ES256\"]\n\
         [access]\ndefault = \"token\"\n[access.rules]\n\"a.B/*\" = \"anyone\"\n\
         \"a.B/C\" = [\"token:ann\", \"claim:role=admin\"]\n",
    );
    let text = given()
        .variable("CLOUDSTATE_HTTP_JWT_KEYS", "k")
        .variable("CLOUDSTATE_HTTP_JWT_AUDIENCE", "shop, store")
        .variable("CLOUDSTATE_HTTP_JWT_ALGORITHMS", "ES256")
        .variable("CLOUDSTATE_ACCESS_DEFAULT", "token")
        .variable(
            "CLOUDSTATE_ACCESS_RULES",
            "a.B/* = anyone; a.B/C = token:ann | claim:role=admin",
        );
    assert_eq!(file.config(), text.config());
    assert_eq!(file.config().jwt.audience.items(), ["shop", "store"]);
    assert_eq!(
        key("access.rules").show(&file.config()),
        "a.B/* = anyone; a.B/C = token:ann | claim:role=admin"
    );
}

#[test]
fn lists_and_tables_of_the_wrong_form_are_refused() {
    for (text, expected) in [
        (
            "[http.jwt]\naudience = [\"a,b\"]\n",
            "found `the item \"a,b\", which holds `,`` (c.toml:2)",
        ),
        (
            "[http.jwt]\naudience = [1]\n",
            "found `a TOML integer in the array` (c.toml:2)",
        ),
        (
            "[http.jwt]\nalgorithms = [\"none\"]\n",
            "`HS512`, separated by commas, found `none` (c.toml:2)",
        ),
        (
            "[access.rules]\n\"a.B/C\" = 1\n",
            "found `a TOML integer for \"a.B/C\"`",
        ),
        (
            "[access.rules]\n\"a.B/C\" = \"token:a;b\"\n",
            "found `\"token:a;b\", which holds `;``",
        ),
        (
            "[access.rules]\n\"a.B\" = \"anyone\"\n",
            "access.rules: expected rules such as",
        ),
        (
            "[access]\ndefault = \"everyone\"\n",
            "access.default: expected `anyone`, `authenticated`, `internal`, or some of",
        ),
        (
            "[http.tls]\nmin_version = 1.1\n",
            "http.tls.min_version: expected `1.2` or `1.3`, found `1.1`",
        ),
    ] {
        let errors = given().file(text).errors();
        assert!(errors.contains(expected), "{errors}\ninstead of\n{expected}");
    }
}

#[test]
fn the_variables_of_opentelemetry_are_understood() {
    let tracing = given()
        .variable("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317/")
        .variable("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
        .variable("OTEL_TRACES_SAMPLER_ARG", "0.25")
        .variable("OTEL_SERVICE_NAME", "carts")
        .variable("OTEL_RESOURCE_ATTRIBUTES", "team=shop,note=a%2Cb")
        .variable("OTEL_EXPORTER_OTLP_HEADERS", "x-key=s3cret")
        .config()
        .tracing;
    let endpoint = tracing.endpoint.as_ref().map(|endpoint| endpoint.url());
    assert_eq!(endpoint, Some("http://collector:4317"));
    assert_eq!((tracing.ratio, tracing.service_name.as_str()), (0.25, "carts"));
    let attributes = [("team", "shop"), ("note", "a,b")];
    assert_eq!(
        tracing.attributes.items(),
        attributes.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    assert_eq!(tracing.headers.items()[0].1, "s3cret");
}

#[test]
fn secrets_of_tracing_are_shown_nowhere() {
    let key = key("tracing.headers");
    let given = given().file("[tracing]\nheaders = [\"x-key=s3cret\"]\n");
    assert_eq!(key.show(&given.config()), "x-key=***");
    let text = given.variable("CLOUDSTATE_TRACING_HEADERS", "s3cret").errors();
    assert!(
        text.contains("tracing.headers") && !text.contains("s3cret"),
        "{text}"
    );
    let text = crate::configuration::given()
        .variable("CLOUDSTATE_TRACING_HEADERS", "a=s3cret")
        .variable("OTEL_EXPORTER_OTLP_HEADERS", "a=other")
        .errors();
    assert!(text.contains("set twice") && !text.contains("s3cret"), "{text}");
}
