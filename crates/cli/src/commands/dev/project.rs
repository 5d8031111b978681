//! How the function in a directory is built, run and watched.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use toml::Table;

use super::child::CommandLine;
use crate::exit::{Exit, Failure};

/// The file with settings of a project.
pub(super) const FILE: &str = "cloudstate.toml";

/// A function's project.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Project {
    /// Where it is; commands run here.
    pub(super) directory: PathBuf,
    /// How it is built.
    pub(super) build: Build,
    /// How it is run.
    pub(super) run: Run,
    /// What is watched for changes.
    pub(super) watch: Vec<PathBuf>,
    /// What is not, though it is below that.
    pub(super) unwatched: Option<PathBuf>,
    /// The directory of files that are served beside the function.
    pub(super) static_files: Option<PathBuf>,
}

/// How a function is built.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Build {
    /// There is nothing to build.
    None,
    /// By this command.
    Command(CommandLine),
    /// By `cargo build`, which names the program that it made.
    Cargo,
}

/// How a function is run.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Run {
    /// By this command.
    Command(CommandLine),
    /// The program that the build named.
    Built,
}

impl Project {
    /// Looks at a directory. A command given by the user replaces what the directory says about running, and with it
    /// the defaults for building.
    ///
    /// # Errors
    /// A malformed file, or nothing that says how to run the function.
    pub(super) fn find(directory: &Path, command: &[String]) -> Result<Self, Failure> {
        let own = Own::read(&directory.join(FILE))?;
        let (default_build, default_run) = if command.is_empty() {
            defaults(directory)?
        } else {
            (Build::None, None)
        };
        let given = (!command.is_empty()).then(|| CommandLine::Program(command.to_vec()));
        let run = given
            .or(own.run)
            .map(Run::Command)
            .or(default_run)
            .ok_or_else(|| nothing_to_run(directory))?;
        let static_files = static_files(directory, own.static_files.as_deref())?;
        // They are served as they are: a change needs no restart.
        let unwatched = static_files.clone().filter(|_| own.watch.is_empty());
        let mut watch: Vec<PathBuf> = own.watch.iter().map(|path| directory.join(path)).collect();
        if watch.is_empty() {
            watch.push(directory.to_owned());
        }
        watch.extend(program_file(&run, directory));
        let build = own.build.map_or(default_build, Build::Command);
        Ok(Self {
            directory: directory.to_owned(),
            build,
            run,
            watch,
            unwatched,
            static_files,
        })
    }
}

/// The directory that the project names, else `static` if there is one.
fn static_files(directory: &Path, named: Option<&str>) -> Result<Option<PathBuf>, Failure> {
    let path = directory.join(named.unwrap_or("static"));
    match named {
        _ if path.is_dir() => Ok(Some(path)),
        None => Ok(None),
        Some(_) => {
            let file = directory.join(FILE);
            let text = format!(
                "{}: function.static: {} is not a directory",
                file.display(),
                path.display()
            );
            Err(Failure::new(Exit::Usage, text))
        }
    }
}

/// The program to run, if it is a file of the project: it may lie where tools write, which is not watched otherwise.
fn program_file(run: &Run, directory: &Path) -> Option<PathBuf> {
    let Run::Command(CommandLine::Program(words)) = run else {
        return None;
    };
    let path = words.first().filter(|program| program.contains('/'))?;
    Some(directory.join(path))
}

fn nothing_to_run(directory: &Path) -> Failure {
    let text = format!(
        "nothing in {} says how to run a function: expected {FILE} with `[function] run`, Cargo.toml, package.json, \
         pyproject.toml or go.mod; or give the command: cloudstate dev DIR -- COMMAND",
        directory.display()
    );
    Failure::new(Exit::Usage, text)
}

/// What `[function]` of the project's own file says.
#[derive(Debug, Default)]
struct Own {
    build: Option<CommandLine>,
    run: Option<CommandLine>,
    watch: Vec<String>,
    static_files: Option<String>,
}

