//! An agent that is older than the program that meets it hands over to the one that came with it. A newer one stays.

use std::cmp::Ordering;
use std::time::Duration;

use semver::Version;

use super::client::Client;
use super::control::{AgentState, HandedOver, Handover};
use super::start::AgentCommand;

/// How long handing over may take, with everything that it waits for.
const LIMIT: Duration = Duration::from_secs(90);

/// Whether the first version is older. What is no version is neither.
#[must_use]
pub fn is_older(version: &str, than: &str) -> bool {
    compare(version, than) == Some(Ordering::Less)
}

fn compare(one: &str, other: &str) -> Option<Ordering> {
    Some(Version::parse(one).ok()?.cmp(&Version::parse(other).ok()?))
}

/// Has the agent that runs hand over, where it is older than `own`. Whatever comes of it, an agent runs; what people
/// should know is returned.
pub(super) async fn upgrade(client: &Client, agent: &AgentCommand, own: &str) -> Option<String> {
    let state: AgentState = client.get("/v1/state").await.ok()?;
    let theirs = &state.version;
    match compare(theirs, own)? {
        Ordering::Equal => None,
        Ordering::Greater => {
            Some(format!("the agent is version {theirs}, newer than this program's {own}, and stays"))
        }
        Ordering::Less if state.managed => Some(format!(
            "the agent is version {theirs}, older than this program's {own}, and its service manager's to replace: \
             put the new windlassd in its place and run systemctl reload windlassd@NAME"
        )),
        Ordering::Less => Some(match hand_over(client, agent).await {
            Ok(handed) => {
                format!(
                    "the agent, version {theirs}, has handed over to version {} (pid {})",
                    handed.version, handed.pid
                )
            }
            Err(why) => {
                format!("the agent stays at version {theirs}, older than this program's {own}: {why}")
            }
        }),
    }
}

async fn hand_over(client: &Client, agent: &AgentCommand) -> Result<HandedOver, String> {
    let program = agent.handover()?;
    client.post("/v1/handover", &Handover { program, downgrade: false }, LIMIT).await.map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        source.unwrap_or_else(|| error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;
    use std::thread::JoinHandle;

    use super::*;

    const STATE: &str = r#"{"version":"VERSION","pid":1,"place":null,"listening":null,"metrics":null,"weights":{},
        "revisions":[],"epoch":0,"lease":null,"head":HEAD,"now":"2026-01-01T00:00:00Z","managed":MANAGED}"#;

    /// An agent of a version, which answers so many requests and returns what it was asked for.
    fn agent(
        socket: PathBuf,
        version: &str,
        managed: bool,
        answers: usize,
        last: &str,
    ) -> JoinHandle<Vec<String>> {
        let head = serde_json::to_string(&windlass_domain::journal::Head::EMPTY).unwrap();
        let state = STATE.replace("VERSION", version).replace("HEAD", &head);
        let state = state.replace("MANAGED", &managed.to_string());
        let last = last.to_owned();
        let listener = UnixListener::bind(socket).unwrap();
        std::thread::spawn(move || {
            let mut asked = Vec::new();
            while asked.len() < answers {
                let (stream, _) = listener.accept().unwrap();
                let mut input = BufReader::new(&stream);
                let (mut line, mut length) = (String::new(), 0);
                // A connection that asks nothing only looked whether somebody listens.
                if input.read_line(&mut line).unwrap_or(0) == 0 {
                    continue;
                }
                loop {
                    let mut header = String::new();
                    input.read_line(&mut header).unwrap();
                    if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    if header.trim().is_empty() {
                        break;
                    }
                }
                let mut body = vec![0; length];
                input.read_exact(&mut body).unwrap();
                asked.push(format!("{} {}", line.trim(), String::from_utf8(body).unwrap()));
                let (status, text) = match line.starts_with("GET /v1/state ") {
                    true => ("200 OK", state.as_str()),
                    false => last.split_once('|').unwrap(),
                };
                write!(&stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{text}", text.len()).unwrap();
            }
            asked
        })
    }

    async fn note(version: &str, managed: bool, answers: usize, last: &str) -> (Option<String>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let command = AgentCommand { program: vec!["/bin/windlassd".into()], vars: Default::default() };
        let agent = agent(folder.path().join("control.sock"), version, managed, answers, last);
        let note = upgrade(&Client::new(folder.path()), &command, "1.2.0").await;
        (note, agent.join().unwrap())
    }

    #[tokio::test]
    async fn an_older_agent_hands_over_to_the_program_that_came_with_this_one() {
        let handed = r#"200 OK|{"pid":77,"version":"1.2.0"}"#;
        let (note, asked) = note("1.1.9", false, 2, handed).await;
        assert_eq!(note.unwrap(), "the agent, version 1.1.9, has handed over to version 1.2.0 (pid 77)");
        assert!(asked[1].starts_with("POST /v1/handover "), "{asked:?}");
        assert!(asked[1].ends_with(r#"{"program":["/bin/windlassd"],"downgrade":false}"#), "{asked:?}");
    }

    #[tokio::test]
    async fn an_agent_that_will_not_hand_over_goes_on() {
        let busy = r#"422 No|{"rejected":"judged","why":"a step is under way","log":[]}"#;
        let (note, _) = note("1.1.9", false, 2, busy).await;
        let note = note.unwrap();
        assert!(note.contains("stays at version 1.1.9") && note.contains("a step is under way"), "{note}");
    }

    #[tokio::test]
    async fn no_agent_is_downgraded_and_no_service_replaced() {
        let (newer, asked) = note("1.10.0", false, 1, "").await;
        assert!(newer.unwrap().contains("newer than this program's 1.2.0, and stays"));
        assert_eq!(asked.len(), 1, "{asked:?}");
        let (managed, asked) = note("1.1.9", true, 1, "").await;
        assert!(managed.unwrap().contains("systemctl reload"));
        assert_eq!(asked.len(), 1, "{asked:?}");
        assert_eq!(note("1.2.0", false, 1, "").await.0, None);
    }

    #[test]
    fn what_is_no_version_is_neither_older_nor_newer() {
        assert!(is_older("0.9.9", "0.10.0") && is_older("1.0.0-rc.1", "1.0.0"));
        assert!(!is_older("0", "1.0.0") && !is_older("1.0.0", "1.0.0") && !is_older("1.0.0", "what"));
    }
}
