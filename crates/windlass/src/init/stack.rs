//! Stacks: how a repository of each kind is built into `dist/`, tested with a report in `reports/`, and started.

use std::fs;
use std::path::Path;

use super::repository::plain;

/// How a repository is built, tested and started.
#[derive(Clone, Debug)]
pub(super) struct Stack {
    /// Its name for people.
    pub(super) name: &'static str,
    /// The package's name, where a file says it.
    pub(super) package: Option<String>,
    /// Shell lines that leave what is released in `dist/`.
    pub(super) build: String,
    /// Shell lines that leave a JUnit file in `reports/`.
    pub(super) test: String,
    /// The command, as a YAML list, started in `dist/`.
    pub(super) run: String,
    /// What has to be done by hand.
    pub(super) note: Option<&'static str>,
}

/// Finds the stack by its file; the first that is there counts.
pub(super) fn detect(folder: &Path) -> Stack {
    let text = |name: &str| fs::read_to_string(folder.join(name)).ok();
    if let Some(manifest) = text("Cargo.toml") {
        return cargo(named(&manifest, "name"));
    }
    if let Some(manifest) = text("package.json") {
        let name = serde_json::from_str::<serde_json::Value>(&manifest).ok();
        return npm(name.and_then(|json| json.get("name")?.as_str().map(str::to_owned)));
    }
    if let Some(manifest) = text("go.mod") {
        return go(manifest
            .lines()
            .find_map(|line| line.strip_prefix("module "))
            .map(|name| name.trim().to_owned()));
    }
    if let Some(manifest) = text("pyproject.toml").or_else(|| text("requirements.txt")) {
        let main = ["app.py", "main.py", "server.py"].into_iter().find(|name| folder.join(name).exists());
        return python(named(&manifest, "name"), main);
    }
    if folder.join("pom.xml").exists() {
        return java(
            "Java with Maven",
            "mvn -B package",
            "target",
            "cp target/surefire-reports/*.xml reports/",
        );
    }
    if folder.join("build.gradle").exists() || folder.join("build.gradle.kts").exists() {
        let reports = "cp build/test-results/test/*.xml reports/";
        return java("Java with Gradle", "./gradlew build", "build/libs", reports);
    }
    let has_image = folder.join("Dockerfile").exists();
    Stack {
        name: if has_image { "a Dockerfile" } else { "no stack that is known" },
        package: None,
        build: unfinished("the build, so that what is released lies in dist/"),
        test: unfinished("the tests, so that a JUnit file lies in reports/"),
        run: "[./start]".into(),
        note: Some(if has_image {
            "a host target starts a command, not an image: fill in build, test and `run` as the Dockerfile does them"
        } else {
            "fill in the build, the tests and `run`: the stack is not known"
        }),
    }
}

/// A line that fails until somebody writes the real one: an empty step would pass.
fn unfinished(what: &str) -> String {
    format!("echo 'fill in: {what}' >&2; exit 1")
}

/// The value of the first `key = "value"` of a TOML file; enough for a default that is asked for anyway.
fn named(manifest: &str, key: &str) -> Option<String> {
    manifest.lines().find_map(|line| {
        let rest = line.trim().strip_prefix(key)?.trim_start().strip_prefix('=')?;
        let value = rest.trim().trim_matches(['"', '\'']);
        (!value.is_empty()).then(|| value.to_owned())
    })
}

/// A name that is safe in a shell and in YAML: anything else is replaced.
fn file_name(package: Option<&String>) -> String {
    let name = package.cloned().unwrap_or_default();
    let is_safe = !name.is_empty()
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
    if is_safe { name } else { plain(&name) }
}

fn cargo(package: Option<String>) -> Stack {
    let name = file_name(package.as_ref());
    Stack {
        name: "Rust with Cargo",
        build: format!(
            "cargo build --locked --release\nrm -rf dist && mkdir -p dist/bin\ncp target/release/{name} dist/bin/"
        ),
        test: "printf '[profile.ci.junit]\\npath = \"junit.xml\"\\n' > reports/nextest.toml\n\
               cargo nextest run --locked --profile ci --config-file reports/nextest.toml\n\
               cp target/nextest/ci/junit.xml reports/"
            .into(),
        run: format!("[bin/{name}]"),
        package,
        note: Some("install cargo-nextest on the runner: it writes the JUnit file that the gate reads"),
    }
}

fn npm(package: Option<String>) -> Stack {
    Stack {
        name: "JavaScript with npm",
        build: "npm ci\nnpm run build --if-present\nrm -rf dist && mkdir dist\n\
                tar --exclude=./dist --exclude=./.git --exclude=./.windlass --exclude=./reports -cf - . | tar -xf - -C dist"
            .into(),
        test: "node --test --test-reporter=junit --test-reporter-destination=reports/junit.xml".into(),
        run: "[npm, start]".into(),
        package,
        note: Some("if another runner than Node's own runs the tests, let it write a JUnit file into reports/"),
    }
}

fn go(package: Option<String>) -> Stack {
    let name = plain(package.as_deref().unwrap_or_default());
    Stack {
        name: "Go",
        build: format!(
            "rm -rf dist && mkdir -p dist/bin\nCGO_ENABLED=0 go build -trimpath -o dist/bin/{name} ."
        ),
        test: "go run gotest.tools/gotestsum@v1.12.0 --junitfile reports/junit.xml ./...".into(),
        run: format!("[bin/{name}]"),
        package,
        note: None,
    }
}

fn python(package: Option<String>, main: Option<&str>) -> Stack {
    let main = main.unwrap_or("app.py");
    Stack {
        name: "Python",
        build: "rm -rf dist && mkdir -p dist/lib\n\
                if [ -f requirements.txt ]; then python3 -m pip install --target dist/lib -r requirements.txt; fi\n\
                cp -R *.py dist/"
            .into(),
        test: "python3 -m pytest --junitxml=reports/junit.xml".into(),
        run: format!("[python3, {main}]"),
        package,
        note: Some("packages lie in dist/lib: add it to sys.path, or set `env: { PYTHONPATH: lib }` of each target"),
    }
}

fn java(name: &'static str, build: &str, folder: &str, reports: &str) -> Stack {
    Stack {
        name,
        package: None,
        build: format!("{build}\nrm -rf dist && mkdir dist\ncp {folder}/*.jar dist/"),
        test: reports.to_owned(),
        run: "[sh, -c, \"exec java -jar *.jar\"]".into(),
        note: Some("name the one jar under `run`, where the build leaves several"),
    }
}
