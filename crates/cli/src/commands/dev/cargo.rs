//! `cargo build`, and which program it made.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use serde_json::Value as Json;

use super::child::{CommandLine, Line};

/// The command. Its standard output is for [`Programs`], its standard error for people.
pub(super) fn build() -> CommandLine {
    CommandLine::program(&["cargo", "build", "--message-format=json-render-diagnostics"])
}

/// Collects the programs that a build names.
#[derive(Debug, Clone, Default)]
pub(super) struct Programs(Rc<RefCell<Vec<PathBuf>>>);

impl Programs {
    /// Takes the lines of the build's standard output.
    pub(super) fn lines(&self) -> Line {
        let programs = Rc::clone(&self.0);
        Box::new(move |line| programs.borrow_mut().extend(program(line)))
    }

    /// The one program.
    ///
    /// # Errors
    /// There is none, or more than one; the text says how to choose.
    pub(super) fn only(&self) -> Result<PathBuf, String> {
        match self.0.borrow().as_slice() {
            [program] => Ok(program.clone()),
            [] => Err("cargo made no program; is there a src/main.rs?".to_owned()),
            many => {
                let names: Vec<_> = many
                    .iter()
                    .filter_map(|path| path.file_name()?.to_str())
                    .collect();
                let text = "cargo made several programs; choose one in cloudstate.toml, as in: \
                            [function] run = [\"target/debug/NAME\"], where NAME is one of";
                Err(format!("{text}: {}", names.join(", ")))
            }
        }
    }
}

/// The program named in one line, if it is the message about one.
fn program(line: &str) -> Option<PathBuf> {
    let message: Json = serde_json::from_str(line).ok()?;
    let is_program = message["reason"] == "compiler-artifact"
        && message["target"]["kind"]
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(|kind| kind == "bin"));
    is_program.then(|| message["executable"].as_str().map(PathBuf::from))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(name: &str, kind: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","target":{{"kind":["{kind}"]}},"executable":"/t/debug/{name}"}}"#
        )
    }

    fn of(lines: &[String]) -> Result<PathBuf, String> {
        let programs = Programs::default();
        let mut take = programs.lines();
        lines.iter().for_each(|line| take(line));
        programs.only()
    }

    #[test]
    fn the_program_is_found_among_the_messages() {
        let lines = [
            artifact("build-script", "custom-build"),
            "noise".to_owned(),
            artifact("cart", "bin"),
            "{}".to_owned(),
        ];
        assert_eq!(of(&lines), Ok("/t/debug/cart".into()));
    }

    #[test]
    fn none_or_several_are_explained() {
        assert!(of(&[]).expect_err("none").contains("src/main.rs"));
        let several = of(&[artifact("a", "bin"), artifact("b", "bin")]).expect_err("two");
        assert!(several.ends_with("a, b"), "{several}");
    }
}