impl Own {
    fn read(path: &Path) -> Result<Self, Failure> {
        let Some(table) = read_toml(path)? else {
            return Ok(Self::default());
        };
        let Some(function) = table.get("function").and_then(toml::Value::as_table) else {
            return Ok(Self::default());
        };
        let wrong = |key: &str, form: &str| {
            Failure::new(
                Exit::Usage,
                format!("{}: function.{key}: expected {form}", path.display()),
            )
        };
        let command = |key: &str| match function.get(key) {
            None => Ok(None),
            Some(value) => command_line(value)
                .map(Some)
                .ok_or_else(|| wrong(key, COMMAND_FORM)),
        };
        let watch = match function.get("watch") {
            None => Vec::new(),
            Some(value) => texts(value).ok_or_else(|| wrong("watch", "a list of paths"))?,
        };
        let static_files = match function.get("static") {
            None => None,
            Some(toml::Value::String(path)) => Some(path.clone()),
            Some(_) => return Err(wrong("static", "a path")),
        };
        Ok(Self {
            build: command("build")?,
            run: command("run")?,
            watch,
            static_files,
        })
    }
}

const COMMAND_FORM: &str = "a command as text for the shell, or as a list of program and arguments";

fn command_line(value: &toml::Value) -> Option<CommandLine> {
    match value {
        toml::Value::String(text) if !text.trim().is_empty() => Some(CommandLine::Shell(text.clone())),
        toml::Value::Array(_) => texts(value)
            .filter(|words| !words.is_empty())
            .map(CommandLine::Program),
        _ => None,
    }
}

fn texts(value: &toml::Value) -> Option<Vec<String>> {
    value
        .as_array()?
        .iter()
        .map(|word| word.as_str().map(str::to_owned))
        .collect()
}

/// What the usual files of a language say.
fn defaults(directory: &Path) -> Result<(Build, Option<Run>), Failure> {
    let has = |name: &str| directory.join(name).is_file();
    if has("Cargo.toml") {
        return Ok((Build::Cargo, Some(Run::Built)));
    }
    if has("package.json") {
        return node(&directory.join("package.json"));
    }
    if has("pyproject.toml") {
        return python(&directory.join("pyproject.toml"));
    }
    if has("go.mod") {
        let program = ".cloudstate/function";
        let build = CommandLine::program(&["go", "build", "-o", program, "."]);
        return Ok((
            Build::Command(build),
            Some(Run::Command(CommandLine::program(&[program]))),
        ));
    }
    Ok((Build::None, None))
}

