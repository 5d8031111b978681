//! The command line: help, errors and exit codes, settings, completions.

#![expect(clippy::expect_used, reason = "tests stop at what they did not expect")]

mod support;

use support::{cloudstate, ended};

#[test]
fn help_lists_commands_and_exit_codes() {
    let help = ended(&mut cloudstate(&["--help"]));
    assert_eq!(help.code, Some(0));
    for part in [
        "call",
        "config",
        "completions",
        "Exit codes:",
        "3  a port to listen on is taken",
    ] {
        assert!(
            help.stdout.contains(part),
            "{part} is missing in:\n{}",
            help.stdout
        );
    }
}

#[test]
fn help_shows_every_setting_under_its_group_with_default_and_variables() {
    let help = ended(&mut cloudstate(&["config", "--help"])).stdout;
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("Settings of [function]: The link to the user function:"),
        "{help}"
    );
    for key in cloudstate_proxy::config::KEYS {
        assert!(
            words.contains(&format!("--{} <{}>", key.flag(), key.kind)),
            "--{}",
            key.flag()
        );
        assert!(words.contains(&key.variable()), "{}", key.variable());
    }
    assert!(
        words.contains("[default: 9000] [env: CLOUDSTATE_HTTP_PORT, HTTP_PORT]"),
        "{help}"
    );
}

#[test]
fn a_reader_that_has_had_enough_is_no_error_to_tell_of() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut config = cloudstate(&["config"]);
    let config = config.stdout(writer).stderr(std::process::Stdio::piped()).spawn();
    let output = config
        .and_then(std::process::Child::wait_with_output)
        .expect("it runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn config_shows_values_with_their_places() {
    let shown = ended(cloudstate(&["config", "--changed", "--store", "memory:"]).env("METRICS_PORT", "7"));
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert_eq!(
        shown.stdout,
        "[admin]\nport = 7  # variable METRICS_PORT\n\n[store]\nurl = \"memory:\"  # flag --store\n"
    );
}

#[test]
fn config_speaks_json() {
    let shown = ended(&mut cloudstate(&[
        "config",
        "--changed",
        "--json",
        "--http.port",
        "7",
    ]));
    assert_eq!(
        shown.stdout,
        "{\"key\":\"http.port\",\"origin\":\"flag --http.port\",\"value\":\"7\"}\n"
    );
}

#[test]
fn the_output_of_config_is_a_file_with_the_same_meaning() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("c.toml");
    let socket = [
        "config",
        "--function.socket",
        "/run/a \"b\".sock",
        "--entity.turn-timeout",
        "90s",
    ];
    let first = ended(&mut cloudstate(&socket)).stdout;
    std::fs::write(&path, &first).expect("it can be written");
    let second = ended(&mut cloudstate(&[
        "config",
        "--config",
        path.to_str().expect("UTF-8"),
    ]));
    let values = |text: &str| -> Vec<String> {
        let value = |line: &str| line.split("  #").next().unwrap_or_default().trim().to_owned();
        text.lines().map(value).collect()
    };
    assert_eq!(values(&second.stdout), values(&first), "{}", second.stderr);
}

#[test]
fn wrong_settings_end_with_code_2_and_say_which() {
    let wrong = ended(
        cloudstate(&["config"])
            .env("CLOUDSTATE_HTTP_PROT", "1")
            .env("HTTP_PORT", "x"),
    );
    assert_eq!(wrong.code, Some(2));
    assert_eq!(
        wrong.stderr,
        "error: unknown variable `CLOUDSTATE_HTTP_PROT`; the nearest known one is `CLOUDSTATE_HTTP_PORT`\n\
         error: http.port: expected a port number, found `x` (variable HTTP_PORT)\n"
    );
}

#[test]
fn an_unknown_flag_ends_with_code_2_and_the_nearest_one() {
    let wrong = ended(&mut cloudstate(&["config", "--http.prot", "1"]));
    assert_eq!(wrong.code, Some(2));
    assert!(
        wrong.stderr.contains("'--http.prot'") && wrong.stderr.contains("'--http.port'"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn call_says_when_nobody_answers() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("its address");
    let call = ended(&mut cloudstate(&["call", "--addr", &free.to_string(), "--list"]));
    assert_eq!(call.code, Some(6));
    assert!(
        call.stderr
            .starts_with(&format!("error: cannot connect to {free}: ")),
        "{}",
        call.stderr
    );
}

#[test]
fn completions_know_commands_and_settings() {
    for shell in ["bash", "zsh", "fish"] {
        let script = ended(&mut cloudstate(&["completions", shell]));
        assert_eq!(script.code, Some(0), "{shell}");
        assert!(script.stdout.contains("http.max-connections"), "{shell}");
    }
}
