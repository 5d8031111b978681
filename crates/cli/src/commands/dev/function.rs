//! Keeps the function running: builds it, restarts it after changes and after its own end.

use std::ffi::OsString;
use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use super::cargo::{self, Programs};
use super::child::{Child, CommandLine, prefixed};
use super::project::{Build, Project, Run};
use super::watch::{Fingerprint, Watch, fingerprint};

/// How often sources are looked at. A change is acted upon after two looks.
const LOOK: Duration = Duration::from_millis(300);
/// Time that a function has to end by itself.
const PATIENCE: Duration = Duration::from_secs(5);
/// Wait before a function that ended is started again; doubles up to the longest.
const RESTART_MIN: Duration = Duration::from_millis(500);
const RESTART_MAX: Duration = Duration::from_secs(10);

/// A function under care.
pub(super) struct Function {
    project: Project,
    environment: Environment,
    watch: Watch,
    building: Option<(Child, Programs)>,
    running: Option<Running>,
    /// The program that the last good build named.
    built: Option<PathBuf>,
    restart: Restart,
}

/// Variables to set, and to take away, for the function.
#[derive(Debug, Clone)]
pub(super) struct Environment {
    /// Names and values.
    pub(super) set: Vec<(&'static str, OsString)>,
    /// Names.
    pub(super) remove: Vec<&'static str>,
}

struct Running {
    child: Child,
    /// The program as it was when it started.
    program: Fingerprint,
    since: Instant,
}

struct Restart {
    at: Option<Instant>,
    wait: Duration,
}

enum Wake {
    Stop,
    Built(io::Result<ExitStatus>),
    Ended(io::Result<ExitStatus>),
    Restart,
    Look,
}

impl Function {
    pub(super) fn new(project: Project, environment: Environment) -> Self {
        let watch = Watch::new(project.watch.clone(), project.unwatched.clone());
        Self {
            project,
            environment,
            watch,
            building: None,
            running: None,
            built: None,
            restart: Restart {
                at: None,
                wait: RESTART_MIN,
            },
        }
    }

    /// Builds and runs it until the token is cancelled, then stops it.
    pub(super) async fn keep_running(mut self, stop: &CancellationToken) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.renew().await;
        loop {
            let idle = self.building.is_none();
            let wake = tokio::select! {
                biased;
                () = stop.cancelled() => Wake::Stop,
                ended = ended(self.building.as_mut().map(|(child, _)| child)) => Wake::Built(ended),
                ended = ended(self.running.as_mut().map(|running| &mut running.child)) => Wake::Ended(ended),
                () = reached(self.restart.at) => Wake::Restart,
                _ = look.tick(), if idle => Wake::Look,
            };
            match wake {
                Wake::Stop => break,
                Wake::Built(result) => self.on_built(result).await,
                Wake::Ended(result) => self.on_ended(result),
                Wake::Restart => self.start(),
                Wake::Look if self.watch.changed() => self.renew().await,
                Wake::Look => {}
            }
        }
        // A build is of no use any more; dropping kills it.
        self.building = None;
        if let Some(running) = self.running.take() {
            running.child.stop(PATIENCE).await;
        }
    }

    /// Sources are new: builds, or starts again where there is nothing to build.
    async fn renew(&mut self) {
        let programs = Programs::default();
        let (command, stdout) = match &self.project.build {
            Build::None => return self.replace().await,
            Build::Command(command) => (command.clone(), prefixed("build")),
            Build::Cargo => (cargo::build(), programs.lines()),
        };
        say(&format!("building: {}", command.show()));
        match Child::start(
            command.command(&self.project.directory),
            stdout,
            prefixed("build"),
        ) {
            Ok(child) => self.building = Some((child, programs)),
            Err(error) => say(&format!("cannot run `{}`: {error}", command.show())),
        }
    }

    async fn on_built(&mut self, result: io::Result<ExitStatus>) {
        let Some((_, programs)) = self.building.take() else {
            return;
        };
        if self.project.build != Build::Cargo {
            // What the build wrote beside the sources is not a change. Cargo writes into `target`, which is not
            // watched, so there a change made during the build is seen.
            self.watch.forget();
        }
        let failure = match result {
            Ok(status) if status.success() => match self.take_program(&programs) {
                Ok(()) => return self.replace_if_new().await,
                Err(text) => text,
            },
            Ok(status) => format!("the build failed ({status})"),
            Err(error) => format!("the build failed: {error}"),
        };
        let rest = match self.running {
            Some(_) => "the function that was built before goes on",
            None => "waiting for a change",
        };
        say(&format!("{failure}; {rest}"));
    }

    fn take_program(&mut self, programs: &Programs) -> Result<(), String> {
        if self.project.run == Run::Built {
            self.built = Some(programs.only()?);
        }
        Ok(())
    }

    /// Restarts unless the build left the running program as it is.
    async fn replace_if_new(&mut self) {
        let same = |running: &Running| self.built.is_some() && running.program == self.program();
        if self.running.as_ref().is_some_and(same) {
            return say("the program is the same; it goes on");
        }
        self.replace().await;
    }

    async fn replace(&mut self) {
        if let Some(running) = self.running.take() {
            say("restarting the function");
            running.child.stop(PATIENCE).await;
        }
        self.restart.wait = RESTART_MIN;
        self.start();
    }

    fn start(&mut self) {
        self.restart.at = None;
        let Some(command) = self.command() else { return };
        let mut process = command.command(&self.project.directory);
        process.envs(self.environment.set.iter().map(|(name, value)| (name, value)));
        self.environment.remove.iter().for_each(|name| {
            process.env_remove(name);
        });
        match Child::start(process, prefixed("function"), prefixed("function")) {
            Ok(child) => {
                self.running = Some(Running {
                    child,
                    program: self.program(),
                    since: Instant::now(),
                });
            }
            Err(error) => self.restart_later(&format!("cannot run `{}`: {error}", command.show())),
        }
    }

    fn on_ended(&mut self, result: io::Result<ExitStatus>) {
        let Some(running) = self.running.take() else {
            return;
        };
        if running.since.elapsed() > RESTART_MAX {
            self.restart.wait = RESTART_MIN;
        }
        let how = match result {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        self.restart_later(&format!("the function ended by itself ({how})"));
    }

    fn restart_later(&mut self, why: &str) {
        let wait = self.restart.wait;
        say(&format!(
            "{why}; starting it again in {wait:?}, or after a change"
        ));
        self.restart = Restart {
            at: Some(Instant::now() + wait),
            wait: (wait * 2).min(RESTART_MAX),
        };
    }

    fn command(&self) -> Option<CommandLine> {
        match &self.project.run {
            Run::Command(command) => Some(command.clone()),
            Run::Built => {
                let program = self.built.as_ref()?;
                Some(CommandLine::Program(vec![program.to_string_lossy().into_owned()]))
            }
        }
    }

    fn program(&self) -> Fingerprint {
        fingerprint(self.built.as_slice())
    }
}

/// Waits for the end of a child, for ever if there is none.
async fn ended(child: Option<&mut Child>) -> io::Result<ExitStatus> {
    match child {
        Some(child) => child.ended().await,
        None => pending().await,
    }
}

async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

/// Tells the developer what we do.
pub(super) fn say(text: &str) {
    eprintln!("{:>8} | {text}", "dev");
}