fn node(path: &Path) -> Result<(Build, Option<Run>), Failure> {
    let failed =
        |error: String| Failure::new(Exit::Usage, format!("cannot read {}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let package: Json = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let install = "[ -d node_modules ] || npm install --no-audit --no-fund";
    let build = match package.pointer("/scripts/build") {
        Some(_) => format!("({install}) && npm run --silent build"),
        None => install.to_owned(),
    };
    let run = package
        .pointer("/scripts/start")
        .map(|_| CommandLine::program(&["npm", "run", "--silent", "start"]));
    let main = || {
        package
            .get("main")
            .and_then(Json::as_str)
            .map(|main| CommandLine::program(&["node", main]))
    };
    Ok((
        Build::Command(CommandLine::Shell(build)),
        run.or_else(main).map(Run::Command),
    ))
}

fn python(path: &Path) -> Result<(Build, Option<Run>), Failure> {
    let table = read_toml(path)?.unwrap_or_default();
    let name = table
        .get("project")
        .and_then(|project| project.get("name"))
        .and_then(toml::Value::as_str);
    let module = name.map(|name| name.replace(['-', '.'], "_").to_lowercase());
    let run = module.map(|module| Run::Command(CommandLine::program(&["python3", "-m", &module])));
    Ok((Build::None, run))
}

fn read_toml(path: &Path) -> Result<Option<Table>, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(Exit::Usage, format!("cannot read {}: {error}", path.display()))
    };
    match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&error)),
        Ok(text) => text
            .parse()
            .map(Some)
            .map_err(|error: toml::de::Error| failed(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(files: &[(&str, &str)], command: &[&str]) -> Result<Project, String> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("it can be made");
            fs::write(path, text).expect("it can be written");
        }
        let command: Vec<String> = command.iter().map(ToString::to_string).collect();
        let mut project = Project::find(directory.path(), &command).map_err(|failure| failure.to_string())?;
        let others = [&mut project.unwatched, &mut project.static_files];
        for path in project.watch.iter_mut().chain(others.into_iter().flatten()) {
            *path = path.strip_prefix(directory.path()).expect("below it").to_owned();
        }
        Ok(project)
    }

    fn program(words: &[&str]) -> CommandLine {
        CommandLine::program(words)
    }

    #[test]
    fn a_cargo_project_runs_what_cargo_built() {
        let project = find(&[("Cargo.toml", "")], &[]).expect("a project");
        assert_eq!((project.build, project.run), (Build::Cargo, Run::Built));
        assert_eq!(project.watch, [PathBuf::new()]);
    }

    #[test]
    fn its_own_file_wins_over_the_languages() {
        let own = "[function]\nbuild = \"make\"\nrun = [\"./f\", \"-v\"]\nwatch = [\"src\", \"proto\"]\n";
        let project = find(&[("Cargo.toml", ""), (FILE, own)], &[]).expect("a project");
        assert_eq!(
            project.build,
            Build::Command(CommandLine::Shell("make".to_owned()))
        );
        assert_eq!(project.run, Run::Command(program(&["./f", "-v"])));
        assert_eq!(project.watch, ["src", "proto", "f"].map(PathBuf::from));
    }

    #[test]
    fn files_to_serve_are_found_and_not_watched() {
        let project = find(&[("Cargo.toml", ""), ("static/index.html", "")], &[]).expect("a project");
        assert_eq!(project.static_files, Some(PathBuf::from("static")));
        assert_eq!(project.unwatched, project.static_files);
        let own = "[function]\nrun = \"./f\"\nwatch = [\"src\"]\nstatic = \"web\"\n";
        let project = find(&[(FILE, own), ("web/a", ""), ("static/b", "")], &[]).expect("a project");
        assert_eq!(project.static_files, Some(PathBuf::from("web")));
        assert_eq!(project.unwatched, None, "what is watched is said");
        let text = find(&[(FILE, own)], &[]).expect_err("no such directory");
        assert!(
            text.contains("function.static") && text.contains("web is not a directory"),
            "{text}"
        );
    }

    #[test]
    fn a_command_replaces_running_and_default_building() {
        let project = find(&[("Cargo.toml", "")], &["target/debug/f"]).expect("a project");
        assert_eq!(
            (project.build, project.run),
            (Build::None, Run::Command(program(&["target/debug/f"])))
        );
        assert_eq!(project.watch, ["", "target/debug/f"].map(PathBuf::from));
    }

    #[test]
    fn node_python_and_go_have_their_usual_commands() {
        let node = find(
            &[("package.json", r#"{"scripts": {"start": "x", "build": "y"}}"#)],
            &[],
        )
        .expect("a project");
        assert_eq!(
            node.run,
            Run::Command(program(&["npm", "run", "--silent", "start"]))
        );
        let Build::Command(build) = node.build else {
            panic!("npm builds")
        };
        assert!(
            build.show().ends_with("npm run --silent build"),
            "{}",
            build.show()
        );
        let node = find(&[("package.json", r#"{"main": "index.js"}"#)], &[]).expect("a project");
        assert_eq!(node.run, Run::Command(program(&["node", "index.js"])));
        let python = find(&[("pyproject.toml", "[project]\nname = \"my-cart\"\n")], &[]).expect("a project");
        assert_eq!(python.run, Run::Command(program(&["python3", "-m", "my_cart"])));
        let go = find(&[("go.mod", "module x\n")], &[]).expect("a project");
        assert_eq!(go.run, Run::Command(program(&[".cloudstate/function"])));
    }

    #[test]
    fn a_directory_without_a_project_is_refused_with_what_would_do() {
        let text = find(&[], &[]).expect_err("nothing to run");
        assert!(
            text.contains("Cargo.toml") && text.contains("cloudstate dev DIR -- COMMAND"),
            "{text}"
        );
    }

    #[test]
    fn wrong_commands_are_refused_by_name() {
        for own in [
            "run = 1",
            "run = []",
            "run = \"\"",
            "build = [1]",
            "watch = \"src\"",
            "static = 1",
        ] {
            let text = find(&[(FILE, &format!("[function]\n{own}\n"))], &[]).expect_err("wrong");
            let key = own.split(' ').next().expect("a key");
            assert!(text.contains(&format!("function.{key}: expected")), "{text}");
        }
    }
}
