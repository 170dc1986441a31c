//! An agent that is older than the program that meets it hands over to the one that came with it. A newer one stays, or
//! is asked nothing where it need not understand what this program asks.

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

/// How the agent that runs stands to the program that meets it, by their versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    /// The same version.
    Same,
    /// An older one: it hands over.
    Older,
    /// A newer one that keeps what this program asks of it: it stays.
    Newer,
    /// A newer one that need not: nothing is asked of it.
    TooNew,
    /// One of them is no version.
    Unknown,
}

impl Stands {
    pub(crate) fn of(theirs: &str, own: &str) -> Self {
        let (Ok(theirs), Ok(own)) = (Version::parse(theirs), Version::parse(own)) else {
            return Self::Unknown;
        };
        // As Cargo has it: before 1.0 the second number is the one that promises nothing.
        let promises =
            |version: &Version| (version.major, if version.major == 0 { version.minor } else { 0 });
        match theirs.cmp(&own) {
            Ordering::Equal => Self::Same,
            Ordering::Less => Self::Older,
            Ordering::Greater if promises(&theirs) == promises(&own) => Self::Newer,
            Ordering::Greater => Self::TooNew,
        }
    }
}

/// An agent that is too new for the program that meets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooNew {
    /// The agent's version.
    pub theirs: String,
    /// The program's.
    pub own: String,
}

impl std::fmt::Display for TooNew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { theirs, own } = self;
        write!(
            f,
            "the agent is version {theirs}, too new for this program's {own}: use Windlass {theirs} here, or give the agent \
             back there with `windlassd --root ROOT --take-over --downgrade` of version {own}"
        )
    }
}

impl std::error::Error for TooNew {}

/// Has the agent that runs hand over, where it is older than `own`. An agent runs whatever comes of it; what people
/// should know is returned.
///
/// # Errors
/// Where the agent is too new to be asked anything.
pub(super) async fn upgrade(
    client: &Client,
    agent: &AgentCommand,
    own: &str,
) -> Result<Option<String>, TooNew> {
    let Ok(state) = client.get::<AgentState>("/v1/state").await else { return Ok(None) };
    let theirs = &state.version;
    match Stands::of(theirs, own) {
        Stands::Same | Stands::Unknown => Ok(None),
        Stands::Newer => Ok(Some(stays(theirs, own))),
        Stands::TooNew => Err(TooNew { theirs: theirs.clone(), own: own.to_owned() }),
        Stands::Older => Ok(Some(match agent.handover() {
            Ok(program) => replace(client, &state, program, own).await,
            Err(why) => not_replaced(theirs, own, &why),
        })),
    }
}

/// What is said of a newer agent.
pub(crate) fn stays(theirs: &str, own: &str) -> String {
    format!("the agent is version {theirs}, newer than this program's {own}, and stays")
}

fn not_replaced(theirs: &str, own: &str, why: &str) -> String {
    format!("the agent stays at version {theirs}, {}: {why}", against(theirs, own))
}

/// How an agent that should be replaced stands to the program that should replace it.
fn against(theirs: &str, own: &str) -> String {
    if theirs == own {
        "which this program is another build of".to_owned()
    } else {
        format!("older than this program's {own}")
    }
}

/// Has the agent whose state this is hand over to a program, and says what came of it.
pub(crate) async fn replace(client: &Client, state: &AgentState, program: Vec<String>, own: &str) -> String {
    let theirs = &state.version;
    if state.managed {
        return format!(
            "the agent is version {theirs}, {}, and its service manager's to replace: put the new windlassd in its place \
             and run systemctl reload windlassd@NAME",
            against(theirs, own)
        );
    }
    match hand_over(client, program).await {
        Ok(handed) => {
            format!(
                "the agent, version {theirs}, has handed over to version {} (pid {})",
                handed.version, handed.pid
            )
        }
        Err(why) => not_replaced(theirs, own, &why),
    }
}

async fn hand_over(client: &Client, program: Vec<String>) -> Result<HandedOver, String> {
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
        (note.unwrap_or_else(|refused| Some(refused.to_string())), agent.join().unwrap())
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

    #[tokio::test]
    async fn an_agent_that_promises_nothing_to_this_program_is_asked_nothing() {
        let (refused, asked) = note("2.0.0", false, 1, "").await;
        let refused = refused.unwrap();
        assert!(refused.contains("version 2.0.0, too new for this program's 1.2.0"), "{refused}");
        assert!(refused.contains("--take-over --downgrade"), "{refused}");
        assert_eq!(asked.len(), 1, "{asked:?}");
        for (theirs, own, stands) in [
            ("1.9.0", "1.2.0", Stands::Newer),
            ("0.2.0", "0.1.9", Stands::TooNew),
            ("0.1.9", "0.1.2", Stands::Newer),
            ("1.0.0", "0.9.0", Stands::TooNew),
            ("0.1.0", "2.0.0", Stands::Older),
            ("what", "2.0.0", Stands::Unknown),
        ] {
            assert_eq!(Stands::of(theirs, own), stands, "{theirs} {own}");
        }
    }

    #[test]
    fn what_is_no_version_is_neither_older_nor_newer() {
        assert!(is_older("0.9.9", "0.10.0") && is_older("1.0.0-rc.1", "1.0.0"));
        assert!(!is_older("0", "1.0.0") && !is_older("1.0.0", "1.0.0") && !is_older("1.0.0", "what"));
    }
}
