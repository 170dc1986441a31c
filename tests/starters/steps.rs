//! A pipeline as the shell sees it: jobs of steps, taken from a system's own file by its reader, and run in order.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a reader is told beside the file: what the system would put in place of its own expressions.
pub(crate) struct Given<'a> {
    /// `release`, `rollback` or `unhold`.
    pub(crate) action: &'a str,
    /// For what is done by hand.
    pub(crate) environment: &'a str,
    /// The release to go back to; empty for the one before.
    pub(crate) release: &'a str,
    /// What the system keeps as secrets, by the names of the variables that jobs shall see.
    pub(crate) secrets: &'a [(&'a str, &'a str)],
}

impl Given<'_> {
    /// A secret of the system; one that nobody gave it is empty.
    pub(crate) fn secret(&self, name: &str) -> String {
        let found = self.secrets.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or_else(String::new, |(_, value)| (*value).to_owned())
    }

    /// All of them, as variables.
    pub(crate) fn all_secrets(&self) -> impl Iterator<Item = (String, String)> {
        self.secrets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
    }
}

/// What one job does after it checked out.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) name: String,
    /// Whether it goes on in the work tree of the job before it.
    pub(crate) goes_on: bool,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug)]
pub(crate) enum Step {
    /// A shell's words.
    Run(Script),
    /// Files of the work tree are kept for later jobs.
    Keep { paths: Vec<String>, name: String },
    /// What an earlier job kept comes into a folder, relative to the work tree.
    Take { name: String, into: String },
}

#[derive(Debug)]
pub(crate) struct Script {
    /// The shell as the system starts it; the script's text is its last word.
    pub(crate) shell: &'static [&'static str],
    pub(crate) text: String,
    pub(crate) vars: Vec<(String, String)>,
}

impl Script {
    pub(crate) fn new(shell: &'static [&'static str], text: &str) -> Self {
        Self { shell, text: text.to_owned(), vars: Vec::new() }
    }
}

/// How a job ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code of the last step that ran.
    pub(crate) code: i32,
    /// Its text, that is, where the job stopped.
    pub(crate) at: String,
    /// Everything that all steps said.
    pub(crate) said: String,
}

/// Where jobs run.
pub(crate) struct Runner<'a> {
    /// What jobs hand on.
    pub(crate) shelf: &'a Path,
    /// The only variables that a step sees, beside its own.
    pub(crate) vars: &'a [(String, String)],
}

impl Runner<'_> {
    /// Runs the steps of a job in a work tree until one fails, and writes down which were run.
    pub(crate) fn run(&self, job: &Job, tree: &Path, ran: &mut BTreeSet<String>) -> Ended {
        let mut said = String::new();
        let mut ended = Ended { code: 0, at: String::new(), said: String::new() };
        for step in &job.steps {
            match step {
                Step::Keep { paths, name } => {
                    let shelf = self.shelf.join(name);
                    fs::create_dir_all(&shelf).unwrap();
                    tar(tree, &["-cf"], &shelf.join("kept.tar"), paths);
                }
                Step::Take { name, into } => {
                    let folder = tree.join(into);
                    fs::create_dir_all(&folder).unwrap();
                    tar(&folder, &["-xf"], &self.shelf.join(name).join("kept.tar"), &[]);
                }
                Step::Run(script) => {
                    ran.insert(label(job, script));
                    ended = self.script(script, tree);
                    said.push_str(&ended.said);
                    if ended.code != 0 {
                        break;
                    }
                }
            }
        }
        Ended { said, ..ended }
    }

    fn script(&self, script: &Script, tree: &Path) -> Ended {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", "300"]).args(script.shell).arg(&script.text);
        command.current_dir(tree).env_clear().envs(self.vars.iter().cloned());
        command.envs(script.vars.iter().cloned()).stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended {
            code: output.status.code().unwrap_or(255),
            at: script.text.clone(),
            said: format!("$ {}\n{}{}", script.text, text(&output.stdout), text(&output.stderr)),
        }
    }
}

fn label(job: &Job, script: &Script) -> String {
    format!("{}: {}", job.name, script.text)
}

/// Every script of these jobs.
pub(crate) fn labels(jobs: &[Job]) -> BTreeSet<String> {
    let scripts = |job: &Job| -> Vec<String> {
        let of = |step: &Step| match step {
            Step::Run(script) => Some(label(job, script)),
            Step::Keep { .. } | Step::Take { .. } => None,
        };
        job.steps.iter().filter_map(of).collect()
    };
    jobs.iter().flat_map(scripts).collect()
}

fn tar(folder: &Path, flags: &[&str], archive: &Path, paths: &[String]) {
    let status =
        Command::new("tar").args(flags).arg(archive).args(paths).current_dir(folder).status().unwrap();
    assert!(status.success(), "tar {flags:?} {} {paths:?}", archive.display());
}
