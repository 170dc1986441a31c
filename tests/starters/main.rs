//! The starters, executed: the shell steps of each CI system's pipeline, as `windlass init` writes it, are taken out of
//! its file and run in order against host targets with a real service. No step stays unexecuted, the ways back included.
#![expect(clippy::unwrap_used, reason = "a test may stop where its set-up does")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod agent;
mod project;
mod read;
mod steps;
mod told;

use std::path::Path;

use project::{ENVIRONMENTS, PATH, Project};
use steps::{Ended, Given};

pub(crate) const RELEASE: Given<'static> =
    Given { action: "release", environment: "production", release: "", secrets: &[] };

/// Whether these programs are here; with `WINDLASS_REQUIRE_TOOLS=1` it is a failure when one is not.
pub(crate) fn are_here(tools: &[&str]) -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has no context; this is the one variable that it reads"
    )]
    let is_required = std::env::var("WINDLASS_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    let is_missing = |tool: &&&str| !PATH.split(':').any(|folder| Path::new(folder).join(tool).is_file());
    let missing: Vec<&str> = tools.iter().filter(is_missing).copied().collect();
    assert!(missing.is_empty() || !is_required, "missing: {}", missing.join(", "));
    if !missing.is_empty() {
        eprintln!("skipped: install {0} (apt-get install {0})", missing.join(" "));
    }
    missing.is_empty()
}

#[track_caller]
pub(crate) fn passed(ended: &Ended) {
    assert_eq!(ended.code, 0, "at {}:\n{}", ended.at, ended.said);
}

/// Builds, and goes as far as an environment, which is left to the caller.
#[track_caller]
fn up_to(project: &mut Project, environment: &str) {
    passed(&project.run("build", &RELEASE));
    for name in ENVIRONMENTS.into_iter().take_while(|name| *name != environment) {
        passed(&project.run(name, &RELEASE));
    }
}

/// The job that does something by hand in an environment.
fn by_hand(system: &str, action: &str, environment: &str) -> String {
    match (system, action) {
        ("gitlab", "rollback") => format!("rollback-{environment}"),
        ("gitlab", other) => other.to_owned(),
        _ => "by-hand".to_owned(),
    }
}

#[track_caller]
fn lift(project: &mut Project, environment: &str) {
    let job = by_hand(project.system, "unhold", environment);
    passed(&project.run(&job, &Given { action: "unhold", environment, release: "", secrets: &[] }));
}

/// The whole life of a pipeline.
fn lives(system: &str) {
    if !are_here(&["git", "python3", "bash", "tar", "timeout"]) {
        return;
    }
    let mut project = Project::new(system);
    for label in ["v1", "v2"] {
        project.push(label);
        up_to(&mut project, "production");
        passed(&project.run("production", &RELEASE));
        assert!(ENVIRONMENTS.iter().all(|name| project.answer(name) == label), "{label} is everywhere");
    }
    let agents = project.agents();
    assert_eq!(agents.len(), ENVIRONMENTS.len());
    assert!(agents.iter().all(|vars| !vars.contains("of-the-build")), "a system would kill it: {agents:?}");

    for environment in ENVIRONMENTS {
        let job = by_hand(system, "rollback", environment);
        let ended = project.run(&job, &Given { action: "rollback", environment, release: "", secrets: &[] });
        passed(&ended);
        assert_eq!(project.answer(environment), "v1", "{}", ended.said);
        lift(&mut project, environment);
    }
    let job = by_hand(system, "rollback", "production");
    passed(
        &project
            .run(&job, &Given { action: "rollback", environment: "production", release: "r2", secrets: &[] }),
    );
    assert_eq!(project.answer("production"), "v2", "the release that was named");
    lift(&mut project, "production");

    for (environment, label) in ENVIRONMENTS.into_iter().zip(["v3", "v4", "v5"]) {
        let before = project.answer(environment);
        project.push(label);
        up_to(&mut project, environment);
        project.sicken(label);
        let ended = project.run(environment, &RELEASE);
        assert_eq!(ended.code, 1, "{label} is not healthy in {environment}:\n{}", ended.said);
        assert!(ended.at.contains("health-verify"), "it stopped at {}:\n{}", ended.at, ended.said);
        assert_eq!(project.answer(environment), before, "it was rolled back:\n{}", ended.said);
        project.heal(label);
        let held = project.run(environment, &RELEASE);
        assert_eq!(held.code, 4, "a rollback holds the environment:\n{}", held.said);
        lift(&mut project, environment);
    }
    passed(&project.run("production", &RELEASE));
    assert_eq!(project.answer("production"), "v5", "held no more");

    project.push("crash");
    up_to(&mut project, "dev");
    let ended = project.run("dev", &RELEASE);
    assert_eq!((ended.code, project.answer("dev").as_str()), (1, "v5"), "it was put back:\n{}", ended.said);

    let hands = ["rollback", "unhold"].map(|action| Given {
        action,
        environment: "production",
        release: "",
        secrets: &[],
    });
    let [rollback, unhold] = hands;
    let left = project.left(&[RELEASE, rollback, unhold]);
    assert!(left.is_empty(), "never executed: {left:#?}");
}

#[test]
fn the_pipeline_of_github_goes_to_production_and_back() {
    lives("github");
}

#[test]
fn the_pipeline_of_gitlab_goes_to_production_and_back() {
    lives("gitlab");
}

#[test]
fn the_pipeline_of_jenkins_goes_to_production_and_back() {
    lives("jenkins");
}

#[test]
fn the_pipeline_of_circleci_goes_to_production_and_back() {
    lives("circleci");
}

#[test]
fn the_pipeline_of_azure_goes_to_production_and_back() {
    lives("azure");
}

#[test]
fn the_pipeline_of_buildkite_goes_to_production_and_back() {
    lives("buildkite");
}

#[test]
fn the_pipeline_of_woodpecker_goes_to_production_and_back() {
    lives("woodpecker");
}

#[test]
fn a_step_of_woodpecker_has_the_users_own_home_though_the_backend_gives_another() {
    if !are_here(&["git", "python3", "bash", "tar", "timeout"]) {
        return;
    }
    let project = Project::new("woodpecker");
    let jobs = project.jobs(&RELEASE);
    let first = |job: &steps::Job| match &job.steps[0] {
        steps::Step::Run(script) => script.text.lines().next().unwrap().to_owned(),
        other => panic!("{other:?}"),
    };
    for job in &jobs {
        let shell = format!("{}; echo \"$HOME\"; echo \"$XDG_CACHE_HOME\"", first(job));
        let output = std::process::Command::new("bash")
            .args(["-ec", &shell])
            .env_clear()
            .envs([("PATH", PATH), ("HOME", "/nonexistent")])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let (home, cache) = said.trim().split_once('\n').unwrap();
        assert!(Path::new(home).is_dir() && cache == format!("{home}/.cache"), "{}: {said}", job.name);
    }
}
