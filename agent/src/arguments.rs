//! What the command line says. Small on purpose: three commands and a handful of options need no framework, whose code
//! would be a tenth of the packaged program.
//!
//! ```text
//! haidang-agent run --data DIR …     ─▶ Command::Run
//! haidang-agent run --help           ─▶ Command::Tell(text)      to stdout, exit 0
//! haidang-agent run --dta DIR        ─▶ Wrong: what, what is near, the usage; to stderr, exit 2
//! ```

use haidang_agent::enrol;
use haidang_agent::run::Settings;
use haidang_daemon::yaml::unknown;
use lexopt::{Arg, Parser, ValueExt as _};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// Where an agent keeps what it has, when nobody says.
const DATA: &str = "/var/lib/haidang-agent";

const VERSION: &str = concat!("haidang-agent ", env!("CARGO_PKG_VERSION"), "\n");

const COMMANDS: [&str; 4] = ["run", "enroll", "check", "help"];

const HELP: &str = "\
The agent of Hải Đăng: asks what its plan says, keeps what it saw through every outage, loses nothing.

Usage: haidang-agent COMMAND

Commands:
  run     Run until SIGTERM or SIGINT
  enroll  Make this device the agent of a site, by the one-time code of `haidang-collector agent add SITE`
  check   Check an agent's file: exit 0 when it can run, else 1 with every fault as `file:line:col: message`

Options:
  -h, --help     Print this, or what COMMAND takes
  -V, --version  Print version
";

const RUN: &str = "\
Run until SIGTERM or SIGINT.

The plan is read again when its file changes and at SIGHUP; only what changed is touched, and a bad new file never
replaces a good one. What was seen is kept in DIR until the collector has it, also across kill -9 and power cuts.
SIGTERM ends within seconds and loses nothing; a second one ends at once.

Usage: haidang-agent run [OPTIONS] --data DIR

Options:
      --config FILE     The agent's file (YAML); DIR/agent.yml, which `enroll` wrote, when it is not said
      --data DIR        Directory for the spool and the agent's memory of itself; made when missing
      --boot-file FILE  Speak for another box: its boot, as JSON `{\"boot_id\", \"booted_at\", \"monotonic_ns\"}`
      --log LEVEL       error, warn, info, debug or trace, or per part: `info,haidang_agent::uplink=debug`.
                        Default: $HAIDANG_LOG, then info
  -h, --help            Print this
";

const ENROLL: &str = "\
Make this device the agent of a site, by the one-time code of `haidang-collector agent add SITE`.

The device's key is made here and never leaves it. `haidang-agent run --data DIR` runs what this wrote.

Usage: haidang-agent enroll [OPTIONS] URL CODE

Arguments:
  URL   The collector's port for agents: `https://ADDRESS:8443`
  CODE  The code; case, spaces and hyphens say nothing

Options:
      --data DIR  The agent's directory; made when missing [default: /var/lib/haidang-agent]
  -h, --help      Print this
";

const CHECK: &str = "\
Check an agent's file: exit 0 when it can run, else 1 with every fault as `file:line:col: message`.

Usage: haidang-agent check FILE

Arguments:
  FILE  The agent's file (YAML)

Options:
  -h, --help  Print this
";

