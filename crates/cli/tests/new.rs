//! `cloudstate new`: what it makes, that its tests pass, and that `dev` and `call` work with it.

#![expect(clippy::expect_used, reason = "tests stop at what they did not expect")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cloudstate_test_support::{leave_out, program};
use rustix::process::Signal;
use support::{Running, cloudstate, ended};

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("this repository")
}

/// A new project.
fn new_project(directory: &Path, language: &str) -> PathBuf {
    let sdk_path = checkout();
    let arguments = [
        "new",
        "--lang",
        language,
        "my-counter",
        "--sdk-path",
        sdk_path.to_str().expect("UTF-8"),
    ];
    let made = ended(cloudstate(&arguments).current_dir(directory));
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(
        made.stdout.contains("cloudstate dev my-counter"),
        "{}",
        made.stdout
    );
    directory.join("my-counter")
}

/// A new project in Rust, with the versions of this repository's build, which are on this machine already.
fn new_rust_project(directory: &Path) -> PathBuf {
    let project = new_project(directory, "rust");
    std::fs::copy(checkout().join("Cargo.lock"), project.join("Cargo.lock")).expect("it can be copied");
    project
}

/// A new project in Python, in the environment of the first `python3` in `PATH`; `None` if the SDK is not in it.
fn new_python_project(test: &str, directory: &Path) -> Option<PathBuf> {
    let python = program(test, "python3")?;
    let environment = python.ancestors().nth(2).expect("it lies in a bin");
    if !environment.join("bin/cloudstate-generate").is_file() {
        let wants = "the Python SDK: sdks/python/prepare DIR, and DIR/bin first in PATH";
        leave_out(
            test,
            wants,
            format!("it is not installed in {}", environment.display()),
        );
        return None;
    }
    let project = new_project(directory, "python");
    std::os::unix::fs::symlink(environment, project.join(".venv")).expect("a new project has none");
    Some(project)
}

/// A new project in TypeScript, with the packages of the sample; `None` if they are not installed.
fn new_typescript_project(test: &str, directory: &Path) -> Option<PathBuf> {
    program(test, "npm")?;
    let packages = checkout().join("samples/typescript/shopping-cart/node_modules");
    if !packages.join("@cloudstate/cloudstate/dist").is_dir() {
        let cause = format!("there is no SDK in {}", packages.display());
        leave_out(test, "what sdks/typescript/check builds", cause);
        return None;
    }
    let project = new_project(directory, "typescript");
    std::os::unix::fs::symlink(packages, project.join("node_modules")).expect("a new project has none");
    Some(project)
}

/// `dev` with what cargo needs.
fn dev(project: &Path) -> Running {
    let path = project.to_str().expect("UTF-8");
    let mut command = cloudstate(&["dev", path, "--http.port", "0", "--admin.port", "0"]);
    let kept = ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"];
    command.envs(
        kept.iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?))),
    );
    command.envs(cargo_settings());
    Running::start(&mut command)
}

