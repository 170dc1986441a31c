//! Metrics: the list in `docs/metrics.md` is what the agent serves, and Prometheus' own linter is content.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use windlass_domain::journal::Head;

use super::http::get;
use super::rollouts;
use super::support::{Agent, await_that};
use super::tools::tool;

/// An agent on which everything that can be counted was counted once.
fn busy() -> Agent {
    let agent = Agent::start();
    let (epoch, address) = agent.live(1);
    for path in ["/", "/500", "/drop", "/204"] {
        get(address, path);
    }
    agent.append(epoch, Head::EMPTY, rollouts::opened(1)).unwrap();
    await_that("the instance is measured", || agent.text("/metrics").contains("windlass_instance_open_fds{"));
    agent
}

fn documented() -> (String, Vec<[String; 4]>) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let text = fs::read_to_string(page).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let rows = rows.filter_map(|row| {
        let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_end_matches('`')).collect();
        <[&str; 4]>::try_from(cells).ok().map(|cells| cells.map(str::to_owned))
    });
    let rows = rows.collect();
    (text, rows)
}

#[test]
fn every_series_is_documented_with_its_kind_labels_and_help() {
    let text = busy().text("/metrics");
    let after = |mark: &str| -> BTreeMap<&str, &str> {
        text.lines().filter_map(|line| line.strip_prefix(mark)?.split_once(' ')).collect()
    };
    let (kinds, helps) = (after("# TYPE "), after("# HELP "));
    let mut labels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let family = family.filter(|family| kinds.contains_key(family)).unwrap_or(name);
        let inside = line.split_once('{').map_or("", |(_, rest)| rest.split('}').next().unwrap());
        let names = inside.split(',').filter_map(|pair| Some(pair.split_once('=')?.0));
        labels.entry(family).or_default().extend(names.filter(|name| *name != "le"));
    }
    let served: Vec<[String; 4]> = kinds
        .iter()
        .map(|(name, kind)| {
            let labels = labels.get(name).unwrap_or_else(|| panic!("{name} has no series"));
            let order = |label: &&&str| ["revision", "code", "index"].iter().position(|one| one == *label);
            let mut labels: Vec<&&str> = labels.iter().collect();
            labels.sort_by_key(order);
            let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
            [
                (*name).to_owned(),
                (*kind).to_owned(),
                labels.trim_end_matches('`').to_owned(),
                helps[name].to_owned(),
            ]
        })
        .collect();
    let (_, mut documented) = documented();
    documented.sort();
    assert_eq!(documented, served);
}

#[test]
fn the_documented_buckets_are_the_ones_of_the_histogram() {
    let text = busy().text("/metrics");
    let bounds = text
        .lines()
        .filter(|line| line.starts_with("windlass_request_duration_seconds_bucket{revision=\"r1\""))
        .map(|line| line.split("le=\"").nth(1).unwrap().split('"').next().unwrap())
        .filter(|bound| *bound != "+Inf");
    let bounds = bounds.collect::<Vec<_>>().join(" ");
    let (page, _) = documented();
    assert!(page.lines().any(|line| line == bounds), "docs/metrics.md should list {bounds}");
}

#[test]
fn promtool_has_nothing_to_say() {
    let Some(promtool) = tool("promtool", "the Debian package prometheus has it") else { return };
    let mut check = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(busy().text("/metrics").as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

#[test]
fn the_rollouts_phase_is_the_one_that_the_ledger_says() {
    let agent = Agent::start();
    let (epoch, _) = agent.live(1);
    let phases = |agent: &Agent| -> Vec<String> {
        let text = agent.text("/metrics");
        let phases = text.lines().filter_map(|line| line.strip_prefix("windlass_rollout_phase{phase=\""));
        phases
            .filter(|line| line.ends_with(" 1"))
            .map(|line| line.split('"').next().unwrap().to_owned())
            .collect()
    };
    let value = |name: &str| -> Option<f64> {
        let text = agent.text("/metrics");
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    };
    assert_eq!(phases(&agent), [""; 0], "nothing was ever rolled out");
    assert_eq!(value("windlass_rollout_opened_timestamp_seconds"), None);
    let head = agent.append(epoch, Head::EMPTY, rollouts::opened(2)).unwrap();
    assert_eq!(phases(&agent), ["planned"]);
    let began = rollouts::done(0, 2);
    let head = agent.append(epoch, head, began).unwrap();
    assert_eq!((phases(&agent), value("windlass_live_revision")), (vec!["shifting".to_owned()], Some(0.0)));
    assert!(value("windlass_rollout_progressed_timestamp_seconds") > Some(1e9));
    let head = agent.append(epoch, head, rollouts::ended(2, 2)).unwrap();
    assert_eq!((phases(&agent), value("windlass_live_revision")), (vec!["live".to_owned()], Some(2.0)));
    assert_eq!((value("windlass_held"), value("windlass_ledger_sound")), (Some(0.0), Some(1.0)));
    let hold = windlass_domain::journal::Event::Hold { reason: "quiet".into(), until: None };
    agent.append(epoch, head, vec![hold]).unwrap();
    assert_eq!(value("windlass_held"), Some(1.0));
}