/// What is to be done.
#[derive(Debug)]
pub enum Command {
    /// Run the agent.
    Run {
        /// With what.
        settings: Settings,
        /// What `--log` said.
        log: Option<String>,
    },
    /// Enroll this device.
    Enroll {
        /// Where the collector takes agents.
        url: String,
        /// The one-time code.
        code: String,
        /// The agent's directory.
        data: PathBuf,
    },
    /// Check a file.
    Check {
        /// Which.
        file: PathBuf,
    },
    /// Say this on stdout.
    Tell(&'static str),
}

/// A command line that cannot be followed.
#[derive(Debug, thiserror::Error)]
#[error("{message}\n\n{}\n\nFor more, try `--help`.", usage(.help))]
pub struct Wrong {
    message: String,
    /// Of the command that was meant.
    help: &'static str,
}

/// Reads the words after the program's name.
pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Command, Wrong> {
    let mut line = Line { words: Parser::from_args(words), help: HELP };
    match line.words.next().map_err(|error| wrong(HELP, &error))? {
        Some(Arg::Short('h') | Arg::Long("help")) => Ok(Command::Tell(HELP)),
        Some(Arg::Short('V') | Arg::Long("version")) => Ok(Command::Tell(VERSION)),
        Some(Arg::Value(command)) => line.command(&command.to_string_lossy()),
        Some(option) => Err(wrong(HELP, &option.unexpected())),
        None => Err(wrong(HELP, &"a command is missing")),
    }
}

/// A command's place among the words, and what it takes.
struct Line {
    words: Parser,
    help: &'static str,
}

/// What stood on the line, whichever command it belongs to.
#[derive(Default)]
struct Said {
    config: Option<PathBuf>,
    data: Option<PathBuf>,
    boot_file: Option<PathBuf>,
    log: Option<String>,
    /// What is no option, in its order.
    bare: Vec<OsString>,
}

impl Line {
    fn command(mut self, command: &str) -> Result<Command, Wrong> {
        match command {
            "run" => self.run(),
            "enroll" => self.enroll(),
            "check" => self.check(),
            "help" => {
                Ok(Command::Tell(match self.words.value().ok().as_ref().and_then(|word| word.to_str()) {
                    Some("run") => RUN,
                    Some("enroll") => ENROLL,
                    Some("check") => CHECK,
                    _ => HELP,
                }))
            }
            _ => Err(self.wrong(&unknown("command", command, COMMANDS))),
        }
    }

    fn run(&mut self) -> Result<Command, Wrong> {
        self.help = RUN;
        let Some(said) = self.rest(&["config", "data", "boot-file", "log"], 0)? else {
            return Ok(Command::Tell(RUN));
        };
        let directory = said.data.ok_or_else(|| self.wrong(&"`--data DIR` is missing"))?;
        let config = said.config.unwrap_or_else(|| directory.join(enrol::FILE));
        let settings = Settings { config, directory, boot_file: said.boot_file };
        Ok(Command::Run { settings, log: said.log })
    }

    fn enroll(&mut self) -> Result<Command, Wrong> {
        self.help = ENROLL;
        let Some(said) = self.rest(&["data"], 2)? else { return Ok(Command::Tell(ENROLL)) };
        let data = said.data.unwrap_or_else(|| DATA.into());
        let mut bare = said.bare.into_iter();
        let mut next = |what: &str| {
            let word = bare.next().ok_or_else(|| self.wrong(&format!("{what} is missing")))?;
            word.string().map_err(|error| self.wrong(&error))
        };
        Ok(Command::Enroll { url: next("URL")?, code: next("CODE")?, data })
    }

    fn check(&mut self) -> Result<Command, Wrong> {
        self.help = CHECK;
        let Some(said) = self.rest(&[], 1)? else { return Ok(Command::Tell(CHECK)) };
        let file = said.bare.into_iter().next().ok_or_else(|| self.wrong(&"FILE is missing"))?;
        Ok(Command::Check { file: file.into() })
    }

    /// What follows the command: these options, each once, and at most so many bare words. `None`: help is asked for.
    fn rest(&mut self, options: &[&str], bare: usize) -> Result<Option<Said>, Wrong> {
        let (mut said, mut seen) = (Said::default(), Vec::new());
        loop {
            let option = match self.words.next() {
                Ok(None) => return Ok(Some(said)),
                Ok(Some(Arg::Short('h') | Arg::Long("help"))) => return Ok(None),
                Ok(Some(Arg::Long(option))) => option.to_owned(),
                Ok(Some(Arg::Value(word))) if said.bare.len() < bare => {
                    said.bare.push(word);
                    continue;
                }
                Ok(Some(other)) => return Err(wrong(self.help, &other.unexpected())),
                Err(error) => return Err(wrong(self.help, &error)),
            };
            if !options.contains(&option.as_str()) {
                let options = options.iter().copied().chain(["help"]);
                return Err(self.wrong(&unknown("option", &option, options)));
            }
            if seen.contains(&option) {
                return Err(self.wrong(&format!("`--{option}` is said twice")));
            }
            let value = self.words.value().map_err(|error| self.wrong(&error))?;
            // As of a variable that is not set.
            if value.is_empty() {
                return Err(self.wrong(&format!("`--{option}` is said without a value")));
            }
            match option.as_str() {
                "config" => said.config = Some(value.into()),
                "data" => said.data = Some(value.into()),
                "boot-file" => said.boot_file = Some(value.into()),
                _ => said.log = Some(value.string().map_err(|error| self.wrong(&error))?),
            }
            seen.push(option);
        }
    }