/// Where cargo builds a new project, and that it downloads nothing.
fn cargo_settings() -> [(&'static str, PathBuf); 2] {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new");
    [("CARGO_TARGET_DIR", target), ("CARGO_NET_OFFLINE", "true".into())]
}

fn passes_its_own_tests(project: &Path) {
    let tested = Command::new(env!("CARGO"))
        .args(["test", "--quiet"])
        .current_dir(project)
        .envs(cargo_settings())
        .output()
        .expect("cargo runs");
    let output = String::from_utf8_lossy(&tested.stdout);
    let errors = String::from_utf8_lossy(&tested.stderr);
    assert!(tested.status.success(), "{output}{errors}");
    assert!(output.contains("2 passed"), "{output}");
}

/// `call` of a running proxy; the answer, or the status.
fn call(address: &str, arguments: &[&str]) -> Result<String, String> {
    let call = ended(&mut cloudstate(
        &[&["call", "--addr", address], arguments].concat(),
    ));
    match call.code {
        Some(0) => Ok(call.stdout),
        Some(5) => Err(call.stderr),
        other => panic!("call ended with {other:?}: {}", call.stderr),
    }
}

const INCREASE: &str = "my_counter.Counter/Increase";

/// One test, because the project takes long to build.
#[test]
fn a_new_project_passes_its_tests_is_served_and_follows_its_source() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let project = new_rust_project(directory.path());
    passes_its_own_tests(&project);
    let mut running = dev(&project);
    let serving = running.line_with("serving the user function my-counter on ");
    let function = serving.rsplit(' ').next().expect("an address").to_owned();
    let line = running.line_with("gRPC, HTTP/JSON  http://");
    let warnings: Vec<_> = running
        .seen
        .iter()
        .filter(|line| line.contains("warning: `my-counter`"))
        .collect();
    assert!(warnings.is_empty(), "{:#?}", running.seen);
    let address = line.rsplit('/').next().expect("an address").to_owned();
    running.line_with(&format!("curl http://{address}/counters/counter-1/increase -H"));

    let listed = call(&address, &["--list"]).expect("a list");
    assert!(
        listed.contains("my_counter.Counter\n  Increase(my_counter.IncreaseRequest) returns"),
        "{listed}"
    );
    let described = call(&address, &["--describe", INCREASE]).expect("a description");
    assert!(
        described.contains("  POST /counters/{counter_id}/increase  (body: *)\n"),
        "{described}"
    );
    assert!(
        described.contains("message my_counter.IncreaseRequest {\n  string counter_id = 1;\n"),
        "{described}"
    );

    let increased = call(&address, &[INCREASE, r#"{"counterId": "a", "by": 2}"#]);
    assert_eq!(increased.as_deref(), Ok("{\n  \"value\": \"2\"\n}\n"));
    let refused = call(&address, &[INCREASE, r#"{"counterId": "a"}"#]).expect_err("it must grow");
    assert_eq!(
        refused,
        "error: UNKNOWN: a counter only grows: `by` must be greater than zero\n"
    );
    streams_are_printed_line_by_line(&address);
    a_deadline_ends_a_call(&address);
    wrong_calls_are_explained(&address);

    let source = project.join("src/counter.rs");
    let text = std::fs::read_to_string(&source).expect("it was made");
    std::fs::write(&source, text.replace("only grows", "never shrinks")).expect("it can be written");
    running.line_with("restarting the function");
    running.line_with("the function is served again");
    let refused = call(&address, &[INCREASE, r#"{"counterId": "a"}"#]).expect_err("it must grow");
    assert!(refused.contains("a counter never shrinks"), "{refused}");
    let kept = call(&address, &["my_counter.Counter/Get", r#"{"counterId": "a"}"#]);
    assert_eq!(
        kept.as_deref(),
        Ok("{\n  \"value\": \"2\"\n}\n"),
        "state outlives the change"
    );
    let store = format!("sqlite:{}", project.join(".cloudstate").display());
    let inspect = [
        "inspect",
        "events",
        "my-counter",
        "a",
        "--json",
        "--store",
        &store,
    ];
    let events = ended(&mut cloudstate(
        &[&inspect[..], &["--function", &function]].concat(),
    ));
    let event: serde_json::Value = serde_json::from_str(&events.stdout).expect(&events.stderr);
    assert_eq!(event["type"], "type.googleapis.com/my_counter.events.Increased");
    assert_eq!(event["payload"]["by"], 2, "{event}");
    assert_eq!(running.end(Signal::TERM), Some(0));
}

#[test]
fn a_new_project_in_python_is_served_passes_its_tests_and_follows_its_source() {
    let test = "a_new_project_in_python_is_served_passes_its_tests_and_follows_its_source";
    let directory = tempfile::tempdir().expect("a temporary directory");
    let Some(project) = new_python_project(test, directory.path()) else {
        return;
    };
    let mut running = dev(&project);
    let line = running.line_with("gRPC, HTTP/JSON  http://");
    let address = line.rsplit('/').next().expect("an address").to_owned();
    let increased = call(&address, &[INCREASE, r#"{"counterId": "a", "by": 2}"#]);
    assert_eq!(increased.as_deref(), Ok("{\n  \"value\": \"2\"\n}\n"));
    let refused = call(&address, &[INCREASE, r#"{"counterId": "a"}"#]).expect_err("it must grow");
    assert_eq!(
        refused,
        "error: UNKNOWN: a counter only grows: `by` must be greater than zero\n"
    );

    // The build has generated what they import.
    let tested = Command::new(project.join(".venv/bin/pytest"))
        .current_dir(&project)
        .output()
        .expect("pytest runs");
    let output = String::from_utf8_lossy(&tested.stdout);
    assert!(tested.status.success() && output.contains("2 passed"), "{output}");

    let source = project.join("counter/entity.py");
    let text = std::fs::read_to_string(&source).expect("it was made");
    std::fs::write(&source, text.replace("only grows", "never shrinks")).expect("it can be written");
    running.line_with("restarting the function");
    running.line_with("the function is served again");
    let refused = call(&address, &[INCREASE, r#"{"counterId": "a"}"#]).expect_err("it must grow");
    assert!(refused.contains("a counter never shrinks"), "{refused}");
    let kept = call(&address, &["my_counter.Counter/Get", r#"{"counterId": "a"}"#]);
    assert_eq!(
        kept.as_deref(),
        Ok("{\n  \"value\": \"2\"\n}\n"),
        "state outlives the change"
    );
    assert_eq!(running.end(Signal::TERM), Some(0));
}

#[test]
fn a_new_project_in_typescript_is_served_passes_its_tests_and_follows_its_source() {
    let test = "a_new_project_in_typescript_is_served_passes_its_tests_and_follows_its_source";
    let directory = tempfile::tempdir().expect("a temporary directory");
    let Some(project) = new_typescript_project(test, directory.path()) else {
        return;
    };
    let mut running = dev(&project);
    let line = running.line_with("gRPC, HTTP/JSON  http://");
    let address = line.rsplit('/').next().expect("an address").to_owned();
    let increased = call(&address, &[INCREASE, r#"{"counterId": "a", "by": 2}"#]);
    assert_eq!(increased.as_deref(), Ok("{\n  \"value\": \"2\"\n}\n"));

    let source = project.join("src/counter.ts");
    let text = std::fs::read_to_string(&source).expect("it was made");
    std::fs::write(&source, text.replace("only grows", "never shrinks")).expect("it can be written");
    running.line_with("restarting the function");
    running.line_with("the function is served again");
    let refused = call(&address, &[INCREASE, r#"{"counterId": "a"}"#]).expect_err("it must grow");
    assert!(refused.contains("a counter never shrinks"), "{refused}");
    let kept = call(&address, &["my_counter.Counter/Get", r#"{"counterId": "a"}"#]);
    assert_eq!(
        kept.as_deref(),
        Ok("{\n  \"value\": \"2\"\n}\n"),
        "state outlives the change"
    );
    assert_eq!(running.end(Signal::TERM), Some(0));

    let tested = Command::new("npm")
        .arg("test")
        .current_dir(&project)
        .output()
        .expect("npm runs");
    let output = String::from_utf8_lossy(&tested.stdout);
    assert!(tested.status.success() && output.contains("pass 2"), "{output}");
}

/// Reflection is a method with streams both ways.
fn streams_are_printed_line_by_line(address: &str) {
    let path = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let requests = r#"{"listServices": ""} {"fileContainingSymbol": "no.Such"}"#;
    let answers = call(address, &[path, requests]).expect("two answers");
    let answers: Vec<serde_json::Value> = answers
        .lines()
        .map(|line| serde_json::from_str(line).expect("one message a line"))
        .collect();
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert_eq!(answers[1]["errorResponse"]["errorCode"], 5);

    let mut command = cloudstate(&["call", "--addr", address, path, "-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be started");
    let mut input = child.stdin.take().expect("it is piped");
    let mut output = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    for _ in 0..2 {
        // Each answer comes before the next request is written.
        writeln!(input, r#"{{"listServices": ""}}"#).expect("it still reads");
        let line = output.next().expect("an answer").expect("text");
        assert!(line.contains("my_counter.Counter"), "{line}");
    }
    drop(input);
    assert!(child.wait().expect("it ends with its input").success());
}

/// A call that the proxy would go on answering as long as requests may come.
fn a_deadline_ends_a_call(address: &str) {
    let path = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let mut command = cloudstate(&["call", "--addr", address, "--deadline", "200ms", path, "-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it can be started");
    // Held, because waiting would close it.
    let _input = child.stdin.take();
    let mut text = String::new();
    assert_eq!(child.wait().expect("it ends by itself").code(), Some(5));
    child
        .stderr
        .take()
        .expect("it is piped")
        .read_to_string(&mut text)
        .expect("text");
    assert!(text.starts_with("error: DEADLINE_EXCEEDED: "), "{text}");
}

fn wrong_calls_are_explained(address: &str) {
    let usage = |arguments: &[&str]| {
        let call = ended(&mut cloudstate(
            &[&["call", "--addr", address], arguments].concat(),
        ));
        assert_eq!(call.code, Some(2), "{}", call.stderr);
        call.stderr
    };
    let text = usage(&["my_counter.Counter/Increse"]);
    assert!(
        text.contains("the nearest one is `my_counter.Counter/Increase`"),
        "{text}"
    );
    let text = usage(&[INCREASE, r#"{"id": "a"}"#]);
    assert!(
        text.contains("request 1: not a my_counter.IncreaseRequest") && text.contains("id"),
        "{text}"
    );
    assert!(usage(&[INCREASE, "{"]).contains("request 1: not valid JSON"));
    assert!(usage(&[INCREASE, "{} {}"]).contains("takes one request; found 2 JSON values"));
    assert!(usage(&[INCREASE, "{}", "-H", "nocolon"]).contains("NAME:VALUE"));
}

#[test]
fn an_existing_directory_is_left_alone() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir(directory.path().join("taken")).expect("it can be made");
    let sdk_path = checkout();
    let arguments = [
        "new",
        "--lang",
        "rust",
        "taken",
        "--sdk-path",
        sdk_path.to_str().expect("UTF-8"),
    ];
    let refused = ended(cloudstate(&arguments).current_dir(&directory));
    assert_eq!(refused.code, Some(2));
    assert_eq!(
        refused.stderr,
        "error: `taken` exists already; choose another name\n"
    );
}

#[test]
fn a_path_without_the_sdk_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let refused =
        ended(cloudstate(&["new", "--lang", "rust", "x", "--sdk-path", "."]).current_dir(&directory));
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains("it has no crates/sdk"),
        "{}",
        refused.stderr
    );
}
