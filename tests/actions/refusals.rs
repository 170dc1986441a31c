//! What `run.sh` says where a server refuses a download or the look at its attestation: which answer it was, what that means,
//! and the line or variable that mends it; in the log and in the job's summary.

use std::fs;
use std::process::Output;

use crate::mirror::{Mirror, Says};
use crate::{Place, gh, ran, refused, without_curl};

const TOKEN: &str = "mirror-Token.Of/Nobody~1+2=";

/// Refused with code 3, and the log and the summary both say all of this, verbatim.
#[track_caller]
fn told(place: &Place, output: &Output, says: &[&str]) {
    let summary = fs::read_to_string(place.path("summary")).unwrap();
    assert!(summary.starts_with("## unknown: no tool was run\n\n~~~text\n"), "{summary}");
    for one in says {
        refused(output, 3, one);
        // What was tried stands in the log; the summary has the end of it.
        assert!(summary.contains(one) || one.contains(" answers "), "{one:?} is not in: {summary}");
    }
    assert_eq!(fs::read_to_string(place.path("output")).unwrap(), "outcome=unknown\n");
    for name in ["summary", "output"] {
        fs::remove_file(place.path(name)).unwrap();
    }
}

#[test]
fn each_refusal_of_a_mirror_and_of_a_release_is_told_with_what_mends_it() {
    let place = Place::new();
    let mirror_token = "`mirror-token: ${{ secrets.WINDLASS_MIRROR_TOKEN }}`";
    let cases = [
        (true, 401, "the mirror is private, and got no token", mirror_token),
        (true, 403, "the mirror knows who asks, and this token or this runner may not read it", mirror_token),
        (
            true,
            404,
            "the mirror does not hold version 9.9.9, or hides it",
            "copy the archives of the release there",
        ),
        (false, 401, "a proxy, or a server in private mode, wants to know who asks", mirror_token),
        (false, 403, "a proxy, or a server in private mode, wants to know who asks", mirror_token),
        (
            false,
            404,
            "version 9.9.9 was never released there, or windlass-dev/windlass is private",
            "@<sha of a release>`",
        ),
    ];
    for programs in [None, without_curl(&place)] {
        for (is_mirror, status, means, mends) in cases {
            let server = Mirror::start(Says::status(status));
            let mut command = place.script("bash", &["deploy"]);
            command.env(if is_mirror { "WINDLASS_MIRROR" } else { "WINDLASS_RELEASES" }, server.url());
            command
                .env("GITHUB_STEP_SUMMARY", place.path("summary"))
                .env("GITHUB_OUTPUT", place.path("output"));
            if let Some(programs) = &programs {
                command.env("PATH", programs);
            }
            let output = command.output().unwrap();
            let answer = format!("windlass-9.9.9-{}.tar.gz answers {status}: {means}", crate::target());
            let who = if is_mirror { "mirror" } else { "release" };
            told(&place, &output, &[&answer, &format!("hint: {who}, {status}: "), mends]);
            assert_eq!(server.asked(), 1, "a refusal is not asked again");
        }
    }
}

#[test]
fn on_gitlab_the_remedies_are_gitlabs() {
    let place = Place::new();
    for (variable, status, mends) in [
        (
            "WINDLASS_MIRROR",
            401,
            "mirror, 401: set the masked variable WINDLASS_MIRROR_TOKEN to one that may read it",
        ),
        ("WINDLASS_RELEASES", 404, "release, 404: refer to a release as `component: …@9.9.9`"),
    ] {
        let server = Mirror::start(Says::status(status));
        let mut command = place.script("bash", &["deploy"]);
        let output = command.env(variable, server.url()).env("GITLAB_CI", "true").output().unwrap();
        refused(&output, 3, mends);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("${{"), "{output:?}");
    }
}

