//! Jenkins: the `sh`, `stash` and `unstash` steps of a declarative Jenkinsfile. No Groovy is run; whatever else may
//! stand in `steps` is listed here.

use crate::steps::{Given, Job, Script, Step};

/// What `sh` means.
const SHELL: &[&str] = &["sh", "-xec"];

/// Steps without a shell.
const SILENT: [&str; 3] = ["input ", "milestone ", "junit "];

pub(crate) fn jobs(file: &str, given: &Given<'_>) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    let mut lines = file.lines().map(str::trim);
    let mut is_in_steps = false;
    let mut credentials: Vec<(String, String)> = Vec::new();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("stage('") {
            let name = name.split('\'').next().unwrap().to_lowercase().replace(' ', "-");
            jobs.push(Job { name, goes_on: false, steps: Vec::new() });
            credentials.clear();
        }
        if let Some((name, id)) = line.split_once(" = credentials('").filter(|_| !line.starts_with("//")) {
            credentials.push((name.to_owned(), given.secret(id.strip_suffix("')").unwrap())));
        }
        match line {
            "steps {" => is_in_steps = true,
            "}" => is_in_steps = false,
            _ if line.starts_with("//") || line.is_empty() || !is_in_steps => {}
            "sh '''" => {
                let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "'''").collect();
                push(&mut jobs, Step::Run(script(&body.join("\n"), given)), &credentials);
            }
            _ => {
                let step = one(line, given);
                step.into_iter().for_each(|step| push(&mut jobs, step, &credentials));
            }
        }
    }
    jobs.retain(|job| !job.steps.is_empty());
    jobs
}

fn push(jobs: &mut [Job], mut step: Step, credentials: &[(String, String)]) {
    if let Step::Run(script) = &mut step {
        script.vars.extend_from_slice(credentials);
    }
    jobs.last_mut().unwrap().steps.push(step);
}

fn one(line: &str, given: &Given<'_>) -> Option<Step> {
    if let Some(text) = line.strip_prefix("sh '") {
        return Some(Step::Run(script(text.strip_suffix('\'').unwrap(), given)));
    }
    if let Some(rest) = line.strip_prefix("stash name: '") {
        let (name, paths) = rest.split_once("', includes: '").unwrap();
        return Some(Step::Keep { paths: vec![paths.strip_suffix('\'').unwrap().into()], name: name.into() });
    }
    if let Some(name) = line.strip_prefix("unstash '") {
        return Some(Step::Take { name: name.strip_suffix('\'').unwrap().into(), into: ".".into() });
    }
    assert!(SILENT.iter().any(|word| line.starts_with(word)), "no step is known like {line}");
    None
}

fn script(text: &str, given: &Given<'_>) -> Script {
    // Between single quotes Groovy fills in nothing; a backslash would be the one thing to undo.
    assert!(!text.contains('\\'), "{text}");
    let mut script = Script::new(SHELL, text);
    // Parameters are variables of every step.
    script.vars = vec![
        ("ACTION".into(), given.action.into()),
        ("WHERE".into(), given.environment.into()),
        ("RELEASE".into(), given.release.into()),
        ("BUILD_TAG".into(), "jenkins-shop-7".into()),
    ];
    script
}
