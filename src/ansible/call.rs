//! The command line and the args file: `<tmp>/AnsiballZ_<module> <tmp>/args`, always one argument. Where the
//! program stays on the host for a run, the args file is the standard input.
//!
//! The module's name is taken from the file that was started, not from `_ansible_module_name`: that
//! one is the name as the playbook wrote it, which is another one after a redirection.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How a person calls a module by hand.
pub(super) const USAGE: &str = "Ansible calls this program; by hand: `MODULE ARGS_FILE`, where \
    MODULE is a link to it with a module's name and ARGS_FILE holds the parameters as a JSON object";

/// Ansible reads the whole file into memory too; results of many hosts passed as a parameter fit.
const SIZE_CAP: u64 = 16 * 1024 * 1024;

/// How our action plugin names the standard input, on which there is no terminal then.
const STANDARD_INPUT: &str = "/dev/stdin";

/// Where our action plugin keeps the program for a run, below some folder of the host's.
const KEPT_FOLDER: &str = "pulp_broker_program";

/// What Ansible puts before the module's name.
const PREFIX: &str = "AnsiballZ_";

/// A command line that names an args file.
#[derive(Debug, Clone)]
pub(super) struct CommandLine {
    /// The module's name as the started file has it, without Ansible's prefix and an extension.
    pub(super) name: String,
    program: PathBuf,
    args_file: PathBuf,
}

/// A command line that names none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Question {
    Help,
    Version,
    NoArgsFile(String),
}

impl CommandLine {
    pub(super) fn of(argv: impl IntoIterator<Item = OsString>) -> Result<Self, Question> {
        let mut argv = argv.into_iter();
        let program = PathBuf::from(argv.next().unwrap_or_default());
        let name = module_name(&program);
        let Some(args_file) = argv.next() else {
            return Err(Question::NoArgsFile(name));
        };
        match args_file.to_str() {
            Some("--help" | "-h") => Err(Question::Help),
            Some("--version" | "-V") => Err(Question::Version),
            _ => Ok(Self {
                name,
                program,
                args_file: args_file.into(),
            }),
        }
    }

    pub(super) fn is_on_standard_input(&self) -> bool {
        self.args_file == Path::new(STANDARD_INPUT)
    }

    /// The text of the args file.
    pub(super) fn read(&self) -> Result<String, String> {
        let failed = |cause: String| {
            let shown = self.args_file.display();
            format!("failed to read `{shown}`: {cause}; {USAGE}")
        };
        // A standard input that is a socket cannot be opened by its name.
        let opened: std::io::Result<Box<dyn Read>> = if self.is_on_standard_input() {
            Ok(Box::new(std::io::stdin()))
        } else {
            File::open(&self.args_file).map(|file| Box::new(file) as _)
        };
        let mut bytes = Vec::new();
        opened
            .and_then(|file| file.take(SIZE_CAP + 1).read_to_end(&mut bytes))
            .map_err(|error| failed(error.to_string()))?;
        if bytes.len() as u64 > SIZE_CAP {
            return Err(failed(format!("it is larger than {SIZE_CAP} bytes")));
        }
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            failed(format!("it is not UTF-8 from byte {at} on"))
        })
    }

    /// What to say of a text that is not what it should be. Nothing of the text is in it: it may be a
    /// secret.
    pub(super) fn unparsable(&self, cause: &str) -> String {
        format!("failed to parse `{}`: {cause}", self.args_file.display())
    }

    /// Removes the args file if it is one that Ansible made for this call, and no other file.
    pub(super) fn remove_args_file(&self) {
        if self.is_ansibles() {
            // Where this fails, Ansible's own clean-up is as good as it gets.
            let _ = std::fs::remove_file(&self.args_file);
        }
    }

    /// Removes the program and the directory that Ansible made for the two of them. A directory that
    /// holds anything else stays. Of a program that stays for a run, all that is kept of it: who has a
    /// further call finds it gone, and sends it again.
    pub(super) fn remove_program(&self) {
        if self.is_ansibles() && std::fs::remove_file(&self.program).is_ok() {
            let _ = self.program.parent().map(std::fs::remove_dir);
        } else if self.is_on_standard_input()
            && let Some(folder) = self.program.parent().and_then(Path::parent)
            && folder.file_name() == Some(OsStr::new(KEPT_FOLDER))
        {
            let _ = std::fs::remove_dir_all(folder);
        }
    }

    fn is_ansibles(&self) -> bool {
        self.args_file.file_name() == Some(OsStr::new("args"))
            && self.args_file.parent() == self.program.parent()
            && file_name(&self.program).starts_with(PREFIX)
    }
}

fn module_name(program: &Path) -> String {
    let file = file_name(program);
    let name = file.strip_prefix(PREFIX).unwrap_or(&file);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    stem.to_owned()
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(argv: &[&str]) -> Result<CommandLine, Question> {
        CommandLine::of(argv.iter().map(OsString::from))
    }

    #[test]
    fn the_module_is_the_started_file_without_prefix_and_extension() {
        for program in [
            "/t/AnsiballZ_pulp_facts",
            "/t/AnsiballZ_pulp_facts.bin",
            "library/pulp_facts",
            "pulp_facts",
        ] {
            let name = of(&[program, "/t/args"]).map(|line| line.name);
            assert_eq!(name, Ok("pulp_facts".to_owned()), "{program}");
        }
    }

    #[test]
    fn without_an_args_file_it_is_a_question() {
        assert_eq!(of(&["pulp_facts", "--help"]).err(), Some(Question::Help));
        assert_eq!(of(&["pulp_facts", "-V"]).err(), Some(Question::Version));
        let nothing = Question::NoArgsFile("pulp_facts".to_owned());
        assert_eq!(of(&["pulp_facts"]).err(), Some(nothing));
    }
}
