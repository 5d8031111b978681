//! A browser that a test uses as a person would.
//!
//! Spoken is WebDriver (W3C), through the driver that comes with the browser: it looks whether an element can be seen and
//! reached before it clicks it, and types key by key.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::browser::{FLAGS, Group};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long an element, or a condition of a page, is waited for.
const PATIENCE_WITH_PAGE_MS: u64 = 60_000;
/// Widths of a small phone and of a window, in points.
const NARROW: u32 = 360;
const WIDE: u32 = 1100;
/// The name of the one member of a reference to an element. Source: WebDriver §11.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A running Chromium with a profile of its own. Dropping it ends it.
///
/// Elements are named by CSS selectors and waited for. Whatever does not work panics, with what the page shows.
#[derive(Debug)]
pub struct Driver {
    port: u16,
    session: String,
    // In this order: the driver ends before its output is closed and the profile is removed.
    _process: Group,
    _output: BufReader<ChildStdout>,
    profile: TempDir,
}

impl Driver {
    /// Starts a browser. `None` means that the test is left out.
    ///
    /// # Panics
    /// As [`leave_out`](crate::leave_out), or if the browser cannot be started.
    pub fn start(test: &str) -> Option<Self> {
        let browser = crate::program(test, "chromium")?;
        let program = crate::program(test, "chromedriver")?;
        let profile = tempfile::tempdir().unwrap_or_else(|error| panic!("no place for a profile: {error}"));
        let mut child = Command::new(&program)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        let output = child.stdout.take().map(BufReader::new);
        let process = Group(child);
        let mut output = output.unwrap_or_else(|| panic!("{} has no output", program.display()));
        let port = port(&mut output);
        let mut driver = Driver {
            port: port.unwrap_or_else(|| panic!("{} does not say its port", program.display())),
            session: String::new(),
            _process: process,
            _output: output,
            profile,
        };
        driver.session = driver.begin(&browser);
        Some(driver)
    }

