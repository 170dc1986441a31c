//! `templates/*/template.yml` and the tables of `docs/gitlab.md` are written from the tools' own flags and the scripts of
//! `actions/_lib` and `templates/_lib`. `WINDLASS_BLESS=1 cargo test -p windlass --test gitlab` writes them again.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::component::{Input, components};
use crate::hold::hold;
use crate::pipeline;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files that a component carries, since only its template reaches the job.
const CARRIED: [(&str, &str); 3] = [
    ("manifest", include_str!("../../actions/_lib/manifest")),
    ("run.sh", include_str!("../../actions/_lib/run.sh")),
    ("gitlab.sh", include_str!("../../templates/_lib/gitlab.sh")),
];

const END: &str = "WINDLASS_END";

/// The lines of a script that write the carried files out, as a block of YAML at this depth.
pub(crate) fn carried() -> String {
    let mut text = String::from("windlass_lib=$(mktemp -d)\ntrap 'rm -rf \"$windlass_lib\"' EXIT\n");
    for (name, content) in CARRIED {
        writeln!(text, "cat >\"$windlass_lib/{name}\" <<'{END}'\n{}\n{END}", content.trim_end()).unwrap();
    }
    text.lines().map(|line| if line.is_empty() { "\n".into() } else { format!("      {line}\n") }).collect()
}

fn files() -> Vec<(PathBuf, String)> {
    let carried = carried();
    let mut files: Vec<(PathBuf, String)> = components()
        .iter()
        .map(|one| (root().join("templates").join(one.name).join("template.yml"), one.yaml(&carried)))
        .collect();
    files.push((root().join("templates/pipeline/template.yml"), pipeline::yaml(&carried)));
    let page = root().join("docs/gitlab.md");
    let text = fs::read_to_string(&page).unwrap();
    let mut tables: Vec<_> = components().iter().map(|one| (one.name, table(&one.inputs()))).collect();
    tables.push(("pipeline", table(&pipeline::inputs())));
    files.push((page, tables.iter().fold(text, |text, (name, table)| put(&text, name, table))));
    files
}

fn table(inputs: &[Input]) -> String {
    let mut text = String::from("| input | what | default | means |\n|---|---|---|---|\n");
    for input in inputs {
        let (default, what) = input.told();
        writeln!(text, "| `{}` | {what} | {default} | {} |", input.name, input.means.replace('|', "\\|"))
            .unwrap();
    }
    text
}

/// Puts a table between its marks.
fn put(text: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- inputs of {name} -->\n"), format!("<!-- end of {name} -->\n"));
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("docs/gitlab.md has no {begin}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("docs/gitlab.md has no {end}"));
    format!("{before}{begin}{table}{end}{after}")
}

#[test]
fn components_are_what_the_tools_flags_and_scripts_make_them() {
    hold(&files(), "gitlab");
}

#[test]
fn an_input_stands_once_and_none_is_left_unused() {
    let mut all: Vec<_> = components().iter().map(|one| (one.name, one.yaml(""), one.inputs())).collect();
    all.push(("pipeline", pipeline::yaml(""), pipeline::inputs()));
    for (name, yaml, inputs) in all {
        for (index, input) in inputs.iter().enumerate() {
            let reference = format!("$[[ inputs.{} ]]", input.name);
            assert!(yaml.contains(&reference), "{name}: {} is used nowhere", input.name);
            let twice = inputs[index + 1..].iter().any(|other| other.name == input.name);
            assert!(!twice, "{name}: {} stands twice", input.name);
        }
        for reference in yaml.split("$[[ inputs.").skip(1).map(|rest| rest.split(" ]]").next().unwrap()) {
            assert!(inputs.iter().any(|input| input.name == reference), "{name} has no input {reference}");
        }
        assert!(!yaml.contains("@name@") && !yaml.contains("@carried@"), "{name} has a mark left");
    }
}

#[test]
fn what_is_carried_says_nothing_to_gitlab() {
    for (name, content) in CARRIED {
        // GitLab would look for an input there, and the shell for the end of the file.
        assert!(!content.contains("$[["), "{name}");
        assert!(!content.lines().any(|line| line == END), "{name}");
    }
}