    fn wrong(&self, message: &dyn fmt::Display) -> Wrong {
        wrong(self.help, message)
    }
}

fn wrong(help: &'static str, message: &dyn fmt::Display) -> Wrong {
    Wrong { message: message.to_string(), help }
}

/// The line of a help text that says how the command is used.
fn usage(help: &'static str) -> &'static str {
    help.lines().find(|line| line.starts_with("Usage:")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn said(line: &str) -> Result<Command, Wrong> {
        read(line.split(' ').filter(|word| !word.is_empty()).map(OsString::from))
    }

    #[test]
    fn run_takes_its_options_in_any_order_and_form() {
        for line in ["run --log=debug --data /d --config /c.yml", "run --config=/c.yml --data=/d --log debug"]
        {
            let Ok(Command::Run { settings, log }) = said(line) else { panic!("{line}") };
            assert_eq!((&*settings.config, &*settings.directory), (Path::new("/c.yml"), Path::new("/d")));
            assert_eq!((settings.boot_file, log.as_deref()), (None, Some("debug")));
        }
    }

    #[test]
    fn without_a_file_runs_what_enrolling_wrote() {
        let Ok(Command::Run { settings, log: None }) = said("run --data /d") else { panic!() };
        assert_eq!(settings.config, Path::new("/d").join(enrol::FILE));
    }

    #[test]
    fn enrolling_takes_an_address_a_code_and_a_directory() {
        let Ok(Command::Enroll { url, code, data }) = said("enroll https://a:8443 AB-CD") else { panic!() };
        assert_eq!((&*url, &*code, &*data), ("https://a:8443", "AB-CD", Path::new(DATA)));
        assert!(ENROLL.contains(DATA));
        let Ok(Command::Enroll { data, .. }) = said("enroll --data /d https://a:8443 AB-CD") else {
            panic!()
        };
        assert_eq!(data, Path::new("/d"));
    }

    #[test]
    fn a_wrong_word_is_told_with_what_is_right() {
        for (line, told) in [
            ("", "a command is missing"),
            ("rnu", "unknown command `rnu`; did you mean `run`?"),
            ("run", "`--data DIR` is missing"),
            ("run --dta /d", "unknown option `dta`; did you mean `data`?"),
            ("run --data /d --data /e", "`--data` is said twice"),
            ("run --data", "missing argument for option '--data'"),
            ("run --data /d x", "unexpected argument \"x\""),
            ("enroll https://a:8443", "CODE is missing"),
            ("check", "FILE is missing"),
            ("check a b", "unexpected argument \"b\""),
        ] {
            let wrong = said(line).unwrap_err().to_string();
            assert!(wrong.starts_with(&format!("{told}\n\nUsage: haidang-agent ")), "{line}: {wrong}");
        }
        assert!(
            said("run").unwrap_err().to_string().contains("Usage: haidang-agent run [OPTIONS] --data DIR")
        );
    }

    #[test]
    fn help_is_told_wherever_it_is_asked_for() {
        for (line, text) in [
            ("--help", HELP),
            ("help", HELP),
            ("help enroll", ENROLL),
            ("run --help", RUN),
            ("run --data /d -h", RUN),
            ("check -h", CHECK),
            ("--version", VERSION),
        ] {
            assert!(matches!(said(line), Ok(Command::Tell(told)) if told == text), "{line}");
        }
    }

    #[test]
    fn each_command_and_option_stands_in_the_help() {
        assert!(COMMANDS[..3].iter().all(|command| HELP.contains(&format!("\n  {command} "))));
        assert!(
            ["config", "data", "boot-file", "log"].iter().all(|option| RUN.contains(&format!("--{option} ")))
        );
    }
}