    fn begin(&self, browser: &Path) -> String {
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        let flags: Vec<&str> = FLAGS.into_iter().chain([profile.as_str()]).collect();
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": browser, "args": flags},
            "timeouts": {"script": PATIENCE_WITH_PAGE_MS, "implicit": PATIENCE_WITH_PAGE_MS},
        }}});
        let begun = self.ask("POST", "/session", &wanted);
        let begun = begun.unwrap_or_else(|error| panic!("the browser does not start: {error}"));
        text_of(&begun["sessionId"])
    }

    /// Opens a page and waits until it is loaded.
    pub fn open(&self, url: &str) {
        self.command("POST", "/url", &json!({"url": url}));
    }

    /// Loads the page anew.
    pub fn reload(&self) {
        self.command("POST", "/refresh", &json!({}));
    }

    /// Clicks an element, which must be visible and not covered.
    pub fn click(&self, selector: &str) {
        self.on(selector, "/click", &json!({}));
    }

    /// Types text into a field, in place of what is there.
    pub fn fill(&self, selector: &str, text: &str) {
        self.on(selector, "/clear", &json!({}));
        self.press(selector, text);
    }

    /// Types keys. `\u{e007}` is Enter, `\u{e004}` Tab; the others are in WebDriver §17.4.2.
    pub fn press(&self, selector: &str, keys: &str) {
        self.on(selector, "/value", &json!({"text": keys}));
    }

    /// The text that a person sees of an element.
    pub fn text(&self, selector: &str) -> String {
        let element = self.find(selector);
        text_of(&self.command("GET", &format!("/element/{element}/text"), &Value::Null))
    }

    /// What a screen reader says of an element: its role and its name.
    pub fn spoken(&self, selector: &str) -> (String, String) {
        let element = self.find(selector);
        let of =
            |what: &str| text_of(&self.command("GET", &format!("/element/{element}/{what}"), &Value::Null));
        (of("computedrole"), of("computedlabel"))
    }

    /// The value of an expression of JavaScript.
    pub fn evaluate(&self, expression: &str) -> Value {
        let script = format!("return ({expression})");
        self.command("POST", "/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until an expression of JavaScript is true.
    pub fn wait_for(&self, condition: &str) {
        let script = format!(
            "const done = arguments[0];
             const look = () => ({condition}) ? done() : setTimeout(look, 20);
             look();"
        );
        self.command("POST", "/execute/async", &json!({"script": script, "args": []}));
    }

    fn resize(&self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Keeps what the page looks like, wide and narrow, light and dark, as PNG files of this name in the directory that
    /// `CLOUDSTATE_TEST_PICTURES` names; does nothing without it. The page is wide afterwards.
    pub fn picture(&self, name: &str) {
        let Some(directory) = std::env::var_os("CLOUDSTATE_TEST_PICTURES").filter(|path| !path.is_empty())
        else {
            return;
        };
        for (size, width, height) in [("narrow", NARROW, 740), ("wide", WIDE, 800)] {
            self.resize(width, height);
            for scheme in ["dark", "light"] {
                let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
                self.devtools("Emulation.setEmulatedMedia", &features);
                let encoded = text_of(&self.command("GET", "/screenshot", &Value::Null));
                let png = STANDARD
                    .decode(encoded)
                    .unwrap_or_else(|error| panic!("no picture: {error}"));
                let path = Path::new(&directory).join(format!("{name}-{size}-{scheme}.png"));
                std::fs::write(&path, png).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            }
        }
    }

    /// Whether all of the page can be seen on a narrow screen without scrolling sideways. The page is wide afterwards.
    pub fn fits_narrow(&self) -> bool {
        self.resize(NARROW, 740);
        let fits = self.evaluate("document.documentElement.scrollWidth <= window.innerWidth");
        self.resize(WIDE, 800);
        fits == Value::Bool(true)
    }

    /// A command that only this kind of browser knows.
    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.command(
            "POST",
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        )
    }

    fn find(&self, selector: &str) -> String {
        let by = json!({"using": "css selector", "value": selector});
        text_of(&self.command("POST", "/element", &by)[ELEMENT])
    }

    fn on(&self, selector: &str, what: &str, body: &Value) {
        let element = self.find(selector);
        self.command("POST", &format!("/element/{element}{what}"), body);
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let full = format!("/session/{}{path}", self.session);
        self.ask(method, &full, body).unwrap_or_else(|error| {
            let source = json!({"script": "return document.body.innerText", "args": []});
            let shown = self.ask(
                "POST",
                &format!("/session/{}/execute/sync", self.session),
                &source,
            );
            let shown = shown.map_or_else(|_| "nothing".to_owned(), |shown| text_of(&shown));
            panic!("{path} {body}: {error}\nthe page shows:\n{shown}");
        })
    }

    /// One request to the driver. `Err` is what it says.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = self
            .exchange(method, path, &body)
            .map_err(|error| format!("the driver does not answer: {error}"))?;
        let value: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        match &value["value"]["error"] {
            Value::String(error) => Err(format!("{error}: {}", text_of(&value["value"]["message"]))),
            _ => Ok(value["value"].clone()),
        }
    }

    /// The body of the answer to a request, which the driver always gives a length.
    fn exchange(&self, method: &str, path: &str, body: &str) -> std::io::Result<Vec<u8>> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let length = body.len();
        write!(
            socket,
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}",
            self.port
        )?;
        let mut reader = BufReader::new(socket);
        let mut length = 0;
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(std::io::Error::other)?;
            }
            line.clear();
        }
        let mut content = vec![0; length];
        reader.read_exact(&mut content)?;
        Ok(content)
    }
}

impl Drop for Driver {
    /// The browser is in a group of its own, so it must be asked.
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.exchange("DELETE", &format!("/session/{}", self.session), "");
        }
    }
}

/// The port that the driver says it listens on.
fn port(output: &mut BufReader<ChildStdout>) -> Option<u16> {
    let mut line = String::new();
    while output.read_line(&mut line).ok()? > 0 {
        let port = line
            .trim_end()
            .strip_suffix('.')
            .and_then(|line| line.rsplit_once("on port "));
        if let Some((_, port)) = port {
            return port.parse().ok();
        }
        line.clear();
    }
    None
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