#[test]
fn a_private_mirror_is_shown_its_token_and_nobody_else_is() {
    let place = Place::new();
    for programs in [None, without_curl(&place)] {
        let mirror = Mirror::start(Says::to(TOKEN, &place.archive));
        let mut command = place.from(&mirror);
        command.env("GITHUB_STEP_SUMMARY", place.path("summary")).env("GITHUB_OUTPUT", place.path("output"));
        if let Some(programs) = &programs {
            command.env("PATH", programs);
        }
        told(&place, &command.output().unwrap(), &["mirror, 401: set the input `mirror-token: "]);
        command.env("WINDLASS_MIRROR_TOKEN", "another");
        told(&place, &command.output().unwrap(), &["mirror, 401: set the input `mirror-token: "]);
        ran(&command.env("WINDLASS_MIRROR_TOKEN", TOKEN).output().unwrap(), "released");
        fs::remove_dir_all(place.path("cache")).unwrap();
        // The release's own server wants none, and one that is redirected to is another.
        let elsewhere = Mirror::start(Says::to(TOKEN, &place.archive));
        let mirror = Mirror::start(Says::redirect(elsewhere.url().replace("127.0.0.1", "localhost")));
        command.env("WINDLASS_MIRROR", mirror.url()).env("WINDLASS_RELEASES", elsewhere.url());
        let output = command.output().unwrap();
        told(&place, &output, &["release, 401: set the input `mirror:` to a copy"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains(TOKEN), "{said}");
    }
    let broken =
        place.script("bash", &["deploy"]).env("WINDLASS_MIRROR_TOKEN", "a\nurl = \"file:///x\"").output();
    refused(&broken.unwrap(), 2, "mirror-token holds what no token holds");
}

#[test]
fn the_tool_is_not_handed_the_mirrors_token() {
    let place = Place::new();
    let tool = place.path("own/deploy");
    crate::tool_at(&tool, "named", "0.0.1");
    fs::write(&tool, "#!/bin/sh\necho \"has ${WINDLASS_MIRROR_TOKEN-nothing}\"\n").unwrap();
    let mut command = place.script("bash", &["deploy"]);
    command.env("WINDLASS_BIN", place.path("own")).env("WINDLASS_MIRROR_TOKEN", TOKEN);
    assert_eq!(String::from_utf8(command.output().unwrap().stdout).unwrap(), "has nothing\n");
}

#[test]
fn an_attestation_that_cannot_be_read_names_the_answer_and_the_permission() {
    let place = Place::new();
    let mirror = Mirror::start(Says::whole(&place.archive));
    let permissions = "`permissions: { attestations: read, contents: read }`";
    let token = "`token: ${{ github.token }}`";
    for (answer, means, mends) in [
        ("HTTP 401: Bad credentials", "GitHub answers 401, the token is missing, wrong or expired", token),
        (
            "HTTP 403: Resource not accessible by integration",
            "GitHub answers 403, the token may not read",
            permissions,
        ),
        ("HTTP 404: Not Found", "GitHub answers 404, there is no attestation of it", permissions),
        ("no matching attestation", "does not verify", "`attestation: off`"),
    ] {
        let path = gh(
            &place,
            &format!("echo 'Loaded digest'; echo 'Error: {answer} (https://api.github.com/x)' >&2; exit 1"),
        );
        let mut command = place.from(&mirror);
        command.env("PATH", path).env("GH_TOKEN", "ghs_x").env("WINDLASS_ATTESTATION", "auto");
        command.env("GITHUB_STEP_SUMMARY", place.path("summary")).env("GITHUB_OUTPUT", place.path("output"));
        let output = command.output().unwrap();
        told(&place, &output, &[means, mends]);
        refused(&output, 3, &format!("  gh: Error: {answer}"));
        assert!(!place.cached().exists(), "{answer}: nothing is kept");
    }
    // Without a token it is said where to put one.
    let path = gh(&place, "echo 'run: gh auth login'; exit 4");
    let mut command = place.from(&mirror);
    command.env("PATH", path).env("WINDLASS_ATTESTATION", "require");
    refused(&command.output().unwrap(), 3, token);
}

#[test]
fn what_a_mirror_is_called_ends_no_line_and_no_fence() {
    let place = Place::new();
    let mut command = place.script("bash", &["deploy"]);
    command.env("WINDLASS_BIN", "/nowhere\n::error::x\n~~~\n# hostile");
    command.env("GITHUB_STEP_SUMMARY", place.path("summary")).env("GITHUB_OUTPUT", place.path("output"));
    refused(&command.output().unwrap(), 2, "bin holds no deploy: /nowhere ::error::x ~~~ # hostile");
    let summary = fs::read_to_string(place.path("summary")).unwrap();
    assert_eq!(summary.lines().filter(|line| line.starts_with("~~~")).count(), 2, "{summary}");
    assert!(
        !summary.contains("\n#") || summary.lines().filter(|line| line.starts_with('#')).count() == 1,
        "{summary}"
    );
    assert_eq!(fs::read_to_string(place.path("output")).unwrap(), "outcome=invalid\n");
}
